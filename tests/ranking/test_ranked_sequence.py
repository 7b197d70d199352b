from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.paginator import Paginator
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from demo_shop.models import Product
from shopvision.catalogue.adapter import catalogues
from shopvision.ranking.listing_sources import QuerySource, source_of
from shopvision.ranking.order_cache import Ranking, Reason
from shopvision.ranking.ranked_sequence import Plan, RankedRows
from shopvision.signals import listing_ranked

UNREACHABLE = {
    "BACKEND": "django.core.cache.backends.redis.RedisCache",
    "LOCATION": "redis://127.0.0.1:1",
}
SORTS = ("pk", "-pk", "price", "-title", "stock")


def shuffled(seed: int) -> Any:
    """A ranker that has its own opinion, the same for the same keys."""

    def rank(keys: Sequence[str]) -> Ranking:
        order = sorted(range(len(keys)), key=lambda place: hash((seed, keys[place])))
        return Ranking(tuple(order), (1.0,) * len(keys), {0: Reason("new")})

    return rank


def sequence(items: Any, rank: Any, *, stamp: str = "s", name: str = "", owners: Any = ("ann",)) -> Any:
    source = source_of(items)
    return RankedRows(source, Plan(rank, stamp, tuple(owners), name or source.name()))


def stock(count: int) -> None:
    Product.objects.all().delete()
    Product.objects.bulk_create(
        Product(sku=f"p{n}", title=f"t{n * 7 % 10}", price=Decimal(n * 13 % 50), stock=n % 3)
        for n in range(count)
    )


def ids(rows: Any) -> list[int]:
    return [row.pk for row in rows]


changes = st.lists(st.sampled_from(["add", "sell", "delete", "none"]), max_size=12)


@pytest.mark.django_db
@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    count=st.integers(0, 60),
    window=st.integers(1, 40),
    size=st.integers(1, 17),
    sort=st.sampled_from(SORTS),
    seed=st.integers(0, 9),
    sliced=st.booleans(),
    changes=changes,
)
def test_paging_never_repeats_and_never_drops(
    settings: Any, count: int, window: int, size: int, sort: str, seed: int, sliced: bool, changes: list[str]
) -> None:
    """Whatever happens to the shop between two pages: what was there all along is shown exactly once."""
    settings.SHOPVISION = {**settings.SHOPVISION, "RANKING": {"window": window, "budget_ms": 5000}}
    cache.clear()
    stock(count)
    steady = set(Product.objects.filter(stock__gte=0).values_list("pk", flat=True))
    seen: list[int] = []
    number, made = 1, 0
    while True:
        listed: Any = Product.objects.order_by(sort, "pk")
        listed = list(listed) if sliced else listed
        pages = Paginator(sequence(listed, shuffled(seed), name="shelf"), size)
        if number > pages.num_pages:  # all that the next page would have held was deleted
            break
        page = pages.page(number)
        seen += ids(page)
        if not page.has_next():
            break
        number += 1
        change = changes[number - 2] if number - 2 < len(changes) else "none"
        some = Product.objects.order_by("sku").first()
        if change == "add":
            made += 1
            Product.objects.create(sku=f"new{made}", title="t0", price=Decimal(0), stock=9)
        elif change == "sell" and some:
            Product.objects.filter(pk=some.pk).update(stock=0)
        elif change == "delete" and some:
            steady.discard(some.pk)
            some.delete()
    assert len(seen) == len(set(seen))
    if sort != "stock" or not sliced:  # a list that is sorted anew between pages is another list
        assert steady <= set(seen)


@pytest.mark.django_db
def test_only_the_window_is_reordered_and_the_rest_passes_through(settings: Any) -> None:
    settings.SHOPVISION = {**settings.SHOPVISION, "RANKING": {"window": 10}}
    stock(30)
    own = ids(Product.objects.all())
    ranked = sequence(Product.objects.all(), shuffled(1))
    assert ids(ranked[0:10]) != own[:10]
    assert sorted(ids(ranked[0:10])) == own[:10]
    assert ids(ranked[10:30]) == own[10:]
    assert ids(ranked) == ids(ranked[0:10]) + own[10:]
    assert ranked[0].pk == ids(ranked[0:1])[0]
    assert (len(ranked), ranked.count(), bool(ranked)) == (30, 30, True)
    assert (ranked[-1].pk, ids(ranked[-3:-1])) == (own[-1], own[-3:-1])  # a template's ``last``
    assert ids(ranked[0:30:10]) == ids(ranked)[::10]
    with pytest.raises(IndexError):
        ranked[30]
    assert ranked.model is Product


