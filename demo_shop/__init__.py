"""A small shop that uses shopvision only through its public door."""

from .celery import app as celery_app

__all__ = ["celery_app"]
