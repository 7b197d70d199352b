"""Catalogue: the few questions a shop must answer; register(); autodiscovers shopvision_catalogue.py."""
