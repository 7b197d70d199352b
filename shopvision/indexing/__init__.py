"""The write path: catalogue changes -> descriptors, embeddings, index; and the releases they are made under."""
