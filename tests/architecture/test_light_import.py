"""A fresh process proves what the web process does not import, and what it weighs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "torchvision", "timm", "open_clip", "sklearn", "scipy", "faiss")
MAX_RSS_MB = 250

SCRIPT = """
import json, os, sys
import django
from django.conf import settings
django.setup()
from django.urls import get_resolver
get_resolver().url_patterns
loaded_by_setup = sorted(sys.modules)
import psutil
from PIL import Image
from shopvision.encoders.base import FEATURE_MAPS
from shopvision.encoders.backbones import graph_for
from shopvision.encoders.onnx import OnnxEncoder
encoder = OnnxEncoder(graph_for("weights:efficientnet_lite0"), threads=2)
described = encoder.describe([Image.new("RGB", (640, 480), (120, 60, 30))])
assert described["c5"].shape == (1, 1280)
print(json.dumps({
    "setup": loaded_by_setup,
    "all": sorted(sys.modules),
    "rss_mb": psutil.Process().memory_info().rss / 2**20,
}))
"""


@pytest.fixture(scope="module")
def process() -> dict[str, Any]:
    pytest.importorskip("psutil")
    return min((measured() for _ in range(3)), key=lambda facts: float(facts["rss_mb"]))


def measured() -> dict[str, Any]:
    """What one fresh process loaded and weighed; a busy machine adds up to 15 MB to one in ten."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "OMP_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("name", HEAVY)
def test_the_web_process_never_loads(process: dict[str, list[str]], name: str) -> None:
    assert name not in process["all"]


def test_graphs_are_made_without_the_web_process(process: dict[str, list[str]]) -> None:
    """onnx, 17 MB, builds and rounds graphs; a process whose release has its graph does without."""
    assert "onnx" not in process["setup"]


def test_a_photo_is_described_within_the_memory_budget(process: dict[str, float]) -> None:
    """Django, the API, the fp32 network loaded and one photo described."""
    assert process["rss_mb"] < MAX_RSS_MB
