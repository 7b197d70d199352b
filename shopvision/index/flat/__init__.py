"""The embedded default index: exact search over memory-mapped files, without a server."""

from .backend import FlatIndex

__all__ = ["FlatIndex"]
