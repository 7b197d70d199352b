"""How shopvision reads this shop; what a shop's own file looks like."""

from typing import Any

from django.db.models import QuerySet

from bench.shop.models import Product
from shopvision import Catalogue, register


@register(Product)
class ProductCatalogue(Catalogue):
    """Products with one photo."""

    images = "image"
    title = "name"
    price, stock = "price", "stock"
    category = "category"

    def visible(self, queryset: QuerySet[Any], context: Any) -> QuerySet[Any]:
        """Active ones."""
        return queryset.filter(active=True)
