"""Projection of a descriptor to an embedding: PCA, within-product whitening, family weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image
from safetensors.numpy import load, save

from .base import BlockSpec, Descriptors, families

RANK = 512  # dimensions kept of each block
SHRINK = 0.05  # of the within-product scatter towards a sphere
DIVERSE_CORRELATION = 0.6  # photos of one product alike beyond this are copies, not views
PRIOR_PRODUCTS = 3  # diverse products that weigh as much as the augmented views
PRIOR_PHOTOS = 3  # of a product, from which on its centre weighs more than each photo by itself
DIVERSE_WEIGHTS = {"shape": 0.6, "texture": 0.2, "colour": 0.2}
UNIFORM_WEIGHTS = {"shape": 0.4, "texture": 0.2, "colour": 0.4}
OTHER_WEIGHT = 0.6  # of a family that only the encoder knows, such as a pooled vector: as the shape's
MAX_FIT_PHOTOS = 20_000  # more photos change the second moments less than their noise
FORMAT = 1
EPSILON = 1e-8


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """The catalogue's own photos, described.

    Args:
        descriptors: blocks, (N, d) each.
        products: which product each photo shows, int (N,).
        is_catalogue: True for each product's catalogue image, bool (N,).
        augmented: blocks of augmented views, (M, d) each; None for none.
        blocks: specs of the encoder that described them.
        augmented_of: row of the photo each view was made from, int (M,).
    """

    descriptors: Descriptors
    products: np.ndarray
    is_catalogue: np.ndarray
    blocks: tuple[BlockSpec, ...]
    augmented: Descriptors | None = None
    augmented_of: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.products)

    def take(self, rows: np.ndarray) -> TrainingSet:
        """The same with some photos only (row numbers), and the augmented views of those."""
        descriptors = {name: block[rows] for name, block in self.descriptors.items()}
        if self.augmented is None or self.augmented_of is None:
            return TrainingSet(descriptors, self.products[rows], self.is_catalogue[rows], self.blocks)
        place = np.full(len(self), -1)
        place[rows] = np.arange(len(rows))
        kept = np.flatnonzero(place[self.augmented_of] >= 0)
        augmented = {name: block[kept] for name, block in self.augmented.items()}
        moved = place[self.augmented_of[kept]]
        return TrainingSet(
            descriptors, self.products[rows], self.is_catalogue[rows], self.blocks, augmented, moved
        )


@dataclass(frozen=True)
class Projection:
    """A linear map per block, then one over all: blocks (N, d) -> unit rows (N, dim).

    Args:
        maps: by block, float32 (d, r); applied to the unit-norm block less its mean.
        means: by block, float32 (d,).
        scales: by block, what its unit-norm result is multiplied with.
        final: float32 (sum of r, dim).
        centre: float32 (sum of r,), subtracted before ``final``.
        recipe: what was chosen and why, for people.
    """

    maps: Mapping[str, np.ndarray]
    means: Mapping[str, np.ndarray]
    scales: Mapping[str, float]
    final: np.ndarray
    centre: np.ndarray
    recipe: Mapping[str, Any] = field(default_factory=dict)

    @property
    def dim(self) -> int:
        """Dimensions of an embedding."""
        return int(self.final.shape[1])

    @property
    def digest(self) -> str:
        """sha256 of ``to_bytes``."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def embed(self, descriptors: Descriptors) -> np.ndarray:
        """Embeddings float32 (N, dim), unit rows, in the order given; no rows give (0, dim)."""
        if not descriptors:
            return np.empty((0, self.dim), np.float32)
        joined = np.concatenate([self._block(name, descriptors[name]) for name in self.maps], axis=1)
        return unit((joined - self.centre) @ self.final)

    def look(self, views: Descriptors) -> np.ndarray:
        """One embedding, float32 (dim,), of a photo looked at several times: the unit-norm mean of all."""
        return np.asarray(unit(self.embed(views).mean(0)[None])[0])

    def _block(self, name: str, block: np.ndarray) -> np.ndarray:
        return unit((unit(block) - self.means[name]) @ self.maps[name]) * np.float32(self.scales[name])

    def to_bytes(self) -> bytes:
        """Safetensors with a JSON record; the same projection always gives the same bytes."""
        tensors = {"final": self.final, "centre": self.centre}
        for name in self.maps:
            tensors[f"map.{name}"] = self.maps[name]
            tensors[f"mean.{name}"] = self.means[name]
        record = {
            "format": FORMAT,
            "scales": dict(self.scales),
            "blocks": list(self.maps),
            "recipe": dict(self.recipe),
        }
        half = {name: np.ascontiguousarray(value, np.float16) for name, value in tensors.items()}
        return bytes(
            save(half, {"projection": json.dumps(record, sort_keys=True)})
        )  # one key: they have no order

    @classmethod
    def from_bytes(cls, data: bytes) -> Projection:
        """Read what ``to_bytes`` gave.

        Raises:
            ValueError: it is no projection, or of another format version.
        """
        length = int.from_bytes(data[:8], "little")
        try:
            record = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["projection"])
        except (ValueError, KeyError) as error:
            raise ValueError("these bytes hold no projection") from error
        if record.get("format") != FORMAT:
            raise ValueError(f"projection of format {record['format']}; this version reads format {FORMAT}")
        t = {name: value.astype(np.float32) for name, value in load(data).items()}
        blocks = record["blocks"]
        return cls(
            {name: t[f"map.{name}"] for name in blocks},
            {name: t[f"mean.{name}"] for name in blocks},
            record["scales"],
            t["final"],
            t["centre"],
            record["recipe"],
        )


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows scaled to unit L2 norm, float32; a zero row stays zero."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(norms, EPSILON), np.float32)


