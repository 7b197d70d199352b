"""Class activation maps of heads and networks, and their faithfulness."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ..encoders.base import Descriptors, MapEncoder
from ..encoders.descriptor import area, describe_maps, grid_weights
from ..encoders.projection import EPSILON, unit
from ..evaluation.bootstrap import mean_interval
from ..images.preprocess import normalise, squares
from .base import Classifier, Examples, softmax
from .fine_tuned import FineTuned
from .fusion import FusedHead
from .heads import LinearHead, Prototypes

POOLED = {"c5": 5 / 7, "c3": 3 / 7}
"""Blocks that are means over the middle of the last map, and the share of its side they take."""
MASKED_SHARE = 0.2  # of the photo's area that the faithfulness measure masks
DRAWS = 4  # random regions for each hot one


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where on a photo the reasons for a label lie.

    Args:
        values: what each cell of the square adds to the log-odds of the label, float32 (h, w); negative
            where it speaks against.
        share: of all reasons, the part that the map can show, 0 to 1: a head that also looks at colour and
            texture has reasons that lie nowhere in particular.
    """

    values: np.ndarray
    share: float

    def heat(self) -> np.ndarray:
        """What speaks for the label, scaled to 0..1; all zero where nothing does."""
        positive = np.maximum(self.values, 0)
        return np.asarray(positive / max(float(positive.max()), EPSILON), np.float32)


def evidence(
    classifier: Classifier, encoder: MapEncoder | None, image: Image.Image, label: int
) -> Evidence | None:
    """Where on the photo the reasons for a label lie; None for a classifier whose reasons have no exact map.

    Args:
        classifier: of any kind; of one that also reads texts, the photo's part is shown.
        encoder: that of the descriptors a head was trained on; None where there is only a network.
        image: upright RGB.
        label: number of the label among the classifier's.
    """
    if isinstance(classifier, FineTuned):
        return None if classifier.head is None else network_evidence(classifier, image, label)
    head = classifier.photo if isinstance(classifier, FusedHead) else classifier
    if isinstance(head, LinearHead | Prototypes) and encoder is not None:
        return head_evidence(head, encoder, image, label)
    return None


def network_evidence(classifier: FineTuned, image: Image.Image, label: int) -> Evidence:
    """The class activation map of a fine-tuned network, exact, without torch.

    The head is linear in the mean of the last map, so the cells' parts add up to the log-odds of the label
    against the others (less a constant), and Grad-CAM of the last layer gives the same map.

    Raises:
        ValueError: the network's head is not of that form.

    Source: Zhou et al., CVPR 2016 (CAM); Selvaraju et al., ICCV 2017 (Grad-CAM, appendix A: their equality).
    """
    if classifier.head is None:
        raise ValueError(f"a {classifier.kind!r} classifier has no linear head on its last map: no exact map")
    maps, logits = classifier.run(squares([image], classifier.preprocess))
    weights = _against_others(classifier.head.T, logits[0] * classifier.calibration.scale, label)
    cells = np.tensordot(weights, maps[0], axes=1)
    return Evidence(np.asarray(cells * classifier.calibration.scale / cells.size, np.float32), 1.0)


def head_evidence(
    head: LinearHead | Prototypes, encoder: MapEncoder, image: Image.Image, label: int
) -> Evidence:
    """The class activation map of a head on descriptors, exact for the blocks that are means of maps.

    Every block's part of the log-odds is measured against a blank photo's, so that what all photos share
    does not count; the cells add up to the parts of ``POOLED`` and ``grid``. The cosines of prototypes are
    linear once the length of the photo's row is known.
    """
    spec = encoder.spec.preprocess
    pixels = squares([image, Image.new("RGB", image.size, (255, 255, 255))], spec)
    maps = encoder.maps(normalise(pixels, spec))
    blocks = describe_maps(maps, pixels)
    matrices, logits = _linear(head, blocks)
    weights = {name: _against_others(matrix, logits, label) for name, matrix in matrices.items()}
    shape = maps["t10"].shape[2:]
    values = np.zeros(shape)
    for name, share in POOLED.items():
        if name in weights:
            values += _spread(np.subtract(*_pooled_part(maps["c5"], weights[name], share)), shape)
    if "grid" in weights:
        values += np.subtract(*_grid_part(maps["t10"], blocks["grid"], weights["grid"]))
    parts = {name: _part(blocks, name, slope) for name, slope in weights.items()}
    shown = sum(abs(part) for name, part in parts.items() if name in {*POOLED, "grid"})
    share = shown / max(sum(abs(part) for part in parts.values()), EPSILON)
    return Evidence(np.asarray(values, np.float32), float(share))


def _linear(head: LinearHead | Prototypes, blocks: Descriptors) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """By block, the matrix (d, L) that gives the photo's (row 0) scores but for a constant; and the scores."""
    by_logits, by_cosines = head.scales if isinstance(head, LinearHead) else (0.0, head.scale)
    space, centres = head.landmarks.space, head.landmarks.centres
    length = max(float(np.linalg.norm(space.rows(blocks)[0])), EPSILON)
    matrices = {name: matrix @ centres.T * (by_cosines / length) for name, matrix in space.maps.items()}
    for name, matrix in head.logits.maps.items() if isinstance(head, LinearHead) else ():
        matrices[name] = matrices.get(name, 0.0) + matrix * by_logits
    examples = Examples(blocks)
    return matrices, head.scores(examples, head.nearness(examples))[0]


