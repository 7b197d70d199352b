"""A folder of labelled photos: labels.csv, or a few photos a label of a catalogue folder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench import catalogue_folder
from shopvision.exceptions import InvalidRequest

LEAST = 2  # training photos a label must have
COLUMNS = ("image", "label", "split")  # of labels.csv


@dataclass(frozen=True)
class Folder:
    """Photos with the numbers of their labels and products.

    Args:
        labels: names, sorted.
        train, validation: files.
        train_targets, validation_targets: int (N,).
        train_groups, validation_groups: product of each photo, int (N,).
    """

    labels: tuple[str, ...]
    train: list[Path]
    train_targets: np.ndarray
    train_groups: np.ndarray
    validation: list[Path]
    validation_targets: np.ndarray
    validation_groups: np.ndarray


Row = tuple[Path, str, str]


def read(folder: Path, *, shots: int = 5, target: str = "sku") -> Folder:
    """The folder's photos, to train on and to judge on.

    Args:
        folder: with ``labels.csv`` (``image,label,split``, split ``train`` or ``validation``; each photo shows
            another product), or with ``products.csv`` and ``queries.csv``.
        shots: photos a label that are taken from products.csv, spread evenly; its catalogue images are left out
            where there are other photos, for they are not what shoppers and sellers take.
        target: ``sku`` or ``category``. Each photo counts as a product of its own: of a few photos a label no
            fold can spare all of a product's.

    Raises:
        InvalidRequest: it is neither, or a label has fewer than two training photos.
    """
    labels = folder / "labels.csv"
    if not (labels.is_file() or (folder / "products.csv").is_file()):
        raise InvalidRequest(
            f"{folder} has neither labels.csv (image,label,split: labelled photos) nor products.csv with queries.csv "
            "(a catalogue folder)"
        )
    if labels.is_file():
        rows = catalogue_folder.read_csv(labels)
        if lacking := [name for name in COLUMNS if rows and name not in rows[0]]:
            raise InvalidRequest(f"{labels} has no column {', '.join(lacking)}; it takes {','.join(COLUMNS)}")
        files = [(folder / row["image"], row.get("label", ""), row.get("split", "")) for row in rows]
        usable = [(path, label, split) for path, label, split in files if label and path.is_file()]
        train = [(path, label, str(path)) for path, label, split in usable if split == "train"]
        validation = [(path, label, str(path)) for path, label, split in usable if split == "validation"]
    else:
        train, validation = _few_shots(folder, shots, target)
    return _numbered(folder, train, validation)


def _few_shots(folder: Path, shots: int, target: str) -> tuple[list[Row], list[Row]]:
    """Photos of products.csv to train on, those of queries.csv to judge on."""
    products = catalogue_folder.read_products(folder)
    label_of = {row.sku: row.sku if target == "sku" else row.category for row in products}
    by_label: dict[str, list[Row]] = {}
    for row in products:
        photos = row.photos[1:] or row.photos
        by_label.setdefault(label_of[row.sku], []).extend(
            (folder / name, label_of[row.sku], name) for name in photos
        )
    train = [one for rows in by_label.values() for one in _spread(rows, shots)]
    validation = []
    for query in catalogue_folder.read_queries(folder):
        labels = {label_of[sku] for sku in query.relevant if sku in label_of}
        if len(labels) == 1:
            validation.append((folder / query.image, labels.pop(), query.image))
    return train, validation


def _spread(rows: Sequence[Row], count: int) -> Iterable[Row]:
    """So many rows, evenly spaced."""
    if len(rows) <= count:
        return rows
    return [rows[int(place)] for place in np.linspace(0, len(rows) - 1, count).round()]


def _numbered(folder: Path, train: list[Row], validation: list[Row]) -> Folder:
    names = sorted({label for _, label, _ in train})
    for name in names:
        if sum(label == name for _, label, _ in train) < LEAST:
            raise InvalidRequest(f"{folder}: label {name!r} has fewer than {LEAST} training photos")
    number = {name: place for place, name in enumerate(names)}
    validation = [row for row in validation if row[1] in number]
    if len(names) < LEAST or not validation:
        raise InvalidRequest(f"{folder}: two labels with training photos, and photos to judge on, are needed")
    return Folder(
        tuple(names),
        [path for path, _, _ in train],
        np.array([number[label] for _, label, _ in train]),
        _groups(train),
        [path for path, _, _ in validation],
        np.array([number[label] for _, label, _ in validation]),
        _groups(validation),
    )


def _groups(rows: Sequence[Row]) -> np.ndarray:
    return np.unique([group for _, _, group in rows], return_inverse=True)[1]
