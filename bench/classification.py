"""Quality of photo classification on a folder: ``python -m bench.classification --data DIR --json``.

The folder holds labels.csv (image, label, split: train or validation), or it is a catalogue folder (products.csv,
queries.csv), of which a few photos a label are learned from. Classifiers are trained on the training photos, the
best is chosen by cross-validation there, and it is judged once on the others.
"""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL.Image import Image

import bench.django_setup  # noqa: F401 - before models are imported
from bench import command_line, labelled_folder
from bench.classification_peers import (
    HEADS,
    NETWORKS,
    Contender,
    best_of,
    need_torch,
    train_head,
    train_networks,
)
from bench.labelled_folder import Folder
from bench.optional_peers import OptionalPeers
from shopvision import conf
from shopvision.classifiers import baselines
from shopvision.classifiers.augmented_views import (
    MOST_SEEN_AGAIN,
    describe_averaged,
    pack_other_glances,
    unpack_glances,
)
from shopvision.classifiers.base import Examples
from shopvision.classifiers.cross_validation import label_groups
from shopvision.classifiers.head_selection import fit_head
from shopvision.classifiers.labelled_set import Glances, LabelledSet, parts
from shopvision.encoders.backbones import graph_for
from shopvision.encoders.base import Descriptors, Encoder
from shopvision.encoders.descriptor import pack, unpack
from shopvision.encoders.quantise import CALIBRATION_PHOTOS, MIN_CALIBRATION_PHOTOS, quantise
from shopvision.evaluation.bootstrap import mean_interval
from shopvision.evaluation.calibration import brier, calibration_error
from shopvision.evaluation.classification_metrics import (
    accuracy,
    fit_power_law,
    macro_f1,
    threshold_for_error,
    top_k,
)
from shopvision.evaluation.retrieval_metrics import auroc
from shopvision.images.decode import decode
from shopvision.indexing import encoder_releases
from shopvision.indexing.photos import limits

ACCEPTED_ERROR = 0.05
SHARES = (0.25, 0.5)  # of the training photos, for the learning curve; all of them are the model itself
MORE_LABELS = 100
BATCH = 32  # photos decoded at a time
Say = Callable[[str], None]


def evaluate(
    folder: Path,
    *,
    folds: int,
    shots: int,
    target: str,
    finetune: bool,
    seed: int,
    say: Say,
    compare: bool = True,
) -> dict[str, Any]:
    """Train on the training photos, choose by cross-validation there, judge once on the others.

    The others are judged as photos shown to the API; under ``stored`` as a bulk job judges products, by the
    descriptors of the photos as they are.

    Args:
        folder: with labels.csv; or a catalogue folder, of which ``shots`` photos a label are taken.
        folds: of the cross-validation.
        shots: photos a label of a catalogue folder.
        target: ``sku`` or ``category``: the label of a catalogue folder's products.
        finetune: also fine-tune the backbone (needs torch).
        seed: of the folds.
        compare: also train the small network from scratch, where torch is installed.

    Raises:
        InvalidRequest: the folder is neither, or fine-tuning is asked for and torch is missing.
    """
    if finetune:
        need_torch()
    data = labelled_folder.read(folder, shots=shots, target=target)
    say(f"describing {len(data.train) + len(data.validation)} photos")
    encoder = make_encoder(data)
    started = time.perf_counter()
    descriptors = describe(encoder, data.train)
    stored = Examples(describe(encoder, data.validation))
    described = time.perf_counter() - started
    glances = look_again(encoder, data.train)
    looked = time.perf_counter() - started - described
    train = LabelledSet(Examples(descriptors), data.labels, data.train_targets, data.train_groups, glances)
    shown = Examples(look_closely(encoder, data.validation))
    models = {kind: train_head(train, kind, folds=folds, seed=seed, say=say) for kind in HEADS}
    networks, left_out = _networks(data, compare=compare, finetune=finetune, seed=seed, say=say)
    if networks:
        models.update(networks)
        shown, stored = with_pixels(data, shown, stored)
    best = best_of(models)
    released = models[best]
    say("leaving labels out; learning curve")
    return {
        **_measures(released, shown, data.validation_targets, groups=data.validation_groups),
        "open_set_auroc": _open_set(train, shown, data.validation_targets, released, folds, seed),
        "train_seconds": round(sum(models[kind].report.seconds for kind in HEADS), 1),
        "describe_seconds": round(described, 1),
        "glances_seconds": round(looked, 1),  # of the training photos; a shop's are kept, as descriptors are
        "labels": len(data.labels),
        "train_photos": len(train),
        "validation_photos": len(shown),
        "precision": encoder.spec.precision,
        "released": best,
        "chosen": dict(released.report.chosen),
        "cross_validated": _cross_validated(released, train),
        "stored": _measures(released, stored, data.validation_targets),
        "models": {kind: _model(one, shown, data.validation_targets) for kind, one in models.items()},
        "left_out": left_out,
        "learning_curve": _learning_curve(train, models[best if best in HEADS else "linear"], folds, seed),
    }


