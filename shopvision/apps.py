"""The Django app: one line in INSTALLED_APPS."""

from django.apps import AppConfig


class ShopvisionConfig(AppConfig):
    """Finds the shop's adapters, connects their signals and the worker engine."""

    name = "shopvision"
    label = "shopvision"
    verbose_name = "Shopvision"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Import every app's ``shopvision_catalogue`` module; its models are all there by now."""
        from . import (
            checks,  # noqa: F401 - checks register themselves
            jobs,
            messages,
        )
        from .catalogue import adapter
        from .catalogue import signals as product_signals
        from .events import signals as visitor_signals
        from .jobs import engine
        from .ranking import experiments

        for connect in (product_signals.connect, visitor_signals.connect):
            for early in adapter.catalogues().values():  # registered before we were ready
                connect(early)
            adapter.on_register.append(connect)
        messages.autodiscover()
        adapter.autodiscover()
        visitor_signals.connect_people()
        experiments.connect()
        jobs.autodiscover()
        engine.connect()
