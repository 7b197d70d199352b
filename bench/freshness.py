"""Seconds from saving a product to finding it by its photo: ``python -m bench.freshness --json``.

Products are saved one by one in a throw-away shop with a worker thread, and searched for until each is found: new
ones, ones with another photo, and ones that were deleted, until they are gone.
"""

from __future__ import annotations

import io
import tempfile
import time
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.db import connection, models
from django.test.utils import override_settings
from PIL import Image, ImageDraw

import bench.django_setup  # noqa: F401 - before models are imported
from bench import command_line
from shopvision import jobs
from shopvision.catalogue.adapter import Catalogue, register
from shopvision.exceptions import InvalidRequest, TemporaryFailure
from shopvision.indexing import encoder_releases
from shopvision.jobs import engine
from shopvision.listings import search_by_photo
from shopvision.metrics import quantile

POLL_SECONDS = 0.02
GIVE_UP_SECONDS = 60.0
PHOTO_SIDE = 600  # pixels: a usual product photo
FIRST_PRODUCTS = 64  # indexed before measuring, so that the shop is not empty


class BenchProduct(models.Model):
    """A product as simple as can be; its table exists in the throw-away database only."""

    title = models.CharField(max_length=100)
    category = models.CharField(max_length=100, blank=True)
    photo = models.ImageField()
    active = models.BooleanField(default=True)

    class Meta:
        app_label = "shopvision_bench"
        managed = False

    def __str__(self) -> str:
        return self.title


class BenchCatalogue(Catalogue):
    """Its adapter."""

    images = "photo"
    title = "title"
    category = "category"

    def visible(self, queryset: Any, context: Any) -> Any:
        """What is active."""
        return queryset.filter(active=True)


@contextmanager
def throwaway_shop() -> Iterator[Path]:
    """A database as the test runner makes it, an empty DATA_DIR, the thread engine; all gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="shopvision-bench-") as folder:
        here = Path(folder)
        given = {**getattr(settings, "SHOPVISION", {}), "DATA_DIR": here / "data", "ENGINE": "thread"}
        own = connection.settings_dict
        before = own["NAME"]
        if connection.vendor == "sqlite":
            own["TEST"]["NAME"] = str(here / "bench.sqlite3")  # a file: the worker thread opens it too
            own.setdefault("OPTIONS", {}).setdefault("timeout", 20)
        with override_settings(SHOPVISION=given):
            connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
            try:
                with connection.schema_editor() as editor:
                    editor.create_model(BenchProduct)
                BenchProduct._meta.get_field("photo").storage = FileSystemStorage(here / "media")
                register(BenchProduct)(BenchCatalogue)
                yield here
            finally:
                engine.stop_threads()
                connection.creation.destroy_test_db(before, verbosity=0)


def photo(seed: int) -> bytes:
    """A drawn product photo as JPEG; each seed another thing."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (PHOTO_SIDE, PHOTO_SIDE), (255, 255, 255))
    pen = ImageDraw.Draw(image)
    for size in (0.8, 0.5, 0.35, 0.2, 0.2):
        side = PHOTO_SIDE * size
        x, y = rng.uniform(0.05 * PHOTO_SIDE, 0.95 * PHOTO_SIDE - side, 2)
        shape = (pen.ellipse, pen.rectangle)[int(rng.integers(2))]
        shape((x, y, x + side, y + side), fill=tuple(int(c) for c in rng.integers(0, 240, 3)))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=90)
    return out.getvalue()


def _save(seed: int, product: BenchProduct | None = None) -> BenchProduct:
    product = product or BenchProduct(title=f"thing {seed}")
    product.photo.save(f"{seed}.jpg", ContentFile(photo(seed)), save=True)
    return product


def _first(data: bytes) -> str:
    """The product found first; empty while there is none."""
    try:
        hits = search_by_photo(data, limit=1).hits
    except TemporaryFailure:
        return ""
    return hits[0].product.object_id if hits and hits[0].similarity > 0.98 else ""


def _until(begun: float, data: bytes, key: str) -> float:
    """Seconds from ``begun`` until the photo finds the product; with an empty key, until it finds none."""
    while time.perf_counter() - begun < GIVE_UP_SECONDS:
        if _first(data) == key:
            return time.perf_counter() - begun
        time.sleep(POLL_SECONDS)
    return float("inf")


def measure(saves: int) -> dict[str, Any]:
    """Save products one by one and search until each is found: new, with another photo, deleted.

    Args:
        saves: how many saves; half of them new products, half new photos of products that are there.

    Returns:
        seconds at p50, p95 and worst from save to found, the same from delete to gone, and what it ran on.

    Raises:
        InvalidRequest: fewer than one save is asked for.
    """
    if saves < 1:
        raise InvalidRequest("--saves takes a whole number above 0")
    with throwaway_shop():
        for seed in range(FIRST_PRODUCTS):
            _save(seed)
        jobs.run(jobs.start("index_all", wake=False))
        engine.start_thread_worker()
        fresh: list[float] = []
        gone: list[float] = []
        for seed in range(1000, 1000 + saves):
            changed = BenchProduct._default_manager.order_by("?").first() if seed % 2 else None
            begun = time.perf_counter()
            product = _save(seed, changed)
            fresh.append(_until(begun, photo(seed), str(product.pk)))
            if seed % 10 == 9:
                begun = time.perf_counter()
                product.delete()
                gone.append(_until(begun, photo(seed), ""))
        live = encoder_releases.live()
        return {
            "saves": saves,
            "found": sum(value < GIVE_UP_SECONDS for value in fresh),
            **_figures("", fresh),
            "deletes": len(gone),
            **_figures("gone_", gone),
            "engine": "thread",
            "database": connection.vendor,
            "encoder": f"{live.row.backbone} {live.row.precision}",
        }


def _figures(prefix: str, seconds: list[float]) -> dict[str, float]:
    return {
        f"{prefix}p50_s": round(quantile(seconds, 0.5), 3),
        f"{prefix}p95_s": round(quantile(seconds, 0.95), 3),
        f"{prefix}max_s": round(max(seconds, default=0.0), 3),
    }


def in_words(answer: Mapping[str, Any]) -> str:
    """The figures as a sentence."""
    return (
        f"{answer['found']} of {answer['saves']} saves found; save to searchable "
        f"p50 {answer['p50_s']} s, p95 {answer['p95_s']} s, worst {answer['max_s']} s; "
        f"delete to gone p95 {answer['gone_p95_s']} s"
    )


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Read the command line, measure and print."""
    parser = command_line.make_parser("bench.freshness", __doc__)
    parser.add_argument("--saves", type=int, default=40, help="how many saves to time (default 40)")

    def timed(options: Namespace) -> dict[str, Any]:
        return measure(options.saves)

    return command_line.run(parser, timed, arguments, words=in_words)


if __name__ == "__main__":
    main()
