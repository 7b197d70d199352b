"""Re-ranking 200 products in process: ``python -m bench.rerank --json``.

One thread. Knowledge of 100,000 items with all its neighbours, words and vectors; a profile of 20 acts; what a
request pays: features, score, order. Networks of the size that is trained, their weights drawn, as the arithmetic
does not depend on them.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse  # noqa: E402
import json  # noqa: E402
import platform  # noqa: E402
import time  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402

from shopvision.ranking.features import (  # noqa: E402
    COLUMNS,
    FEATURES,
    SIGNALS,
    Candidates,
    features,
)
from shopvision.ranking.interactions import Profile  # noqa: E402
from shopvision.ranking.item_model.model import Knowledge  # noqa: E402
from shopvision.ranking.item_model.neighbours import WIDTH, Neighbours  # noqa: E402
from shopvision.ranking.item_model.title_vectors import DIM, WORD_BUCKETS, WORDS  # noqa: E402
from shopvision.ranking.rankers.base import PriorRanker, Ranker  # noqa: E402
from shopvision.ranking.rankers.feature_scaling import Scaling  # noqa: E402
from shopvision.ranking.rankers.linear import LinearRanker  # noqa: E402
from shopvision.ranking.rankers.mlp import MlpRanker  # noqa: E402

LISTING, ACTS, VISUAL_DIM = 200, 20, 256
NETS, UNITS = 4, 32  # as ``recommend.train`` makes them


def knowledge(items: int) -> Knowledge:
    """All that a shop's knowledge holds, drawn; neighbours lie within groups of 500, as in a real catalogue."""
    draw = np.random.default_rng(0)
    base = (np.arange(items) // 500 * 500)[:, None]
    neighbours = {
        name: Neighbours(
            np.minimum(base + draw.integers(0, 500, (items, WIDTH)), items - 1).astype(np.int32),
            np.sort(draw.random((items, WIDTH), np.float32), axis=1)[:, ::-1].copy(),
        )
        for name in SIGNALS
    }
    columns = {name: draw.random(items, np.float32) for name in (*COLUMNS, "repeat")}
    vectors = draw.standard_normal((items, DIM)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Knowledge(
        tuple(f"shop.product:{item}" for item in range(items)),
        neighbours,
        columns,
        {"text": vectors.astype(np.float16)},
        draw.integers(0, WORD_BUCKETS, (items, WORDS)).astype(np.int32),
        {"word_idf": draw.random(WORD_BUCKETS).astype(np.float32)},
    )


def request(known: Knowledge, seed: int) -> tuple[Profile, Candidates]:
    """A visitor of some group of products, and a listing half of it; likeness of photos is given."""
    draw = np.random.default_rng(seed)
    count = len(known)
    start = int(draw.integers(0, max(count - 1000, 1)))
    items = draw.integers(start, min(start + 1000, count), ACTS).astype(np.int32)
    near = draw.choice(np.arange(start, min(start + 1000, count)), LISTING // 2, replace=False)
    numbers = np.unique(np.concatenate([near, draw.integers(0, count, LISTING)]))
    numbers = draw.permutation(numbers)[:LISTING].astype(np.int32)
    profile = Profile(
        items,
        tuple(known.items[item] for item in items),
        ("view",) * ACTS,
        np.sort(draw.random(ACTS, np.float32) * 10),
        np.full(ACTS, np.nan, np.float32),
        draw.random(ACTS, np.float32) * 50,
        draw.integers(0, 20, ACTS).astype(np.int32),
    )
    candidates = Candidates(
        numbers,
        draw.random(LISTING, np.float32) * 50,
        draw.integers(0, 20, LISTING).astype(np.int32),
        draw.random(LISTING, np.float32) * 400,
        np.ones(LISTING, bool),
        np.arange(LISTING, dtype=np.int32),
        np.full(LISTING, np.nan, np.float32),
        {"visual": draw.random((LISTING, ACTS), np.float32)},
    )
    return profile, candidates


def rankers() -> dict[str, Ranker]:
    """Each kind that is served in numpy."""
    draw = np.random.default_rng(1)
    width = len(FEATURES)
    scaling = Scaling(FEATURES, draw.random(width).astype(np.float32), np.ones(width, np.float32))
    shapes: dict[str, tuple[int, ...]] = {
        "w1": (2 * width, NETS * UNITS),
        "b1": (NETS * UNITS,),
        "w2": (NETS, UNITS, UNITS),
        "b2": (NETS, 1, UNITS),
        "w3": (NETS, UNITS, 1),
    }
    layers = {name: draw.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    return {
        "prior": PriorRanker(),
        "linear": LinearRanker(scaling, draw.standard_normal(2 * width).astype(np.float32)),
        "mlp": MlpRanker(scaling, layers),
    }


def measure(known: Knowledge, ranker: Ranker, requests: int) -> dict[str, float]:
    """p50, p95 and p99 in ms of features, score and order, and of the features alone."""
    asked = [request(known, seed) for seed in range(min(requests, 200))]
    whole, part = [], []
    for turn in range(requests + 20):
        profile, candidates = asked[turn % len(asked)]
        start = time.perf_counter()
        x = features(known, profile, candidates)
        between = time.perf_counter()
        np.argsort(-ranker.score(x), kind="stable")
        whole.append((time.perf_counter() - start) * 1000)
        part.append((between - start) * 1000)
    found = {f"p{p}": round(float(np.percentile(whole[20:], p)), 3) for p in (50, 95, 99)}
    return {**found, "features_p50": round(float(np.percentile(part[20:], 50)), 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    known = knowledge(given.items)
    answer: dict[str, Any] = {
        "items": given.items,
        "products": LISTING,
        "acts": ACTS,
        "unit": "ms",
        "machine": platform.processor() or platform.machine(),
        **{kind: measure(known, ranker, given.requests) for kind, ranker in rankers().items()},
    }
    if given.json:
        print(json.dumps(answer))
    else:
        for name, value in answer.items():
            print(f"{name:10} {value}")


if __name__ == "__main__":
    main()
