"""Visual search for any Django shop.

Reading order: conf, exceptions, moments, types, signals, telemetry, background; privacy (may we, for how long,
forget me), events (what visitors did), behaviour (the shop's calls about it); images (bytes -> pixels),
vision (pixels -> vectors), index (vectors -> neighbours), catalogue (the only package that knows the
shop's models), evaluation (measures), indexing (the write path), search (the read path), recommend
(listings in the visitor's order), placements (strips), listings (the journeys, a screen each), jobs and
tasks (work in the background), api, admin, templatetags, management (the doors).

A shop needs two names from here::

    from shopvision import Catalogue, register
"""

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .catalogue.adapter import Catalogue, register

try:
    __version__ = version("shopvision")
except PackageNotFoundError:  # a checkout that was never installed
    __version__ = "0+unknown"

__all__ = ["Catalogue", "__version__", "register"]


def __getattr__(name: str) -> Any:
    """Load the two public names on first use, so that importing shopvision needs no configured Django."""
    if name in ("Catalogue", "register"):
        from .catalogue import adapter

        return getattr(adapter, name)
    raise AttributeError(f"module 'shopvision' has no attribute {name!r}")
