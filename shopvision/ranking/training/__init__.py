"""Train rankers on recorded listings and evaluate them on later ones."""
