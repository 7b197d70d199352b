"""Build the training dataset: products, labels, photos, near-duplicate groups and label conflicts."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..catalogue.adapter import catalogue
from ..catalogue.models import CatalogueEntry, CatalogueImage
from ..classifiers.labelled_set import folds_of
from ..classifiers.near_duplicates import connected_groups
from ..encoders.base import Descriptors
from ..encoders.descriptor import unpack
from ..exceptions import InvalidRequest
from ..images.perceptual_hash import alike_pairs
from ..index.models import Descriptor
from ..indexing.photo_similarity import LEAST_SHAPE, READ_AT_ONCE, looks
from ..messages import Message
from ..types import Category
from .label_quality import likely_mislabelled
from .labels import told
from .models import DatasetSnapshot

SAME_FILE, SAME_PICTURE, SAME_SHAPE = "same file", "same picture", "same shape"


@dataclass(frozen=True, slots=True)
class PhotoRow:
    """A described photo: its key, its product's entry and group, digest of its bytes, perceptual hash."""

    image: int
    entry: int
    group: str
    digest: str
    look: int | None


@dataclass(frozen=True, slots=True)
class Pair:
    """Two entries that share a photo, the lower one first, and how alike: a file, a picture, or but for its colours."""

    first: int
    second: int
    why: str


def find_pairs(photos: Sequence[PhotoRow], backbone_digest: str) -> list[Pair]:
    """Every pair of products once, by its best reason.

    Perceptual hashes propose; thumbnails and colours, as stored with the descriptors, decide: of things alone
    on white, a hash says little.
    """
    found: dict[tuple[int, int], str] = {}
    for pair in (*_same_file(photos), *_alike(photos, backbone_digest)):
        found.setdefault((pair.first, pair.second), pair.why)
    return [Pair(*key, why) for key, why in found.items()]


def _pair(one: PhotoRow, other: PhotoRow, why: str) -> Pair:
    return Pair(min(one.entry, other.entry), max(one.entry, other.entry), why)


def _same_file(photos: Sequence[PhotoRow]) -> Iterator[Pair]:
    first: dict[str, PhotoRow] = {}
    for photo in photos:
        if photo.digest and first.setdefault(photo.digest, photo).entry != photo.entry:
            yield _pair(first[photo.digest], photo, SAME_FILE)


def _alike(photos: Sequence[PhotoRow], backbone_digest: str) -> list[Pair]:
    proposed = [
        (photos[a], photos[b])
        for a, b in alike_pairs([one.look for one in photos])
        if photos[a].entry != photos[b].entry
    ]
    known = looks(sorted({one.image for pair in proposed for one in pair}), backbone_digest)
    pairs = []
    for one, other in proposed:
        look, like = known.get(one.image), known.get(other.image)
        if look is not None and like is not None and look.shape_like(like) >= LEAST_SHAPE:
            pairs.append(_pair(one, other, SAME_PICTURE if look.has_colours_of(like) else SAME_SHAPE))
    return sorted(pairs, key=lambda pair: pair.why)  # a picture before a mere shape


def grouped(photos: Sequence[PhotoRow], entries: Sequence[int], pairs: Sequence[Pair]) -> dict[int, int]:
    """The group of each entry: variants of one product, and products that share a photo or nearly."""
    place = {entry: number for number, entry in enumerate(entries)}
    first: dict[str, int] = {}
    links = [(first.setdefault(photo.group, place[photo.entry]), place[photo.entry]) for photo in photos]
    links += [(place[pair.first], place[pair.second]) for pair in pairs]
    numbers = connected_groups(len(entries), np.array(links, int).reshape(-1, 2).T)
    return {entry: int(numbers[number]) for entry, number in place.items()}


FOLDS = 5
LEAST_PRODUCTS = 2  # groups of products a label needs: one to learn from, one to judge on
MAX_PHOTOS = 12_000  # learned from at most; their blocks in float32 take 400 MB, and more teach a head little
TOLD = 10  # labels in an error's message
SHOWN = 50  # conflicts and likely mislabelled products in a report


@dataclass(frozen=True, slots=True)
class Item:
    """A labelled product: its entry, its key, the group it may not be torn from, and its label's number."""

    entry: int
    key: str
    group: int
    label: int
    words: str
    decided: bool


