"""The grips in a shop's hands: querysets, ids, list views; and that none of them can break a page."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.sessions.backends.cache import SessionStore
from django.core.paginator import Paginator
from django.db import OperationalError
from django.db.models import Count, F, Window
from django.db.models.functions import RowNumber
from django.template import RequestContext, Template
from django.test import Client, RequestFactory
from django.views.generic import ListView
from rest_framework import generics, pagination, serializers

from demo_shop.models import Product, ProductPhoto
from shopvision import metrics
from shopvision.catalogue.models import CatalogueEntry
from shopvision.events import tracking
from shopvision.events.models import Event
from shopvision.indexing.pipeline import drain_outbox
from shopvision.listings import PersonalisedListMixin, RankedSequence, rank_ids, rank_queryset
from shopvision.privacy.consent_changes import forget
from shopvision.ranking import popularity, serving
from shopvision.ranking.features import FEATURES
from shopvision.ranking.item_model.refresh import refresh
from tests.drawing import photo_file
from tests.factories import ArticleFactory, DemoProductFactory
from tests.testshop.models import Article
from tests.visitors import FIREFOX, again, visitor

pytestmark = pytest.mark.django_db


def own() -> list[int]:
    return list(Product.objects.values_list("pk", flat=True))


def ids(rows: Any) -> list[int]:
    return [row.pk for row in rows]


def up(order: list[Any], products: list[Any]) -> bool:
    """The products stand among the first six."""
    return {product.pk for product in products} <= set(order[:6])


def looked_at(*products: Any, path: str = "/", **headers: str) -> Any:
    """The next request of a visitor who looked at some products."""
    request = visitor(**headers)
    for product in products:
        tracking.record(request, "view", product)
    request.session.save()
    following = RequestFactory().get(path, **{"HTTP_USER_AGENT": FIREFOX, **headers})
    following.session = request.session
    return following


class Broken:
    kind = "broken"
    features = FEATURES

    def score(self, x: np.ndarray) -> np.ndarray:
        raise ZeroDivisionError("a bug in somebody's ranker")

    def to_bytes(self) -> bytes:
        return b""


class Slow(Broken):
    def score(self, x: np.ndarray) -> np.ndarray:
        time.sleep(0.5)
        return -np.arange(len(x), dtype=np.float32)


class Backwards(Broken):
    def score(self, x: np.ndarray) -> np.ndarray:
        return np.arange(len(x), dtype=np.float32)


class Nonsense(Broken):
    def score(self, x: np.ndarray) -> np.ndarray:
        return np.full(len(x), np.nan, np.float32)


def use(settings: Any, **ranking: Any) -> None:
    settings.SHOPVISION = {**settings.SHOPVISION, "RANKING": {**settings.SHOPVISION["RANKING"], **ranking}}


def test_ids_and_lists_and_querysets_come_in_one_order(mugs: list[Any]) -> None:
    request = looked_at(*mugs[:2])
    wanted = ids(rank_queryset(Product.objects.all(), request))
    assert up(wanted, mugs)
    assert sorted(wanted) == own()
    source = "demo_shop.product"
    assert rank_ids(own(), request, source=source) == wanted
    assert rank_ids(own(), request, source=source, start=24) == wanted
    assert ids(RankedSequence(list(Product.objects.all()), request)) == wanted
    assert ids(RankedSequence(Product.objects.all()[:100], request)) == wanted


def test_a_search_engines_results_are_rows_too(mugs: list[Any]) -> None:
    """As haystack's: sliced, with ``pk`` as text, ``model``, and the row behind it."""

    class Result:
        model = Product

        def __init__(self, pk: int) -> None:
            self.pk = str(pk)

    ranked = RankedSequence([Result(pk) for pk in own()], looked_at(*mugs[:2]))
    page = Paginator(ranked, 10).page(1)
    assert up([int(one.pk) for one in page], mugs)
    assert any("red mug" in str(getattr(one, "shopvision_why", "")) for one in page)


