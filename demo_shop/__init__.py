"""A small shop that uses shopvision only through its public door."""

from demo_shop.celery import app as celery_app

__all__ = ["celery_app"]
