"""The shop in a process: ``python -m tests.jobs.shop_process ACTION [NUMBER]`` prints JSON."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.jobs.settings")
django.setup()

from django.core.management import call_command  # noqa: E402
from django.core.signals import request_started  # noqa: E402
from django.db import connections  # noqa: E402
from django.db.models import Count  # noqa: E402

from demo_shop.models import Category, Product  # noqa: E402
from shopvision import jobs  # noqa: E402
from shopvision.catalogue.models import CatalogueEntry, CatalogueImage, Outbox  # noqa: E402
from shopvision.classification.classifier_training import train  # noqa: E402
from shopvision.index.models import Descriptor, Embedding  # noqa: E402
from shopvision.indexing import encoder_releases  # noqa: E402
from shopvision.indexing.change_feed import verify  # noqa: E402
from shopvision.indexing.pipeline import ensure_live  # noqa: E402
from shopvision.jobs import engine  # noqa: E402
from tests.drawing import photo_file  # noqa: E402
from tests.factories import DemoProductFactory  # noqa: E402
from tests.jobs.celery_app import app  # noqa: E402

app.set_current()


def init() -> dict[str, Any]:
    """Make the tables and the first release."""
    call_command("migrate", verbosity=0)
    return {"release": str(ensure_live().row)}


def save(number: int) -> dict[str, Any]:
    """Save products as the shop does; how long each took at worst."""
    worst = 0.0
    first = Product.objects.count()
    for seed in range(first, first + number):
        begun = time.perf_counter()
        DemoProductFactory(seed=seed)
        worst = max(worst, time.perf_counter() - begun)
    return {"saved": number, "worst_s": worst}


def killer() -> dict[str, Any]:
    """Save a product whose photo kills every process that looks at it."""
    return {"product": DemoProductFactory(image=photo_file(5, side=77)).pk}


def bulk(number: int) -> dict[str, Any]:
    """Put products in as an import does: no signal is sent."""
    first = Product.objects.count()
    made = [DemoProductFactory.build(seed=seed) for seed in range(first, first + number)]
    for product in made:
        product.image.save(product.image.name, product.image.file, save=False)
    Product.objects.bulk_create(made)
    return {"saved": number}


def labels(number: int) -> dict[str, Any]:
    """Index so many products, put a quarter of them on the shelf of their shape, and train on these."""
    bulk(number)
    job = jobs.start("index_all", wake=False)
    jobs.run(job)
    shelves = [Category.objects.create(name=name, slug=name) for name in ("boxes", "discs", "tents")]
    for place, product in enumerate(Product.objects.order_by("pk")[: number // 4]):
        Product.objects.filter(pk=product.pk).update(category=shelves[place % 3])
    row = train("demo_shop.product", "category", kind="prototypes", force=True)
    row.metrics["thresholds"] = {"0.05": {"threshold": 0.0}}
    row.save()
    return {"state": row.state}


def classify(error: int) -> dict[str, Any]:
    """Queue a job that classifies everything, and applies it if ``error`` is not 0."""
    params = {
        "source": "demo_shop.product",
        "target": "category",
        "acceptable_error": 0.05 if error else None,
    }
    return {"job": str(jobs.start("classify", params, wake=False).pk)}


def fork(number: int) -> dict[str, Any]:
    """Fork web processes off one whose worker thread runs; each answers a request and saves a product."""
    engine.start_thread_worker()
    wait(lambda: jobs.workers_alive().filter(kind="thread").exists())
    had = engine.worker_thread.started
    engine.stop_threads()  # as a server does that loads the app before it forks; its lock is free again
    connections.close_all()
    return {"parent_had_thread": had, "children": [_child(seed) for seed in range(number)]}


def _child(seed: int) -> dict[str, Any]:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            inherited = engine.worker_thread.started
            request_started.send(sender=None)
            product = DemoProductFactory(seed=seed)
            mine = CatalogueEntry.objects.filter(object_id=str(product.pk), state="indexed")
            answer = {"inherited": inherited, "indexed": wait(mine.exists)}
            os.write(writer, json.dumps(answer).encode())
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(pid, 0)
    return dict(json.loads(os.read(reader, 1000)))


def wait(condition: Callable[[], bool]) -> bool:
    """Whether it came true within 20 s."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def state() -> dict[str, Any]:
    """What is where."""
    live = encoder_releases.live().row  # a tuned release may have taken over meanwhile
    twice = Embedding.objects.values("release", "image_id").annotate(n=Count("id")).filter(n__gt=1)
    return {
        "products": Product.objects.count(),
        "entries": CatalogueEntry.objects.filter(state="indexed").count(),
        "photos": CatalogueImage.objects.filter(state="indexed").count(),
        "rejected": CatalogueImage.objects.filter(state="rejected").count(),
        "descriptors": Descriptor.objects.filter(backbone_digest=live.backbone_digest).count(),
        "embeddings": Embedding.objects.filter(release=live, vector__isnull=False).count(),
        "twice": twice.count(),
        "waiting": Outbox.objects.filter(state="waiting").count(),
        "held": Outbox.objects.exclude(lease="").count(),
        "poisoned": Outbox.objects.filter(state="poisoned").count(),
    }


def compare() -> dict[str, Any]:
    """The index against the database, photo by photo."""
    return {**verify(encoder_releases.live()).as_dict(), **state()}


if __name__ == "__main__":
    actions = {
        "init": init,
        "save": save,
        "bulk": bulk,
        "killer": killer,
        "fork": fork,
        "labels": labels,
        "classify": classify,
        "state": state,
        "compare": compare,
    }
    action = actions[sys.argv[1]]
    print(json.dumps(action(*map(int, sys.argv[2:]))))