@pytest.mark.parametrize("query", ["?sort=price", "?sort_by=newest", "?ordering=-price", "?page=2&order=x"])
def test_the_shoppers_explicit_sort_wins(mugs: list[Any], query: str) -> None:
    """No product moves, from the first on; the queryset itself comes back."""
    rows = Product.objects.order_by("price", "-pk")
    request = looked_at(*mugs[:2], path=f"/{query}")
    assert rank_queryset(rows, request) is rows
    assert ids(RankedSequence(rows, request)) == ids(rows)
    assert rank_ids(ids(rows), request, source="demo_shop.product") == ids(rows)


@pytest.mark.parametrize("query", ["?sort=", "?sort=relevance", "?sort_by=Default", "?colour=red"])
def test_a_sort_that_leaves_it_to_the_shop_is_none(mugs: list[Any], query: str) -> None:
    request = looked_at(*mugs[:2], path=f"/{query}")
    assert up(ids(rank_queryset(Product.objects.all(), request)[:6]), mugs)


@pytest.mark.parametrize("known", [False, True])
def test_a_new_product_nobody_has_seen_is_ranked_by_its_content(mugs: list[Any], known: bool) -> None:
    """It came a moment ago, no event names it, it is last in the shop's order: it comes up all the same."""
    if known:  # of all the others, words of their texts too
        refresh()
        serving.forget()
        assert "text" in serving.kept().live.knowledge.spaces
    DemoProductFactory.create_batch(5)
    new = DemoProductFactory(title="another red mug", image=photo_file(990, view=4))
    drain_outbox()
    order = ids(rank_queryset(Product.objects.all(), looked_at(*mugs[:2])))
    assert own()[-1] == new.pk
    assert order.index(new.pk) < 8
    assert "rank_own_order" not in metrics.snapshot()["counters"]


def test_pinned_hidden_and_sold_out(mugs: list[Any]) -> None:
    Product.objects.filter(pk=mugs[2].pk).update(stock=0)
    CatalogueEntry.objects.filter(object_id=str(mugs[2].pk)).update(in_stock=False)
    request = looked_at(*mugs[:2])
    first = Product.objects.all()[7]
    order = ids(rank_queryset(Product.objects.all(), request, pinned=[first], hidden=[mugs[3].pk]))
    assert order[0] == first.pk
    assert order[-2:] == [mugs[2].pk, mugs[3].pk]


def test_what_the_visitor_hides_goes_last(mugs: list[Any]) -> None:
    request = looked_at(*mugs[:2])
    tracking.record(request, "hide", mugs[3])
    order = ids(rank_queryset(Product.objects.all(), request))
    assert order[-1] == mugs[3].pk


def test_nothing_moves_farther_than_the_shop_allows(mugs: list[Any], settings: Any) -> None:
    use(settings, max_moved=3)
    order = ids(rank_queryset(Product.objects.all(), looked_at(*mugs[:2])))
    assert order != own()
    assert max(abs(order.index(pk) - place) for place, pk in enumerate(own())) == 3


def test_keys_that_are_no_numbers(live_release: Any) -> None:
    ArticleFactory.create_batch(6, views=1)
    ArticleFactory.create_batch(2, views=1, views__seed=991)
    drain_outbox()
    rows = list(Article.objects.order_by("headline"))
    alike = [one for one in rows if one.pictures.first().file.name.count("991")]
    request = looked_at(alike[0])
    order = rank_queryset(Article.objects.order_by("headline"), request)
    assert {one.pk for one in order[0:2]} == {one.pk for one in alike}
    keys = rank_ids([one.pk for one in rows], request, source="testshop.article")
    assert keys[:2] == [one.pk for one in order[0:2]]


