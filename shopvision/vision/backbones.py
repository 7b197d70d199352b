"""A backbone's name -> fp32 ONNX graph with its spec; torch is loaded only for names that need it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from ..exceptions import Misconfigured
from . import lite


@lru_cache(maxsize=1)
def graph_for(name: str) -> bytes:
    """The graph of a backbone, with three feature maps as outputs.

    Args:
        name: ``weights:efficientnet_lite0``, ``timm:NAME``, ``torchvision:NAME`` or ``open_clip:MODEL/TAG``.

    Raises:
        Misconfigured: no such backbone, or the extra it needs is not installed.
    """
    family, _, model = name.partition(":")
    if name == lite.SPEC.name:
        return lite.build_graph()
    maker = _FAMILIES.get(family)
    if maker is None or not model:
        raise Misconfigured(
            f"ENCODER {name!r} is unknown: it takes {lite.SPEC.name!r}, 'timm:NAME', 'torchvision:NAME', "
            "'open_clip:MODEL/TAG', or a dotted path"
        )
    return maker(model)


_FAMILIES: dict[str, Callable[[str], bytes]] = {}
