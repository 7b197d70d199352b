"""Descriptors, photos and text -> label probabilities."""