def generic(specs: Sequence[BlockSpec], dim: int) -> Projection:
    """For a shop with too few photos to learn from: a seeded random projection of the unit-norm blocks.

    Keeps cosines to about ``1 / sqrt(dim)`` (Johnson & Lindenstrauss, 1984); nothing is fitted.
    """
    rng = np.random.default_rng(0)
    weights = _block_weights(DIVERSE_WEIGHTS, specs)
    dims = {block.name: block.dim for block in specs}
    maps, means = {}, {}
    for name in weights:
        maps[name] = _float16(rng.standard_normal((dims[name], dim)) / np.sqrt(dim))
        means[name] = np.zeros(dims[name], np.float32)
    final = _float16(np.tile(np.eye(dim), (len(weights), 1)))
    scales = {name: float(np.sqrt(weight)) for name, weight in weights.items()}
    return Projection(maps, means, scales, final, np.zeros(len(final), np.float32), {"kind": "generic"})


def fit(training: TrainingSet, *, dim: int, seed: int = 0) -> Projection:
    """Learn the projection from the catalogue's own photos, without labels: seconds, no GPU.

    Per block: centred PCA, then whitening by the within-product scatter ``S = l S_b / tr S_b + (1 - l) S_a /
    tr S_a``, ``l = n / (n + 3)`` for n diverse products. S_b balances catalogue image and other photos: per
    product half the scatter of the other photos and half that of the catalogue image, around the middle of
    the two; S_a is the scatter of augmented views around their photo. Whitened blocks are scaled so that
    similarities between products deviate equally, weighted by family, joined, and reduced by a second PCA.

    Args:
        training: at least two photos.
        dim: D; padded with zeros where the photos span fewer dimensions.
        seed: of the subsample above MAX_FIT_PHOTOS.

    Raises:
        ValueError: fewer than two photos.

    Source: within-class covariance normalisation, Hatch et al., Interspeech 2006; shrinkage towards a sphere.
    """
    if len(training) < 2:
        raise ValueError(f"a projection is fitted on two photos or more, not {len(training)}")
    if len(training) > MAX_FIT_PHOTOS:
        rows = np.random.default_rng(seed).choice(len(training), MAX_FIT_PHOTOS, replace=False)
        training = training.take(np.sort(rows))
    diverse = diverse_products(training)
    several = len(_several(training.products))
    weights = DIVERSE_WEIGHTS if 2 * len(diverse) >= max(several, 1) else UNIFORM_WEIGHTS
    maps, means, scales, parts = {}, {}, {}, []
    for name, weight in _block_weights(weights, training.blocks).items():
        maps[name], means[name] = _fit_block(training, name, diverse)
        rows = unit((unit(training.descriptors[name]) - means[name]) @ maps[name])
        scales[name] = float(np.sqrt(weight / _deviation(rows, training.products)))
        parts.append(rows * np.float32(scales[name]))
    joined = np.concatenate(parts, axis=1)
    centre = _float16(joined.mean(0))
    final = _float16(principal(joined - centre, dim))
    recipe = {
        "kind": "fitted",
        "photos": len(training),
        "products": len(np.unique(training.products)),
        "diverse_products": len(diverse),
        "weights": weights,
    }
    return Projection(maps, means, scales, final, centre, recipe)


