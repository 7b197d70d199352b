"""The real network, built once, and photos to show it."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest
from PIL import Image

from shopvision.encoders import efficientnet_graph
from shopvision.encoders.onnx import OnnxEncoder
from shopvision.encoders.quantise import MIN_CALIBRATION_PHOTOS, quantise
from tests.drawing import draw

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def graph() -> bytes:
    return efficientnet_graph.build_graph()


@pytest.fixture(scope="session")
def fp32(graph: bytes) -> OnnxEncoder:
    return OnnxEncoder(graph, threads=2)


@pytest.fixture(scope="session")
def drawings() -> list[Image.Image]:
    return [draw(seed) for seed in range(MIN_CALIBRATION_PHOTOS)]


@pytest.fixture(scope="session")
def int8_graph(graph: bytes, drawings: list[Image.Image]) -> bytes:
    return quantise(graph, drawings)


@pytest.fixture(scope="session")
def grocery() -> dict[str, Image.Image]:
    """Catalogue photos by title, of the prepared set."""
    folder = Path(os.environ.get("SHOPVISION_DATA") or ROOT.parent / "shared" / "data") / "grocery"
    if not (folder / "products.csv").is_file():
        pytest.skip(f"no photos in {folder}: set SHOPVISION_DATA")
    with (folder / "products.csv").open() as file:
        return {
            row["title"]: Image.open(folder / row["image"]).convert("RGB") for row in csv.DictReader(file)
        }
