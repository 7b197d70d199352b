"""Check the installation end to end."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.core.checks import run_checks
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from django.utils import timezone

from ... import jobs
from ...catalogue.adapter import Catalogue, catalogues
from ...catalogue.field_paths import follow_path
from ...catalogue.models import Outbox
from ...exceptions import ShopvisionError
from ...indexing import encoder_releases
from ...indexing.photos import sample_photos
from ...jobs.heartbeat import WORKER_SEEN_SECONDS
from ...ranking import ranker_releases as rankers
from ..job_command import why_not_ready

ADDRESSES = 5  # products of each catalogue whose page is asked for


class Command(BaseCommand):
    """The system checks, then live probes: storage, addresses, encoder, index, ranker, database, worker."""

    help = "Check the installation: settings, adapters, storage, addresses, encoder, index, ranker, database, worker."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        found = [(m.id or "", not m.is_serious(), f"{m.msg} {m.hint or ''}".strip()) for m in _messages()]
        if why := why_not_ready():
            found.append(("migrations", False, why))
        else:
            found += [_probe(name, probe) for name, probe in PROBES.items()]
        good = all(ok for _, ok, _ in found)
        if options["json"]:
            rows = [{"check": name, "ok": ok, "detail": words} for name, ok, words in found]
            self.stdout.write(json.dumps({"ok": good, "checks": rows}))
        else:
            for name, ok, words in found:
                self.stdout.write(f"{'ok  ' if ok else 'FAIL'} {name}: {words}")
        if not good:
            raise CommandError("something is wrong; see the lines marked FAIL")


def _messages() -> list[Any]:
    return list(run_checks(tags=["shopvision"]))


def _probe(name: str, probe: Callable[[], tuple[bool, str]]) -> tuple[str, bool, str]:
    try:
        return (name, *probe())
    except ShopvisionError as error:
        return (name, False, str(error))
    except DatabaseError as error:
        return (name, False, f"{error}: run python manage.py migrate if your own models' tables are missing")
    except Exception as error:  # noqa: BLE001 - whatever is broken, the operator wants to read it
        return (name, False, f"{type(error).__name__}: {error}")


def _storage() -> tuple[bool, str]:
    products = sum(shop.queryset().count() for shop in catalogues().values())
    photos = sample_photos(1)
    if photos:
        return (
            True,
            f"{products} products; a photo was read and decoded ({photos[0].width}x{photos[0].height})",
        )
    if not products:
        return True, "no products yet"
    return False, f"{products} products, and no photo of the first ones could be read"


def _reading() -> tuple[bool, str]:
    """One product of each catalogue as we read it, to be compared by eye; a title must be words."""
    read, problems = [], []
    for shop in catalogues().values():
        product = shop.queryset().order_by("pk").first()
        if product is None:
            continue
        raw = next(iter(follow_path(product, shop.title, shop.model)), None)
        if isinstance(raw, dict) and type(shop).title_of is Catalogue.title_of:
            problems.append(f"{shop.ref(product)}: {shop.title!r} is a dict, shown as {str(raw)[:80]}")
        price = "no price" if shop.price_of(product) is None else f"price {shop.price_of(product)}"
        read.append(f"{shop.ref(product)}: title {shop.title_of(product)[:80]!r}, {price}")
    if problems:
        return False, f"{'; '.join(problems)} (name a field or method that gives words, or override title_of)"
    return True, "; ".join(read) or "no products yet"


def _addresses() -> tuple[bool, str]:
    """Ask a few products that anybody may see for their page, as an answer does; it swallows what they raise."""
    problems, good = [], 0
    for shop in catalogues().values():
        for product in shop.visible(shop.queryset(), None).order_by("pk")[:ADDRESSES]:
            problem = _why_no_address(shop, product)
            good += not problem
            problems += [f"{shop.ref(product)}: {problem}"] if problem else []
    if problems:
        return False, f"{'; '.join(problems)} (mend get_absolute_url, or override url() in the adapter)"
    return True, f"{good} products tried, each has a page"


def _why_no_address(shop: Catalogue, product: Any) -> str:
    try:
        own = type(shop).url is not Catalogue.url
        address = shop.url(product) if own else product.get_absolute_url()
    except Exception as error:  # noqa: BLE001 - the shop's own code; its words are what the operator needs
        return f"{type(error).__name__}: {error}"
    return "" if address else "its address is empty, so results do not link to it"


def _database() -> tuple[bool, str]:
    row = Outbox.objects.create(source="shopvision.check", object_id="0", state=Outbox.State.POISONED)
    row.delete()
    return True, "can be written"


def _encoder() -> tuple[bool, str]:
    live = encoder_releases.live()
    problems = [*live.encoder.check(), *([] if live.encoder.health() else ["it cannot describe photos now"])]
    return not problems, "; ".join(problems) or f"{live.row} ({live.row.precision}) is live"


def _index() -> tuple[bool, str]:
    index = encoder_releases.live().index
    health, problems = index.health(), index.check()
    detail = health.detail or f"{health.count} photos, {health.bytes} bytes"
    return health.ok and not problems, "; ".join([*problems, detail])


def _ranker() -> tuple[bool, str]:
    row = rankers.live()
    if row is None:
        return True, "the untrained blend orders listings"
    rankers.open_ranker(row)
    return True, f"{row} is live"


def _worker() -> tuple[bool, str]:
    since = timezone.now() - timedelta(seconds=WORKER_SEEN_SECONDS)
    number = jobs.Worker.objects.filter(seen_at__gte=since).count()
    waiting = Outbox.objects.filter(state=Outbox.State.WAITING).count()
    if number:
        return True, f"{number} at work, {waiting} changes waiting"
    return (
        waiting == 0,
        f"none seen lately, {waiting} changes waiting; the web process starts one when it serves",
    )


PROBES: dict[str, Callable[[], tuple[bool, str]]] = {
    "storage": _storage,
    "reading": _reading,
    "addresses": _addresses,
    "database": _database,
    "encoder": _encoder,
    "index": _index,
    "ranker": _ranker,
    "worker": _worker,
}
