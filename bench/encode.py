"""JPEG bytes -> embedding row in the database: ``python -m bench.encode --json [--photos DIR]``.

The real indexing path in a throw-away database, at fp32 and int8. Beside it: each kernel alone, the sum of
decoding and forward pass ("decode_plus_forward", on the same cores), and the loop most tutorials show: Pillow,
a torch network with the same weights, faiss (batches of 1 and of 32).
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy loads; as docs/operations.md says

import argparse
import io
import json
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image

from bench.optional_peers import OptionalPeers

ROOT = Path(__file__).resolve().parents[1]
CORES = os.cpu_count() or 1
REPEATS = 3  # the median is told: other work on the machine disturbs single runs
BATCH = 8


def photos(folder: Path | None, count: int) -> list[bytes]:
    """JPEG files: those of ``folder``, else the prepared groceries, else drawn ones."""
    data = Path(os.environ.get("SHOPVISION_DATA") or ROOT.parent / "shared" / "data")
    files = sorted((folder or data / "grocery").glob("**/*.jpg"))[:count]
    if files:
        return [file.read_bytes() for file in files]
    from bench.freshness import photo

    return [photo(seed) for seed in range(count)]


def ms(function: Callable[[], Any], images: int, repeats: int = REPEATS) -> float:
    """Wall milliseconds per image, median of a few runs."""
    taken = []
    for _ in range(repeats):
        begun = time.perf_counter()
        function()
        taken.append((time.perf_counter() - begun) * 1000 / images)
    return round(median(taken), 3)


def in_threads(work: Callable[[Any], Any], items: Sequence[Any]) -> None:
    """Apply to every item on all cores."""
    with ThreadPoolExecutor(CORES) as pool:
        list(pool.map(work, items))


def blocks(files: Sequence[bytes], graph: bytes) -> dict[str, float]:
    """Milliseconds per image of each step of the path, one thread, alone."""
    from shopvision.encoders.descriptor import describe_maps, pack
    from shopvision.encoders.onnx import OnnxEncoder
    from shopvision.images.colour import colour_blocks, named_colours
    from shopvision.images.decode import decode
    from shopvision.images.preprocess import fit_inside, normalise, squares
    from shopvision.images.quality import assess, difference_hash

    encoder = OnnxEncoder(graph, threads=1)
    spec = encoder.spec.preprocess
    images = [decode(data) for data in files]
    n = len(images)
    pixels = squares(images, spec)
    parts = [pixels[i : i + BATCH] for i in range(0, n, BATCH)]
    inputs = [normalise(part, spec) for part in parts]
    maps = [encoder.maps(one) for one in inputs]
    small = [fit_inside(image, spec.size) for image in images]
    colours = [colour_blocks(part) for part in parts]
    described = [describe_maps(*both) for both in zip(maps, parts, strict=True)]
    return {
        "decode": ms(lambda: [decode(data) for data in files], n),
        "square": ms(lambda: squares(images, spec), n),
        "normalise": ms(lambda: [normalise(part, spec) for part in parts], n),
        "forward": ms(lambda: [encoder.maps(one) for one in inputs], n),
        "colour": ms(lambda: [colour_blocks(part) for part in parts], n),
        "describe_maps": ms(lambda: [describe_maps(*both) for both in zip(maps, parts, strict=True)], n),
        "pack": ms(lambda: [pack(one, row) for one in described for row in range(len(one["c5"]))], n),
        "colour_names": ms(lambda: [named_colours(row) for one in colours for row in one.palette], n),
        "quality": ms(lambda: [assess(image) for image in small], n),
        "hash": ms(lambda: [difference_hash(image) for image in small], n),
    }


def kernels(files: Sequence[bytes], graph: bytes) -> dict[str, float]:
    """Decoding to squares, and the forward pass, each alone on all cores.

    The forward pass is run both ways (one caller with a thread a core, a caller a core with one thread each):
    which is faster depends on the processor, and the faster one is what we are compared with.
    """
    from shopvision.encoders.onnx import OnnxEncoder
    from shopvision.images.decode import decode
    from shopvision.images.preprocess import normalise, squares

    wide, narrow = OnnxEncoder(graph, threads=CORES), OnnxEncoder(graph, threads=1)
    spec = wide.spec.preprocess
    pixels = squares([decode(data) for data in files], spec)
    inputs = [normalise(pixels[i : i + BATCH], spec) for i in range(0, len(pixels), BATCH)]
    n = len(files)
    decoding = ms(lambda: in_threads(lambda data: squares([decode(data)], spec), files), n)
    ways = {
        "forward_one_caller": ms(lambda: [wide.maps(one) for one in inputs], n),
        "forward_a_caller_a_core": ms(lambda: in_threads(narrow.maps, inputs), n),
    }
    return {"decode": decoding, **ways, "decode_plus_forward": round(decoding + min(ways.values()), 3)}


def indexing(files: Sequence[bytes], precisions: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Milliseconds per image from stored JPEG to embedding row, on all cores, by the job the shop runs."""
    from django.core.files.base import ContentFile

    from bench.freshness import BenchProduct, throwaway_shop

    with throwaway_shop():
        for number, data in enumerate(files):
            product = BenchProduct(title=f"thing {number}")
            product.photo.save(f"{number}.jpg", ContentFile(data), save=True)
        return {precision: _index_all(len(files), precision) for precision in precisions}


