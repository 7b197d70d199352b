"""The arithmetic of the flat index: sign codes, Hamming scan, exact rescoring, folding to products."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

CHUNK = 1 << 15  # rows a step: four words of each stay in the second-level cache
SAMPLE = 1 << 15  # rows the first threshold is read from
FAR = 255  # Hamming distance of a row that a filter keeps out


def encode(vectors: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Sign codes of centred vectors: (N, D) -> uint64 (words, N), one column a row of ``vectors``."""
    words = -(-vectors.shape[1] // 64)
    bits = np.zeros((len(vectors), words * 64), bool)
    np.greater(vectors, mean, out=bits[:, : vectors.shape[1]])
    packed = np.packbits(bits, axis=1, bitorder="little").view("<u8")
    return np.ascontiguousarray(packed.T)


def distances(codes: np.ndarray, code: np.ndarray, start: int, stop: int) -> np.ndarray:
    """Hamming distances of some rows, uint8, at most 255 (a farther row is as good as lost anyway)."""
    total = np.bitwise_count(codes[0, start:stop] ^ code[0])
    for word in range(1, len(codes)):
        near = np.bitwise_count(codes[word, start:stop] ^ code[word])
        total = np.minimum(total, FAR - near) + near if word > 2 else total + near
    return np.asarray(total)


def nearest_codes(codes: np.ndarray, code: np.ndarray, wanted: int, mask: np.ndarray | None) -> np.ndarray:
    """Rows whose codes lie nearest, at least ``wanted`` of them (all ties in) where so many pass the mask.

    One pass over the codes in cache-sized steps: a threshold is read off a sample spread over the rows, and
    set anew in the rare case that it let too few through.
    """
    rows = codes.shape[1]
    threshold = _first_threshold(codes, code, wanted, mask)
    while True:
        found = []
        for start in range(0, rows, CHUNK):
            stop = min(start + CHUNK, rows)
            near = distances(codes, code, start, stop) <= threshold
            if mask is not None:
                near &= mask[start:stop]
            found.append(np.flatnonzero(near) + start)
        picked = np.concatenate(found)
        if len(picked) >= wanted or threshold >= FAR:
            return picked
        threshold = min(FAR, threshold + 6)


def _first_threshold(codes: np.ndarray, code: np.ndarray, wanted: int, mask: np.ndarray | None) -> int:
    """The distance within which about 1.3 times ``wanted`` rows should lie, read off a sample."""
    rows = codes.shape[1]
    stride = max(1, rows // SAMPLE)
    sample = np.ascontiguousarray(codes[:, ::stride])
    found = distances(sample, code, 0, sample.shape[1])
    if mask is not None:
        found = found[mask[::stride]]
    passing = rows if mask is None else int(np.count_nonzero(mask))
    share = min(1.0, 1.3 * wanted / max(1, passing))
    counts = np.cumsum(np.bincount(found, minlength=FAR + 1))
    return min(FAR, int(np.searchsorted(counts, share * len(found))))


@lru_cache(maxsize=1)
def _halves() -> np.ndarray:
    """What each of the 65,536 float16 values is in float32."""
    return np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32)


def widen(vectors: np.ndarray) -> np.ndarray:
    """float16 -> float32 by look-up, in half the time of numpy's own conversion; others as float32."""
    if vectors.dtype != np.float16:
        return np.asarray(vectors, np.float32)
    out = np.empty(vectors.shape, np.float32)
    return _halves().take(np.ascontiguousarray(vectors).view(np.uint16), out=out, mode="clip")


def exact(vectors: np.ndarray, rows: np.ndarray | None, query: np.ndarray) -> np.ndarray:
    """Cosines of some rows (None: all) with the query, float32."""
    return np.asarray(widen(vectors if rows is None else vectors[rows]) @ query)


def fold(products: np.ndarray, similarities: np.ndarray, k: int) -> np.ndarray:
    """Places of the best row of each of the k best products, best first, ties by lower product number."""
    order = np.lexsort((products, -similarities))
    _, first = np.unique(products[order], return_index=True)
    return np.asarray(order[np.sort(first)[:k]])
