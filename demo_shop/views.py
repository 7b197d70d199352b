"""The shop's pages: home, a shelf, a product."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from demo_shop.models import Category, Product
from shopvision.events import tracking
from shopvision.listings import rank_queryset

PER_PAGE = 24


def navigation(request: HttpRequest) -> dict[str, Any]:
    """The shelves that have something on them, for every page."""
    stocked = Count("products", filter=Q(products__active=True))
    return {"shelves": Category.objects.annotate(n=stocked).filter(n__gt=0)}


def home(request: HttpRequest) -> HttpResponse:
    """Everything, newest shelf order; words narrow it."""
    words = request.GET.get("q", "").strip()
    products = Product.objects.filter(active=True)
    if words:
        tracking.record(request, "search", text=words)
        products = products.filter(Q(title__icontains=words) | Q(description__icontains=words))
    return _page(request, products, {"words": words})


def category(request: HttpRequest, slug: str) -> HttpResponse:
    """One shelf and those below it."""
    shelf = get_object_or_404(Category, slug=slug)
    below = Q(category=shelf) | Q(category__parent=shelf)
    return _page(request, Product.objects.filter(below, active=True), {"shelf": shelf})


def _page(request: HttpRequest, products: QuerySet[Product], more: dict[str, Any]) -> HttpResponse:
    page = Paginator(rank_queryset(products, request), PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "demo_shop/listing.html", {"page": page, "first": page.start_index() - 1, **more})


def product(request: HttpRequest, pk: int) -> HttpResponse:
    """One product, what looks like it, and what to buy instead when it is sold out."""
    found = get_object_or_404(Product.objects.select_related("category"), pk=pk, active=True)
    return render(request, "demo_shop/product.html", {"product": found})
