"""The write path, the read path, and what is found between them."""