def test_rows_of_a_proxy_are_the_shops_products(mugs: list[Any]) -> None:
    class Shown(Product):
        class Meta:
            proxy = True
            app_label = "demo_shop"

    request = looked_at(*mugs[:2])
    assert up(ids(rank_queryset(Shown.objects.all(), request)), mugs)
    assert tracking.ref_of(Shown.objects.first()) == tracking.ref_of(Product.objects.first())
    strip = Template("{% load shopvision %}{% similar_products product %}")
    page = strip.render(RequestContext(request, {"product": Shown.objects.get(pk=mugs[0].pk)}))
    assert "red mug 1" in page


def test_a_model_that_is_no_catalogue_keeps_its_order(mugs: list[Any]) -> None:
    rows = CatalogueEntry.objects.order_by("-pk")
    assert ids(rank_queryset(rows, looked_at(*mugs[:2]))) == ids(rows)


def test_values_without_a_key_keep_the_shops_order_and_with_one_are_ranked(mugs: list[Any]) -> None:
    request, shop = looked_at(*mugs[:2]), Product.objects.order_by("pk")
    for rows in (
        shop.values("title"),
        shop.values("price", "stock"),
        shop.values_list("pk", "title"),
        shop.values_list("stock", flat=True),
        Product.objects.order_by("stock").values("stock").annotate(n=Count("pk")),
    ):
        assert list(rank_queryset(rows, request)) == list(rows)
    assert up([row["pk"] for row in rank_queryset(shop.values("pk", "title"), request)], mugs)
    assert up([row["id"] for row in rank_queryset(shop.values(), request)], mugs)
    assert up(list(rank_queryset(shop.values_list("pk", flat=True), request)), mugs)


@pytest.mark.parametrize("size", [3, 7, 20])
def test_rows_that_a_join_repeats_and_filtered_windows_are_the_shops_own(
    live_release: Any, size: int
) -> None:
    articles = [ArticleFactory(views=3) for _ in range(9)]
    drain_outbox()
    request = visitor()
    for one in articles[:2]:
        tracking.record(request, "view", one)
    request = again(request)
    joined = Article.objects.filter(pictures__isnull=False).order_by("pk")
    numbered = Window(RowNumber(), partition_by=F("maker"), order_by=F("pk").asc())
    windowed = Article.objects.annotate(r=numbered).filter(r__lte=5).order_by("pk")
    for rows in (joined, windowed):
        pages = Paginator(rank_queryset(rows, request), size)
        assert [row for page in pages for row in page] == list(rows)
    once = Paginator(rank_queryset(joined.distinct(), request), size)
    shown = [row.pk for page in once for row in page]
    assert sorted(shown) == sorted(one.pk for one in articles)


@pytest.mark.parametrize("size", [3, 7, 15, 20, 50])
def test_rows_that_only_an_order_or_a_column_repeats_are_the_shops_own(mugs: list[Any], size: int) -> None:
    for number, one in enumerate(Product.objects.all()):
        for view in range(number % 4):
            ProductPhoto.objects.create(product=one, image=f"products/{number * 7 % 10}-{view}.jpg")
    request, shop = looked_at(*mugs[:2]), Product.objects.order_by("pk")
    several = shop.filter(photos__isnull=False)
    numbered = Window(RowNumber(), partition_by=F("price"), order_by=F("pk").asc())
    for rows in (
        shop.order_by("photos__image", "pk"),
        several.distinct().order_by("photos__image", "pk"),
        shop.values("pk", "photos__image").distinct(),
        shop.values("pk", "photos__image").annotate(n=Count("photos")),
        shop.annotate(photo=F("photos__image"), n=Count("photos")),
        shop.order_by().union(shop.order_by(), all=True).order_by("id"),
        shop.annotate(number=numbered),
    ):
        ranked = rank_queryset(rows, request)
        assert ranked is rows
        pages, wanted = Paginator(ranked, size), Paginator(rows.all(), size)
        assert [list(page) for page in pages] == [list(page) for page in wanted]
    for rows in (several.distinct(), shop.annotate(n=Count("photos")).order_by("-n", "pk")):
        shown = [row.pk for page in Paginator(rank_queryset(rows, request), size) for row in page]
        assert up(shown, [one for one in mugs if rows.filter(pk=one.pk).exists()])
        assert sorted(shown) == sorted(row.pk for row in rows)
    assert "rank_own_order" not in metrics.snapshot()["counters"]


