"""Classifier releases: open, live, promote, roll back, status."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Count
from django.utils import timezone

from ..classifiers.base import Classifier, classifier_from_bytes
from ..exceptions import InvalidRequest, Misconfigured, TemporaryFailure
from ..indexing import encoder_releases as encoders
from ..releases import storage
from .models import ClassifierRelease, Decision, Prediction

FOLDER = "shopvision/classifiers"  # in the storage; names are digests, so a file never changes
KEPT_OPEN = 8  # classifiers a process holds: every target of a shop, and the ones before
State = ClassifierRelease.State
_lock = threading.Lock()
_open: dict[str, Classifier] = {}


@dataclass(frozen=True, slots=True)
class OpenRelease:
    """A release ready to predict: its row, and the classifier."""

    row: ClassifierRelease
    classifier: Classifier

    @property
    def names(self) -> dict[str, str]:
        """Labels' names by id."""
        return {one["id"]: one["name"] for one in self.row.labels}


def live(source: str, target: str) -> ClassifierRelease | None:
    """The release that classifies, or None while there is none."""
    rows = ClassifierRelease.objects.filter(source=source, target=target, state=State.LIVE)
    return rows.defer("held_out").first()


def open_live(source: str, target: str) -> OpenRelease:
    """The live release, opened.

    Raises:
        InvalidRequest: there is none (``no_classifier``).
        TemporaryFailure: it belongs to an encoder that is no longer live.
    """
    row = live(source, target)
    if row is None:
        raise InvalidRequest(
            "no_live_classifier_train_first", code="no_classifier", target=target, source=source
        )
    return open_release(row)


def open_release(row: ClassifierRelease) -> OpenRelease:
    """Open a release of any state; a process keeps the last few open.

    Raises:
        TemporaryFailure: it reads descriptors of another encoder than the live one.
        Misconfigured: its file is damaged, gone, or needs an extra that is not installed.
    """
    if is_stale(row):
        raise TemporaryFailure(
            "classifier_encoder_outdated",
            code="warming",
            retry_after_seconds=60,
            release=row,
            source=row.source,
            value=row.backbone_digest[:12],
        )
    with _lock:
        found = _open.pop(row.digest, None)
    if found is None:
        found = _read(row)
    with _lock:
        _open[row.digest] = found
        for digest in list(_open)[:-KEPT_OPEN]:
            _open.pop(digest)
    return OpenRelease(row, found)


def is_stale(row: ClassifierRelease) -> bool:
    """Does it read descriptors of an encoder that is no longer live."""
    return bool(row.backbone_digest) and row.backbone_digest != encoders.live().row.backbone_digest


def reset() -> None:
    """Forget what this process has open (tests)."""
    with _lock:
        _open.clear()


def _read(row: ClassifierRelease) -> Classifier:
    data = artefact(row)
    try:
        return classifier_from_bytes(data)
    except (ValueError, ImportError) as error:
        raise Misconfigured(
            "classifier_cannot_be_opened", release=row, source=row.source, error=error
        ) from error


def store(data: bytes) -> tuple[str, str]:
    """Keep a classifier's bytes; their name in the storage, and their digest."""
    return storage.store(FOLDER, data)


def artefact(row: ClassifierRelease) -> bytes:
    """A classifier's bytes.

    Raises:
        Misconfigured: the storage's copy is damaged or gone.
    """
    return storage.read(row.artefact, row.digest, f"classifier {row}")


def promote(row: ClassifierRelease, user: Any = None, *, back: bool = False) -> ClassifierRelease:
    """Make a release the live one of its target, atomically; the one before is kept for ``rollback``.

    It is opened first, so that no prediction meets a damaged one.

    Args:
        back: as ``artefacts.go_live`` takes it.

    Raises:
        ShopvisionError: it cannot be opened.
    """
    open_release(row)
    among = ClassifierRelease.objects.filter(source=row.source, target=row.target)
    live_now: ClassifierRelease = storage.go_live(row, among, f"{row.source} {row}", user, back=back)
    return live_now


def rollback(source: str, target: str, user: Any = None) -> ClassifierRelease:
    """Bring back the release before the live one; the release now live.

    Raises:
        InvalidRequest: there is none (``no_previous``).
        TemporaryFailure: it belongs to an encoder that is no longer live.
    """
    row = live(source, target)
    if row is None:
        raise InvalidRequest("no_classifier_to_roll_back", code="no_previous", target=target, source=source)
    if row.previous is None:
        raise InvalidRequest(
            "no_earlier_classifier", code="no_previous", target=target, source=source, release=row
        )
    return promote(row.previous, user, back=True)


WEEK_DAYS = 7
BY_A_PERSON = (Decision.Verb.ACCEPT, Decision.Verb.CORRECT, Decision.Verb.REJECT)
SHOWN = ("accuracy", "macro_f1", "calibration_error")


def overview() -> dict[str, Any]:
    """Suggestions that wait, what people decided this week and how often they agreed, and what is live.

    ``agreement`` is the share of decided suggestions that were accepted as they stood; None when nobody
    decided anything.
    """
    since = timezone.now() - timedelta(days=WEEK_DAYS)
    rows = Decision.objects.filter(created_at__gte=since, undone_at=None)
    verbs = dict(rows.order_by().values_list("verb").annotate(n=Count("id")))
    decided = sum(verbs.get(verb, 0) for verb in BY_A_PERSON)
    return {
        "waiting": Prediction.objects.filter(state=Prediction.State.SUGGESTED).count(),
        "decided_week": decided,
        "applied_week": verbs.get(Decision.Verb.APPLY, 0),
        "agreement": verbs.get(Decision.Verb.ACCEPT, 0) / decided if decided else None,
        "live": [_release(row) for row in ClassifierRelease.objects.filter(state="live").order_by("target")],
    }


def _release(row: ClassifierRelease) -> dict[str, Any]:
    measured = {name: row.metrics.get(name) for name in SHOWN}
    return {
        "id": row.pk,
        "name": str(row),
        "source": row.source,
        "target": row.target,
        "kind": row.kind,
        "labels": len(row.labels),
        **measured,
    }
