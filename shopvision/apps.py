"""The Django app: one line in INSTALLED_APPS."""

from django.apps import AppConfig


class ShopvisionConfig(AppConfig):
    """Finds the shop's adapters and connects their signals."""

    name = "shopvision"
    label = "shopvision"
    verbose_name = "Shopvision"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Import every app's ``shopvision_catalogue`` module and register the system checks."""
