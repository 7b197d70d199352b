"""Offline measures on arrays, no Django."""
