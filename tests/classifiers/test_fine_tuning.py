"""Training on drawn photos: what is learned, resumed, refused and served."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from shopvision.checkpoints import IncompatibleCheckpoint
from shopvision.classifiers.base import Examples, classifier_from_bytes
from shopvision.exceptions import ImageRejected, InvalidRequest
from shopvision.images.decode import decode
from tests.drawing import draw, jpeg

torch = pytest.importorskip("torch", reason="needs the torch extra")
pytest.importorskip("torchvision", reason="needs the torch extra")

from dataclasses import replace  # noqa: E402

from shopvision.classifiers import augmentation, fine_tuning, networks  # noqa: E402
from shopvision.classifiers.fine_tuning import LabelledPhotos, Recipe, Trained, TrainingStopped  # noqa: E402
from shopvision.classifiers.trainer import Schedule  # noqa: E402
from shopvision.encoders import onnx_export  # noqa: E402
from tests.encoders.training_process import PHOTOS, RECIPE  # noqa: E402

pytestmark = pytest.mark.torch
ROOT = Path(__file__).resolve().parents[2]
SHAPES = ("rectangle", "ellipse", "triangle")  # what ``draw`` makes of seed % 3


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def shapes(count: int, first: int = 0) -> LabelledPhotos:
    return LabelledPhotos(
        read=lambda row: jpeg(first + row),
        labels=[SHAPES[row % 3] for row in range(count)],
        products=[f"thing {row}" for row in range(count)],
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The real backbone and the baseline, on 60 drawings of three shapes."""
    recipe = Recipe(
        views=4,
        enlarge=1.0,
        schedule=Schedule(epochs=6, batch=17, warm_up=1.0, mixup=0.0, ema=0.8),
        baseline=Schedule(epochs=2, batch=17, warm_up=1.0, mixup=0.0),
        refit=False,
        threads=1,
    )
    return fine_tuning.train(shapes(60), recipe, tmp_path_factory.mktemp("training"))


@pytest.mark.slow
def test_shapes_are_learned_and_told_without_torch(trained: Trained) -> None:
    photos = [draw(seed) for seed in range(300, 330)]
    found = trained.classifier.probabilities(Examples(images=photos))
    truth = [trained.classifier.labels.index(SHAPES[seed % 3]) for seed in range(300, 330)]
    assert (found.argmax(1) == truth).mean() >= 0.8
    assert trained.report["finetuned"]["held_accuracy"] >= 0.75


@pytest.mark.slow
def test_every_run_reports_the_baseline_beside(trained: Trained) -> None:
    assert {kind: one.kind for kind, one in trained.networks.items()} == {
        "cnn": "cnn",
        "finetuned": "finetuned",
    }
    for kind in ("cnn", "finetuned"):
        figures = trained.report[kind]
        assert {"held_accuracy", "held_loss", "scale", "best_epoch", "cpu_seconds"} <= figures.keys()
        assert len(figures["history"]) >= figures["best_epoch"] >= 1
    assert trained.report["held_out"] == 9  # a seventh of 20 products of each label


@pytest.mark.slow
def test_the_graph_says_what_the_network_said(trained: Trained, tmp_path: Path) -> None:
    """The figures of the report are those of the served classifier: no refit, so the same network."""
    photos = shapes(60)
    targets = np.array([sorted(SHAPES).index(label) for label in photos.labels])
    held = fine_tuning.split(targets, photos.products, 0.15, 0)[1]
    images = [decode(photos.read(int(row))) for row in held]
    found = trained.classifier.probabilities(Examples(images=images))
    loss = -np.log(found[np.arange(len(held)), targets[held]]).mean()
    assert loss == pytest.approx(trained.report["finetuned"]["held_loss"], abs=0.02)


@pytest.mark.slow
def test_it_survives_its_journey_through_storage(trained: Trained) -> None:
    for classifier in trained.networks.values():
        again = classifier_from_bytes(classifier.to_bytes())
        assert again.digest == classifier.digest
        examples = Examples(images=[draw(1), draw(2)])
        np.testing.assert_array_equal(again.probabilities(examples), classifier.probabilities(examples))