@dataclass(frozen=True, slots=True)
class Photo:
    """A described photo of an item, by the item's number."""

    image: int
    item: int


@dataclass(frozen=True)
class Dataset:
    """What a classifier of one target can be trained on.

    Args:
        source, target: of which catalogue, and what is recognised.
        backbone_digest: of the encoder that made the descriptors.
        labels: that have products enough, in the order of their ids.
        items: labelled products with a described photo, in the order of their entries.
        photos: of the items, in their order.
        small: labels left out for want of products, with the number they have.
        conflicts: products that show the same photo and carry different labels.
    """

    source: str
    target: str
    backbone_digest: str
    labels: tuple[Category, ...]
    items: tuple[Item, ...]
    photos: tuple[Photo, ...]
    small: tuple[tuple[Category, int], ...]
    conflicts: tuple[dict[str, Any], ...]

    @property
    def targets(self) -> np.ndarray:
        """Number of each item's label."""
        return np.array([one.label for one in self.items], int)

    @property
    def groups(self) -> np.ndarray:
        """Number of each item's group."""
        return np.array([one.group for one in self.items], int)

    @property
    def item_of(self) -> np.ndarray:
        """Number of each photo's item."""
        return np.array([one.item for one in self.photos], int)

    def folds(self, *, seed: int = 0) -> np.ndarray:
        """The fold of each photo: by group, every label spread evenly; those that heads are judged by."""
        where = self.item_of
        return folds_of(self.targets[where], self.groups[where], FOLDS, seed=seed)

    def descriptors(self) -> Descriptors:
        """Blocks of every photo, float32, in their order."""
        return read_descriptors(self.backbone_digest, [photo.image for photo in self.photos])

    def rows(self, *, seed: int = 0) -> list[tuple[str, str, int, bool]]:
        """Key, label, fold and "decided by a person" of each item: what a snapshot keeps."""
        fold = dict(zip(self.item_of.tolist(), self.folds(seed=seed).tolist(), strict=True))
        return [
            (one.key, self.labels[one.label].id, fold[number], one.decided)
            for number, one in enumerate(self.items)
        ]


def read_dataset(source: str, target: str, backbone_digest: str) -> Dataset:
    """Every product of a catalogue that has a label and a described photo.

    Raises:
        InvalidRequest: no such target; or fewer than two labels with products enough (``too_few_labels``).
    """
    adapter = catalogue(source)
    adapter.choices(target) if target not in adapter.targets() else None
    photos = _photos(source, backbone_digest)
    entries = dict(
        CatalogueEntry.objects.filter(source=source, pk__in={row.entry for row in photos})
        .order_by("pk")
        .values_list("object_id", "pk")
    )
    known = dict(told(adapter, target, list(entries)))
    items = [
        (Item(entries[key], key, 0, 0, one.words, one.decided), one.label)
        for key, one in known.items()
        if one.label is not None
    ]
    names = {label.id: label for _, label in items}
    chosen = _limited([(one, label.id) for one, label in items], Counter(row.entry for row in photos))
    keys = [one.entry for one, _ in chosen]
    there = set(keys)
    photos = [row for row in photos if row.entry in there]
    pairs = find_pairs(photos, backbone_digest)
    chosen = _grouped(chosen, photos, pairs)
    conflicts = _conflicts(source, chosen, pairs, names)
    return _assemble(source, target, backbone_digest, chosen, photos, names, conflicts)


def _grouped(
    items: Sequence[tuple[Item, str]], photos: Sequence[PhotoRow], pairs: Sequence[Pair]
) -> list[tuple[Item, str]]:
    """The items with their groups.

    Pictures that differ in nothing but colour are one group where they carry one label: who has learned the
    red hat knows the blue one. Where the labels differ, the colour is what tells them apart; and a label that
    would be left with too few groups to be learned at all keeps its products apart.
    """
    label_of = {one.entry: label for one, label in items}
    copies = [pair for pair in pairs if pair.why != SAME_SHAPE]
    shapes = [p for p in pairs if p.why == SAME_SHAPE and label_of[p.first] == label_of[p.second]]
    for _ in range(2):
        group_of = grouped(photos, list(label_of), [*copies, *shapes])
        found = [(replace(one, group=group_of[one.entry]), label) for one, label in items]
        small = _large_enough(found)[1]
        if not any(label_of[pair.first] in small for pair in shapes):
            break
        shapes = [pair for pair in shapes if label_of[pair.first] not in small]
    return found