@pytest.mark.django_db
def test_pages_beyond_what_is_kept_are_counted_off(settings: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("shopvision.ranking.ranked_sequence.MOST_KEYS", 12)
    settings.SHOPVISION = {**settings.SHOPVISION, "RANKING": {"window": 10}}
    stock(40)
    seen = [
        pk
        for n in range(1, 9)
        for pk in ids(Paginator(sequence(Product.objects.all(), shuffled(1)), 5).page(n))
    ]
    assert sorted(seen) == ids(Product.objects.all())


@pytest.mark.django_db
def test_the_order_stands_until_a_first_page_meets_another_taste() -> None:
    stock(40)
    before = ids(sequence(Product.objects.all(), shuffled(1), stamp="before")[0:20])
    later = ids(sequence(Product.objects.all(), shuffled(2), stamp="after")[20:40])
    assert sorted(before + later) == ids(Product.objects.all())
    assert ids(sequence(Product.objects.all(), shuffled(2), stamp="before")[0:20]) == before
    assert ids(sequence(Product.objects.all(), shuffled(2), stamp="after")[0:20]) != before


@pytest.mark.django_db
def test_a_page_begun_by_nobody_known_goes_on_when_the_visitor_has_a_taste() -> None:
    """Page 1, then a first product, then page 2: the order of page 1 goes on."""
    stock(40)
    first = ids(sequence(Product.objects.all(), lambda keys: None, owners=("",))[0:20])
    second = ids(sequence(Product.objects.all(), shuffled(3), stamp="new", owners=("ann", ""))[20:40])
    assert first + second == ids(Product.objects.all())


@pytest.mark.django_db
def test_a_broken_ranker_leaves_the_shops_order_on_all_pages() -> None:
    def broken(keys: Sequence[str]) -> Ranking:
        raise ValueError("a bug")

    stock(40)
    first = ids(sequence(Product.objects.all(), broken)[0:20])
    second = ids(sequence(Product.objects.all(), shuffled(1))[20:40])
    assert first + second == ids(Product.objects.all())
    assert ids(sequence(Product.objects.all(), shuffled(1))[0:20]) != first  # the next listing tries again


@pytest.mark.django_db
def test_a_broken_cache_leaves_the_shops_order() -> None:
    stock(10)
    with override_settings(CACHES={"default": UNREACHABLE}):
        ranked = sequence(Product.objects.all(), shuffled(1))
        assert (ids(ranked[0:10]), ranked.count()) == (ids(Product.objects.all()), 10)


@pytest.mark.django_db
def test_two_listings_do_not_share_an_order_and_now_in_a_filter_makes_no_other_listing() -> None:
    assert source_of(Product.objects.all()).name() != source_of(Product.objects.filter(stock=1)).name()
    by_now = [source_of_user(User.objects.filter(date_joined__lte=timezone.now())) for _ in range(2)]
    assert by_now[0] == by_now[1]


def source_of_user(users: Any) -> str:
    return QuerySource(users, next(iter(catalogues().values()))).name()


@pytest.mark.django_db
def test_rows_carry_their_ordering() -> None:
    stock(5)
    page = sequence(Product.objects.all(), shuffled(1))[2:4]
    assert page.ordering.positions == (2, 3)
    assert page.ordering.propensities == (1.0, 1.0)
    assert sequence(Product.objects.all(), lambda keys: None, name="other")[0:3].ordering is None


@pytest.mark.django_db
def test_a_list_without_pages_knows_its_ordering_and_is_read_once(django_assert_max_num_queries: Any) -> None:
    stock(5)
    whole = sequence(Product.objects.all(), shuffled(1))
    with django_assert_max_num_queries(5):  # keys, rows, what lies behind them; a savepoint and its end
        assert whole.ordering.positions == (0, 1, 2, 3, 4)
        assert len(ids(whole)) == 5


@pytest.mark.django_db
@pytest.mark.parametrize("count", [0, 40])
def test_a_paginator_reads_a_page_and_never_the_whole_table(count: int) -> None:
    """Paginator asks for ``ordered`` to warn, ListView for ``model``: neither is worth reading all rows."""
    stock(count)
    rows = sequence(Product.objects.all(), shuffled(1))
    with CaptureQueriesContext(connection) as read:
        pages = Paginator(rows, 10)
        assert len(list(pages.page(1))) == min(count, 10)
        assert (rows.ordered, rows.model) == (True, Product)
    rows_read = [one["sql"] for one in read if one["sql"].startswith("SELECT")]
    assert rows_read
    for sql in rows_read:
        assert " LIMIT " in sql or "COUNT(" in sql or " IN (" in sql, sql


@pytest.mark.django_db
def test_listeners_hear_of_a_new_order_and_not_for_whom() -> None:
    heard: list[dict[str, Any]] = []

    def hear(**told: Any) -> None:
        heard.append(told)

    stock(5)
    listing_ranked.connect(hear)
    try:
        for _ in range(2):  # the second time it is the same order still
            page = sequence(Product.objects.all(), shuffled(1))[0:5]
    finally:
        listing_ranked.disconnect(hear)
    (told,) = heard
    assert told["listing"] == page.ordering.listing
    assert [int(key) for key in told["keys"]] == ids(page)
    assert told["moved"] == sum(
        pk != own for pk, own in zip(ids(page), ids(Product.objects.all()), strict=True)
    )
    assert set(told) == {"signal", "sender", "listing", "keys", "moved"}


@pytest.mark.django_db
def test_two_tabs_each_go_on_in_their_own_order() -> None:
    """The address of a further page names the order; without it, the latest first page's order goes on."""
    stock(40)
    plans = [Plan(shuffled(seed), f"taste {seed}", ("ann",), "shelf") for seed in (1, 2)]
    firsts = [RankedRows(source_of(Product.objects.all()), plan)[0:20] for plan in plans]
    named = replace(plans[1], token=firsts[0].token)
    second = RankedRows(source_of(Product.objects.all()), named)[20:40]
    assert sorted(ids(firsts[0]) + ids(second)) == ids(Product.objects.all())
    assert ids(RankedRows(source_of(Product.objects.all()), named)[0:20]) == ids(firsts[0])
    latest = RankedRows(source_of(Product.objects.all()), plans[1])[20:40]
    assert sorted(ids(firsts[1]) + ids(latest)) == ids(Product.objects.all())


@pytest.mark.django_db
def test_an_address_handed_on_gives_nobody_elses_order() -> None:
    stock(40)
    anns = RankedRows(source_of(Product.objects.all()), Plan(shuffled(1), "a", ("ann", ""), "shelf"))[0:20]
    bobs = Plan(shuffled(2), "b", ("bob", ""), "shelf", token=anns.token)
    assert ids(RankedRows(source_of(Product.objects.all()), bobs)[0:20]) != ids(anns)


@pytest.mark.django_db
def test_who_shares_an_order_has_a_listing_of_their_own() -> None:
    stock(40)
    pages = [
        RankedRows(source_of(Product.objects.all()), Plan(shuffled(1), "s", ("",), "shelf", viewer=who))[0:20]
        for who in ("ann", "bob", "ann")
    ]
    ann, bob, again = [page.ordering.listing for page in pages]
    assert ann == again != bob
    assert len({page.token for page in pages}) == 1


@pytest.mark.django_db
def test_reasons_that_cannot_be_said_cost_no_page() -> None:
    def speechless(reasons: Any) -> dict[str, str]:
        raise ValueError("no title")

    stock(5)
    page = RankedRows(source_of(Product.objects.all()), Plan(shuffled(1), words=speechless))[0:5]
    assert [str(getattr(row, "shopvision_why", "")) for row in page] == [""] * 5