@pytest.mark.parametrize("name", ["Broken", "Nonsense"])
def test_a_broken_ranker_gives_the_shops_order_and_a_counter_moves(
    mugs: list[Any], settings: Any, name: str
) -> None:
    use(settings, ranker=f"tests.ranking.test_api.{name}")
    assert ids(rank_queryset(Product.objects.all(), looked_at(*mugs[:2]))) == own()
    assert metrics.snapshot()["counters"]["rank_own_order"] == 1


def test_a_shops_own_ranker_is_asked(mugs: list[Any], settings: Any) -> None:
    use(settings, ranker="tests.ranking.test_api.Backwards", diversity=0)
    assert ids(rank_queryset(Product.objects.all(), looked_at(*mugs[:2]))) == own()[::-1]


def test_a_slow_ranker_is_not_waited_for_and_then_not_asked(mugs: list[Any], settings: Any) -> None:
    use(settings, ranker="tests.ranking.test_api.Slow", budget_ms=100)
    request = looked_at(*mugs[:2])
    for number in range(6):
        start = time.perf_counter()
        assert ids(rank_queryset(Product.objects.all(), request, name=str(number))) == own()
        assert time.perf_counter() - start < 0.4
    counted = metrics.snapshot()["counters"]
    assert counted["rank_own_order"] == 6
    assert counted["rank_over_budget"] == 5
    assert counted["rank_paused"] == 1


def test_a_slow_database_costs_the_order_and_not_much_time(
    mugs: list[Any], settings: Any, monkeypatch: Any
) -> None:
    use(settings, budget_ms=20)
    monkeypatch.setattr("shopvision.ranking.product_features._rows", lambda *_: time.sleep(0.05) or ())
    assert ids(rank_queryset(Product.objects.all(), looked_at(*mugs[:2]))) == own()
    counted = metrics.snapshot()["counters"]
    assert (counted["rank_own_order"], counted["rank_over_budget"]) == (1, 1)


def test_a_database_that_fails_us_does_not_fail_the_shop(mugs: list[Any], monkeypatch: Any) -> None:
    def broken(*_: Any) -> Any:
        raise OperationalError("our table is locked")

    monkeypatch.setattr("shopvision.ranking.product_features._rows", broken)
    monkeypatch.setattr("shopvision.ranking.popularity._sums", broken)
    assert ids(rank_queryset(Product.objects.all(), looked_at(*mugs[:2]))) == own()
    assert Product.objects.count() == len(own())  # the shop's transaction is usable


def test_a_statement_of_ours_that_fails_leaves_the_shops_transaction_usable(
    mugs: list[Any], monkeypatch: Any
) -> None:
    monkeypatch.setattr(
        "shopvision.ranking.product_features._rows",
        lambda source, keys: list(CatalogueEntry.objects.extra(where=["no_such_column = 1"])),
    )
    assert ids(rank_queryset(Product.objects.all(), looked_at(*mugs[:2]))) == own()
    assert Product.objects.count() == len(own())


def test_a_shop_that_remembers_nothing_keeps_its_order(mugs: list[Any], mode: Any) -> None:
    mode("off")
    assert ids(rank_queryset(Product.objects.all(), looked_at(*mugs[:2]))) == own()


