"""Jobs and periodic work of classification: train, classify, undo, retrain."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from .. import conf, jobs
from ..catalogue.adapter import catalogue, catalogues
from ..catalogue.models import CatalogueImage
from ..classifiers import baselines
from ..exceptions import InvalidRequest, ShopvisionError, TemporaryFailure
from ..index.models import Descriptor, EncoderRelease
from ..indexing import encoder_releases
from ..messages import Message
from ..types import Step
from . import classifier_training, retraining
from .apply import apply, undo_page, waiting_to_be_undone, why_not_undoable
from .classifier_evaluation import ERRORS
from .classifier_releases import OpenRelease, live, open_live
from .classifier_training import training
from .inference import Opinion, opinion
from .models import ClassifierRelease, Decision
from .predict import Looked, Predicted, look, suggestions, threshold_of, write
from .selection import Page, Selection, selected

PRODUCTS_PER_SECOND = 2000.0  # with descriptors, labels and rows in SQLite; two busy cores
PHOTOS_PER_SECOND = 40.0  # described on two cores; shopvision_index measures it, an estimate need not
TRAIN_SECONDS_PER_PHOTO = 0.04  # heads, and other glances at photos that have none yet
BASELINE_SECONDS_PER_PHOTO = 0.14  # the small network from scratch, on the CPU
UNDO_PER_SECOND = 100.0


def pairs(params: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The catalogues and targets that params name; all of them where they name none.

    Raises:
        InvalidRequest: the catalogue has no such target.
        Misconfigured: there is no such catalogue.
    """
    source, target = params.get("source"), params.get("target")
    shops = [catalogue(source)] if source else [one for _, one in sorted(catalogues().items())]
    found = [(shop.source, name) for shop in shops for name in shop.targets() if target in (None, "", name)]
    if not found:
        there = "; ".join(f"{shop.source} has {', '.join(shop.targets()) or 'none'}" for shop in shops)
        raise InvalidRequest(
            "nothing_to_recognise",
            code="unknown_target",
            value=target or "category or attribute",
            value2=source or "any catalogue",
            value3=there or "no catalogue is registered",
        )
    return found


def train(params: Mapping[str, Any], cursor: Mapping[str, Any]) -> Iterator[Step]:
    """Train a classifier of each catalogue and target; one that cannot be trained does not stop the others.

    Args:
        params: ``source``, ``target``, ``kind``, ``seed``; all may be left out.
        cursor: ``trained``, pairs an earlier run finished.
    """
    todo, trained = pairs(params), [tuple(one) for one in cursor.get("trained", ())]
    yield Step(total=len(todo), message=Message("training"))
    for source, target in todo:
        if (source, target) in trained:
            continue
        name, errors, result = f"{source} {target}", {}, {}
        try:
            steps = training(source, target, kind=params.get("kind") or "auto", seed=params.get("seed") or 0)
            row = yield from Step.told(steps)
            result = {name: {"release": row.pk, "state": row.state, "reason": row.reason}}
        except TemporaryFailure:
            raise
        except ShopvisionError as error:
            if len(todo) == 1:
                raise
            errors = {name: error.message}
        trained.append((source, target))
        yield Step(
            done=1,
            failed=len(errors),
            errors=errors,
            result=result,
            cursor={"trained": trained},
            message=Message("training_ended", {"target": target, "source": source}),
        )


def estimate_train(params: Mapping[str, Any]) -> dict[str, Any]:
    """Photos and seconds a training would take."""
    todo = pairs(params)
    photos = sum(
        Descriptor.objects.filter(image__entry__source=source, backbone_digest__in=_live_backbone()).count()
        for source, _ in todo
    )
    seconds = 3 + photos * TRAIN_SECONDS_PER_PHOTO
    known = {"photos": photos, "ms": f"{1000 * TRAIN_SECONDS_PER_PHOTO:.0f}"}
    basis = Message("basis_described_photos", known)
    if photos and encoder_releases.torch_allowed() and not baselines.why_not():
        compared = min(photos, baselines.MOST_PHOTOS)
        seconds += compared * BASELINE_SECONDS_PER_PHOTO
        basis = Message("basis_described_photos_and_network", {**known, "compared": compared})
    return {"products": 0, "images": photos, "seconds": round(seconds, 1), "basis": basis}


def _live_backbone() -> list[str]:
    rows = EncoderRelease.objects.filter(state=EncoderRelease.State.LIVE)
    return list(rows.values_list("backbone_digest", flat=True))