def _networks(
    data: Folder, *, compare: bool, finetune: bool, seed: int, say: Say
) -> tuple[dict[str, Contender], dict[str, str]]:
    """Networks trained on the photos, and why there are none."""
    if left_out := _left_out(compare=compare, finetune=finetune):
        return {}, left_out
    torch = OptionalPeers("torch")
    with torch.attempt("torch"):
        return train_networks(data, finetune=finetune, seed=seed, say=say), {}
    return {}, {baselines.KIND: f"torch {torch.fault('torch')}"}


def with_pixels(data: Folder, *parts: Examples) -> list[Examples]:
    """The validation photos as networks look at them, beside their descriptors."""
    pictures = _read(data.validation)
    return [Examples(one.descriptors, images=pictures) for one in parts]


def _left_out(*, compare: bool, finetune: bool) -> dict[str, str]:
    """Models that are not compared, and why."""
    if not (compare or finetune):
        return {baselines.KIND: "it was not asked for"}
    if why := baselines.why_not():
        return {baselines.KIND: str(why)}
    faults = [f"{name} {fault}" for name, fault in OptionalPeers("torch", "timm").faults().items()]
    return {baselines.KIND: "; ".join(faults)} if faults else {}


def _model(model: Contender, test: Examples, targets: np.ndarray) -> dict[str, Any]:
    return {
        **_measures(model, test, targets),
        "seconds": model.report.seconds,
        "log_loss_cv": round(model.loss(model.rows), 4),
        "judged_on": len(model.rows),
    }


