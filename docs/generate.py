"""Writes docs/reference/settings.md and adapter.md from the sources (``--check`` only compares)."""

import inspect
import os
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "docs/reference"
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

ATTRIBUTES = {
    "images": "the photos: one name or several, in order; the first photo is the catalogue image. A table of "
    "photos is read in its own order (`Meta.ordering`); where a flag says which is first, name a method that "
    "gives them in order",
    "title": "for people; tags are removed",
    "description": "read by word search and by classifiers that read text; tags are removed",
    "category": "foreign key, many-to-many or text; a target of classification. An object's ancestors are found "
    "through its `parent`; a text is a path where it says `Clothes > Shoes`, and a parent covers its children",
    "price": "a number; without it results have none, and price filters find nothing",
    "stock": "a number counts as in stock above 0, anything else as true or false; without it all is in stock",
    "filters": "names a search can be filtered by, value for value; each is a facet of the answer. `category`, "
    "`price` and `stock` have filters of their own and need not be named",
    "related": "models (`app.Model`) whose rows belong to a product: saving one re-indexes the product",
    "group": "the parent of a variant, or a key variants share: they fold onto one card, and count as one "
    "product when a classifier is trained",
    "attributes": 'what else can be recognised: target -> name, as in `{"pattern": "pattern"}`; a plain field, '
    "or override `apply_classification` and `restore_classification`",
    "views": "how often a product is looked at; puts what many people see first in the review queue",
    "added": "a date or time field: since when the product is in the shop; listings favour what is new a little, "
    "and say so",
    "signals": 'signals your shop sends already, by kind of event: `{"purchase": "shop.signals.order_paid"}`; '
    "recorded when the transaction has committed, as far as the visitor agreed",
}
"""What each attribute means; a test fails where one is missing here, or gone from ``Catalogue``."""

ADAPTER_HEAD = """# The adapter

One class in `shopvision_catalogue.py` of your shop's app says how your product model answers our questions;
the file is found by itself, and `shopvision_init` writes a first one. This page is generated:
`.venv/bin/python docs/generate.py`.

```python
from shopvision import Catalogue, register

from .models import Product


@register(Product)
class ProductCatalogue(Catalogue):
    images = ["image", "photos__image"]
    title, description = "title", "description"
    category, price, stock, group = "category", "price", "stock", "parent"
    filters = ["brand", "colour"]
    attributes = {"colour": "colour"}
    related = ["shop.ProductPhoto"]
    signals = {"purchase": "shop.signals.order_paid"}

    def visible(self, queryset, context):
        return queryset.filter(active=True)
```

A name is a field, a path across relations (`photos__image`), or a method of the product. A model has one
adapter; a shop with several product models registers each. `manage.py check` tries every name (E004),
`shopvision_check` a few products.

A shop in several languages: title, description, category names and filter values are read where products are
indexed, in `LANGUAGE_CODE`. Word search, facets and the predicted category therefore speak that language alone,
whatever the visitor's; titles, prices and addresses of results are read in the visitor's request. To be found
by the words of every language, let `description` name a method that returns them all.

## Attributes

| attribute | default | takes | means |
|---|---|---|---|
"""
ADAPTER_METHODS = """
## Methods
All can be overridden. The ones a shop most often does: `visible` (who may see what), `url`, `price_of` and
`in_stock` where a field is not enough, `apply_classification` with `restore_classification` where a label is
no plain field, `acted_on` where a signal's arguments are unusual, `affected` where a row's way to its product
is longer than one foreign key.

`acted_on(kind, told)` is handed the signal's keyword arguments and finds `product`, `products`, or an `order`
or `basket` with `lines` that have a `product` and perhaps a `quantity`. `apply_classification` returns what
was there before; undo hands it to `restore_classification`.

| method | answers |
|---|---|
"""


def settings_page() -> str:
    """Every setting, from the settings' own records."""
    from shopvision.conf import SETTINGS

    lines = [
        "# Settings",
        "",
        "One dict in your settings module, `SHOPVISION = {...}`. Every key has a default; an unknown key",
        "is an error with the nearest spelling. This page is generated: `.venv/bin/python docs/generate.py`.",
        "",
        "| key | default | takes | why |",
        "|---|---|---|---|",
    ]
    for key, setting in SETTINGS.items():
        default = "`BASE_DIR / 'shopvision_data'`" if key == "DATA_DIR" else f"`{setting.value()!r}`"
        default = "below" if setting.keys and isinstance(setting.value(), dict) else default
        lines.append(f"| `{key}` | {default} | {setting.rule} | {setting.reason} |")
        lines += [
            f"| `{key}[{name!r}]` | `{one.value()!r}` | {one.rule} | {one.reason} |"
            for name, one in setting.keys.items()
        ]
    return "\n".join(lines) + "\n"


def adapter_page() -> str:
    """Every attribute and method of ``Catalogue``, from the class itself."""
    import django

    django.setup()
    from shopvision.catalogue.adapter import Catalogue

    kinds = {
        name: text.removeprefix("ClassVar[").removesuffix("]")
        for name, text in inspect.get_annotations(Catalogue).items()
    }
    rows = [
        f"| `{name}` | `{getattr(Catalogue, name)!r}` | {_cell(f'`{kind}`')} | {_cell(ATTRIBUTES[name])} |"
        for name, kind in kinds.items()
    ]
    methods = [
        f"| `{_call(name, member)}` | {_cell(_first_words(member))} |"
        for name, member in vars(Catalogue).items()
        if not name.startswith("_") and (inspect.isfunction(member) or isinstance(member, property))
    ]
    return ADAPTER_HEAD + "\n".join(rows) + "\n" + ADAPTER_METHODS + "\n".join(methods) + "\n"


def _call(name: str, member: object) -> str:
    if not inspect.isfunction(member):
        return name
    return f"{name}({', '.join(list(inspect.signature(member).parameters)[1:])})"


def _first_words(member: object) -> str:
    """The docstring's first paragraph on one line, with ``code`` as Markdown has it."""
    return " ".join((inspect.getdoc(member) or "").partition("\n\n")[0].split()).replace("``", "`")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


PAGES: dict[str, Callable[[], str]] = {"settings.md": settings_page, "adapter.md": adapter_page}

if __name__ == "__main__":
    for page_name, page in PAGES.items():
        target, written = REFERENCE / page_name, page()
        if "--check" not in sys.argv:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(written)
        elif not target.exists() or target.read_text() != written:
            sys.exit(f"{target.relative_to(ROOT)} is out of date: run python docs/generate.py")
