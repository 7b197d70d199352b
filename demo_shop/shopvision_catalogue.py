"""How shopvision sees this shop."""

from demo_shop.models import Product
from shopvision import Catalogue, register


@register(Product)
class ProductCatalogue(Catalogue):  # noqa: D101
    images = ["image", "photos__image"]
    title, description = "title", "description"
    category, price, stock = "category", "price", "stock"
    filters = ["colour"]
    attributes = {"colour": "colour"}
    related = ["demo_shop.ProductPhoto"]

    def visible(self, queryset, context):  # type: ignore[no-untyped-def]  # noqa: D102
        return queryset.filter(active=True)
