"""Apply suggestions to the shop's products, and undo them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.utils import timezone

from .. import metrics
from ..catalogue.adapter import Catalogue, catalogue
from ..catalogue.models import CatalogueEntry
from ..messages import Message, error_message
from ..types import ProductRef
from .classifier_evaluation import LEAST_KNOWN
from .labels import first, now, standing
from .models import Decision, Prediction

State, Verb = Prediction.State, Decision.Verb
UNDO_AT_ONCE = 200  # decisions a step of an undo works on


@dataclass(slots=True)
class Outcome:
    """What became of some products: how many were changed, how many left as they are, and what went wrong."""

    changed: int = 0
    left: int = 0
    problems: dict[str, Message] = field(default_factory=dict)


def apply(rows: Iterable[Prediction], source: str, threshold: float, job: Any = None) -> Outcome:
    """Write suggestions that are sure enough to the shop's products, each in a transaction of its own.

    Only where the shop has no label yet, or still has the one an earlier job of ours wrote; never where a
    person has decided. Safe to repeat: what is applied already is left.

    Args:
        rows: as ``predict.write`` stored them.
        source: the catalogue.
        threshold: of the probability.
        job: that asked for it.
    """
    adapter, done = catalogue(source), Outcome()
    sure = [row for row in rows if is_sure(row, threshold) and row.state == State.SUGGESTED]
    keys = dict(
        CatalogueEntry.objects.filter(pk__in=[r.entry_id for r in sure]).values_list("pk", "object_id")
    )
    for row in sure:
        if row.entry_id not in keys:
            continue
        try:
            with metrics.timed("classify_apply"), transaction.atomic():
                changed = _apply_one(adapter, keys[row.entry_id], row, job)
        except Exception as error:  # noqa: BLE001 - the shop's own save may raise anything
            done.problems[str(ProductRef(source, keys[row.entry_id]))] = error_message(error)
            continue
        done.changed += changed
        done.left += not changed
    return done


def is_sure(row: Prediction, threshold: float) -> bool:
    """Probable enough, and probably one of the labels at all."""
    return row.probability >= threshold and row.known >= LEAST_KNOWN


def _apply_one(adapter: Catalogue, key: str, given: Prediction, job: Any) -> bool:
    """Look again under the lock, and write; whether the shop's product was changed."""
    row = Prediction.objects.select_for_update().get(entry_id=given.entry_id, target=given.target)
    people, ours = standing(adapter.source, row.target, [key])
    product = adapter.get(key)
    if row.state != State.SUGGESTED or row.label != given.label or people or product is None:
        return False
    labels, before_us = now(adapter, product, row.target), ours.get(key)
    if labels and (before_us is None or set(labels) != set(before_us.after or [before_us.label])):
        return False
    if before_us is not None and labels:
        adapter.restore_classification(product, row.target, before_us.before)
        product = adapter.get(key)
    before = adapter.apply_classification(product, row.target, row.label)
    written = now(adapter, adapter.get(key), row.target)
    Prediction.objects.filter(pk=row.pk).update(state=State.APPLIED, job=job, current=first(written))
    record(row, key, adapter.source, Verb.APPLY, before=before, after=written, written=True, job_id=job)
    return True


def record(row: Prediction, key: str, source: str, verb: str, *, user: Any = None, **values: Any) -> Decision:
    """One line of the audit, from a prediction as it stands.

    Args:
        row: the prediction. key: of its product.
        user: who decided; None for a job.
        values: columns of Decision; ``label`` and ``name`` are the suggestion's unless given.
    """
    known = {
        "label": row.label,
        "name": row.name,
        "suggested": row.label,
        "probability": row.probability,
        "release_id": row.release_id,
        "user": user,
        "user_name": user.get_username()[:150] if user is not None else "",
    }
    return Decision.objects.create(
        source=source, object_id=key, target=row.target, verb=verb, **{**known, **values}
    )


