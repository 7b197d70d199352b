"""Vector indexes: embeddings -> nearest neighbours."""