@pytest.mark.parametrize("headers", [{"HTTP_SEC_GPC": "1"}, {"HTTP_DNT": "1"}])
def test_a_browser_that_asks_not_to_be_tracked_sees_what_strangers_see(mugs: list[Any], headers: Any) -> None:
    request = looked_at(*mugs[:2])
    request.META.update(headers)
    theirs = ids(rank_queryset(Product.objects.all(), request))
    assert theirs == ids(rank_queryset(Product.objects.all(), visitor()))


def test_an_erased_visitor_goes_on_in_no_personal_order(mugs: list[Any]) -> None:
    request = looked_at(*mugs[:2])
    strangers = ids(rank_queryset(Product.objects.all(), visitor()))
    assert ids(rank_queryset(Product.objects.all(), request)[0:8]) != strangers[:8]
    forget(request, source="page")
    assert ids(rank_queryset(Product.objects.all(), again(request))[8:16]) == strangers[8:16]


def test_impressions_carry_the_listing_the_position_and_the_odds(
    mugs: list[Any], settings: Any, mode: Any
) -> None:
    mode("consent")
    use(settings, explore=0.5)
    request = visitor("personalisation", "improvement")
    for mug in mugs[:2]:
        tracking.record(request, "view", mug)
    request.session.save()
    first = again(request)
    pages = [Paginator(rank_queryset(Product.objects.all(), first), 10).page(number) for number in (1, 2)]
    shown = [tracking.record_listing(first, page, start=(page.number - 1) * 10) for page in pages]
    assert shown[0].id == shown[1].id
    rows = Event.objects.filter(kind="impression").order_by("position")
    assert [row.position for row in rows] == list(range(20))
    assert {row.listing for row in rows} == {shown[0].id}
    assert [row.product for row in rows] == [f"demo_shop.product:{p.pk}" for page in pages for p in page]
    assert all(0 < row.propensity <= 1 for row in rows)
    assert any(row.propensity < 1 for row in rows)


class Shelf(PersonalisedListMixin, ListView):  # type: ignore[type-arg]
    model = Product
    paginate_by = 10
    template_name = "demo_shop/listing.html"


class Row(serializers.ModelSerializer):  # type: ignore[type-arg]
    class Meta:
        model = Product
        fields = ("id", "title")


class Pages(pagination.PageNumberPagination):
    page_size = 10


class Cursor(pagination.CursorPagination):
    ordering = "pk"
    page_size = 10


class Api(PersonalisedListMixin, generics.ListCreateAPIView):  # type: ignore[type-arg]
    queryset = Product.objects.all()
    serializer_class = Row
    authentication_classes = ()


def test_a_list_view_of_django(mugs: list[Any]) -> None:
    request = looked_at(*mugs[:2])
    response = Shelf.as_view()(request)
    page = response.context_data["page_obj"]
    assert up(ids(page), mugs)
    assert response.context_data["product_list"] == page.object_list
    assert response.context_data["shown"].id == page.object_list.ordering.listing
    whole = Shelf.as_view(paginate_by=None)(request).context_data
    assert sorted(ids(whole["object_list"])) == own()
    assert up(ids(whole["object_list"]), mugs)
    assert len(whole["shown"].positions) == len(own())


@pytest.mark.parametrize("pages", [Pages, pagination.LimitOffsetPagination, None])
def test_a_list_view_of_drf(mugs: list[Any], pages: Any) -> None:
    request = looked_at(*mugs[:2], path="/?limit=10")
    response = Api.as_view(pagination_class=pages)(request)
    rows = response.data["results"] if pages else response.data
    assert up([row["id"] for row in rows], mugs)
    assert len(rows) == (10 if pages else len(own()))
    assert len(response["Shopvision-Listing"]) == 32


