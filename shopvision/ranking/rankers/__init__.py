"""Rankers: features -> scores."""
