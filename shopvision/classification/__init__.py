"""Classification of products: suggestions by trained classifiers, decisions by people."""