def is_ours(adapter: Catalogue, product: Any, decision: Decision) -> bool:
    """Does the shop's product still carry exactly what this decision wrote."""
    return decision.after is not None and set(now(adapter, product, decision.target)) == set(decision.after)


def why_not_undoable(job: Any) -> Message | None:
    """Why there is nothing of a job to undo; None where there is."""
    if waiting_to_be_undone(job).exists():
        return None
    undone = Decision.objects.filter(job_id=job, verb=Verb.APPLY).count()
    if undone:
        return Message("all_undone_or_decided", {"labels": undone})
    return Message("nothing_applied")


def waiting_to_be_undone(job: Any) -> Any:
    """What a job applied and nobody has undone, in the order it was done."""
    return Decision.objects.filter(job_id=job, verb=Verb.APPLY, undone_at=None).order_by("pk")


def undo_page(job: Any, after: int, undoing: Any = None) -> tuple[Outcome, int]:
    """Undo the next decisions of a job, each in a transaction of its own.

    The shop's value is put back where it is still what we wrote; where the shop or a person has changed it
    since, it is left alone, and ``problems`` says so.

    Args:
        job: whose decisions.
        after: key of the last decision looked at.
        undoing: the job that undoes.

    Returns:
        what became of them, and the key of the last one; the same key as given when none is left.
    """
    done = Outcome()
    found = list(waiting_to_be_undone(job).filter(pk__gt=after)[:UNDO_AT_ONCE])
    for decision in found:
        name = str(ProductRef(decision.source, decision.object_id))
        try:
            with transaction.atomic():
                why = _undo_one(decision, undoing)
        except Exception as error:  # noqa: BLE001 - as above
            why = error_message(error)
        if why is not None:
            done.problems[name] = why
            done.left += 1
        else:
            done.changed += 1
    return done, found[-1].pk if found else after


def _undo_one(decision: Decision, undoing: Any) -> Message | None:
    """Undo one applied suggestion; why not, or None."""
    adapter = catalogue(decision.source)
    row = _prediction(decision)
    people, _ = standing(decision.source, decision.target, [decision.object_id])
    if people:
        return Message("left_decided_since")
    fresh = Decision.objects.select_for_update().get(pk=decision.pk)
    if fresh.undone_at is not None:
        return Message("left_undone_already")
    product = adapter.get(decision.object_id)
    if product is None:
        return Message("left_product_gone")
    if not is_ours(adapter, product, decision):
        return Message("left_changed_since")
    adapter.restore_classification(product, decision.target, decision.before)
    take_back(decision)
    audit = audit_undo(decision, adapter, user=None, job=undoing)
    if row is not None:
        applied = Prediction.objects.filter(pk=row.pk, state=State.APPLIED)
        applied.update(state=State.SUGGESTED, current=first(audit.after or []))
    return None


def _prediction(decision: Decision) -> Prediction | None:
    """The product's prediction, locked; always before its decisions, so two writers cannot deadlock."""
    return (
        Prediction.objects.select_for_update()
        .filter(entry__source=decision.source, entry__object_id=decision.object_id, target=decision.target)
        .first()
    )


def take_back(decision: Decision) -> None:
    """Mark a decision as undone."""
    Decision.objects.filter(pk=decision.pk).update(undone_at=timezone.now())


def audit_undo(decision: Decision, adapter: Catalogue, *, user: Any, job: Any = None) -> Decision:
    """The audit's line of an undo."""
    product = adapter.get(decision.object_id)
    return Decision.objects.create(
        source=decision.source,
        object_id=decision.object_id,
        target=decision.target,
        verb=Verb.UNDO,
        label=decision.label,
        name=decision.name,
        suggested=decision.suggested,
        probability=decision.probability,
        after=now(adapter, product, decision.target) if product is not None else None,
        written=decision.written,
        release_id=decision.release_id,
        job_id=job,
        user=user,
        user_name=user.get_username()[:150] if user is not None else "",
    )
