"""What tests of searches ask with, and read out of the answer."""

from __future__ import annotations

from typing import Any


def own_bytes(product: Any) -> bytes:
    """Of the photo of a product of the demo shop."""
    with product.image.open("rb") as file:
        return bytes(file.read())


def titles(found: Any) -> list[str]:
    """Of the products on a page, in order."""
    return [hit.facts["title"] for hit in found.hits]
