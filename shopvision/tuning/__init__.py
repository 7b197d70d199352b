"""Fit the projection to the catalogue, judge it on held-out photos, learn from clicks, promote."""
