"""Fine-tuned network and small CNN, judged once: ``python -m bench.training --json [--data DIR] [--folder DIR]``.

Trains on the ``train`` rows of a folder with ``labels.csv`` (``image,label,split``), judges on its
``validation`` rows, and measures whether the evidence maps of the network and of a linear head on descriptors
are true: how much more a label's probability falls when the hot fifth of a photo is masked than when the same
shape elsewhere is. A killed run continues from ``--folder``.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bench.optional_peers import OptionalPeers
from shopvision.classifiers.base import Classifier, Examples
from shopvision.classifiers.fine_tuned import FineTuned
from shopvision.classifiers.head_selection import fit_head
from shopvision.classifiers.heads import LinearHead
from shopvision.classifiers.labelled_set import LabelledSet
from shopvision.classifiers.saliency import (
    Evidence,
    faithfulness,
    head_evidence,
    network_evidence,
    over_photo,
)
from shopvision.encoders import efficientnet_graph
from shopvision.encoders.onnx import OnnxEncoder
from shopvision.evaluation.calibration import calibration_error
from shopvision.evaluation.classification_metrics import accuracy, macro_f1, top_k
from shopvision.images.decode import decode

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("SHOPVISION_DATA") or ROOT.parent / "shared" / "data") / "clothing-classes"


def rows_of(data: Path, split: str) -> list[dict[str, str]]:
    """The rows of ``labels.csv`` with that split."""
    with (data / "labels.csv").open() as file:
        return [row for row in csv.DictReader(file) if row["split"] == split]


def figures(classifier: Classifier, examples: Examples, truth: np.ndarray) -> dict[str, float]:
    """How a classifier does on photos it has not seen."""
    chances = classifier.probabilities(examples)
    named = chances.argmax(1)
    return {
        "accuracy": round(accuracy(named, truth), 4),
        "top5": round(top_k(chances, truth, 5), 4),
        "macro_f1": round(macro_f1(named, truth, len(classifier.labels)), 4),
        "calibration_error": round(calibration_error(chances, truth), 4),
    }


def trust(
    images: Sequence[Image.Image],
    named: np.ndarray,
    explain: Callable[[Image.Image, int], Evidence],
    chances: Callable[[Sequence[Image.Image]], np.ndarray],
    fit: str,
) -> dict[str, Any]:
    """The faithfulness of the maps of each photo's own prediction."""
    heats = [
        over_photo(explain(image, int(label)).heat(), image.size, fit)
        for image, label in zip(images, named, strict=True)
    ]
    rows = np.arange(len(images))
    found = faithfulness(lambda versions: chances(versions)[rows, named], images, heats)
    return {
        name: [round(v, 4) for v in value] if isinstance(value, tuple) else round(value, 4)
        for name, value in asdict(found).items()
    }


def network_trust(classifier: FineTuned, images: Sequence[Image.Image]) -> dict[str, Any]:
    """Of a fine-tuned network."""
    named = classifier.probabilities(Examples(images=images)).argmax(1)
    return trust(
        images,
        named,
        lambda image, label: network_evidence(classifier, image, label),
        lambda versions: classifier.probabilities(Examples(images=versions)),
        classifier.preprocess.fit,
    )


def head_trust(data: Path, images: Sequence[Image.Image]) -> dict[str, Any]:
    """Of a linear head trained on the descriptors of the same photos."""
    encoder = OnnxEncoder(efficientnet_graph.build_graph(), threads=os.cpu_count() or 1)
    rows = rows_of(data, "train")
    labels = tuple(sorted({row["label"] for row in rows}))
    targets = np.array([labels.index(row["label"]) for row in rows])
    described = encoder.describe([decode((data / row["image"]).read_bytes()) for row in rows])
    training = LabelledSet(Examples(described), labels, targets, np.arange(len(rows)))
    head, _ = fit_head(training, kind="linear")
    if not isinstance(head, LinearHead):
        raise SystemExit(f"a linear head was asked for, {head.kind!r} came")
    linear = head

    def chances(versions: Sequence[Image.Image]) -> np.ndarray:
        return linear.probabilities(Examples(encoder.describe(versions)))

    def explain(image: Image.Image, label: int) -> Evidence:
        return head_evidence(linear, encoder, image, label)

    shares = [
        explain(image, int(row.argmax())).share for image, row in zip(images, chances(images), strict=True)
    ]
    found = trust(images, chances(images).argmax(1), explain, chances, encoder.spec.preprocess.fit)
    return {**found, "share_shown": round(float(np.mean(shares)), 3)}


def run(data: Path, folder: Path, overrides: dict[str, Any]) -> dict[str, Any]:
    """Train, judge once, and look at the maps."""
    from shopvision.classifiers.fine_tuning import LabelledPhotos, Recipe, train

    rows, judged = rows_of(data, "train"), rows_of(data, "validation")
    photos = LabelledPhotos(
        lambda row: (data / rows[row]["image"]).read_bytes(),
        [row["label"] for row in rows],
        [row["image"] for row in rows],
    )
    begun = time.monotonic()

    def tell(step: Any) -> None:
        print(f"\r{step.phase} {step.share:6.1%} {dict(step.metrics)}", end="", file=sys.stderr)

    trained = train(photos, replace(Recipe(), **overrides), folder, progress=tell)
    seconds = time.monotonic() - begun
    images = [decode((data / row["image"]).read_bytes()) for row in judged]
    truth = np.array([trained.classifier.labels.index(row["label"]) for row in judged])
    found: dict[str, Any] = {
        kind: {**figures(one, Examples(images=images), truth), **trained.report[kind]}
        for kind, one in trained.networks.items()
    }
    for one in found.values():
        one.pop("history")
    found["seconds"] = round(seconds, 1)
    found["evidence"] = {
        "finetuned": network_trust(trained.classifier, images),
        "linear": head_trust(data, images),
    }
    return found


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m bench.training", description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--folder", type=Path, help="of the checkpoints; a temporary one if not given")
    parser.add_argument("--recipe", type=json.loads, default={}, help="JSON of Recipe's fields to change")
    parser.add_argument("--json", action="store_true", help="one line")
    args = parser.parse_args()
    if faults := OptionalPeers("torch", "timm").faults():
        parser.exit(1, f"networks cannot be trained here: {faults}; pip install 'shopvision[torch]'\n")
    with tempfile.TemporaryDirectory() as temporary:
        found = run(args.data, args.folder or Path(temporary), args.recipe)
    print(json.dumps(found, indent=None if args.json else 2))


if __name__ == "__main__":
    main()
