"""Tuning: fit the projection to the catalogue and promote it."""
