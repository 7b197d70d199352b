"""Transactional outbox of catalogue changes: record, claim with a lease, finish, retry."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from django.db import connections, models, router, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from .. import conf, metrics
from ..messages import Message
from ..types import ProductRef
from .models import Outbox

BACK_OFF_SECONDS = 5.0  # doubled per attempt: 5, 10, 20
MAX_ERROR_CHARACTERS = 2000


def _nobody() -> None:
    """No engine is connected; the next poll or reconcile finds the change."""


on_commit_wake: Callable[[], None] = _nobody
"""Called after the commit that recorded a change; ``jobs.engine`` puts its wake-up here."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Changes one worker holds until ``leased_until``; several rows of one product are one change.

    Args:
        token: of the lease.
        changes: the products, oldest change first.
        attempts: how often each was tried before.
    """

    token: str
    changes: list[ProductRef]
    attempts: dict[ProductRef, int]


def record_change(source: str, object_id: str) -> None:
    """Say that a product changed, appeared or went, inside the caller's transaction.

    Rolled back with it; a worker is woken once it commits.
    """
    record_changes([ProductRef(source, object_id)])


def record_changes(refs: Iterable[ProductRef], *, changed_in: str = "") -> None:
    """The same for many products in one statement.

    Args:
        refs: the products.
        changed_in: the database whose transaction changes them. Where it is not the outbox's own, no
            transaction spans both: the change is recorded once that one has committed, for a worker that
            read the products before would find them as they were.
    """
    named, using = list(refs), router.db_for_write(Outbox)
    if changed_in in ("", using):
        _write(named, using)
    else:
        # within a savepoint of its own, where a transaction of the outbox's database is under way too
        write = transaction.atomic(using=using)(_write)
        transaction.on_commit(partial(write, named, using), using=changed_in, robust=True)


def _write(refs: list[ProductRef], using: str) -> None:
    now = timezone.now()
    rows = [
        Outbox(source=ref.source, object_id=ref.object_id, created_at=now, available_at=now) for ref in refs
    ]
    if rows:
        Outbox.objects.using(using).bulk_create(rows)
        transaction.on_commit(_wake, using=using, robust=True)


def _wake() -> None:
    on_commit_wake()


def claim(limit: int) -> Claim:
    """Take up to ``limit`` products whose changes wait, under a lease of LEASE_SECONDS.

    Two workers never hold the same row: rows are locked and skipped where the database can, elsewhere one
    conditional UPDATE takes them. A lease that ran out is free to be taken. A change that was tried before
    is claimed alone: if it is the one that kills workers, it takes no other with it, and after MAX_ATTEMPTS
    it is set aside.
    """
    token, now = str(uuid.uuid4()), timezone.now()
    using = router.db_for_write(Outbox)
    with transaction.atomic(using=using):
        free = _free(now).using(using).order_by("available_at", "id")
        if connections[using].features.has_select_for_update_skip_locked:
            free = free.select_for_update(skip_locked=True)
        keys = _alone_if_tried(list(free.values_list("id", "attempts")[: limit * 2]))
        taken = (Outbox.objects.using(using).filter(id__in=keys) & _free(now).using(using)).update(
            lease=token,
            leased_until=now + timedelta(seconds=conf.LEASE_SECONDS),
            attempts=F("attempts") + 1,
        )
    if not taken:
        return Claim(token, [], {})
    return _coalesce(token, limit)


def _alone_if_tried(rows: list[tuple[int, int]]) -> list[int]:
    """Keys to take of (key, attempts): the untried ones, or the first alone if it was tried."""
    spent = [key for key, attempts in rows if attempts >= conf.MAX_ATTEMPTS]
    if spent:
        why = Message("workers_died_on_change", {"attempts": conf.MAX_ATTEMPTS})
        found = Outbox.objects.filter(pk__in=spent)
        found.update(state=Outbox.State.POISONED, last_error=why, lease="", leased_until=None)
        metrics.event("changes_set_aside", count=len(spent), reason=str(why))
    left = [(key, attempts) for key, attempts in rows if attempts < conf.MAX_ATTEMPTS]
    if left and left[0][1]:
        return [left[0][0]]
    return [key for key, attempts in left if not attempts]


def _free(now: datetime) -> models.QuerySet[Outbox]:
    return Outbox.objects.filter(
        Q(lease="") | Q(leased_until__lt=now), state=Outbox.State.WAITING, available_at__lte=now
    )


def _coalesce(token: str, limit: int) -> Claim:
    """One change per product; rows beyond ``limit`` products go back at once."""
    attempts: dict[ProductRef, int] = {}
    surplus: list[int] = []
    for row in Outbox.objects.filter(lease=token).order_by("id"):
        ref = ProductRef(row.source, row.object_id)
        if ref not in attempts and len(attempts) >= limit:
            surplus.append(row.pk)
        else:
            attempts[ref] = max(attempts.get(ref, 0), row.attempts - 1)
    if surplus:
        held = Outbox.objects.filter(pk__in=surplus, lease=token)
        held.update(lease="", leased_until=None, attempts=F("attempts") - 1)
    return Claim(token, list(attempts), attempts)


def finish(claim: Claim) -> None:
    """Remove what is still held under the claim: it is done; so is what was set aside of the same products.

    A change recorded after the claim is a row of its own and stays; a row whose lease ran out and was taken
    by another worker is that worker's.
    """
    held = Outbox.objects.filter(lease=claim.token)
    done = list(held.values_list("source", "object_id").distinct())
    held.delete()
    sources, keys = {source for source, _ in done}, {key for _, key in done}
    aside = Outbox.objects.filter(state=Outbox.State.POISONED, source__in=sources, object_id__in=keys)
    mended = [pk for pk, *pair in aside.values_list("pk", "source", "object_id") if tuple(pair) in set(done)]
    if mended:
        Outbox.objects.filter(pk__in=mended).delete()


def release(claim: Claim, refs: Iterable[ProductRef], error: Message, *, counts: bool = True) -> None:
    """Give products back to be tried again later; set aside those that failed MAX_ATTEMPTS times.

    Args:
        claim: under which they are held.
        refs: products of the claim.
        error: why, for the admin.
        counts: False when nobody is to blame (the encoder is down): the attempt is not counted.
    """
    now = timezone.now()
    for ref in refs:
        held = Outbox.objects.filter(lease=claim.token, source=ref.source, object_id=ref.object_id)
        free = {"lease": "", "leased_until": None, "last_error": error}
        tried = claim.attempts.get(ref, 0) + 1
        if not counts:
            later = now + timedelta(seconds=BACK_OFF_SECONDS)
            held.update(**free, attempts=F("attempts") - 1, available_at=later)
        elif tried >= conf.MAX_ATTEMPTS:
            held.update(**free, state=Outbox.State.POISONED)
            metrics.event("change_set_aside", product=str(ref), attempts=tried)
        else:
            later = now + timedelta(seconds=BACK_OFF_SECONDS * 2 ** (tried - 1))
            held.update(**free, available_at=later)


def retry(changes: QuerySet[Outbox]) -> int:
    """Make changes that wait or were set aside claimable at once; how many."""
    number = changes.update(
        state=Outbox.State.WAITING, attempts=0, lease="", leased_until=None, available_at=timezone.now()
    )
    if number:
        transaction.on_commit(_wake, robust=True)
    return number


def pending() -> int:
    """Changes that wait or are held now; those set aside do not count."""
    return Outbox.objects.filter(state=Outbox.State.WAITING).count()
