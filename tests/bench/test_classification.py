from __future__ import annotations

import csv
import importlib
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

from bench import classification, classification_peers, labelled_folder
from shopvision.classifiers import baselines
from shopvision.exceptions import InvalidRequest
from tests.drawing import draw

TORCH = find_spec("torch") is not None and find_spec("timm") is not None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six labels, each one thing drawn in many views: twelve to train on, four to judge on."""
    rows = []
    for label in range(6):
        for view in range(16):
            name = f"{label}-{view}.jpg"
            draw(label, view=view + 1).save(tmp_path / name, quality=90)
            rows.append((name, f"thing {label}", "train" if view < 12 else "validation"))
    with (tmp_path / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("image", "label", "split"), *rows])
    return tmp_path


def run(folder: Path, *args: str) -> dict[str, Any]:
    return classification.main(["--data", str(folder), "--json", *args])


def test_a_folder_of_labelled_photos_is_judged(folder: Path, settings: Any) -> None:
    with override_settings(SHOPVISION={**settings.SHOPVISION, "ENCODER": "tests.fakes.FakeEncoder"}):
        found = run(folder, "--folds", "3", "--no-baseline")
    assert found["accuracy"] == 1.0
    assert found["macro_f1"] == 1.0
    assert found["top_5"] == 1.0
    assert 0 <= found["calibration_error"] <= 1
    assert found["open_set_auroc"] > 0.5
    assert (found["train_photos"], found["validation_photos"], found["labels"]) == (72, 24, 6)
    assert set(found["models"]) == {"prototypes", "linear"}
    assert found["left_out"] == {"cnn": "it was not asked for"}
    assert found["released"] in found["models"]
    assert found["error_at_threshold"] == 0.0
    assert [point["labels"] for point in found["learning_curve"]["points"]] == [18, 36, 72]


@pytest.mark.slow
@pytest.mark.torch
@pytest.mark.skipif(not TORCH, reason="needs the torch extra")
def test_every_run_reports_the_small_network_beside(
    folder: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    networks = importlib.import_module(classification_peers.TRAINING)
    recipe = networks.Recipe
    short = networks.Schedule(epochs=2, batch=8)
    monkeypatch.setattr(networks, "Recipe", lambda **given: recipe(**given, baseline=short, threads=2))
    monkeypatch.setattr(baselines, "MOST_PHOTOS", 36)
    with override_settings(SHOPVISION={**settings.SHOPVISION, "ENCODER": "tests.fakes.FakeEncoder"}):
        found = run(folder, "--folds", "3")
    assert set(found["models"]) == {"prototypes", "linear", "cnn"}
    assert found["released"] != "cnn"
    assert found["left_out"] == {}
    small = found["models"]["cnn"]
    assert {"accuracy", "macro_f1", "calibration_error", "brier", "seconds", "judged_on"} <= small.keys()
    assert small["seconds"] > 0


def test_a_broken_torch_is_named_and_the_heads_are_judged(
    folder: Path, settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    broken = tmp_path_factory.mktemp("broken")
    for name in ("torch", "timm"):
        (broken / f"{name}.py").write_text("raise OSError('libtorch.so: cannot open shared object file')")
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(str(broken))
    with override_settings(SHOPVISION={**settings.SHOPVISION, "ENCODER": "tests.fakes.FakeEncoder"}):
        found = run(folder, "--folds", "2")
    assert "libtorch.so" in found["left_out"]["cnn"]
    assert set(found["models"]) == {"prototypes", "linear"}


def test_without_torch_it_is_said_why_a_model_is_missing(
    folder: Path, settings: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("shopvision.classifiers.baselines.find_spec", lambda name: None)
    with override_settings(SHOPVISION={**settings.SHOPVISION, "ENCODER": "tests.fakes.FakeEncoder"}):
        found = run(folder, "--folds", "2")
    assert "cnn" not in found["models"]
    assert "pip install" in found["left_out"]["cnn"]
    with pytest.raises(SystemExit):
        run(folder, "--finetune")
    assert "pip install" in capsys.readouterr().err


def test_a_few_photos_of_a_catalogue_folder_are_taken(tmp_path: Path) -> None:
    for sku in ("a", "b"):
        for photo in range(6):
            draw(photo).save(tmp_path / f"{sku}{photo}.jpg")
    (tmp_path / "products.csv").write_text(
        "sku,title,category,image,photos\n"
        "a,A,Fruit,a0.jpg,a1.jpg|a2.jpg|a3.jpg|a4.jpg|a5.jpg\n"
        "b,B,Fruit,b0.jpg,b1.jpg|b2.jpg|b3.jpg|b4.jpg|b5.jpg\n"
    )
    (tmp_path / "queries.csv").write_text("image,relevant_sku\na0.jpg,a\nb0.jpg,b\nb1.jpg,gone\n")
    found = labelled_folder.read(tmp_path, shots=3)
    assert found.labels == ("a", "b")
    assert [path.name for path in found.train] == ["a1.jpg", "a3.jpg", "a5.jpg", "b1.jpg", "b3.jpg", "b5.jpg"]
    assert found.validation_targets.tolist() == [0, 1]
    with pytest.raises(InvalidRequest, match="two labels"):
        labelled_folder.read(tmp_path, target="category")


def test_a_folder_without_labels_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run(tmp_path)
    assert "neither labels.csv (image,label,split" in capsys.readouterr().err
    (tmp_path / "labels.csv").write_text("file,label,split\na.jpg,hat,train\n")
    with pytest.raises(SystemExit):
        run(tmp_path)
    assert "labels.csv has no column image" in capsys.readouterr().err