@pytest.mark.parametrize("pages", [Pages, pagination.LimitOffsetPagination, None])
def test_a_list_view_of_drf_gives_the_shops_order_where_ours_is_not_wanted_or_fails(
    mugs: list[Any], pages: Any, settings: Any
) -> None:
    view = Api.as_view(pagination_class=pages)
    sorted_by = view(looked_at(*mugs[:2], path="/?limit=10&sort=price"))
    settings.SHOPVISION["RANKING"]["ranker"] = "no.such.Ranker"
    broken = view(looked_at(*mugs[:2], path="/?limit=10"))
    for response in (sorted_by, broken):
        rows = response.data["results"] if pages else response.data
        assert [row["id"] for row in rows] == own()[: len(rows)]
    nothing = Api.as_view(pagination_class=pages, queryset=Product.objects.filter(pk__in=[]))
    empty = nothing(looked_at(*mugs[:2], path="/?limit=10")).data
    assert list(empty["results"] if pages else empty) == []


def test_a_listing_that_is_known_to_be_empty_is_no_failure(mugs: list[Any]) -> None:
    for rows in (Product.objects.none(), Product.objects.filter(pk__in=[])):
        assert list(rank_queryset(rows, looked_at(*mugs[:2]))) == []
    assert "rank_own_order" not in metrics.snapshot()["counters"]


def test_cursor_pages_and_created_rows_of_drf_are_left_alone(mugs: list[Any]) -> None:
    request = looked_at(*mugs[:2])
    response = Api.as_view(pagination_class=Cursor)(request)
    assert [row["id"] for row in response.data["results"]] == own()[:10]
    post = RequestFactory().post("/", {"title": "new"}, content_type="application/json")
    assert Api.as_view()(post).status_code == 201


def test_the_shops_pages_stand_whatever_breaks(mugs: list[Any], monkeypatch: Any) -> None:
    client = Client(headers={"user-agent": FIREFOX})
    client.get(mugs[0].get_absolute_url())

    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("everything of ours is broken")

    for path in (
        "api._stamp",
        "rerank.features",
        "rerank.shelf_of",
        "ranked_sequence.order_cache.recall",
        "visitor_profile.latest",
        "api.rank",
    ):
        monkeypatch.setattr(f"shopvision.ranking.{path}", broken)
        response = client.get("/")
        assert response.status_code == 200
        assert ids(response.context["page"]) == own()[:24]
        monkeypatch.undo()


def read(items: list[Any], page: int, user: Any = None, host: str = "shop.example") -> tuple[int, list[int]]:
    """Pages of a list that is made anew at each request, and the keys on one of them."""
    request = RequestFactory().get("/wishlist/", {"page": page}, headers={"host": host})
    request.session = SessionStore()
    request.user = user or AnonymousUser()
    pages = Paginator(RankedSequence(items, request), 6)
    return pages.num_pages, ids(pages.get_page(page))


@pytest.mark.parametrize("ranked", [False, True])
@pytest.mark.parametrize("tells", ["user", "host", "nothing"])
def test_a_list_at_an_address_is_not_another_visitors(
    mugs: list[Any], settings: Any, tells: str, ranked: bool
) -> None:
    """Both open the page of their own list, then go on; whether or not anything was ranked for them."""
    settings.ALLOWED_HOSTS = ["*"]
    if ranked:
        for product in mugs:
            tracking.record(visitor(), "view", product)
        refresh()
        serving.forget()
        popularity.forget()
    rows = list(Product.objects.order_by("pk"))
    anns, bobs = [*rows[:10], *mugs[:2]], [*rows[10:20], *mugs[2:]]
    ann, bob = (User.objects.create(username=name) if tells == "user" else None for name in ("ann", "bob"))
    there = "other.example" if tells == "host" else "shop.example"
    first = read(anns, 1, ann)
    others = read(bobs, 1, bob, there)
    second = read(anns, 2, ann)
    assert first[0] == others[0] == second[0] == 2
    assert sorted(first[1] + second[1]) == sorted(ids(anns))
    assert sorted(others[1] + read(bobs, 2, bob, there)[1]) == sorted(ids(bobs))
    assert (first[1] != ids(anns)[:6]) == ranked
