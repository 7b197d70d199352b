"""Text classifier: hashed TF-IDF of words and characters with a linear head."""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from ..encoders.projection import unit
from .base import Examples
from .heads import Head
from .open_set import OpenSet

BUCKETS = 1 << 20  # of the hash; two of 2,048 terms collide with probability 0.2 %
TERMS = 2048  # most frequent terms kept
MIN_PRODUCTS = 2  # a term in one text alone teaches nothing about another
MAX_CHARACTERS = 2000  # of a text that are looked at
GRAMS = (2, 3)  # characters: words of scripts without spaces, stems of the others
_WORD = re.compile(r"\w+", re.UNICODE)
_WIDE = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+"
)  # kana, Chinese, Hangul: no spaces between words


def terms(text: str) -> Counter[int]:
    """How often each hashed term occurs: words, and character n-grams within words.

    ``crc32`` of the UTF-8 of ``w:word`` or ``c:gram`` modulo ``BUCKETS``: the same on every machine. Words of
    Latin-like scripts give grams of three with their borders marked; scripts written without spaces give
    single characters and grams of two and three.
    """
    found: Counter[int] = Counter()
    for word in _WORD.findall(text[:MAX_CHARACTERS].lower()):
        found[_bucket(f"w:{word}")] += 1
        wide = _WIDE.findall(word)
        for part in wide:
            found.update(_bucket(f"c:{one}") for one in part)
            found.update(_bucket(f"c:{part[i : i + n]}") for n in GRAMS for i in range(len(part) - n + 1))
        if not wide:
            edged = f"<{word}>"
            found.update(_bucket(f"c:{edged[i : i + 3]}") for i in range(len(edged) - 2))
    return found


def _bucket(term: str) -> int:
    return zlib.crc32(term.encode()) % BUCKETS


@dataclass(frozen=True)
class Vocabulary:
    """The terms that count, and how rare each is.

    Args:
        buckets: rising, int64 (K,).
        rarity: ``1 + ln((1 + N) / (1 + n))`` of each, n of N texts having it, float32 (K,).
    """

    buckets: np.ndarray
    rarity: np.ndarray

    def rows(self, texts: Sequence[str]) -> np.ndarray:
        """TF-IDF with ``1 + ln tf``, unit rows, float32 (N, K); a text without a known term is a zero row."""
        out = np.zeros((len(texts), len(self.buckets)), np.float32)
        for row, text in enumerate(texts):
            counts = terms(text)
            keys = np.fromiter(counts, np.int64, len(counts))
            place = np.searchsorted(self.buckets, keys)
            place = np.minimum(place, max(len(self.buckets) - 1, 0))
            hit = self.buckets[place] == keys if len(self.buckets) else np.zeros(len(keys), bool)
            values = np.fromiter(counts.values(), float, len(counts))[hit]
            out[row, place[hit]] = (1 + np.log(values)) * self.rarity[place[hit]]
        return unit(out)


def fit_vocabulary(texts: Sequence[str], *, most: int = TERMS) -> Vocabulary:
    """The terms that occur in two texts or more, at most ``most``, the most frequent.

    Raises:
        ValueError: no two texts share a term.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(
        analyzer=lambda text: list(terms(text)), min_df=MIN_PRODUCTS, max_features=most
    )  # each term of a text once, so that max_features keeps those of most texts
    try:
        vectorizer.fit(texts)
    except ValueError as error:
        raise ValueError("no two texts share a word: there is nothing to learn from them") from error
    place = vectorizer.vocabulary_
    buckets = np.array(sorted(place), np.int64)
    columns = [place[int(bucket)] for bucket in buckets]
    return Vocabulary(buckets, vectorizer.idf_[columns].astype(np.float32))


class TextHead(Head):
    """Multinomial logistic regression on hashed TF-IDF.

    Args:
        labels: in the order of the columns.
        vocabulary: the terms.
        slopes: float32 (K, C). intercepts: float32 (C,).
        scale: of the logits before the softmax (1 / temperature).
        centres: the labels' mean texts, unit rows, float32 (C, K).
        open_set: the doubt that it is any of them.
        recipe: how it was made, for people.
    """

    kind = "text"
    needs: ClassVar[frozenset[str]] = frozenset({"texts"})

    def __init__(
        self,
        labels: Sequence[str],
        vocabulary: Vocabulary,
        slopes: np.ndarray,
        intercepts: np.ndarray,
        scale: float,
        centres: np.ndarray,
        open_set: OpenSet,
        recipe: Mapping[str, Any] | None = None,
    ) -> None:
        self.labels = tuple(labels)
        self.vocabulary = vocabulary
        self.slopes = slopes.astype(np.float16).astype(np.float32)
        self.intercepts = intercepts.astype(np.float32)
        self.scale = scale
        self.centres = centres.astype(np.float16).astype(np.float32)
        self.open_set = open_set
        self.recipe = dict(recipe or {})

    def scores(self, examples: Examples, nearness: np.ndarray) -> np.ndarray:
        """Scaled logits; a text without a known term gives what the labels' shares say."""
        return self.scores_of_rows(self.vocabulary.rows(examples.texts or ()))

    def scores_of_rows(self, rows: np.ndarray) -> np.ndarray:
        """The same from ``vocabulary.rows``."""
        return np.asarray((rows @ self.slopes + self.intercepts) * np.float32(self.scale), np.float32)

    def nearness(self, examples: Examples) -> np.ndarray:
        """Cosines to the labels' mean texts."""
        return np.asarray(self.vocabulary.rows(examples.texts or ()) @ self.centres.T, np.float32)

    def parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """The terms and the matrices."""
        return self.record(), {
            "buckets": self.vocabulary.buckets,
            "rarity": self.vocabulary.rarity,
            "slopes": self.slopes.astype(np.float16),
            "intercepts": self.intercepts,
            "centres": self.centres.astype(np.float16),
        }

    @classmethod
    def from_parts(cls, record: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> Self:
        """Read what ``parts`` gave."""
        return cls(
            record["labels"],
            Vocabulary(tensors["buckets"], tensors["rarity"]),
            tensors["slopes"],
            tensors["intercepts"],
            record["scale"],
            tensors["centres"],
            OpenSet.from_dict(record["open_set"]),
            record["recipe"],
        )
