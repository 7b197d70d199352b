"""Review decisions: accept, correct, reject, undo; each is an audit row and a label."""

from __future__ import annotations

from typing import Any

from django.db import models, transaction

from .. import signals
from ..catalogue.adapter import Catalogue, catalogue
from ..exceptions import InvalidRequest
from ..types import ProductRef
from .apply import audit_undo, is_ours, record, take_back
from .labels import BY_PEOPLE, first, now, standing
from .models import Decision, Prediction

MAX_AT_ONCE = 1000  # suggestions accepted, or products named one by one, in one request
SHOWN = 10  # labels in an error
State, Verb = Prediction.State, Decision.Verb
OPEN = (State.SUGGESTED, State.APPLIED)


def queue(source: str | None = None, target: str | None = None) -> models.QuerySet[Prediction]:
    """Suggestions that wait for a person, the ones most worth looking at first.

    Args:
        source, target: only of this catalogue, only of this; None for any.
    """
    rows = Prediction.objects.filter(state=State.SUGGESTED).select_related("entry", "release")
    if source:
        rows = rows.filter(entry__source=source)
    if target:
        rows = rows.filter(target=target)
    return rows.order_by("-value", "pk")


def accept(prediction: Prediction, user: Any) -> Decision:
    """The suggestion is right: the shop's product gets the label, if it has another.

    Raises:
        InvalidRequest: someone has decided meanwhile (``decided``), the product is gone (``gone``), or the shop
            has no such label any more (``unknown_label``).
    """
    return _decide(prediction, user, Verb.ACCEPT, State.ACCEPTED, prediction.label, prediction.name)


def correct(prediction: Prediction, user: Any, label: str) -> Decision:
    """It is another label: the shop's product gets that one.

    Raises:
        InvalidRequest: as ``accept``.
    """
    choices = catalogue(prediction.entry.source).choices(prediction.target)
    if label not in choices:
        some = ", ".join(f"{key} ({name})" for key, name in list(choices.items())[:SHOWN])
        raise InvalidRequest(
            "unknown_label_choose_one",
            code="unknown_label",
            label=label,
            target=prediction.target,
            count=len(choices),
            some=some,
        )
    if label == prediction.label:
        return accept(prediction, user)
    return _decide(prediction, user, Verb.CORRECT, State.CORRECTED, label, choices[label])


def reject(prediction: Prediction, user: Any) -> Decision:
    """The suggestion is wrong, and what is right is not said; what a job had applied of it is taken back.

    Raises:
        InvalidRequest: as ``accept``.
    """
    return _decide(prediction, user, Verb.REJECT, State.REJECTED, "", "")


def bulk_accept(rows: models.QuerySet[Prediction], user: Any) -> int:
    """Accept many suggestions, each in a transaction of its own; how many. Those decided meanwhile are left.

    Raises:
        InvalidRequest: more than ``MAX_AT_ONCE``.
    """
    found = list(rows.select_related("entry")[: MAX_AT_ONCE + 1])
    if len(found) > MAX_AT_ONCE:
        raise InvalidRequest("too_many_suggestions_at_once", max_at_once=MAX_AT_ONCE)
    count = 0
    for row in found:
        try:
            accept(row, user)
            count += 1
        except InvalidRequest:  # decided, gone, or without its label: none of them is accepted
            continue
    return count


def _decide(prediction: Prediction, user: Any, verb: str, state: str, label: str, name: str) -> Decision:
    """One decision: prediction, shop's product and audit change together or not at all."""
    source, key = prediction.entry.source, prediction.entry.object_id
    adapter = catalogue(source)
    with transaction.atomic():
        row = _locked(prediction, source, key, user)
        product = adapter.get(key)
        if product is None:
            raise InvalidRequest("product_gone_from_shop", code="gone", productref=ProductRef(source, key))
        values = _write(adapter, key, row, label)
        Prediction.objects.filter(pk=row.pk).update(state=state, current=first(values["after"]))
        if label:
            values |= {"label": label, "name": name}
        decision = record(row, key, source, verb, user=user, **values)
    _tell(decision)
    prediction.refresh_from_db()
    return decision


