"""Text embeddings of titles: hashed TF-IDF with a low-rank projection."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence

import numpy as np

BUCKETS = 1024  # of the hash; a catalogue has some thousands of words, few of which matter
DIM = 64  # directions kept
TEXTS_AT_ONCE = 4096
WORD = re.compile(r"\w+", re.UNICODE)
WORDS = 12  # kept of a text, the rarest; a title has half as many
WORD_BUCKETS = 8192  # of the lists of words, in which two words should not be taken for one
SHARED = 2  # texts that must share a bucket, or it says nothing about likeness


def fit_text(texts: Sequence[str]) -> dict[str, np.ndarray]:
    """Learn how rare each bucket is, and the directions, from a catalogue's own texts.

    Returns:
        ``text_idf`` float32 (BUCKETS,) and ``text_axes`` float16 (BUCKETS, DIM or fewer), for ``embed_text``,
        and ``word_idf`` float32 (WORD_BUCKETS,), for ``words_of``: a knowledge keeps them as its projections.

    Source: Deerwester et al., "Indexing by Latent Semantic Analysis", JASIS 1990.
    """
    held = np.zeros(BUCKETS)
    for start in range(0, len(texts), TEXTS_AT_ONCE):
        held += (_counted(texts[start : start + TEXTS_AT_ONCE]) > 0).sum(axis=0)
    idf = np.where(held >= SHARED, np.log((1 + len(texts)) / (1 + held)) + 1, 0).astype(np.float32)
    values, axes = _directions(texts, idf)
    kept = np.argsort(-values)[:DIM]
    kept = kept[values[kept] > 1e-6]
    return {"text_idf": idf, "text_axes": axes[:, kept].astype(np.float16), "word_idf": _word_idf(texts)}


def words_of(texts: Sequence[str], fitted: Mapping[str, np.ndarray]) -> np.ndarray:
    """Buckets of each text's words, rarest first, -1 where there are fewer; int32 (N, WORDS)."""
    found = np.full((len(texts), WORDS), -1, np.int32)
    idf = fitted["word_idf"]
    for row, text in enumerate(texts):
        buckets = sorted(_buckets(text), key=lambda bucket: (-idf[bucket], bucket))[:WORDS]
        found[row, : len(buckets)] = buckets
    return found


def _word_idf(texts: Sequence[str]) -> np.ndarray:
    """``log((1 + N) / (1 + texts with the bucket)) + 1``, float32 (WORD_BUCKETS,)."""
    held = np.zeros(WORD_BUCKETS)
    for text in texts:
        held[list(_buckets(text))] += 1
    return np.asarray(np.log((1 + len(texts)) / (1 + held)) + 1, np.float32)


def _buckets(text: str) -> set[int]:
    return {zlib.crc32(word.encode()) % WORD_BUCKETS for word in WORD.findall(text.casefold())}


def _directions(texts: Sequence[str], idf: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Squared lengths and directions (columns) in which the texts' rows differ from nought."""
    if len(texts) <= BUCKETS:
        _, lengths, axes = np.linalg.svd(_weighted(texts, idf), full_matrices=False)
        return lengths**2, axes.T
    scatter = np.zeros((BUCKETS, BUCKETS), np.float32)
    for start in range(0, len(texts), TEXTS_AT_ONCE):
        rows = _weighted(texts[start : start + TEXTS_AT_ONCE], idf)
        scatter += rows.T @ rows
    values, axes = np.linalg.eigh(scatter)
    return values, axes


def embed_text(texts: Sequence[str], fitted: Mapping[str, np.ndarray]) -> np.ndarray:
    """Vectors of texts, unit rows or rows of zeros where no word is known, float16 (N, DIM or fewer)."""
    axes = fitted["text_axes"].astype(np.float32)
    parts = [
        _unit(_weighted(texts[start : start + TEXTS_AT_ONCE], fitted["text_idf"]) @ axes)
        for start in range(0, len(texts), TEXTS_AT_ONCE)
    ]
    return np.concatenate([np.empty((0, axes.shape[1])), *parts]).astype(np.float16)


def _counted(texts: Sequence[str]) -> np.ndarray:
    """How often each bucket occurs, float32 (N, BUCKETS)."""
    counts = np.zeros((len(texts), BUCKETS), np.float32)
    for row, text in enumerate(texts):
        for word in WORD.findall(text.casefold()):
            counts[row, zlib.crc32(word.encode()) % BUCKETS] += 1
    return counts


def _weighted(texts: Sequence[str], idf: np.ndarray) -> np.ndarray:
    return _unit(np.log1p(_counted(texts)) * idf)


def _unit(rows: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(length > 0, length, 1))
