"""Descriptors of augmented views of the shop's labelled photos, cached in a file."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL.Image import Image

from .. import checkpoints, conf, metrics
from ..catalogue.adapter import catalogue
from ..catalogue.models import CatalogueImage
from ..classifiers.augmented_views import LEARNED, MOST_SEEN_AGAIN, pack_other_glances, unpack_glances
from ..classifiers.labelled_set import Glances
from ..encoders.base import Encoder
from ..exceptions import TemporaryFailure
from ..images.decode import decode
from ..indexing import encoder_releases as encoders
from ..indexing.photos import THREADS, limits, read
from ..messages import Message
from .dataset import Dataset
from .labels import batches

KIND = "glances"
AT_ONCE = 16  # photos a thread decodes and describes
Packed = tuple[bytes, ...]


def reader(dataset: Dataset) -> Callable[[int], bytes]:
    """Photo's number -> its bytes, from the shop's own storage; it raises ``KeyError`` where the shop has none."""
    adapter = catalogue(dataset.source)
    names = dict(
        CatalogueImage.objects.filter(entry__source=dataset.source).values_list("pk", "name").iterator()
    )
    files: dict[tuple[str, str], Any] = {}
    for part in batches(one.key for one in dataset.items):
        for key, product in adapter.get_many(part).items():
            files.update({(key, str(file.name)): file for file in adapter.image_files(product)})
    places = [(dataset.items[one.item].key, names[one.image]) for one in dataset.photos]
    return lambda row: read(files[places[row]], conf.MAX_UPLOAD_BYTES)


def glances_of(dataset: Dataset) -> Generator[Message, None, Glances | None]:
    """Other glances at each photo, for heads to learn from; yields what it does, returns them.

    They are made of the bytes that the stored descriptors are of, and kept by their digest: another training,
    of another target too, describes only photos that are new. None for more photos than ``MOST_SEEN_AGAIN``,
    of which heads learn enough as they are. A photo that cannot be read now is learned from as it is.

    Raises:
        TemporaryFailure: the encoder is down.
    """
    if len(dataset.photos) > MOST_SEEN_AGAIN:
        return None
    digests = _content_digests(dataset)
    path = Path(conf.DATA_DIR) / "glances" / f"{dataset.backbone_digest[:16]}-{dataset.source}.safetensors"
    kept = _read(path)
    missing = [row for row, digest in enumerate(digests) if digest not in kept]
    if missing:
        yield Message("describing_augmented_views", {"count": len(missing)})
        with metrics.timed("classify_glances"):
            found = _describe(reader(dataset), missing, encoders.live().encoder)
        kept.update({digests[row]: packed for row, packed in found.items()})
        _write(path, {digest: kept[digest] for digest in digests if digest in kept})
    return unpack_glances({row: kept[digest] for row, digest in enumerate(digests) if digest in kept})


def _content_digests(dataset: Dataset) -> list[str]:
    """sha256 of the bytes that each photo's descriptor was made of."""
    rows = CatalogueImage.objects.filter(entry__source=dataset.source).values_list("pk", "content_digest")
    known = dict(rows.iterator())
    return [known[photo.image] for photo in dataset.photos]


def _describe(read_photo: Callable[[int], bytes], rows: Sequence[int], encoder: Encoder) -> dict[int, Packed]:
    """Packed glances by row; a few threads, so that decoding and the network overlap."""
    parts = [rows[start : start + AT_ONCE] for start in range(0, len(rows), AT_ONCE)]

    def work(part: Sequence[int]) -> dict[int, Packed]:
        return _pack(
            {row: image for row in part if (image := _decoded(read_photo, row)) is not None}, encoder
        )

    with ThreadPoolExecutor(THREADS, thread_name_prefix="shopvision-glances") as pool:
        return {row: packed for found in pool.map(work, parts) for row, packed in found.items()}


def _pack(images: dict[int, Image], encoder: Encoder) -> dict[int, Packed]:
    """Packed glances by row; a batch that fails as a whole goes one by one, so only the guilty photo is left out."""
    try:
        return dict(zip(images, pack_other_glances(encoder, list(images.values())), strict=True))
    except TemporaryFailure:
        raise
    except Exception as error:  # noqa: BLE001 - a runtime may raise anything on one odd photo
        if len(images) > 1:
            return {
                row: one for key, image in images.items() for row, one in _pack({key: image}, encoder).items()
            }
        metrics.log.info("a photo is learned from as it is, it cannot be described: %s", error)
        return {}


def _decoded(read_photo: Callable[[int], bytes], row: int) -> Image | None:
    try:
        return decode(read_photo(row), limits())
    except Exception as error:  # noqa: BLE001 - any storage backend may raise anything
        metrics.log.info("a photo is learned from as it is, it cannot be read: %s", error)
        return None


def _read(path: Path) -> dict[str, Packed]:
    """What is kept, by the digest of the photo's bytes; nothing where the file is absent or damaged."""
    try:
        stored = checkpoints.unpack(path.read_bytes(), KIND).tensors
    except (OSError, checkpoints.CorruptCheckpoint, checkpoints.IncompatibleCheckpoint):
        return {}
    digests = {name.partition(".")[0] for name in stored}
    found = {
        digest: tuple(
            stored[f"{digest}.{n}"].tobytes() for n in range(1, LEARNED) if f"{digest}.{n}" in stored
        )
        for digest in digests
    }
    return {digest: packed for digest, packed in found.items() if len(packed) == LEARNED - 1}


def _write(path: Path, kept: dict[str, Packed]) -> None:
    tensors = {
        f"{digest}.{n}": np.frombuffer(data, np.uint8)
        for digest, packed in kept.items()
        for n, data in enumerate(packed, 1)
    }
    checkpoints.write(path, checkpoints.pack(KIND, tensors, {"photos": len(kept)}))
