"""Record consent decisions: agree, refuse, change, withdraw."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import replace

from django.db import router, transaction
from django.http import HttpRequest
from django.utils import timezone

from .. import conf, metrics, signals
from ..exceptions import InvalidRequest
from ..types import Subject
from . import pseudonyms
from .consent import PURPOSES, Choice, choice_of, recorded_choice, refusal_signal, remember_choice, subject_of
from .erasure import Receipt, erase, forget_visit
from .models import ConsentRecord

KEY_BYTES = 16


def decide(request: HttpRequest, purposes: Iterable[str], *, source: str) -> tuple[Choice, Receipt | None]:
    """Put a decision on record; what holds from now on, and a receipt if something was erased.

    Withdrawing everything erases what was kept: afterwards nobody could tell any more whose it was. A
    browser that sends Global Privacy Control or Do Not Track refuses, whatever ``purposes`` says.

    Args:
        purposes: agreed to; all others are refused.
        source: where it was decided, for the record.

    Raises:
        InvalidRequest: a name that is no purpose; taken for a refusal, a slip of the pen would erase everything.
    """
    agreed = frozenset(purposes)
    if unknown := sorted(agreed - set(PURPOSES)):
        raise InvalidRequest("unknown_purpose", value=", ".join(unknown)[:100], names=", ".join(PURPOSES))
    signal = refusal_signal(request)
    wanted = frozenset() if signal or conf.PRIVACY_MODE == "off" else agreed
    before = choice_of(request)
    subject = subject_of(request)
    if conf.PRIVACY_MODE != "consent":
        choice = Choice(wanted & {"personalisation"}, True, signal)
        remember_choice(request, choice)
        if not choice.purposes:
            forget_visit(request)
        return choice, None
    now = timezone.now()
    standing = before.purposes and before.since
    choice = Choice(
        wanted,
        True,
        signal,
        (before.key or secrets.token_hex(KEY_BYTES)) if wanted else "",
        (before.since if standing else now) if wanted else None,
    )
    receipt = _record(request, subject, before, choice, source)
    remember_choice(request, choice)
    return choice, receipt


def forget(request: HttpRequest, *, source: str) -> tuple[Choice, Receipt]:
    """Erase all that is kept of the visitor and withdraw every consent; what holds now, and the receipt."""
    subject = subject_of(request)
    if conf.PRIVACY_MODE != "consent":
        receipt = erase(subject, source="visitor", request=request)
        return decide(request, (), source=source)[0], receipt
    choice, withdrawn = decide(request, (), source=source)
    return choice, withdrawn or erase(subject, source="visitor", request=request)


def _record(
    request: HttpRequest, subject: Subject, before: Choice, choice: Choice, source: str
) -> Receipt | None:
    had = before.purposes or bool(before.key) or bool(recorded_choice(replace(subject, visitor="")).purposes)
    if not had and not choice.purposes:
        return None  # a first refusal leaves no trace
    named = replace(subject, visitor=choice.key or before.key)
    name = pseudonyms.pseudonym(named)
    written = [
        ConsentRecord.objects.create(
            subject=one, purposes=sorted(choice.purposes), source=source, signal=choice.signal
        ).pk
        for one in {name, pseudonyms.pseudonym(Subject(visitor=named.visitor))} - {""}
    ]
    metrics.count("consent_given" if choice.purposes else "consent_withdrawn")
    signals.consent_changed.send_robust(
        Choice,
        subject=name if choice.purposes else "",
        before=set(before.purposes),
        after=set(choice.purposes),
    )
    if choice.purposes:
        if "personalisation" not in choice.purposes:
            forget_visit(request)
        return None
    with transaction.atomic(using=router.db_for_write(ConsentRecord)):
        # its name stays on the withdrawal should the erasure fail; the receipt counts what was kept before it
        ConsentRecord.objects.filter(pk__in=written).update(subject="")
        return erase(named, source="withdrawal", request=request)
