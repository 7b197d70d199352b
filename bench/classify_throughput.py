"""Products per second of a classify job: ``python -m bench.classify_throughput --json``.

A throw-away shop classifies many products whose descriptors are stored, and some whose photos have none yet, beside
the bare forward pass of the same photos.
"""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from django.core.files.base import ContentFile
from django.db import connection
from PIL import Image

import bench.django_setup  # noqa: F401 - before models are imported
from bench import command_line
from bench.freshness import BenchProduct, photo, throwaway_shop
from shopvision import conf, jobs, metrics
from shopvision.catalogue.models import CatalogueEntry, CatalogueImage
from shopvision.classification.classifier_training import train
from shopvision.encoders.base import Descriptors, MapEncoder
from shopvision.encoders.descriptor import pack
from shopvision.exceptions import InvalidRequest
from shopvision.images.decode import decode
from shopvision.images.preprocess import normalise, squares
from shopvision.index.models import Descriptor
from shopvision.indexing import encoder_releases
from shopvision.indexing.photos import limits
from shopvision.indexing.pipeline import ensure_live

LABELS = 10
LABELLED = 400  # products the classifier is trained on
VARIANTS = 16  # drawn photos behind each label; descriptors in between are mixed from them
TARGET = "category"
STAGES = ("shop", "lacking", "describe", "read", "unpack", "predict", "rows", "write")


def measure(products: int, photos: int) -> dict[str, Any]:
    """Classify many products whose descriptors are stored, and some whose photos nobody has looked at.

    Args:
        products: with descriptors, mixed from those of drawn photos.
        photos: products without, one photo of 600 pixels each.

    Returns:
        products per second of both jobs, milliseconds a product by stage, and the ratio of the second job to
        decoding and the bare forward pass, and to the bare forward pass alone, of the same photos.

    Raises:
        InvalidRequest: fewer than ``LABELLED`` products, or a negative number of photos.
    """
    if products < LABELLED:
        raise InvalidRequest(f"--products takes {LABELLED} or more: the classifier learns from so many")
    if photos < 0:
        raise InvalidRequest("--photos takes a whole number, 0 or more")
    with throwaway_shop():
        live = ensure_live()
        _stock(products, live)
        source = BenchProduct._meta.label_lower
        release = train(source, TARGET, kind="linear", force=True)
        stored = _job({"source": source, "target": TARGET})
        missing = _missing(photos, source, live)
        return {
            "products": products,
            "stored": stored,
            "missing": missing,
            "classifier": release.kind,
            "labels": LABELS,
            "database": connection.vendor,
            "encoder": f"{live.row.backbone} {live.row.precision}",
        }


def _stock(count: int, live: encoder_releases.LiveRelease) -> None:
    """Products with entries, photos and descriptors, as indexing leaves them; the first ones have a label."""
    rng = np.random.default_rng(0)
    drawn = [Image.open(ContentFile(photo(seed))) for seed in range(LABELS * VARIANTS)]
    blocks = live.encoder.describe([image.convert("RGB") for image in drawn])
    for start in range(0, count, 1000):
        numbers = range(start, min(start + 1000, count))
        made = BenchProduct._default_manager.bulk_create(
            BenchProduct(
                title=f"thing {n}", photo=f"{n}.jpg", category=f"label {n % LABELS}" if n < LABELLED else ""
            )
            for n in numbers
        )
        entries = CatalogueEntry.objects.bulk_create(
            CatalogueEntry(
                source=BenchProduct._meta.label_lower,
                object_id=str(one.pk),
                group=f"{BenchProduct._meta.label_lower}:{one.pk}",
                title=one.title,
                state=CatalogueEntry.State.INDEXED,
            )
            for one in made
        )
        images = CatalogueImage.objects.bulk_create(
            CatalogueImage(entry=entry, name=str(one.photo.name), state=CatalogueImage.State.INDEXED)
            for entry, one in zip(entries, made, strict=True)
        )
        mixed = _mixed(blocks, [n % LABELS for n in numbers], rng)
        Descriptor.objects.bulk_create(
            Descriptor(image=image, backbone_digest=live.row.backbone_digest, data=pack(mixed, row))
            for row, image in enumerate(images)
        )


