from __future__ import annotations

import shutil
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from demo_shop.models import Category, Product
from shopvision import conf, listings, signals
from shopvision.exceptions import ImageRejected, TemporaryFailure
from shopvision.index.models import EncoderRelease
from shopvision.indexing import encoder_releases
from shopvision.indexing.pipeline import drain_outbox
from shopvision.search import status
from shopvision.search.models import Demand
from shopvision.types import Filter, Match, Region
from tests.drawing import jpeg, photo_file
from tests.factories import ArticleFactory, DemoProductFactory, demo_ref
from tests.search.asking import own_bytes, titles
from tests.visitors import visitor

pytestmark = pytest.mark.django_db


def test_a_products_own_photo_finds_it_first(indexed_shop: list[Any]) -> None:
    for product in indexed_shop:
        found = listings.search_by_photo(own_bytes(product))
        assert found.hits[0].product == demo_ref(product)
        assert found.hits[0].similarity > 0.97


def test_the_same_file_wins_among_products_that_look_the_same(live_release: Any) -> None:
    same = [DemoProductFactory(image=photo_file(5)) for _ in range(3)]
    own = DemoProductFactory(image=photo_file(6))
    drain_outbox()
    assert listings.search_by_photo(own_bytes(own)).hits[0].product == demo_ref(own)
    assert {hit.product for hit in listings.search_by_photo(own_bytes(same[0])).hits[:3]} == {
        demo_ref(p) for p in same
    }


