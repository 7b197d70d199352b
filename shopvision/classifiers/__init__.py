"""Classifiers: descriptors, photos and text -> label probabilities."""
