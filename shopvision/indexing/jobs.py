"""Jobs and periodic work of the index: index everything, reconcile, follow; and what each would cost."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

from django.db.models.fields.files import FieldFile

from .. import conf, jobs, metrics
from ..catalogue import outbox
from ..catalogue.adapter import Catalogue, catalogue, catalogues
from ..catalogue.models import CatalogueEntry, CatalogueImage, Outbox
from ..encoders.remote import answer_request
from ..exceptions import TemporaryFailure
from ..jobs.broker import ask
from ..messages import Message
from ..types import ProductRef, Step
from . import encoder_releases
from .change_feed import follow
from .drift import count_drift, queue_differences
from .photos import Photo, describe_photos
from .pipeline import drain_outbox, ensure_live, index_products
from .report import IndexReport

SAMPLE_PHOTOS = 16  # looked at to measure this machine; half a second
BATCHES_PER_STEP = 4  # progress and the outbox are looked after at least this often
WINDOW_BATCHES = 8  # batches an index job keeps queued for Celery workers; a fresh save waits behind them
WAIT_SECONDS = 0.2
NAME = ("source", "object_id")
WALK_PRODUCTS_PER_SECOND = 2000.0  # comparing fingerprints, SQLite, one core; measured on 5,000 products
_queued = threading.Event()  # this process has queued differences, and not counted the drift since


def index_all(params: Mapping[str, Any], cursor: Mapping[str, Any]) -> Iterator[Step]:
    """Look at every product, in the order of sources and keys; then at what the shop no longer has.

    With Celery the products go to the outbox, a window at a time, and all workers share them; otherwise
    they are indexed here, and changes that come meanwhile are worked off between the steps.

    Args:
        params: ``source`` (one source label only), ``failed`` (only products with photos set aside).
        cursor: ``source`` and ``last``, where an earlier run stopped; ``resumed`` if its worker died there:
            the next step then goes through the outbox, which finds out which photo kills.
    """
    ensure_live()
    total = IndexReport()
    walk = _failed_refs() if params.get("failed") else _all_refs(params.get("source"), cursor)
    yield Step(total=_count(params), message=Message("indexing"))
    careful = bool(cursor.get("resumed"))
    for refs, place in walk:
        if careful or conf.ENGINE == "celery":
            yield from _through_outbox(refs, place)
            careful = False
            continue
        yield _index_step(refs, place, total)
        drain_outbox(conf.BATCH_SIZE)
    yield from reconcile({}, {})


def _index_step(refs: Sequence[ProductRef], place: Mapping[str, Any], total: IndexReport) -> Step:
    report = index_products(refs)
    outbox.record_changes(
        report.failed
    )  # the outbox tries them again, later and later, and sets them aside in the end
    total.add(report)
    seconds = sum(total.ms.values()) / 1000
    result = {
        "indexed": total.indexed,
        "unchanged": total.unchanged,
        "images": total.images,
        "rejected": total.rejected,
        "images_per_second": round(total.images / seconds, 1) if seconds else 0.0,
    }
    return Step(
        done=len(refs), failed=len(report.failed), cursor=place, message=Message("indexing"), result=result
    )


def _through_outbox(refs: Sequence[ProductRef], place: Mapping[str, Any]) -> Iterator[Step]:
    """Queue products and wait while more than a window of them is waiting."""
    outbox.record_changes(refs)
    yield Step(done=len(refs), cursor=place, message=Message("queued_for_workers"))
    while outbox.pending() > WINDOW_BATCHES * conf.BATCH_SIZE:
        if conf.ENGINE != "celery":
            drain_outbox(conf.BATCH_SIZE)
        yield Step(message=Message("changes_waiting", {"outbox": outbox.pending()}))
        time.sleep(WAIT_SECONDS)


def _selected(source: str | None) -> dict[str, Catalogue]:
    return {source: catalogue(source)} if source else dict(sorted(catalogues().items()))


def _all_refs(
    source: str | None, cursor: Mapping[str, Any]
) -> Iterator[tuple[list[ProductRef], dict[str, Any]]]:
    """Products by key, a few batches at a time, each with the cursor that comes after them."""
    size = BATCHES_PER_STEP * conf.BATCH_SIZE
    for label, adapter in _selected(source).items():
        if label < cursor.get("source", ""):
            continue
        last = cursor.get("last") if label == cursor.get("source") else None
        while True:
            rows = adapter.queryset().order_by("pk")
            if last is not None:
                rows = rows.filter(pk__gt=last)
            keys = [str(key) for key in rows.values_list("pk", flat=True)[:size]]
            if not keys:
                break
            last = keys[-1]
            yield [ProductRef(label, key) for key in keys], {"source": label, "last": last}


def _failed_refs() -> Iterator[tuple[list[ProductRef], dict[str, Any]]]:
    """Products with a photo set aside, or set aside themselves; their photos get a fresh start."""
    rejected = CatalogueImage.objects.filter(state=CatalogueImage.State.REJECTED)
    entries = CatalogueEntry.objects.filter(pk__in=rejected.values("entry_id"))
    refs = [ProductRef(*pair) for pair in entries.order_by("pk").values_list("source", "object_id")]
    poisoned = Outbox.objects.filter(state=Outbox.State.POISONED)
    refs += [ProductRef(*pair) for pair in poisoned.values_list("source", "object_id")]
    rejected.update(state=CatalogueImage.State.PENDING, content_digest="", attempts=0, reject_code="")
    poisoned.delete()
    found = iter(dict.fromkeys(refs))
    while refs := list(islice(found, conf.BATCH_SIZE)):
        yield refs, {}


def _count(params: Mapping[str, Any]) -> int:
    if params.get("failed"):
        rejected = CatalogueImage.objects.filter(state=CatalogueImage.State.REJECTED)
        poisoned = Outbox.objects.filter(state=Outbox.State.POISONED)
        entries = CatalogueEntry.objects.filter(pk__in=rejected.values("entry_id"))
        return len(set(entries.values_list(*NAME)) | set(poisoned.values_list(*NAME)))
    return sum(adapter.queryset().count() for adapter in _selected(params.get("source")).values())


def reconcile(params: Mapping[str, Any], cursor: Mapping[str, Any]) -> Iterator[Step]:
    """Queue what differs between the shop and our projection, bury what is orphaned, and work it off."""
    result = queue_differences()
    yield Step(message=Message("reconciling"), result=result)
    while conf.ENGINE != "celery" and drain_outbox(conf.BATCH_SIZE):
        yield Step(message=Message("changes_left", {"outbox": outbox.pending()}))
    if conf.ENGINE != "celery" and any(result.values()):
        yield Step(message=Message("looking_again"))
        count_drift()


def estimate_index(params: Mapping[str, Any]) -> dict[str, Any]:
    """Products, photos and seconds an index job would take, from photos of the shop measured right now."""
    products = _count(params)
    photos, rate = _measure(params.get("source"))
    per_product = _photos_per_product()
    images = round(products * per_product)
    seconds = images / rate if rate else 0.0
    measured = {"photos": photos, "rate": f"{rate:.0f}"}
    basis = Message("basis_measured_photos", measured) if photos else Message("basis_no_photos")
    return {"products": products, "images": images, "seconds": round(seconds, 1), "basis": basis}


def _photos_per_product() -> float:
    sample: list[int] = []
    for adapter in catalogues().values():
        sample += [len(_files(adapter, product)) for product in adapter.queryset().order_by("pk")[:50]]
    return sum(sample) / len(sample) if sample else 0.0


def _files(adapter: Catalogue, product: Any) -> list[FieldFile]:
    """A product's photos; none where the shop's own code fails on it: an estimate goes on without."""
    try:
        return adapter.image_files(product)
    except Exception as error:  # noqa: BLE001 - the shop's own code may raise anything
        metrics.log.warning("photos of %s are not in the estimate", adapter.ref(product), exc_info=error)
        return []


def _measure(source: str | None) -> tuple[int, float]:
    """Look at a few photos as indexing does, storing nothing: how many, and photos per second."""
    files = [
        file
        for adapter in _selected(source).values()
        for product in adapter.queryset().order_by("pk")[:SAMPLE_PHOTOS]
        for file in _files(adapter, product)
    ][:SAMPLE_PHOTOS]
    if not files:
        return 0, 0.0
    live = ensure_live()
    encoders = {live.row.backbone_digest: live.encoder}
    photos = [Photo(number, file) for number, file in enumerate(files)]
    list(describe_photos(photos[:1], encoders))  # the first call warms up the session
    start = time.perf_counter()
    list(describe_photos(photos, encoders))
    return len(files), len(files) / (time.perf_counter() - start)


def estimate_walk(params: Mapping[str, Any]) -> dict[str, Any]:
    """Seconds for a job that compares rows and encodes nothing."""
    products = sum(adapter.queryset().count() for adapter in catalogues().values())
    seconds = round(products / WALK_PRODUCTS_PER_SECOND, 1)
    return {"products": products, "images": 0, "seconds": seconds, "basis": Message("basis_rows_only")}


def reconcile_periodically() -> None:
    """Queue what differs between the shop and our tables; the drift is counted anew when it is worked off."""
    if any(queue_differences().values()):
        _queued.set()


def recount() -> None:
    """Count the drift anew, if this process has queued differences since the last count."""
    if _queued.is_set():
        _queued.clear()
        count_drift()


def follow_index() -> int:
    """Bring this host's index up to the database; rows applied."""
    try:
        return follow(encoder_releases.live())
    except TemporaryFailure as error:
        metrics.log.debug("nothing to follow: %s", error)
        return 0


def answer_query(payload: bytes) -> bytes:
    """Describe the photos of a web process whose encoder is a worker."""
    return answer_request(encoder_releases.live().encoder, payload)


jobs.register(
    "index_all",
    steps=index_all,
    estimate=estimate_index,
    words="Look at every product and index what changed",
    counted=True,
)
jobs.register(
    "reconcile",
    steps=reconcile,
    estimate=estimate_walk,
    words="Compare the shop with the index, queue the difference",
)
jobs.every("reconcile", seconds=lambda: conf.RECONCILE_SECONDS, run=reconcile_periodically)
jobs.every("follow_index", seconds=0, run=follow_index)
jobs.after("changes", recount)
jobs.work_off_changes(drain_outbox)
jobs.prepare_gpu_worker(encoder_releases.allow_torch)
jobs.answer("encode_query", answer_query)
if conf.ENGINE == "celery":
    encoder_releases.set_remote_sender(partial(ask, "encode_query"))