def _locked(prediction: Prediction, source: str, key: str, user: Any) -> Prediction:
    """The prediction under a lock, if it is still open.

    Raises:
        InvalidRequest: someone has decided, perhaps this person, or the suggestion has changed since it was looked at.
    """
    row = Prediction.objects.select_for_update().filter(pk=prediction.pk).first()
    if row is None:
        raise InvalidRequest("suggestion_gone", code="gone")
    people, _ = standing(source, row.target, [key])
    if row.state not in OPEN or people:
        raise _decided(row, people.get(key), user)
    if row.label != prediction.label:
        raise InvalidRequest("suggestion_changed", code="decided", name=prediction.name, name2=row.name)
    return row


def _decided(row: Prediction, decision: Decision | None, user: Any) -> InvalidRequest:
    if (
        decision is not None
        and decision.user_id is not None
        and decision.user_id == getattr(user, "pk", None)
    ):
        if decision.verb == Verb.REJECT:
            return InvalidRequest("you_rejected_already", code="decided", state=row.state)
        label = decision.name or decision.label
        return InvalidRequest("you_decided_already", code="decided", label=label, state=row.state)
    if decision is not None and decision.user_name:
        return InvalidRequest("decided_by", code="decided", user=decision.user_name, state=row.state)
    return InvalidRequest("decided_meanwhile", code="decided", state=row.state)


def _write(adapter: Catalogue, key: str, row: Prediction, label: str) -> dict[str, Any]:
    """Bring the shop's product to the label; what it carried before and after, for the audit.

    What a job had applied, and is another label, is taken back first, where it still stands.
    """
    product = adapter.get(key)
    _, ours = standing(adapter.source, row.target, [key])
    before, written, applied = None, False, ours.get(key)
    if applied is not None and applied.label != label and is_ours(adapter, product, applied):
        adapter.restore_classification(product, row.target, applied.before)
        before, written, product = applied.before, True, adapter.get(key)
        take_back(applied)
    if label and label not in now(adapter, product, row.target):
        found = adapter.apply_classification(product, row.target, label)
        before, written, product = (before if written else found), True, adapter.get(key)
    return {"before": before, "after": now(adapter, product, row.target), "written": written}


def undo(decision: Decision, user: Any) -> Prediction:
    """Take a person's decision back; the shop's product too, where it is still what the decision left.

    The suggestion waits for a person again. Where the shop has changed the product since, it stays as it is.

    Raises:
        InvalidRequest: it is no person's decision, it is undone already, or a later one stands (``decided``).
    """
    adapter, key = catalogue(decision.source), decision.object_id
    with transaction.atomic():
        row = (
            Prediction.objects.select_for_update()
            .filter(entry__source=decision.source, entry__object_id=key, target=decision.target)
            .first()
        )
        if row is None:
            raise InvalidRequest("product_left_catalogue", code="gone")
        _check_undoable(decision)
        product = adapter.get(key)
        if product is not None and decision.written and is_ours(adapter, product, decision):
            adapter.restore_classification(product, decision.target, decision.before)
        take_back(decision)
        audit = audit_undo(decision, adapter, user=user)
        current = first(audit.after or [])
        Prediction.objects.filter(pk=row.pk).update(state=State.SUGGESTED, current=current)
    row.refresh_from_db()
    return row


def _check_undoable(decision: Decision) -> None:
    if decision.verb not in BY_PEOPLE:
        raise InvalidRequest("only_own_decisions_undone")
    if Decision.objects.filter(pk=decision.pk).exclude(undone_at=None).exists():
        raise InvalidRequest("decision_already_undone", code="decided")
    people, _ = standing(decision.source, decision.target, [decision.object_id])
    if people.get(decision.object_id) != decision:
        raise InvalidRequest("later_decision_exists", code="decided")


def _tell(decision: Decision) -> None:
    ref = ProductRef(decision.source, decision.object_id)
    signals.prediction_reviewed.send_robust(Decision, product=ref, target=decision.target, decision=decision)