def _photos(source: str, backbone_digest: str) -> list[PhotoRow]:
    """Described, usable photos, in the order of their entries."""
    rows = Descriptor.objects.filter(backbone_digest=backbone_digest, image__entry__source=source)
    usable = rows.exclude(image__state=CatalogueImage.State.REJECTED)
    ordered = usable.order_by("image__entry_id", "image__position", "image_id")
    fields = ("image_id", "image__entry_id", "image__entry__group")
    found = ordered.values_list(*fields, "image__content_digest", "image__perceptual_hash")
    return [PhotoRow(*row) for row in found]


def _assemble(
    source: str,
    target: str,
    backbone_digest: str,
    items: Sequence[tuple[Item, str]],
    photos: Sequence[PhotoRow],
    names: dict[str, Category],
    conflicts: Sequence[dict[str, Any]],
) -> Dataset:
    """Leave out what cannot be learned or judged, and number the rest."""
    kept, small = _large_enough(items)
    if len(kept) < 2:
        raise _too_few(source, target, kept, small, items, names)
    labels = sorted(kept)
    number = {label: place for place, label in enumerate(labels)}
    chosen = [replace(one, label=number[label]) for one, label in items if label in number]
    place = {one.entry: at for at, one in enumerate(chosen)}
    return Dataset(
        source,
        target,
        backbone_digest,
        tuple(names[label] for label in labels),
        tuple(chosen),
        tuple(Photo(one.image, place[one.entry]) for one in photos if one.entry in place),
        tuple((names[label], count) for label, count in sorted(small.items())),
        tuple(conflicts),
    )


def _too_few(
    source: str,
    target: str,
    kept: Mapping[str, int],
    small: Mapping[str, int],
    items: Sequence[tuple[Item, str]],
    names: Mapping[str, Category],
) -> InvalidRequest:
    """Why nothing can be trained, label by label, and what to do."""
    products = Counter(label for _, label in items)
    most = sorted(small, key=lambda label: (-products[label], label))
    counted = [_counted(names[label].name, products[label], small[label]) for label in most[:TOLD]]
    if len(small) > TOLD:
        counted.append(Message("more_labels", {"labels": len(small) - TOLD}))
    return InvalidRequest(
        "too_few_labels",
        code="too_few_labels",
        target=target,
        source=source,
        labels=len(kept),
        least=LEAST_PRODUCTS,
        counted=counted or Message("no_product_has_a_label"),
    )


def _counted(label: str, products: int, different: int) -> Message:
    """``'mugs': 7 products, counted as 1``."""
    if products == different:
        return Message("label_has_products", {"label": label, "products": products})
    return Message("label_counted_as", {"label": label, "products": products, "different": different})


def _large_enough(items: Sequence[tuple[Item, str]]) -> tuple[dict[str, int], dict[str, int]]:
    """Labels with groups enough, and the others, each with its number of groups.

    A group goes with its most frequent label, for a fold takes it whole; a label that is nowhere the most
    frequent cannot be judged.
    """
    votes: dict[int, Counter[str]] = defaultdict(Counter)
    for one, label in items:
        votes[one.group][label] += 1
    counts = Counter({label: 0 for _, label in items})
    for vote in votes.values():
        counts[min(vote, key=lambda label: (-vote[label], label))] += 1
    kept = {label: count for label, count in counts.items() if count >= LEAST_PRODUCTS}
    return kept, {label: count for label, count in counts.items() if label not in kept}


def _limited(items: Sequence[tuple[Item, str]], photos: Counter[int]) -> list[tuple[Item, str]]:
    """At most ``MAX_PHOTOS``: labels take turns, products that people decided of first, else spread by key."""
    if sum(photos[one.entry] for one, _ in items) <= MAX_PHOTOS:
        return sorted(items, key=lambda pair: pair[0].entry)
    queues: dict[str, list[Item]] = defaultdict(list)
    for one, label in sorted(items, key=lambda pair: (not pair[0].decided, _spread(pair[0].key))):
        queues[label].append(one)
    taken: list[tuple[Item, str]] = []
    room = MAX_PHOTOS
    for turn in range(max(map(len, queues.values()))):
        for label, queue in queues.items():
            if turn < len(queue) and (room > 0 or turn < LEAST_PRODUCTS):
                taken.append((queue[turn], label))
                room -= photos[queue[turn].entry]
    return sorted(taken, key=lambda pair: pair[0].entry)