def _block_weights(weights: Mapping[str, float], specs: Sequence[BlockSpec]) -> dict[str, float]:
    """A family's weight is shared equally by its blocks."""
    return {
        name: weights.get(family, OTHER_WEIGHT) / len(names)
        for family, names in families(specs).items()
        for name in names
    }


def _several(products: np.ndarray) -> np.ndarray:
    """Products with two photos or more."""
    names, counts = np.unique(products, return_counts=True)
    return np.asarray(names[counts > 1])


def diverse_products(training: TrainingSet) -> list[int]:
    """Products whose photos are really different: thumbnails correlate below 0.6 on average.

    Where the encoder gives no thumbnails, every product with two photos or more counts.
    """
    found = []
    thumbs = training.descriptors.get("thumb")
    if thumbs is None:
        return [int(product) for product in _several(training.products)]
    for product in _several(training.products):
        rows = thumbs[training.products == product]
        rows = unit(rows - rows.mean(1, keepdims=True))
        n = len(rows)
        mean = ((rows @ rows.T).sum() - n) / (n * (n - 1))
        if mean < DIVERSE_CORRELATION:
            found.append(int(product))
    return found


def _fit_block(training: TrainingSet, name: str, diverse: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """PCA and whitening of one block as one matrix (d, r), and the block's mean."""
    rows = unit(training.descriptors[name])
    mean = _float16(rows.mean(0))
    basis = principal(rows - mean, min(RANK, len(rows) - 1, rows.shape[1]))
    scatter = _scatter(training, name, (rows - mean) @ basis, mean, basis, diverse)
    if scatter is None:
        return _float16(basis), mean
    size = len(scatter)
    values, vectors = np.linalg.eigh(
        (1 - SHRINK) * scatter + SHRINK * np.trace(scatter) / size * np.eye(size)
    )
    whiten = (vectors / np.sqrt(np.maximum(values, EPSILON))) @ vectors.T
    map_ = basis @ whiten
    return _float16(map_ / np.abs(map_).max()), mean


def _scatter(
    training: TrainingSet,
    name: str,
    rows: np.ndarray,
    mean: np.ndarray,
    basis: np.ndarray,
    diverse: Sequence[int],
) -> np.ndarray | None:
    """Within-product scatter of one block in its principal axes, trace 1; None when there is nothing."""
    parts: list[tuple[float, np.ndarray]] = []
    share = len(diverse) / (len(diverse) + PRIOR_PRODUCTS)
    if diverse:
        parts.append((share, _between_photos(rows, training, diverse)))
    if training.augmented is not None and training.augmented_of is not None and len(training.augmented_of):
        views = (unit(training.augmented[name]) - mean) @ basis
        moved = views - rows[training.augmented_of]
        parts.append((1 - share, moved.T @ moved))
    usable = [(weight, part / np.trace(part)) for weight, part in parts if np.trace(part) > EPSILON]
    if not usable:
        return None
    return np.asarray(sum(weight * part for weight, part in usable) / sum(w for w, _ in usable))


def _between_photos(rows: np.ndarray, training: TrainingSet, diverse: Sequence[int]) -> np.ndarray:
    """Mean over products of the balanced scatter between catalogue image and other photos."""
    total = np.zeros((rows.shape[1], rows.shape[1]))
    for product in diverse:
        mine = training.products == product
        first, others = rows[mine & training.is_catalogue], rows[mine & ~training.is_catalogue]
        if not len(first) or not len(others):
            both = np.concatenate([first, others])
            moved = both - both.mean(0)
            total += moved.T @ moved / len(moved)
            continue
        c = first.mean(0)
        middle = (others.mean(0) + c) / 2
        moved = others - middle
        total += moved.T @ moved / len(moved) / 2 + np.outer(c - middle, c - middle) / 2
    return total / len(diverse)


def principal(centred: np.ndarray, rank: int) -> np.ndarray:
    """The first principal axes as columns, (d, rank); zero columns beyond the rank of the rows."""
    n, d = centred.shape
    x = centred.astype(np.float64)
    if n < d:
        values, vectors = np.linalg.eigh(x @ x.T)
        keep = np.argsort(-values)[: min(rank, n - 1)]
        keep = keep[values[keep] > values.max() * 1e-10]
        basis = x.T @ (vectors[:, keep] / np.sqrt(values[keep]))
    else:
        values, vectors = np.linalg.eigh(x.T @ x)
        basis = vectors[:, np.argsort(-values)[:rank]]
    out = np.zeros((d, rank))
    out[:, : basis.shape[1]] = basis * np.where(basis.sum(0) < 0, -1, 1)
    return out


def _deviation(rows: np.ndarray, products: np.ndarray) -> float:
    """Standard deviation of similarities between photos of different products (a sample of 1,000 photos)."""
    step = max(1, len(rows) // 1000)
    sample, names = rows[::step], products[::step]
    different = names[:, None] != names[None, :]
    values = (sample @ sample.T)[different]
    return float(max(values.std(), 1e-3)) if len(values) else 1.0


def _float16(values: np.ndarray) -> np.ndarray:
    """Rounded to what is stored, so that a projection embeds the same before and after saving."""
    return np.asarray(np.asarray(values, np.float32).astype(np.float16), np.float32)


def gallery(vectors: np.ndarray, products: np.ndarray, is_catalogue: np.ndarray) -> np.ndarray:
    """Photos as the index keeps them: each drawn to its product's centre, the more the more photos it has.

    ``g <- L2((1 - w) g + w L2(c / 2 + e / 2))``, ``w = n / (n + 3)`` for n photos: the centre of many is more
    certain than that of few. c is the mean of the product's catalogue images and e that of its other photos
    (the one alone where the other is missing). A product with one photo keeps it as it is.

    Args:
        vectors: float32 (N, D), unit rows.
        products: int (N,).
        is_catalogue: bool (N,).
    """
    out = np.array(vectors, np.float32)
    for product in _several(products):
        mine = products == product
        parts = [vectors[mine & part] for part in (is_catalogue, ~is_catalogue)]
        means = [part.mean(0) for part in parts if len(part)]
        centre = unit(np.mean(means, axis=0)[None])[0]
        count = mine.sum()
        share = np.float32(count / (count + PRIOR_PHOTOS))
        out[mine] = unit((1 - share) * vectors[mine] + share * centre)
    return out


def augmented_views(image: Image.Image) -> list[Image.Image]:
    """The centre's 70 % and 50 %, a rotation by 20 degrees on white, and a mirror image."""
    width, height = image.size
    views = []
    for share in (0.7, 0.5):
        dx, dy = width * (1 - share) / 2, height * (1 - share) / 2
        box = (int(dx), int(dy), max(int(width - dx), int(dx) + 1), max(int(height - dy), int(dy) + 1))
        views.append(image.crop(box))
    views.append(image.rotate(20, Image.Resampling.BILINEAR, fillcolor=(255, 255, 255)))
    views.append(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    return views