def classify(params: Mapping[str, Any], cursor: Mapping[str, Any]) -> Iterator[Step]:
    """Suggest labels for the selected products, a page at a time; apply those sure enough, if asked.

    A page is written in one transaction, and doing it twice ends in the same rows: a worker that is killed
    loses nothing and doubles nothing. Products that people have decided of are passed over.

    Args:
        params: a selection, ``target``, ``acceptable_error`` (None: suggest only).
        cursor: where an earlier run stopped; ``job``: the job's key.
    """
    job = cursor.get("job")
    selection, release = selected(params, job), open_live(params["source"], _target(params))
    threshold, total = _threshold(params, release.row), dict(cursor.get("sums") or {})
    yield Step(total=selection.count(), message=Message("classifying_with_release", {"release": release.row}))
    for page, looked, judged in _ahead(selection, cursor, release):
        predicted = suggestions(looked, judged, release.row.target, release)
        yield _classified(predicted, page, release, threshold, job, total)


def _ahead(
    selection: Selection, cursor: Mapping[str, Any], release: OpenRelease
) -> Iterator[tuple[Page, Looked, Opinion]]:
    """Pages with what the classifier says: a thread judges the next one while the last one is written."""
    waiting: tuple[Page, Looked, Future[Opinion]] | None = None
    with ThreadPoolExecutor(1, thread_name_prefix="shopvision-judge") as pool:
        for page in selection.pages(cursor):
            looked = look(page.keys, release)
            judging = pool.submit(opinion, release.classifier, looked.material)
            if waiting is not None:
                yield waiting[0], waiting[1], waiting[2].result()
            waiting = page, looked, judging
        if waiting is not None:
            yield waiting[0], waiting[1], waiting[2].result()


def _classified(
    predicted: Predicted,
    page: Page,
    release: OpenRelease,
    threshold: float | None,
    job: Any,
    sums: dict[str, int],
) -> Step:
    source = release.row.source
    rows = write(predicted.rows, source, job)
    found = {"suggested": len(rows), "decided": len(predicted.rows) - len(rows)}
    problems = dict(predicted.problems)
    if threshold is not None:
        outcome = apply(rows, source, threshold, job)
        found["applied"] = outcome.changed
        problems |= outcome.problems
    for name, number in found.items():
        sums[name] = sums.get(name, 0) + number
    return Step(
        done=len(page.keys),
        failed=len(problems),
        errors=problems,
        cursor={**page.cursor, "sums": dict(sums)},
        result={**sums, "release": release.row.pk, "threshold": threshold},
        message=Message("classifying_with_release", {"release": release.row}),
    )


def _target(params: Mapping[str, Any]) -> str:
    target = params.get("target")
    if not isinstance(target, str) or target not in catalogue(params["source"]).targets():
        pairs({"source": params["source"], "target": target or "?"})
    return str(target)


def _threshold(params: Mapping[str, Any], row: ClassifierRelease) -> float | None:
    """From which sureness on suggestions are applied; None for suggestions only.

    Raises:
        InvalidRequest: no such choice, or the release cannot keep the error (``unreachable_error``).
    """
    error = params.get("acceptable_error")
    if error is None:
        return None
    if error not in ERRORS:
        raise InvalidRequest("acceptable_error_not_a_choice", names=", ".join(map(str, ERRORS)), error=error)
    threshold = threshold_of(row, error)
    if threshold is None:
        raise InvalidRequest(
            "error_rate_out_of_reach_on_unseen", code="unreachable_error", release=row, error=f"{error:.0%}"
        )
    return threshold


def estimate_classify(params: Mapping[str, Any]) -> dict[str, Any]:
    """Products, photos that must be described first, and seconds.

    Raises:
        InvalidRequest: the selection or the target is wrong, no classifier is live (``no_classifier``), or it
            cannot keep the error (``unreachable_error``).
    """
    selection = selected(params)
    target = _target(params)
    row = live(params["source"], target) or open_live(params["source"], target).row
    _threshold(params, row)
    products = selection.count()
    whole = selection.adapter.queryset().order_by().count()
    images = round(_undescribed(params["source"]) * min(1.0, products / whole if whole else 0.0))
    seconds = products / PRODUCTS_PER_SECOND + images / PHOTOS_PER_SECOND
    return {
        "products": products,
        "images": images,
        "seconds": round(seconds, 1),
        "basis": Message(
            "basis_describe_then_classify",
            {"photos": images, "rate": f"{PHOTOS_PER_SECOND:.0f}", "products": f"{PRODUCTS_PER_SECOND:.0f}"},
        ),
        "release": row.pk,
    }