def _spread(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def _conflicts(
    source: str, items: Sequence[tuple[Item, str]], pairs: Sequence[Pair], names: dict[str, Category]
) -> list[dict[str, Any]]:
    """Products with the same photo and different labels: at least one of the labels is wrong."""
    of = {one.entry: (one.key, label) for one, label in items}
    return [
        {
            "products": [f"{source}:{of[entry][0]}" for entry in (pair.first, pair.second)],
            "labels": [names[of[entry][1]].name for entry in (pair.first, pair.second)],
            "why": pair.why,
        }
        for pair in pairs
        if pair.why != SAME_SHAPE and of[pair.first][1] != of[pair.second][1]
    ][:SHOWN]


def read_descriptors(backbone_digest: str, images: Iterable[int]) -> Descriptors:
    """Blocks of some photos, in the order given; all must be described."""
    wanted = list(images)
    parts = []
    for start in range(0, len(wanted), READ_AT_ONCE):
        part = wanted[start : start + READ_AT_ONCE]
        rows = Descriptor.objects.filter(backbone_digest=backbone_digest, image_id__in=part)
        packed = dict(rows.values_list("image_id", "data"))
        parts.append(unpack([bytes(packed[image]) for image in part]))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}


def snapshot(dataset: Dataset, *, seed: int = 0) -> DatasetSnapshot:
    """Keep what was learned from, by its digest; the same data are kept once."""
    rows = dataset.rows(seed=seed)
    text = json.dumps(rows, separators=(",", ":")).encode()
    head = f"{dataset.source}\n{dataset.target}\n{dataset.backbone_digest}\n".encode()
    products = Counter(one.label for one in dataset.items)
    photos = Counter(dataset.items[photo.item].label for photo in dataset.photos)
    values = {
        "source": dataset.source,
        "target": dataset.target,
        "labels": [
            {"id": one.id, "name": one.name, "products": products[n], "photos": photos[n]}
            for n, one in enumerate(dataset.labels)
        ],
        "products": len(dataset.items),
        "photos": len(dataset.photos),
        "data": zlib.compress(text),
        "report": quality(dataset),
    }
    digest = hashlib.sha256(head + text).hexdigest()
    return DatasetSnapshot.objects.get_or_create(digest=digest, defaults=values)[0]


def snapshot_rows(row: DatasetSnapshot) -> list[tuple[str, str, int, bool]]:
    """What ``Dataset.rows`` gave when the snapshot was taken."""
    return [tuple(one) for one in json.loads(zlib.decompress(bytes(row.data)))]


def quality(dataset: Dataset, probabilities: np.ndarray | None = None) -> dict[str, Any]:
    """What a person should look at before trusting the labels.

    Args:
        dataset: as read.
        probabilities: of each item's labels by a classifier that had not seen it, (N, C); without them nothing
            is said of mislabelled products.

    Returns:
        ``small``: labels left out; ``conflicts``: one photo, different labels; ``mislabelled``: products whose
        label the classifier does not believe, worst first. At most ``SHOWN`` of each.
    """
    return {
        "small": [{"label": one.id, "name": one.name, "products": n} for one, n in dataset.small[:SHOWN]],
        "conflicts": list(dataset.conflicts),
        "mislabelled": [] if probabilities is None else _mislabelled(dataset, probabilities),
    }


def _mislabelled(dataset: Dataset, probabilities: np.ndarray) -> list[dict[str, Any]]:
    """Labels the classifier would not have given, worst first; what a person has decided is left out."""
    suspects = likely_mislabelled(probabilities, dataset.targets)
    free = [one for one in suspects if not dataset.items[one.row].decided]
    return [
        {
            "product": f"{dataset.source}:{dataset.items[one.row].key}",
            "label": dataset.labels[one.label].id,
            "name": dataset.labels[one.label].name,
            "suggested": dataset.labels[one.suggested].id,
            "suggested_name": dataset.labels[one.suggested].name,
            "probability": round(float(probabilities[one.row, one.suggested]), 4),
        }
        for one in free[:SHOWN]
    ]