def _index_all(count: int, precision: str) -> dict[str, Any]:
    """Index the throw-away shop a few times over, from nothing."""
    from django.conf import settings
    from django.test.utils import override_settings

    from shopvision import jobs
    from shopvision.catalogue.models import CatalogueEntry
    from shopvision.index.models import Descriptor, Embedding, EncoderRelease
    from shopvision.indexing import encoder_releases

    with override_settings(SHOPVISION={**settings.SHOPVISION, "PRECISION": precision}):
        encoder_releases.reset()
        EncoderRelease.objects.all().delete()
        jobs.run(jobs.start("index_all", wake=False))  # the release is made from the photos then
        taken = []
        for _ in range(REPEATS):
            for model in (Embedding, Descriptor, CatalogueEntry):
                model._default_manager.all().delete()
            job = jobs.start(
                "index_all", wake=False
            )  # looks at 16 photos to estimate, whatever the shop's size
            begun = time.perf_counter()
            jobs.run(job)
            taken.append((time.perf_counter() - begun) * 1000 / count)
        found = encoder_releases.live().row.precision
        rows = Embedding.objects.count()
        encoder_releases.reset()
    return {"ms_per_image": round(median(taken), 3), "rows": rows, "precision": found}


def torch_loop(files: Sequence[bytes], batch: int) -> float:
    """Milliseconds per image of the usual loop: Pillow, torch in fp32, faiss."""
    import faiss
    import torch

    from shopvision.encoders.backbones import network_for

    network, spec = network_for("weights:efficientnet_lite0")
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (spec.preprocess.mean, spec.preprocess.std))
    torch.set_num_threads(CORES)

    def one(data: bytes) -> Any:
        image = Image.open(io.BytesIO(data)).convert("RGB").resize((224, 224), Image.Resampling.BILINEAR)
        return (torch.from_numpy(np.array(image)).permute(2, 0, 1).float() - mean) / std

    def loop() -> None:
        index = faiss.IndexFlatIP(1280)
        with torch.inference_mode():
            for start in range(0, len(files), batch):
                c5, _, _ = network(torch.stack([one(data) for data in files[start : start + batch]]))
                vector = torch.nn.functional.normalize(c5.mean((2, 3)))
                index.add(vector.numpy())

    return ms(loop, len(files))


def torch_loops(files: Sequence[bytes], peers: OptionalPeers) -> dict[str, float]:
    """``torch_loop`` by batch size; empty where one of its libraries is missing or fails, which ``peers`` names."""
    if peers.faults():
        return {}
    with peers.attempt("torch"):
        return {f"batch_{batch}": torch_loop(files, batch) for batch in (1, 32)}
    return {}


def measure(folder: Path | None, count: int) -> dict[str, Any]:
    """Everything, as one record."""
    from shopvision.encoders.efficientnet_graph import build_graph
    from shopvision.encoders.quantise import CALIBRATION_PHOTOS, quantise
    from shopvision.images.decode import decode

    files = photos(folder, count)
    fp32 = build_graph()
    graphs = {"fp32": fp32, "int8": quantise(fp32, [decode(data) for data in files[:CALIBRATION_PHOTOS]])}
    out: dict[str, Any] = {"photos": len(files), "cores": CORES}
    through = indexing(files, list(graphs))
    for precision, graph in graphs.items():
        found = through[precision]
        alone = kernels(files, graph)
        out[precision] = {
            "indexing": found,
            "kernels_all_cores_ms": alone,
            "steps_one_thread_ms": blocks(files, graph),
            "ratio_to_decode_plus_forward": round(alone["decode_plus_forward"] / found["ms_per_image"], 2),
        }
    peers = OptionalPeers("torch", "timm", "faiss")
    loops = torch_loops(files, peers)
    out |= {"torch_loop_ms": loops, "peers": peers.status()}
    for precision in graphs if loops else ():
        own = out[precision]["indexing"]["ms_per_image"]
        out[precision]["ratio_to_torch_loop"] = {name: round(value / own, 2) for name, value in loops.items()}
    return out


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    parser.add_argument("--photos", type=Path, help="folder of JPEG files")
    parser.add_argument("--count", type=int, default=320, help="photos at most")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "demo_shop.settings")
    import django

    django.setup()
    result = measure(options.photos, options.count)
    print(json.dumps(result, indent=None if options.json else 2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
