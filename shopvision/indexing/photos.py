"""Read, decode and describe product photos in parallel."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from django.db.models.fields.files import FieldFile
from PIL.Image import Image

from .. import conf, metrics
from ..catalogue.adapter import Catalogue, catalogues
from ..encoders.base import Encoder, check_described
from ..encoders.descriptor import colours_in_words, pack
from ..exceptions import ImageRejected, TemporaryFailure
from ..images.decode import DecodeLimits, announced_size, decode
from ..images.preprocess import fit_inside
from ..images.quality import assess, difference_hash
from ..messages import Message, error_message

THREADS = max(
    1, min(4, os.cpu_count() or 1)
)  # 30 % faster than decoding ahead of one encoding thread, on two cores
LARGEST_SIDE = 1024  # pixels a photo is said to have at most; more are never looked at
UNREADABLE = "unreadable"  # the shop's storage did not give the bytes
FAILED = "failed"  # our own code could not work on it


@dataclass(frozen=True, slots=True)
class Photo:
    """One photo to look at.

    Args:
        id: primary key of its CatalogueImage.
        file: in the field's own storage; read with ``open``, never by a path.
        known: sha256 of the bytes each stored descriptor was made from, by backbone digest.
        rejected: sha256 of the bytes it was rejected for, or empty.
    """

    id: int
    file: FieldFile
    known: Mapping[str, str] = field(default_factory=dict)
    rejected: str = ""


@dataclass(slots=True)
class Sighting:
    """What looking at one photo gave.

    Args:
        id: primary key of its CatalogueImage.
        digest: sha256 of its bytes; empty when they could not be read.
        facts: values of CatalogueImage's columns; empty when nothing new was seen.
        packed: descriptors to store, by backbone digest.
        code, reason: why it cannot be used; ``UNREADABLE`` and ``FAILED`` may pass, other codes will not.
    """

    id: int
    digest: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    packed: dict[str, bytes] = field(default_factory=dict)
    code: str = ""
    reason: Message | None = None
    pixels: Image | None = None
    wanted: tuple[str, ...] = ()

    @property
    def may_pass(self) -> bool:
        """Worth another try later."""
        return self.code in (UNREADABLE, FAILED)


def limits() -> DecodeLimits:
    """The shop's limits for photos."""
    return DecodeLimits(
        max_bytes=conf.MAX_UPLOAD_BYTES,
        max_pixels=conf.MAX_IMAGE_PIXELS,
        min_side=conf.MIN_IMAGE_SIDE_PIXELS,
        formats=tuple(conf.IMAGE_FORMATS),
    )


