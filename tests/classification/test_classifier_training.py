from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import Any

import pytest

from demo_shop.models import Product
from shopvision.classification import classifier_releases, model_comparison
from shopvision.classification.classifier_training import train
from shopvision.classification.models import ClassifierRelease
from shopvision.classifiers import baselines
from shopvision.exceptions import InvalidRequest
from shopvision.indexing import encoder_releases as encoders
from shopvision.messages import translated
from tests.classification.conftest import SOURCE, TARGET

pytestmark = pytest.mark.django_db
TORCH = find_spec("torch") is not None and find_spec("timm") is not None


def test_a_training_measures_all_that_is_shown(trained: ClassifierRelease) -> None:
    found = trained.metrics
    assert set(found["models"]) == {"prototypes", "linear", "fused"}
    assert found["products"] == sum(one["support"] for one in found["classes"]) == 24
    assert sum(map(sum, found["confusion"])) == 24
    assert len(found["folds"]) == 5
    assert found["accuracy_interval"][0] <= found["accuracy"] <= found["accuracy_interval"][1]
    assert set(found["modalities"]) == {"image", "text", "both"}
    assert set(found["thresholds"]) == {"0.01", "0.02", "0.05", "0.1"}
    assert [one["labels"] for one in found["learning_curve"]][-1] == 24
    assert found["next_100"] >= 0
    assert {"numpy", "python", "onnxruntime"} <= set(trained.versions)
    assert trained.snapshot.report["mislabelled"] == []


def test_the_same_seed_gives_the_same_classifier(labelled: list[Product]) -> None:
    first = train(SOURCE, TARGET, kind="linear", force=True)
    digest = first.digest
    ClassifierRelease.objects.all().delete()
    assert train(SOURCE, TARGET, kind="linear", force=True).digest == digest


def test_a_shop_without_words_is_trained_on_photos_alone(labelled: list[Product]) -> None:
    Product.objects.update(title="", description="")
    row = train(SOURCE, TARGET)
    assert "fused" in row.metrics["models"] or row.kind in ("prototypes", "linear")
    assert row.state == "live"


def test_unknown_kinds_and_a_missing_torch_are_refused_in_words(
    labelled: list[Product], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidRequest, match="takes auto, prototypes"):
        train(SOURCE, TARGET, kind="magic")
    monkeypatch.setattr(baselines, "find_spec", lambda name: None)
    with pytest.raises(InvalidRequest, match=r"pip install shopvision\[torch\]") as caught:
        train(SOURCE, TARGET, kind="finetuned")
    assert caught.value.code == "no_torch"


def test_a_training_says_why_the_small_network_is_not_compared(
    labelled: list[Product], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not in a web process; not without torch; and not where it fails, which costs the shop no classifier."""
    row = train(SOURCE, TARGET, kind="linear", force=True)
    assert ("gpu queue" if TORCH else "pip install") in translated(row.metrics["left_out"]["cnn"])
    monkeypatch.setattr(encoders._seen, "torch", True)
    monkeypatch.setattr(model_comparison, "reader", lambda dataset: {}.__getitem__)
    if TORCH:
        row = train(SOURCE, TARGET, kind="prototypes", force=True)
        assert (row.kind, translated(row.metrics["left_out"]["cnn"])[:8]) == ("prototypes", "KeyError")
    monkeypatch.setattr(baselines, "find_spec", lambda name: None)
    row = train(SOURCE, TARGET, kind="linear", seed=1, force=True)
    assert "pip install" in translated(row.metrics["left_out"]["cnn"])


@pytest.mark.slow
@pytest.mark.torch
@pytest.mark.skipif(not TORCH, reason="needs the torch extra")
def test_heads_are_compared_with_the_small_network_and_never_lose_to_it(
    labelled: list[Product], monkeypatch: pytest.MonkeyPatch, data_dir: Any
) -> None:
    networks = importlib.import_module(model_comparison.NETWORKS)
    recipe = networks.Recipe
    short = networks.Schedule(epochs=2, batch=8)
    monkeypatch.setattr(networks, "Recipe", lambda **given: recipe(**given, baseline=short, threads=2))
    monkeypatch.setattr(encoders._seen, "torch", True)
    monkeypatch.setattr(
        model_comparison.Trial, "loss", lambda self, targets: 0.0 if self.kind == "cnn" else 1.0
    )
    row = train(SOURCE, TARGET, force=True)
    assert set(row.metrics["models"]) == {"prototypes", "linear", "fused", "cnn"}
    assert row.kind != "cnn"
    assert row.metrics["left_out"] == {}
    assert row.metrics["models"]["cnn"]["seconds"] > 0
    assert 0 < row.metrics["models"]["cnn"]["products"] < 24  # those held out
    assert not list((data_dir / "data" / "training").iterdir())


@pytest.mark.slow
@pytest.mark.torch
@pytest.mark.skipif(not TORCH, reason="needs the torch extra")
def test_a_network_is_fine_tuned_beside_its_baseline_and_serves_without_torch(
    labelled: list[Product], monkeypatch: pytest.MonkeyPatch, data_dir: Any
) -> None:
    networks = importlib.import_module(model_comparison.NETWORKS)
    short = networks.Schedule(epochs=2, batch=8)
    recipe = networks.Recipe
    monkeypatch.setattr(
        networks,
        "Recipe",
        lambda **given: recipe(**given, views=1, schedule=short, baseline=short, threads=2, refit=False),
    )
    row = train(SOURCE, TARGET, kind="finetuned", force=True)
    assert (row.kind, row.state, row.backbone_digest) == ("finetuned", "live", "")
    assert set(row.metrics["models"]) == {"linear", "cnn", "finetuned"}
    assert 0 < row.metrics["products"] < 24  # only those held out
    assert not list((data_dir / "data" / "training").iterdir())
    assert classifier_releases.open_live(SOURCE, TARGET).classifier.needs == {"images"}