@pytest.mark.slow
@pytest.mark.parametrize("fatal_step", [2, 5, 9])
def test_a_killed_training_continues_to_the_same_network(
    tmp_path: Path, fatal_step: int, unbroken: str
) -> None:
    """Steps: 3 epochs of 3, then the refit; killed in the first epoch, in the second, and near the end."""
    assert run(tmp_path, fatal_step).returncode == -9
    found = run(tmp_path, 0)
    assert found.returncode == 0, found.stderr
    assert found.stdout.split()[-1] == unbroken


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> str:
    done = run(tmp_path_factory.mktemp("unbroken"), 0)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[-1]


def run(folder: Path, fatal_step: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.encoders.training_process", str(folder), str(fatal_step)]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
def test_the_frozen_part_computes_the_same_in_onnx_runtime() -> None:
    network, spec = networks.transfer_network(
        RECIPE.backbone, 3, dropout=0.0, freeze=True, enlarge=1.0, pretrained=False
    )
    assert spec.size == 224
    fast = onnx_export.frozen_part(network.eval().trunk, spec.size, onnx_export.WORTH_A_GRAPH)
    assert onnx_export.frozen_part(network.trunk, spec.size, onnx_export.WORTH_A_GRAPH - 1) is network.trunk
    pixels = torch.rand(3, 3, 224, 224).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        expected = network.trunk(pixels)
    torch.testing.assert_close(fast(pixels), expected, rtol=1e-3, atol=1e-3)
    assert expected.shape[-1] == 7  # the layers that learn work on the last, smallest map


@pytest.mark.slow
def test_stop_is_heard_between_steps_and_another_training_is_refused(tmp_path: Path) -> None:
    seen = []

    def stop() -> bool:
        return len(seen) == 4

    with pytest.raises(TrainingStopped):
        fine_tuning.train(PHOTOS, RECIPE, tmp_path, progress=seen.append, stop=stop)
    assert [step.phase for step in seen] == ["finetune"] * 4
    assert 0 < seen[0].share < seen[3].share < 1
    assert "held_accuracy" in seen[3].metrics
    with pytest.raises(IncompatibleCheckpoint, match="another run"):
        fine_tuning.train(PHOTOS, replace(RECIPE, seed=1), tmp_path)


def test_a_file_that_is_no_photo_is_named_by_its_row(tmp_path: Path) -> None:
    broken = replace(PHOTOS, read=lambda row: b"GIF89a" if row == 4 else jpeg(row))
    with pytest.raises(ImageRejected, match="photo 4: "):
        fine_tuning.train(broken, RECIPE, tmp_path)


def test_a_split_tears_no_product_apart_and_holds_some_of_each_label() -> None:
    targets = np.arange(60) // 2 % 3  # two photos of each product
    products = [f"thing {row // 2}" for row in range(60)]
    learned, held = fine_tuning.split(targets, products, 0.2, seed=3)
    assert not {products[row] for row in learned} & {products[row] for row in held}
    assert sorted([*learned, *held]) == list(range(60))
    assert np.bincount(targets[held]).tolist() == [4, 4, 4]  # a fifth of ten products, two photos each


@pytest.mark.parametrize(
    ("labels", "products", "words"),
    [
        (["a", "a"], ["1", "2"], "two labels or more"),
        (["a", "a", "b", "b"], ["1", "2", "3", "3"], r"1 product\(s\)"),
    ],
)
def test_too_few_photos_are_refused(
    labels: list[str], products: list[str], words: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidRequest, match=words):
        fine_tuning.train(LabelledPhotos(jpeg, labels, products), RECIPE, tmp_path)


def test_a_view_is_decided_by_its_number_alone() -> None:
    from shopvision.images.preprocess import PreprocessSpec

    views = augmentation.Views(jpeg, PreprocessSpec(size=64), augmentation.Augmentation(), seed=1)
    again = augmentation.Views(jpeg, PreprocessSpec(size=64), augmentation.Augmentation(), seed=1)
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    second, first = views[0, 3], views[0, 2]
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(first, again[0, 2])
    assert torch.equal(second, again[0, 3])
    assert not torch.equal(first, second)
    assert torch.equal(views[0, augmentation.PLAIN].flip(2), views[0, augmentation.MIRRORED])
    other = augmentation.Views(jpeg, PreprocessSpec(size=64), augmentation.Augmentation(), seed=2)
    assert not torch.equal(other[0, 2], first)