def test_an_unpublished_or_deleted_product_is_gone_before_any_worker_runs(
    indexed_shop: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden, deleted = indexed_shop[0], indexed_shop[1]
    photos = [own_bytes(hidden), own_bytes(deleted)]
    Product.objects.filter(pk=hidden.pk).update(active=False)
    Product.objects.filter(pk=deleted.pk)._raw_delete("default")
    for photo in photos:
        found = {hit.product for hit in listings.search_by_photo(photo).hits}
        assert found == {demo_ref(p) for p in indexed_shop[2:]}


def test_a_hidden_product_is_no_match(indexed_shop: list[Any]) -> None:
    photo = own_bytes(indexed_shop[0])
    sold = listings.search_by_photo(photo).match
    Product.objects.filter(pk=indexed_shop[0].pk).update(active=False)
    hidden = listings.search_by_photo(photo).match
    assert sold is not None
    assert hidden is not None
    assert hidden.probability < sold.probability


def test_price_and_stock_are_the_shops_of_this_moment(indexed_shop: list[Any]) -> None:
    Product.objects.filter(pk=indexed_shop[0].pk).update(price=Decimal("77.00"), stock=0)
    hit = listings.search_by_photo(own_bytes(indexed_shop[0])).hits[0]
    assert hit.facts["price"] == Decimal("77.00")
    assert hit.facts["in_stock"] is False
    cheap = listings.search_by_photo(own_bytes(indexed_shop[0]), where=Filter(price_max=Decimal(20)))
    assert demo_ref(indexed_shop[0]) not in {hit.product for hit in cheap.hits}
    assert len(cheap.hits) == 11


def test_category_filters_lose_nothing_and_a_parent_covers_its_children(live_release: Any) -> None:
    top = Category.objects.create(name="Top", slug="top")
    below = Category.objects.create(name="Below", slug="below", parent=top)
    inside = [DemoProductFactory(category=below) for _ in range(3)]
    [DemoProductFactory() for _ in range(9)]
    drain_outbox()
    for wanted in (top, below):
        found = listings.search_by_photo(jpeg(999), where=Filter(categories=frozenset({str(wanted.pk)})))
        assert {hit.product for hit in found.hits} == {demo_ref(p) for p in inside}
    facets = listings.search_by_photo(jpeg(999)).facets["category"]
    assert facets == [{"id": str(below.pk), "name": "Below", "count": 3}]


def test_the_shops_own_filters_lose_nothing_and_are_counted(live_release: Any) -> None:
    inside = [ArticleFactory(views=1, maker="Acme") for _ in range(3)]
    [ArticleFactory(views=1, maker="Bolt") for _ in range(5)]
    bare = ArticleFactory(views=1)
    drain_outbox()
    acme = Filter(values=(("maker", frozenset({"Acme"})),))
    assert set(titles(listings.search_by_photo(jpeg(999), where=acme))) == {one.headline for one in inside}
    either = Filter(values=(("maker", frozenset({"Acme", "Bolt"})),))
    assert listings.search_by_photo(jpeg(999), where=either).count == 8
    facets = listings.search_by_photo(jpeg(999)).facets["maker"]
    assert [(one["id"], one["count"]) for one in facets] == [("Bolt", 5), ("Acme", 3)]
    bare.maker = "Acme"
    bare.save()
    drain_outbox()
    assert bare.headline in titles(listings.search_by_photo(jpeg(999), where=acme))


def test_words_narrow_the_search(live_release: Any) -> None:
    blue = DemoProductFactory(title="Blue mug", description="for tea")
    DemoProductFactory(title="Red mug")
    drain_outbox()
    assert titles(listings.search_by_photo(jpeg(1), text="BLUE tea")) == ["Blue mug"]
    assert titles(listings.search_by_photo(jpeg(1), text="nothing like it")) == []
    assert listings.search_by_photo(jpeg(1), text="mug").count == 2
    assert blue.pk


def test_a_crop_searches_for_the_part(indexed_shop: list[Any]) -> None:
    found = listings.search_by_photo(own_bytes(indexed_shop[0]), region=Region(0.1, 0.1, 0.9, 0.9))
    assert found.query["regions"][0]["box"] == [0.1, 0.1, 0.9, 0.9]
    assert found.hits


def test_visibility_depends_on_who_asks(live_release: Any) -> None:
    shown = ArticleFactory(views=1)
    ArticleFactory(views=1, hidden_from="fr")
    drain_outbox()
    assert listings.search_by_photo(jpeg(1), context=SimpleNamespace(country="de")).count == 2
    french = listings.search_by_photo(jpeg(1), context=SimpleNamespace(country="fr"))
    assert titles(french) == [shown.headline]


def test_variants_fold_onto_one_card_by_the_nearest(live_release: Any) -> None:
    master = ArticleFactory(views=1)
    variant = ArticleFactory(views=1, master=master)
    drain_outbox()
    with variant.pictures.get().file.open("rb") as file:
        found = listings.search_by_photo(file.read())
    assert titles(found) == [variant.headline]


def test_what_the_photo_shows_does_not_depend_on_the_filter(live_release: Any) -> None:
    mugs, hats = (Category.objects.create(name=name, slug=name) for name in ("mugs", "hats"))
    shown = DemoProductFactory(category=mugs)
    DemoProductFactory.create_batch(4, category=hats, price=Decimal("99.00"))
    drain_outbox()
    plain = listings.search_by_photo(own_bytes(shown))
    for narrowed in (
        listings.search_by_photo(own_bytes(shown), where=Filter(price_min=Decimal(50))),
        listings.search_by_photo(own_bytes(shown), text="no such word"),
    ):
        assert narrowed.query["category"] == plain.query["category"]
        assert narrowed.match == plain.match
    assert plain.facets["category"][0] == {"id": str(mugs.pk), "name": "mugs", "count": 1}


def test_an_index_that_is_being_filled_says_so_instead_of_finding_nothing(
    indexed_shop: list[Any], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = own_bytes(indexed_shop[0])
    monkeypatch.setattr(encoder_releases, "_keep_up", lambda *_: None)
    shutil.rmtree(conf.DATA_DIR / "index")
    for ask in (
        lambda: listings.search_by_photo(photo),
        lambda: listings.similar_products(demo_ref(indexed_shop[0])),
    ):
        with pytest.raises(TemporaryFailure) as error:
            ask()
        assert error.value.code == "warming"
    assert status.serving()["ok"] is False
    monkeypatch.undo()
    settings.SHOPVISION = {**settings.SHOPVISION, "ENGINE": "immediate"}
    assert listings.search_by_photo(photo).hits[0].product == demo_ref(indexed_shop[0])


def test_a_photo_of_something_not_sold_is_counted_as_demand(
    indexed_shop: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listings, "decide", lambda *_: Match("none", 0.1))
    for context in (visitor(), visitor(), None):
        listings.search_by_photo(jpeg(31337), context=context)
    (row,) = Demand.objects.all()
    assert row.count == 3
    assert row.colour


PERSONAL = "anna.svensson@example.se, 070-1234567 070 12 34 Anna Svensson"


@pytest.mark.parametrize(
    ("privacy", "headers"),
    [("off", {}), ("consent", {})]
    + [
        (name, header)
        for name in ("session", "consent")
        for header in ({"HTTP_SEC_GPC": "1"}, {"HTTP_DNT": "1"}, {"HTTP_USER_AGENT": "Googlebot/2.1"})
    ],
)
def test_demand_of_who_lets_nothing_be_kept_is_not_counted(
    indexed_shop: list[Any], monkeypatch: pytest.MonkeyPatch, mode: Any, privacy: str, headers: dict[str, str]
) -> None:
    mode(privacy)
    monkeypatch.setattr(listings, "decide", lambda *_: Match("none", 0.1))
    nobody = [] if privacy == "session" else [None, SimpleNamespace(country="de")]
    for context in (visitor(**headers), *nobody):
        assert listings.search_by_photo(jpeg(31337), text=PERSONAL, context=context).match
    assert not Demand.objects.exists()


@pytest.mark.parametrize("privacy", ["session", "consent"])
def test_demand_keeps_no_word_that_the_catalogue_does_not_use(
    live_release: Any, monkeypatch: pytest.MonkeyPatch, mode: Any, privacy: str
) -> None:
    mode(privacy)
    shoes = Category.objects.create(name="Äventyr: skor", slug="shoes")
    contact = "Questions: anna.svensson@example.se, 070-1234567, Anna Svensson"
    DemoProductFactory(title="Red boot 12 (size 34)", description=contact, category=shoes)
    DemoProductFactory(title="红色马克杯 mail me@example.se")
    drain_outbox()
    monkeypatch.setattr(listings, "decide", lambda *_: Match("none", 0.1))
    request = visitor("improvement") if privacy == "consent" else visitor()
    for text in (PERSONAL, f"{PERSONAL} RED boots, red 12 ÄVENTYR! me@example.se 马克杯"):
        listings.search_by_photo(jpeg(31337), text=text, context=request)
    kept = sorted(Demand.objects.values_list("text", flat=True))
    assert kept == ["", "red äventyr 马克杯"]


def test_a_search_costs_the_same_queries_for_few_and_many_results(
    indexed_shop: list[Any], settings: Any
) -> None:
    settings.SHOPVISION = {**settings.SHOPVISION, "POLL_SECONDS": 3600}  # a slow machine polls in between

    def queries(limit: int) -> int:
        with CaptureQueriesContext(connection) as found:
            listings.search_by_photo(jpeg(3), limit=limit)
        return len(found)

    queries(1)
    assert queries(2) == queries(12) <= 9


def test_bad_bytes_and_an_empty_shop_say_what_is_wrong(live_release: Any) -> None:
    with pytest.raises(ImageRejected):
        listings.search_by_photo(b"no photo")
    with pytest.raises(TemporaryFailure) as raised:
        listings.search_by_photo(jpeg(1))
    assert raised.value.code == "warming"
    assert not Demand.objects.exists()
    EncoderRelease.objects.update(state="retired")
    encoder_releases.reset()
    with pytest.raises(TemporaryFailure) as error:
        listings.search_by_photo(jpeg(1))
    assert error.value.code == "warming"


def test_listeners_hear_of_a_search(indexed_shop: list[Any]) -> None:
    heard: list[str] = []

    def listen(sender: Any, listing: Any, kind: str, **_: Any) -> None:
        heard.append(kind)

    signals.search_performed.connect(listen)
    listings.search_by_photo(jpeg(1))
    listings.similar_products(demo_ref(indexed_shop[0]))
    signals.search_performed.disconnect(listen)
    assert heard == ["photo", "similar"]


@pytest.mark.parametrize(
    ("region", "side"),
    [(None, 640), (Region(0.2, 0.2, 0.4, 0.3), 3200), (Region(0.5, 0.5, 0.51, 0.51), 4096)],
)
def test_a_small_region_is_decoded_finer(region: Region | None, side: int) -> None:
    """640 pixels of the subject: a fifth of the frame needs 5 x 640, and no more than 4096 of any photo."""
    assert listings._side(region) == side
