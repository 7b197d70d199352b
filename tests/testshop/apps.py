"""A second shop."""

from django.apps import AppConfig


class TestShopConfig(AppConfig):
    """UUID keys, images in a related table, other names."""

    name = "tests.testshop"
    label = "testshop"