def describe_photos(photos: Iterable[Photo], encoders: Mapping[str, Encoder]) -> Iterator[Sighting]:
    """Look at photos, in the order given; a few threads each read, decode and describe a part of a batch.

    So that decoding, the network and the colour blocks of different photos overlap. Memory stays flat: one
    part per thread is decoded at a time, and a few kilobytes are kept of each photo. A photo that cannot be
    read, decoded or encoded gets its reason and never costs its neighbours anything.

    Args:
        photos: what to look at.
        encoders: by backbone digest; a photo is described by those that do not know its bytes yet.

    Raises:
        TemporaryFailure: the encoder is down; the photos are not to blame.
    """
    bounds, source = limits(), iter(photos)
    size = max(1, conf.BATCH_SIZE // THREADS)
    ahead: deque[Future[list[Sighting]]] = deque()
    with ThreadPoolExecutor(THREADS, thread_name_prefix="shopvision-photos") as pool:
        try:
            while True:
                while len(ahead) <= THREADS and (part := list(islice(source, size))):
                    ahead.append(pool.submit(_look_at_all, part, encoders, bounds))
                if not ahead:
                    return
                yield from ahead.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _look_at_all(
    photos: Sequence[Photo], encoders: Mapping[str, Encoder], bounds: DecodeLimits
) -> list[Sighting]:
    side = _common_side(encoders.values())
    with metrics.timed("index_decode"):
        seen = [look(photo, tuple(encoders), bounds, side) for photo in photos]
    _describe(seen, encoders)
    return seen


def _common_side(encoders: Iterable[Encoder]) -> int:
    """The side of the square that all the encoders letterbox photos to; 0 if they differ."""
    wanted = {(one.spec.preprocess.size, one.spec.preprocess.fit) for one in encoders}
    size, fit = next(iter(wanted)) if len(wanted) == 1 else (0, "")
    return size if fit == "letterbox" else 0


def look(photo: Photo, backbones: Sequence[str], bounds: DecodeLimits, side: int = 0) -> Sighting:
    """Read and decode one photo, unless its bytes are the ones we know. Never raises.

    Args:
        photo: where it is and what is known of it.
        backbones: digests of the encoders it may have to be described by.
        bounds: of what is decoded.
        side: keep only as many pixels as a letterboxed square of this side needs; 0 keeps all.
    """
    try:
        data = read(photo.file, bounds.max_bytes)
    except Exception as error:  # noqa: BLE001 - any storage backend may raise anything
        return Sighting(photo.id, code=UNREADABLE, reason=error_message(error))
    digest = hashlib.sha256(data).hexdigest()
    wanted = tuple(name for name in backbones if photo.known.get(name) != digest)
    if not wanted or photo.rejected == digest:
        return Sighting(photo.id, digest)
    try:
        size, image = _decoded(data, bounds, side)
        pixels = fit_inside(image, side) if side else image
        return Sighting(photo.id, digest, facts=_facts(size, image, pixels), pixels=pixels, wanted=wanted)
    except ImageRejected as error:
        return Sighting(photo.id, digest, code=error.code, reason=error.message)
    except Exception as error:  # noqa: BLE001 - one photo must never stop its batch
        metrics.log.exception("photo %s could not be looked at", photo.id)
        return Sighting(photo.id, digest, code=FAILED, reason=error_message(error))


def read(file: FieldFile, max_bytes: int) -> bytes:
    """The bytes of a stored photo, at most one more than allowed (``decode`` then says ``too_large``)."""
    with file.storage.open(str(file.name), "rb") as opened:
        return bytes(opened.read(max_bytes + 1))


def _decoded(data: bytes, bounds: DecodeLimits, side: int) -> tuple[tuple[int, int], Image]:
    """The photo's size, and the photo: no larger than needed, so that the decoder scales while it decodes.

    A JPEG of 600 pixels is decoded in a third of the time.
    """
    size = announced_size(data) if side else None
    if size is None:
        image = decode(data, bounds)
        return image.size, image
    scale = min(1.0, LARGEST_SIDE / max(size))
    seen = max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
    return seen, decode(data, bounds, max_side=side)


def _facts(size: tuple[int, int], image: Image, pixels: Image) -> dict[str, Any]:
    smaller = min(image, pixels, key=lambda one: one.width)
    return {
        "width": size[0],
        "height": size[1],
        "perceptual_hash": difference_hash(pixels),
        "quality": assess(smaller, size).as_dict(),
    }


def _describe(batch: Sequence[Sighting], encoders: Mapping[str, Encoder]) -> None:
    """Fill in ``packed``, one call per encoder; then let go of the pixels."""
    by_encoder: dict[str, list[Sighting]] = defaultdict(list)
    for seen in batch:
        for name in seen.wanted:
            by_encoder[name].append(seen)
    for name, seen_by in by_encoder.items():
        with metrics.timed("index_encode"):
            _encode(seen_by, name, encoders[name])
    for seen in batch:
        seen.pixels = None


def _encode(batch: Sequence[Sighting], name: str, encoder: Encoder) -> None:
    """Describe a batch; one that fails as a whole goes one by one, so only the guilty photo is blamed."""
    try:
        images = [seen.pixels for seen in batch if seen.pixels is not None]
        described = encoder.describe(images)
        check_described(encoder.spec, described, len(images))
        for row, (seen, image) in enumerate(zip(batch, images, strict=True)):
            seen.packed[name] = pack(described, row)
            seen.facts["colours"] = [one.as_dict() for one in colours_in_words(described, row, image)]
    except TemporaryFailure:
        raise
    except Exception as error:  # noqa: BLE001 - a runtime may raise anything on one odd photo
        if len(batch) > 1:
            for seen in batch:
                _encode([seen], name, encoder)
            return
        metrics.log.exception("photo %s could not be encoded", batch[0].id)
        batch[0].code, batch[0].reason = FAILED, error_message(error)


def sample_photos(limit: int) -> list[Image]:
    """Up to ``limit`` decoded photos, one or more a product, spread evenly over every catalogue."""
    shops = list(catalogues().values())
    share = -(-limit // max(1, len(shops)))
    found = [image for shop in shops for image in _some_of(shop, share)]
    return found[:limit]


def _some_of(shop: Catalogue, limit: int) -> list[Image]:
    keys = list(shop.queryset().order_by("pk").values_list("pk", flat=True))
    step = max(1, len(keys) // max(1, limit))
    picked = shop.get_many([str(key) for key in keys[::step][:limit]])
    files = [_files(shop, product) for product in picked.values()]
    images: list[Image] = []
    for file in _interleaved(files):
        image = read_photo(file)
        if image is not None:
            images.append(image)
        if len(images) >= limit:
            break
    return images


def _files(shop: Catalogue, product: Any) -> list[FieldFile]:
    try:
        return shop.image_files(product)
    except Exception as error:  # noqa: BLE001 - the shop's own code may raise anything
        metrics.log.warning("photos of %s are not in the sample", shop.ref(product), exc_info=error)
        return []


def _interleaved(files: list[list[FieldFile]]) -> Iterator[FieldFile]:
    """Every product's first photo, then every product's second, and so on."""
    for place in range(max(map(len, files), default=0)):
        yield from (row[place] for row in files if place < len(row))


def read_photo(file: FieldFile) -> Image | None:
    """A photo from the shop's storage, decoded; None (and a log line) when it cannot be had."""
    try:
        bounds = limits()
        return decode(read(file, bounds.max_bytes), bounds)
    except Exception as error:  # noqa: BLE001 - any storage backend may raise anything
        metrics.log.info("photo %s is left out of the sample: %s", file.name, error)
        return None
