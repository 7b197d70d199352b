"""Every benchmark is a program of its own: it sets Django up by itself, and its help can be read."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.drawing import draw

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = (
    "retrieval",
    "classification",
    "ranking",
    "freshness",
    "classify_throughput",
    "encode",
    "events",
    "http",
    "index",
    "rerank",
    "training",
)


def program(name: str, *args: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"}
    command = [sys.executable, "-m", f"bench.{name}", *args]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", PROGRAMS)
def test_help_names_the_command_and_json(name: str) -> None:
    done = program(name, "--help")
    assert done.returncode == 0, done.stderr
    assert f"python -m bench.{name} " in done.stdout
    assert "--json" in done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve products with two photos each, and a query photo for each of them."""
    products, queries = [], []
    for thing in range(12):
        for view in range(3):
            draw(thing, view=view, side=240).save(tmp_path / f"{thing}-{view}.jpg", quality=90)
        products.append(
            (f"s{thing}", f"thing {thing}", f"kind {thing % 3}", f"{thing}-0.jpg", f"{thing}-1.jpg")
        )
        queries.append((f"{thing}-2.jpg", f"s{thing}"))
    for name, header, rows in (
        ("products.csv", ("sku", "title", "category", "image", "photos"), products),
        ("queries.csv", ("image", "relevant_sku"), queries),
    ):
        with (tmp_path / name).open("w", newline="") as file:
            csv.writer(file).writerows([header, *rows])
    return tmp_path


@pytest.mark.slow
def test_photo_search_on_a_folder_is_judged_with_the_documented_keys(folder: Path) -> None:
    done = program("retrieval", "--data", str(folder), "--no-tune", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["data"], found["queries"], found["tuned"], found["images"]) == (folder.name, 12, False, 24)
    for part in ("photos", "catalogue_image", "packshot_only"):
        assert set(found[part]) == {"recall@1", "recall@5", "map@10"}
        assert found[part]["recall@1"] > 0.8
    assert found["own_photo"] == 1.0
    assert 0 <= found["no_match_auroc"] <= 1
    assert "evaluating: all photos" in done.stderr


@pytest.mark.slow
def test_saved_products_are_found_within_a_second_or_so() -> None:
    done = program("freshness", "--saves", "10", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["saves"], found["found"], found["deletes"]) == (10, 10, 1)
    assert 0 < found["p50_s"] <= found["p95_s"] <= found["max_s"] < 60


def test_the_index_is_measured_without_settings_of_a_shop() -> None:
    done = program("index", "--size", "6000", "--no-peers", "--json")
    assert done.returncode == 0, done.stderr
    assert '"recall@10"' in done.stdout


def test_a_wrong_number_is_refused_with_the_reason() -> None:
    done = program("freshness", "--saves", "0")
    assert done.returncode == 1
    assert "--saves takes a whole number above 0" in done.stderr
    done = program("classify_throughput", "--products", "5")
    assert done.returncode == 1
    assert "--products takes 400 or more" in done.stderr
