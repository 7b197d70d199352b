"""The shop's app."""

from django.apps import AppConfig


class DemoShopConfig(AppConfig):
    """A shop with products, photos and categories."""

    name = "demo_shop"
    verbose_name = "Demo shop"
