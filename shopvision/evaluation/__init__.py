"""Evaluation metrics on arrays; no Django."""
