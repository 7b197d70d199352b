from __future__ import annotations

import io
import shutil
import uuid
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext
from PIL import Image, ImageDraw

from demo_shop.models import Category, Product
from shopvision import conf, listings, signals
from shopvision.catalogue.models import CatalogueImage
from shopvision.exceptions import ImageRejected, InvalidRequest, TemporaryFailure
from shopvision.index.models import EncoderRelease
from shopvision.indexing import releases
from shopvision.indexing.write import drain_outbox
from shopvision.search import status, store
from shopvision.search.duplicates import find_duplicates
from shopvision.search.models import Demand, StoredSearch
from shopvision.search.switch import rollback
from shopvision.search.tuning import tune
from shopvision.types import Filter, Match, Region
from tests.drawing import jpeg, photo_file
from tests.factories import ArticleFactory, DemoProductFactory, demo_ref

pytestmark = pytest.mark.django_db


def own_bytes(product: Any) -> bytes:
    with product.image.open("rb") as file:
        return bytes(file.read())


def titles(found: Any) -> list[str]:
    return [hit.facts["title"] for hit in found.hits]


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


def test_similar_products_leave_out_the_product_and_its_variants(live_release: Any) -> None:
    master = ArticleFactory(views=2)
    ArticleFactory(views=1, master=master)
    other = ArticleFactory(views=1)
    sold_out = ArticleFactory(views=1, units_left=0)
    drain_outbox()
    ref = listings.ProductRef("testshop.article", str(master.pk))
    assert set(titles(listings.similar_products(ref))) == {other.headline, sold_out.headline}
    assert titles(listings.similar_products(ref, alternatives=True)) == [other.headline]
    with pytest.raises(InvalidRequest) as error:
        listings.similar_products(listings.ProductRef("testshop.article", str(uuid.uuid4())))
    assert error.value.code == "not_found"


def test_pages_agree_and_a_product_hidden_meanwhile_keeps_its_place(indexed_shop: list[Any]) -> None:
    first = listings.search_by_photo(own_bytes(indexed_shop[0]), limit=5)
    assert first.count == 12
    second = listings.stored_page(first.id, offset=5, limit=5)
    third = listings.stored_page(first.id, offset=10, limit=5)
    seen = [hit.product for page in (first, second, third) for hit in page.hits]
    assert sorted(seen) == sorted(demo_ref(p) for p in indexed_shop)
    gone = second.hits[0].product
    Product.objects.filter(pk=gone.object_id).update(active=False)
    again = listings.stored_page(first.id, offset=5, limit=5)
    assert [hit.product for hit in again.hits] == [hit.product for hit in second.hits[1:]]


def test_a_later_page_leaves_out_what_no_longer_passes_the_filter(indexed_shop: list[Any]) -> None:
    where = Filter(price_max=Decimal("10.00"), in_stock=True)
    first = listings.search_by_photo(own_bytes(indexed_shop[0]), limit=5, where=where)
    second = [hit.product for hit in listings.stored_page(first.id, offset=5, limit=5).hits]
    Product.objects.filter(pk=second[0].object_id).update(stock=0)
    Product.objects.filter(pk=second[1].object_id).update(price=Decimal("10.01"))
    again = listings.stored_page(first.id, offset=5, limit=5)
    assert [hit.product for hit in again.hits] == second[2:]


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
    monkeypatch.setattr(releases, "_keep_up", lambda *_: None)
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


def test_a_search_is_forgotten_and_expires(indexed_shop: list[Any]) -> None:
    found = listings.search_by_photo(jpeg(1))
    listings.forget(found.id)
    other = listings.search_by_photo(jpeg(1))
    StoredSearch.objects.update(created_at="2000-01-01T00:00Z")
    for one in (found.id, other.id, "nonsense"):
        with pytest.raises(InvalidRequest) as error:
            listings.stored_page(one, offset=0, limit=5)
        assert error.value.code == "not_found"


def test_nothing_of_the_photo_is_kept(indexed_shop: list[Any]) -> None:
    listings.search_by_photo(jpeg(4242))
    payload = StoredSearch.objects.get().payload
    assert set(payload) == {"hits", "match", "query", "facets", "encoder", "index", "where"}
    assert payload["query"]["stored"] is False


def test_a_database_that_will_not_take_the_search_does_not_stop_the_answer(
    indexed_shop: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*args: Any, **kwargs: Any) -> None:
        raise DatabaseError("database is locked")

    monkeypatch.setattr(store.StoredSearch.objects, "create", locked)
    found = listings.search_by_photo(own_bytes(indexed_shop[0]), limit=5)
    assert len(found.hits) == found.count == 5