def _undescribed(source: str) -> int:
    """Usable photos of a catalogue without a descriptor of the live encoder."""
    photos = CatalogueImage.objects.filter(entry__source=source).exclude(state=CatalogueImage.State.REJECTED)
    return photos.exclude(descriptors__backbone_digest__in=_live_backbone()).count()


def undo(params: Mapping[str, Any], cursor: Mapping[str, Any]) -> Iterator[Step]:
    """Give the shop back what a classify job changed, where it is still as we wrote it; the rest is told.

    Args:
        params: ``job``, key of the job to undo.
        cursor: ``after``, key of the last decision looked at.
    """
    job, after = params["job"], int(cursor.get("after") or 0)
    sums = dict(cursor.get("sums") or {"restored": 0, "left": 0})
    yield Step(
        total=Decision.objects.filter(job_id=job, verb=Decision.Verb.APPLY).count(),
        message=Message("undoing"),
    )
    while True:
        outcome, last = undo_page(job, after, cursor.get("job"))
        if last == after:
            return
        after = last
        sums = {
            "restored": sums["restored"] + outcome.changed,
            "left": sums["left"] + outcome.left,
        }
        yield Step(
            done=outcome.changed + outcome.left,
            failed=outcome.left,
            errors=outcome.problems,
            cursor={"after": after, "sums": sums},
            result=sums,
            message=Message("undoing"),
        )


def estimate_undo(params: Mapping[str, Any]) -> dict[str, Any]:
    """Decisions to undo, and seconds.

    Raises:
        InvalidRequest: there is no such classify job (``not_found``), or nothing of it can be undone now.
    """
    key = str(params.get("job"))
    try:
        job = jobs.Job.objects.filter(pk=key, kind="classify").first()
    except (ValueError, TypeError, ValidationError) as error:
        raise InvalidRequest("not_a_job_key", key=key) from error
    if job is None:
        raise InvalidRequest("classify_job_not_found", code="not_found", key=key)
    if job.state in jobs.ACTIVE:
        raise InvalidRequest("job_not_finished", code="conflict", key=key, state=job.state)
    if why := why_not_undoable(key):
        raise InvalidRequest("job_cannot_be_undone", code="nothing_to_undo", key=key, why=why)
    products = waiting_to_be_undone(key).count()
    return {
        "products": products,
        "images": 0,
        "seconds": round(products / UNDO_PER_SECOND, 1),
        "basis": Message("basis_shops_own_save"),
    }


def about_classify(params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a classify job works on and how careful it is, in words."""
    yield _("products"), selection_in_words(params)
    error = params.get("acceptable_error")
    careful = _("applied where at most %(error)s are wrong")
    yield _("mode"), careful % {"error": f"{float(error):.0%}"} if error else _("suggestions only")


def selection_in_words(params: Mapping[str, Any]) -> str:
    """Which products a classify job takes."""
    chosen = params.get("chosen")
    if params.get("refs") is not None:
        chosen = len(params["refs"])
    if chosen is None:
        return _("all")
    return ngettext("%(n)d product", "%(n)d products", chosen) % {"n": chosen}


def _targets() -> list[str]:
    return list(dict.fromkeys(name for one in catalogues().values() for name in one.targets()))


SOURCE = jobs.Param(str, choices=catalogues)
TARGET = jobs.Param(str, choices=_targets)
jobs.register(
    "train",
    steps=train,
    estimate=estimate_train,
    words="Train a classifier on the shop's own labels",
    queue="gpu",
    permission="shopvision.train_classifier",
    params={
        "source": SOURCE,
        "target": TARGET,
        "kind": jobs.Param(str, choices=lambda: ("auto", *classifier_training.KINDS)),
        "seed": jobs.Param(int, least=0, most=2**31 - 1),
    },
    release="classifierrelease",
)
jobs.register(
    "classify",
    steps=classify,
    estimate=estimate_classify,
    words="Suggest labels for products",
    queue="gpu",
    bare=False,
    counted=True,
    permission="shopvision.classify_products",
    params={
        "source": SOURCE,
        "target": TARGET,
        "acceptable_error": jobs.Param(float, permission="shopvision.apply_classifications"),
    },
    about=about_classify,
    release="classifierrelease",
    undone_by="undo",
)
jobs.register(
    "undo",
    steps=undo,
    estimate=estimate_undo,
    words="Undo what a classify job applied",
    bare=False,
    permission="shopvision.apply_classifications",
    params={"job": jobs.Param(uuid.UUID, required=True)},
)
jobs.every("retrain_classifiers", seconds=lambda: conf.RECONCILE_SECONDS, run=retraining.start_due)