def _mixed(blocks: Descriptors, labels: Sequence[int], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Descriptors between two drawn photos of the same label, one row each."""
    first, second = (np.array(labels) * VARIANTS + rng.integers(0, VARIANTS, len(labels)) for _ in range(2))
    share = rng.uniform(0.2, 0.8, (len(labels), 1)).astype(np.float32)
    return {name: share * block[first] + (1 - share) * block[second] for name, block in blocks.items()}


def _job(params: Mapping[str, Any]) -> dict[str, Any]:
    """Run a classify job here: products, seconds, products per second, milliseconds a product by stage."""
    before = _totals()
    job = jobs.start("classify", params, wake=False)
    begun = time.perf_counter()
    jobs.run(job)
    seconds = time.perf_counter() - begun
    job.refresh_from_db()
    spent = {name: (value - before[name]) / max(1, job.done) for name, value in _totals().items()}
    return {
        "state": job.state,
        "done": job.done,
        "failed": job.failed,
        "seconds": round(seconds, 3),
        "per_second": round(job.done / seconds, 1),
        "ms_per_product": {name: round(value, 4) for name, value in spent.items()}
        | {"other": round(1000 * seconds / max(1, job.done) - sum(spent.values()), 4)},
    }


def _totals() -> dict[str, float]:
    timers = metrics.snapshot()["timers"]
    return {name: timers.get(f"classify_{name}", {}).get("total", 0.0) for name in STAGES}


def _missing(count: int, source: str, live: encoder_releases.LiveRelease) -> dict[str, Any]:
    """Products nobody has looked at yet, beside the bare kernels on the same photos."""
    keys = []
    for seed in range(count):
        product = BenchProduct(title=f"new thing {seed}")
        product.photo.save(f"new-{seed}.jpg", ContentFile(photo(50_000 + seed)), save=False)
        keys.append(product)
    made = BenchProduct._default_manager.bulk_create(keys)
    encoder = live.encoder
    if not count or not isinstance(encoder, MapEncoder):
        return {}
    pixels, decoded = _decoded(encoder, range(50_000, 50_000 + count))
    forward = _forward(encoder, pixels)
    found = _job({"source": source, "target": TARGET, "refs": [str(one.pk) for one in made]})
    return {
        **found,
        "forward_per_second": round(count / forward, 1),
        "decode_and_forward_per_second": round(count / (decoded + forward), 1),
        "ratio_to_forward": round(found["per_second"] * forward / count, 3),
        "ratio_to_decode_and_forward": round(found["per_second"] * (decoded + forward) / count, 3),
    }


def _decoded(encoder: MapEncoder, seeds: Sequence[int]) -> tuple[np.ndarray, float]:
    """The photos as the network takes them, and the seconds of one thread that made them."""
    files = [photo(seed) for seed in seeds]
    begun = time.perf_counter()
    images = [decode(data, limits()) for data in files]
    pixels = normalise(squares(images, encoder.spec.preprocess), encoder.spec.preprocess)
    return pixels, time.perf_counter() - begun


def _forward(encoder: MapEncoder, pixels: np.ndarray) -> float:
    """Seconds of the network alone, in batches."""
    encoder.maps(pixels[: conf.BATCH_SIZE])
    begun = time.perf_counter()
    for start in range(0, len(pixels), conf.BATCH_SIZE):
        encoder.maps(pixels[start : start + conf.BATCH_SIZE])
    return time.perf_counter() - begun


def in_words(answer: Mapping[str, Any]) -> str:
    """The figures as two sentences."""
    stored, missing = answer["stored"], answer["missing"]
    stages = ", ".join(f"{name} {ms}" for name, ms in stored["ms_per_product"].items() if ms)
    lines = [
        f"{stored['done']} products with descriptors: {stored['per_second']}/s (ms a product: {stages})",
    ]
    if missing:
        lines.append(
            f"{missing['done']} without: {missing['per_second']}/s, {missing['ratio_to_forward']} of the bare "
            f"forward pass ({missing['forward_per_second']}/s), {missing['ratio_to_decode_and_forward']} of "
            "decoding and forward pass"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Read the command line, measure and print."""
    parser = command_line.make_parser("bench.classify_throughput", __doc__)
    parser.add_argument(
        "--products", type=int, default=5000, help=f"with descriptors, {LABELLED} or more (default 5000)"
    )
    parser.add_argument("--photos", type=int, default=256, help="products without; 0 for none (default 256)")

    def timed(options: Namespace) -> dict[str, Any]:
        return measure(options.products, options.photos)

    return command_line.run(parser, timed, arguments, words=in_words)


if __name__ == "__main__":
    main()