def test_a_photo_of_something_not_sold_is_counted_as_demand(
    indexed_shop: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listings, "decide", lambda *_: Match("none", 0.1))
    for _ in range(3):
        listings.search_by_photo(jpeg(31337))
    (row,) = Demand.objects.all()
    assert row.count == 3
    assert row.colour


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
    assert listings.search_by_photo(jpeg(1)).hits == ()
    EncoderRelease.objects.update(state="retired")
    releases.reset()
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


def test_duplicates_are_found_by_file_and_by_look(live_release: Any) -> None:
    first = DemoProductFactory(image=photo_file(1))
    copy = DemoProductFactory(image=photo_file(1))
    small = DemoProductFactory(image=photo_file(1, side=100))
    DemoProductFactory(image=photo_file(2))
    drain_outbox()
    pairs = {(p.first, p.second): p.reason for p in find_duplicates()}
    assert pairs[(demo_ref(first), demo_ref(copy))] == "same file"
    assert pairs[(demo_ref(first), demo_ref(small))] in ("same picture", "same look")
    assert len(pairs) <= 3


def test_products_of_one_outline_and_other_colours_are_no_duplicates(live_release: Any) -> None:
    """Four discs on white: their hashes are the same, the products are not."""
    for colour in ("red", "blue", "yellow", "black"):
        DemoProductFactory(image=disc(colour))
    drain_outbox()
    assert len(set(CatalogueImage.objects.values_list("perceptual_hash", flat=True))) < 4
    assert find_duplicates() == []


def disc(colour: str) -> ContentFile[bytes]:
    image = Image.new("RGB", (300, 300), "white")
    ImageDraw.Draw(image).ellipse((60, 60, 240, 240), fill=colour)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=90)
    return ContentFile(out.getvalue(), name=f"{colour}.jpg")


@pytest.fixture
def photographed(live_release: Any) -> list[Any]:
    """Fourteen articles with three views each."""
    articles = [ArticleFactory(views=3) for _ in range(14)]
    drain_outbox()
    return articles


def test_tuning_goes_live_only_if_it_finds_more_and_rolls_back(photographed: list[Any]) -> None:
    before = releases.live().row
    row = tune(force=True)
    assert row.state == "live"
    assert row.metrics["recipe"]["kind"] == "fitted"
    assert 0 <= row.metrics["recall@1"] <= 1
    assert row.background["quantiles"]
    assert releases.live().row.pk == row.pk
    with photographed[0].pictures.first().file.open("rb") as file:
        assert titles(listings.search_by_photo(file.read()))[0] == photographed[0].headline
    assert rollback().pk == before.pk
    assert releases.live().index.count() == 42


def test_tuning_twice_gives_the_same_release(photographed: list[Any]) -> None:
    first = tune(force=True)
    assert tune(force=True).pk == first.pk


def test_candidates_do_not_pile_up(photographed: list[Any]) -> None:
    first = tune(dry_run=True)
    ArticleFactory(views=3)
    drain_outbox()
    second = tune(dry_run=True)
    assert first.pk != second.pk
    first.refresh_from_db()
    assert (first.state, second.state) == ("retired", "candidate")


def test_tuning_that_finds_no_more_is_set_aside_with_its_figures(
    photographed: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from shopvision.search import judge, tuning

    monkeypatch.setattr(tuning, "judge", lambda *_, **__: judge.Judgement(0.4, 0.5, 10, "photos"))
    row = tune()
    assert row.state == "failed"
    assert row.metrics["compared_with"]["recall@1"] == 0.5
    assert releases.live().row.pk != row.pk


def test_too_few_photos_cannot_be_tuned_on(indexed_shop: list[Any]) -> None:
    with pytest.raises(InvalidRequest, match="12 photos"):
        tune()


def test_a_damaged_model_file_is_noticed_and_read_anew(photographed: list[Any]) -> None:
    digest = str(releases.live().row.projection_id)
    path = next(conf.DATA_DIR.glob("artefacts/*"), None)
    assert path is not None
    whole = releases.artefact(digest)
    (conf.DATA_DIR / "artefacts" / digest).write_bytes(b"damaged")
    assert releases.artefact(digest) == whole


@pytest.mark.parametrize(
    ("region", "side"),
    [(None, 640), (Region(0.2, 0.2, 0.4, 0.3), 3200), (Region(0.5, 0.5, 0.51, 0.51), 4096)],
)
def test_a_small_region_is_decoded_finer(region: Region | None, side: int) -> None:
    """640 pixels of the subject: a fifth of the frame needs 5 x 640, and no more than 4096 of any photo."""
    assert listings._side(region) == side
