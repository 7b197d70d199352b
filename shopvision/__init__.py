"""Visual search for any Django shop.

Reading order, from the bottom up: messages, exceptions, conf, types, signals, metrics; privacy (consent, retention,
erasure); images (bytes -> pixels); encoders (pixels -> embeddings); index (embeddings -> neighbours); catalogue (the
only package that knows the shop's models); classifiers (photos and text -> label probabilities); events (what visitors
did); releases and jobs (trained things; long work); indexing (the write path); tuning (fit the embedding to the shop);
search (the read path); classification (labels, suggestions, review); ranking (listings in the visitor's order);
listings (the public functions); admin, api, templatetags, management (the ways in). docs/architecture.md has the whole.

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