def make_encoder(data: Folder) -> Encoder:
    """The encoder a shop of these photos would have: int8, calibrated on the training photos."""
    few = data.train[:: max(1, len(data.train) // CALIBRATION_PHOTOS)][:CALIBRATION_PHOTOS]
    if (
        conf.PRECISION == "fp32"
        or ":" not in conf.backend(conf.ENCODER).path
        or len(few) < MIN_CALIBRATION_PHOTOS
    ):
        return encoder_releases.make_encoder(conf.backend(conf.ENCODER).path)
    graph = quantise(graph_for(conf.backend(conf.ENCODER).path), _read(few))
    return encoder_releases.make_encoder(conf.backend(conf.ENCODER).path, graph)


def describe(encoder: Encoder, paths: Sequence[Path]) -> Descriptors:
    """Blocks of photos as the database would keep them: packed and unpacked."""
    packed: list[bytes] = []
    for start in range(0, len(paths), BATCH):
        images = _read(paths[start : start + BATCH])
        described = encoder.describe(images)
        packed += [pack(described, row) for row in range(len(images))]
    return unpack(packed)


def look_again(encoder: Encoder, paths: Sequence[Path]) -> Glances | None:
    """Other glances at photos, as a training describes the shop's; None for more than it would."""
    if len(paths) > MOST_SEEN_AGAIN:
        return None
    packed = []
    for start in range(0, len(paths), BATCH):
        packed += pack_other_glances(encoder, _read(paths[start : start + BATCH]))
    return unpack_glances(dict(enumerate(packed)))


def look_closely(encoder: Encoder, paths: Sequence[Path]) -> Descriptors:
    """Blocks of photos as the API makes them of a photo it is shown: four glances averaged."""
    parts = [
        describe_averaged(encoder, _read(paths[start : start + BATCH]))
        for start in range(0, len(paths), BATCH)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _read(paths: Sequence[Path]) -> list[Image]:
    bounds = limits()
    return [decode(path.read_bytes(), bounds) for path in paths]


def _measures(
    model: Contender, test: Examples, targets: np.ndarray, groups: np.ndarray | None = None
) -> dict[str, Any]:
    """On the validation photos; the threshold is the one that cross-validation chose."""
    probabilities = model.head.probabilities(test)
    predicted = probabilities.argmax(axis=1)
    count = len(model.head.labels)
    found: dict[str, Any] = {
        "accuracy": round(accuracy(predicted, targets), 4),
        "macro_f1": round(macro_f1(predicted, targets, count), 4),
        "calibration_error": round(calibration_error(probabilities, targets), 4),
        "brier": round(brier(probabilities, targets), 4),
        "top_5": round(top_k(probabilities, targets, 5), 4),
    }
    chosen = threshold_for_error(model.report.probabilities, model.report.targets, ACCEPTED_ERROR)
    sure = probabilities.max(axis=1) >= chosen.threshold
    wrong = (predicted != targets)[sure]
    found["coverage_at_5_percent_error"] = round(float(sure.mean()), 4)
    found["error_at_threshold"] = round(float(wrong.mean()) if len(wrong) else 0.0, 4)
    found["threshold"] = round(chosen.threshold, 4)
    if groups is not None:
        found["accuracy_interval"] = _interval(predicted == targets, groups)
    return found


def _interval(right: np.ndarray, groups: np.ndarray) -> list[float]:
    low, high = mean_interval(right, groups)
    return [round(low, 4), round(high, 4)]


def _cross_validated(model: Contender, train: LabelledSet) -> dict[str, Any]:
    """The training photos that it had not seen."""
    report = model.report
    right = report.probabilities.argmax(axis=1)
    return {
        "photos": len(model.rows),
        "accuracy": round(accuracy(right, report.targets), 4),
        "accuracy_interval": _interval(right == report.targets, train.groups[model.rows]),
        "macro_f1": round(macro_f1(right, report.targets, len(train.labels)), 4),
        "calibration_error": round(calibration_error(report.probabilities, report.targets), 4),
        "open_set_auroc": _auroc(report.known, report.unknown),
    }


def _auroc(known: np.ndarray, unknown: np.ndarray) -> float | None:
    found = auroc(known.tolist(), unknown.tolist())
    return round(found, 4) if np.isfinite(found) else None


def _open_set(
    train: LabelledSet, test: Examples, targets: np.ndarray, model: Contender, folds: int, seed: int
) -> float | None:
    """Labels left out of the training in turn: are their validation photos told from the others'.

    Mean over the groups of labels left out of the AUROC of ``known``; None with two labels. A network is not
    trained so often: it is judged on the photos held out, as if their own label were none of the network's.
    """
    groups = label_groups(len(train.labels))
    if model.head.kind in NETWORKS:
        return _auroc(model.report.known, model.report.unknown)
    found = []
    for group in np.unique(groups):
        kept = np.flatnonzero(groups != group)
        head, _ = fit_head(train.with_labels(kept), kind=model.head.kind, folds=folds, seed=seed)
        known = head.known(test)
        inside = np.isin(targets, kept)
        found.append(auroc(known[inside].tolist(), known[~inside].tolist()))
    return round(float(np.nanmean(found)), 4) if found else None


def _learning_curve(train: LabelledSet, model: Contender, folds: int, seed: int) -> dict[str, Any]:
    """Accuracy out of fold at shares of the training photos, and what more labels would buy.

    Each share is the mean of several parts. Never looks at the validation photos: the curve is what a shop
    would see before labelling more.
    """
    points = []
    for share in SHARES:
        rates = []
        for rows in parts(train.targets, train.groups, share, seed=seed):
            part = train.take(rows)
            try:
                _, report = fit_head(part, kind=model.head.kind, folds=folds, seed=seed)
            except ValueError:  # too few of some label in so small a part
                continue
            rates.append(float((report.probabilities.argmax(axis=1) == part.targets).mean()))
        if rates:
            points.append({"labels": round(share * len(train)), "accuracy": round(float(np.mean(rates)), 4)})
    own = model.report.probabilities.argmax(axis=1)
    points.append({"labels": len(train), "accuracy": round(accuracy(own, model.report.targets), 4)})
    law = fit_power_law([p["labels"] for p in points], [1 - p["accuracy"] for p in points])
    gain = law.error(len(train)) - law.error(len(train) + MORE_LABELS)
    return {"points": points, f"next_{MORE_LABELS}": round(gain, 4)}


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Read the command line, measure and print."""
    parser = command_line.make_parser("bench.classification", __doc__)
    parser.add_argument(
        "--data", required=True, type=Path, help="folder of labelled photos, or of a catalogue"
    )
    parser.add_argument("--folds", type=int, default=5, help="of the cross-validation (default 5)")
    parser.add_argument(
        "--shots", type=int, default=5, help="photos a label of a catalogue folder (default 5)"
    )
    parser.add_argument("--target", choices=["sku", "category"], default="sku", help="label of its products")
    parser.add_argument("--finetune", action="store_true", help="fine-tune the backbone too; needs torch")
    parser.add_argument(
        "--no-baseline", action="store_true", help="leave out the small network from scratch, to be quick"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the folds (default 0)")

    def measure(options: Namespace) -> dict[str, Any]:
        folder = options.data.resolve()
        chosen = {name: getattr(options, name) for name in ("folds", "shots", "target", "finetune", "seed")}
        found = evaluate(folder, **chosen, say=command_line.say, compare=not options.no_baseline)
        return {"data": folder.name, **found}

    return command_line.run(parser, measure, arguments)


if __name__ == "__main__":
    main()
