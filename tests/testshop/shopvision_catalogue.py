"""How shopvision sees the second shop."""

from shopvision import Catalogue, register
from tests.testshop.models import Article


@register(Article)
class ArticleCatalogue(Catalogue):
    images = "pictures__file"
    title, description = "headline", "body_html"
    category, price, stock = "topics", "cost", "units_left"
    filters, group = ["maker"], "master"
    related = ["testshop.Picture"]
    signals = {
        "purchase": "tests.testshop.signals.order_paid",
        "view": "tests.testshop.signals.article_viewed",
    }

    def visible(self, queryset, context):
        country = getattr(context, "country", "")
        return queryset.exclude(hidden_from=country) if country else queryset
