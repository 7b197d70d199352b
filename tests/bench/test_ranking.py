"""The ranking evaluation, end to end on a drawn log of purchases; and what it refuses."""

from __future__ import annotations

import csv
import gzip
import os
import shutil
import sys
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import metarank, ranking
from bench.purchases import Baskets, periods, read
from shopvision.timestamps import SECONDS_A_DAY

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("SHOPVISION_DATA") or ROOT.parent / "shared" / "data") / "online-retail"
ROWS = {
    "shopvision",
    "popularity",
    "recent_popularity",
    "repeat",
    "item_knn",
    "ease",
    "blend",
    "shuffle",
    "no_op",
}


def write(folder: Path, *, users: int = 60, items: int = 240, days: int = 240, seed: int = 0) -> Path:
    """Each user likes one of six families of products, and shops every month or so."""
    draw = np.random.default_rng(seed)
    start = datetime(2026, 1, 1, 12)
    rows = []
    for user in range(users):
        day = int(draw.integers(0, 30))
        while day < days:
            liked = draw.choice(np.arange(user % 6, items, 6), 4, replace=False)
            for item in [*liked, *draw.integers(0, items, 2)]:
                moment = (start + timedelta(days=day)).isoformat(" ")
                rows.append((moment, f"u{user}", f"s{item}", "purchase", 1, 1 + item % 9))
            day += int(draw.integers(15, 35))
    rows.append((start.isoformat(" "), "u0", "s0", "return", 1, 1))
    with gzip.open(folder / "events.csv.gz", "wt", newline="") as file:
        csv.writer(file).writerows(
            [("timestamp", "user_id", "sku", "event", "quantity", "unit_price"), *rows]
        )
    with (folder / "products.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [("sku", "title"), *((f"s{item}", f"THING OF FAMILY {item % 6}") for item in range(items))]
        )
    return folder


def run(folder: Path, *args: str) -> dict[str, Any]:
    return ranking.main(["--data", str(folder), "--json", *args])


@pytest.mark.slow
def test_a_log_is_judged_with_every_peer_that_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranking, "GRID", metarank.GRID[:1])
    monkeypatch.setattr(metarank, "ROUNDS", (10, 20))
    found = run(write(tmp_path), "--seeds", "1")
    for way in ("new_only", "with_repeats"):
        rows = found[way]
        assert set(rows) >= ROWS
        assert all(0 <= rows[row][m] <= 1 for row in rows for m in ("ndcg@10", "recall@20", "mrr"))
        assert rows["shopvision"]["ndcg@10"] > 2 * rows["shuffle"]["ndcg@10"]
        assert rows["shopvision"]["ndcg@10"] > rows["popularity"]["ndcg@10"]
        assert found["listings"][way] > 20
    assert set(found["ratio_to_metarank"]) >= {
        "new_only",
        "new_only_low95",
        "with_repeats",
        "with_repeats_low95",
        "train_s",
    }


@pytest.mark.slow
def test_peers_that_are_missing_or_fail_are_named_and_the_others_are_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lightgbm.py").write_text("raise OSError('libgomp.so.1: cannot open shared object file')")
    package = tmp_path / "implicit"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "als.py").write_text("raise RuntimeError('built for another processor')")
    for name in ("lightgbm", "implicit", "implicit.als"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    found = run(write(tmp_path, users=30, items=120), "--seeds", "1")
    assert "libgomp.so.1" in found["peers"]["lightgbm"]
    assert found["peers"]["implicit"] == "failed: RuntimeError: built for another processor"
    assert set(found["new_only"]) == ROWS
    assert found["ratio_to_metarank"]["new_only"] is None


def test_the_last_month_tests_the_one_before_validates_and_three_train(tmp_path: Path) -> None:
    data = read(write(tmp_path))
    spans = periods(data.log)
    assert (spans.end - spans.test, spans.test - spans.validation, spans.validation - spans.training) == (
        31,
        31,
        91,
    )
    assert spans.end == int(data.log.times.max() // SECONDS_A_DAY) + 1


@pytest.mark.parametrize("new_only", [True, False])
def test_a_listing_holds_some_of_the_basket_and_none_of_its_rest(tmp_path: Path, new_only: bool) -> None:
    data = read(write(tmp_path))
    spans = periods(data.log)
    found = Baskets(data).listings(spans.test, spans.end, new_only=new_only, first=True, seed=0)
    assert len(found) == len({one.subject for one in found}) > 20
    for one in found:
        mine = data.log.subjects == one.subject
        today = mine & (data.log.times >= one.at) & (data.log.times < one.at + SECONDS_A_DAY)
        before = data.log.items[mine & (data.log.times < one.at)]
        right = one.items[one.chosen > 0]
        assert 1 <= len(right) <= 5
        assert len(np.unique(one.items)) == len(one.items) <= 200
        assert set(one.items) & set(data.log.items[today]) == set(right)
        assert len(before)
        assert not new_only or not set(one.items) & set(before)


def test_the_same_seed_draws_the_same_listings(tmp_path: Path) -> None:
    data = read(write(tmp_path))
    spans = periods(data.log)
    first, again, other = (
        [
            one.items.tolist()
            for one in Baskets(data).listings(spans.test, spans.end, new_only=True, first=True, seed=s)
        ]
        for s in (1, 1, 2)
    )
    assert first == again != other


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        (None, "cannot be read"),
        ("timestamp,user_id,sku\n", "no column event"),
        ("timestamp,user_id,sku,event\n2026-01-01,u,s,return\n", "hold none of"),
        ("timestamp,user_id,sku,event\nyesterday,u,s,purchase\n", "no ISO 8601"),
        ("timestamp,user_id,sku,event\n2026-01-01,u,s,purchase\n", "too few returning users"),
    ],
)
def test_what_is_no_log_is_refused_with_the_reason(
    tmp_path: Path, events: str | None, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "products.csv").write_text("sku,title\ns,S\n")
    if events is not None:
        (tmp_path / "events.csv").write_text(events)
    with pytest.raises(SystemExit):
        run(tmp_path)
    assert reason in capsys.readouterr().err


@pytest.mark.realdata
@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="SHOPVISION_DATA has no online-retail folder")
def test_a_shops_real_log_is_ranked_far_better_than_by_popularity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The 900 products that sell most, to be quick; the whole log is a benchmark."""
    with gzip.open(DATA / "events.csv.gz", "rt", newline="") as file:
        rows = list(csv.DictReader(file))
    most = {sku for sku, _ in Counter(row["sku"] for row in rows).most_common(900)}
    with (tmp_path / "events.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(row for row in rows if row["sku"] in most)
    shutil.copy(DATA / "products.csv", tmp_path)
    monkeypatch.setattr(ranking, "GRID", metarank.GRID[:1])
    monkeypatch.setattr(metarank, "ROUNDS", (25,))
    found = run(tmp_path, "--seeds", "1", "--users", "400")
    for way in ("new_only", "with_repeats"):
        rows_of = {name: row["ndcg@10"] for name, row in found[way].items()}
        assert rows_of["shopvision"] > 1.2 * rows_of["recent_popularity"]
        assert rows_of["shopvision"] > rows_of["ease"] > 2 * rows_of["shuffle"]