def _against_others(weights: np.ndarray, logits: np.ndarray, label: int) -> np.ndarray:
    """The gradient of ``log p / (1 - p)`` of a label: its column less the others', as probable as they are.

    Args:
        weights: of the logits, (d, L). logits: scaled as for the softmax, (L,).
    """
    rest = np.delete(np.arange(len(logits)), label)
    others = softmax(logits[None, rest].astype(np.float64))[0]
    return np.asarray(weights[:, label] - weights[:, rest] @ others)


def _pooled_part(maps: np.ndarray, weights: np.ndarray, share: float) -> np.ndarray:
    """What each cell adds to ``unit(mean over the middle) . weights``, (N, h, w); nothing outside the middle."""
    side = maps.shape[-1]
    keep = max(1, round(side * share))
    start = (side - keep) // 2
    middle = maps[:, :, start : start + keep, start : start + keep]
    length = np.maximum(np.linalg.norm(middle.mean((2, 3)), axis=1), EPSILON)
    out = np.zeros((len(maps), *maps.shape[2:]))
    cells = np.tensordot(middle, weights, axes=(1, 0))
    out[:, start : start + keep, start : start + keep] = cells / (keep * keep * length[:, None, None])
    return out


def _grid_part(maps: np.ndarray, blocks: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """What each cell of the map adds to ``unit(grid) . weights``, (N, h, w)."""
    of_cells = grid_weights(weights, *maps.shape[1:])
    length = np.maximum(np.linalg.norm(blocks, axis=1), EPSILON)
    return np.asarray((maps * of_cells).sum(1) / length[:, None, None])


def _spread(cells: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A map on a finer grid, its sum kept; the finer sides are multiples where networks halve their maps."""
    down, across = (area(old, new) for old, new in zip(cells.shape, shape, strict=True))
    spread = down @ cells @ across.T
    return np.asarray(spread * cells.size / spread.size)


def _part(blocks: Descriptors, name: str, weights: np.ndarray) -> float:
    """What a block of the photo (row 0) adds beyond that of the blank one (row 1)."""
    rows = unit(blocks[name])
    return float((rows[0] - rows[1]) @ weights)


def over_photo(heat: np.ndarray, size: tuple[int, int], fit: str = "letterbox") -> np.ndarray:
    """A map of the square laid over the photo it came from.

    Args:
        heat: float (h, w). size: width and height of the photo in pixels.
        fit: of the square, as in ``PreprocessSpec``.

    Returns:
        float32 (height, width), cells joined smoothly; zero where a ``crop`` left the photo out.
    """
    width, height = size
    side = max(size) if fit == "letterbox" else min(size)
    square = Image.fromarray(np.asarray(heat, np.float32)).resize((side, side), Image.Resampling.BICUBIC)
    left, top = (side - width) // 2, (side - height) // 2
    return np.asarray(square.crop((left, top, left + width, top + height)), np.float32)


@dataclass(frozen=True, slots=True)
class Faithfulness:
    """How much more a label's probability falls when the hot region is masked than when another one is.

    Args:
        hot, other: mean fall of the probability under the two masks.
        difference: their mean difference, with a 95 % bootstrap interval over photos.
        photos: how many.
    """

    hot: float
    other: float
    difference: float
    interval: tuple[float, float]
    photos: int


def faithfulness(
    probability: Callable[[Sequence[Image.Image]], np.ndarray],
    photos: Sequence[Image.Image],
    heats: Sequence[np.ndarray],
    *,
    seed: int = 0,
) -> Faithfulness:
    """Mask the hottest fifth of each photo, and the same shape elsewhere, and compare.

    The random mask is the hot one mirrored and moved round the photo's edges, so that area and outline are
    the same and only the place differs. Masked pixels take the photo's mean colour.

    Args:
        probability: photos -> probability of the label that the heat is about, (N,); the k-th call's photos
            are versions of ``photos`` in the same order.
        photos: one or more.
        heats: by photo, (height, width) as ``over_photo`` gives them.
        seed: of the places and of the bootstrap.
    """
    random = np.random.default_rng(seed)
    masks = [_hottest(heat) for heat in heats]
    before = probability(photos)
    hot = before - probability([_masked(p, m) for p, m in zip(photos, masks, strict=True)])
    moved = [
        before - probability([_masked(p, _moved(m, random)) for p, m in zip(photos, masks, strict=True)])
        for _ in range(DRAWS)
    ]
    other = np.mean(moved, axis=0)
    gain = hot - other
    low, high = mean_interval(gain, np.arange(len(gain)), seed=seed)
    return Faithfulness(float(hot.mean()), float(other.mean()), float(gain.mean()), (low, high), len(photos))


def _hottest(heat: np.ndarray) -> np.ndarray:
    """The ``MASKED_SHARE`` of the cells with the largest values."""
    count = max(1, round(MASKED_SHARE * heat.size))
    mask = np.zeros(heat.size, bool)
    mask[np.argsort(-heat, axis=None, kind="stable")[:count]] = True
    return mask.reshape(heat.shape)


def _moved(mask: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Another mask of the same area: mirrored at random, then rolled by at least a quarter of a side."""
    turned = mask[:: random.choice((-1, 1)), :: random.choice((-1, 1))]
    steps = [int(side * random.uniform(0.25, 0.75)) for side in mask.shape]
    return np.roll(turned, steps, axis=(0, 1))


def _masked(photo: Image.Image, mask: np.ndarray) -> Image.Image:
    pixels = np.array(photo)
    pixels[mask] = pixels.reshape(-1, 3).mean(0).astype(np.uint8)
    return Image.fromarray(pixels)
