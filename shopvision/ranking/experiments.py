"""A/B experiments of rankers: assignment, counters and anytime-valid results."""

from __future__ import annotations

import atexit
import hashlib
import hmac
import math
import threading
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.conf import settings
from django.db import DatabaseError, IntegrityError, router, transaction
from django.db.models import F, Sum
from django.utils import timezone

from .. import conf, metrics
from ..events.bot_filter import plain_request, why_not
from ..events.models import Kind
from ..events.record import on_acts
from ..events.session_history import Visit
from ..exceptions import InvalidRequest
from ..privacy.consent import may_record, subject_of
from ..threads import Background
from . import serving
from .models import Experiment, ExperimentCount, RankerRelease
from .serving import Serving

ALPHA = 0.05
TAU = 0.02  # standard deviation of the differences expected; other values stay valid and are only wider
LEAST_SEEN, LEAST_DONE = (
    100,
    10,
)  # of each arm, and of those who did and did not; below, a rate is no normal one


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference of two rates, with an interval that is valid at every time at once.

    Args:
        value: ours less theirs.
        low, high: nan while there is too little to say.
        chance: always-valid p-value that there is no difference; 1 while there is too little.
    """

    value: float
    low: float
    high: float
    chance: float

    @property
    def sure(self) -> bool:
        """The interval leaves nought out."""
        return self.low > 0 or self.high < 0


def difference(
    ours: tuple[int, int], theirs: tuple[int, int], *, alpha: float = ALPHA, tau: float = TAU
) -> Difference:
    """Difference of two rates by a mixture sequential probability ratio test.

    With ``d = x/n - y/m`` and ``V = p(1-p)/n + q(1-q)/m`` the ratio against a true difference ``t``, mixed over
    a normal prior of deviation ``tau``, is

        L(t) = sqrt(V / (V + tau^2)) * exp(tau^2 (d - t)^2 / (2 V (V + tau^2))),

    and, whatever the true one is, it ever exceeds ``1 / alpha`` with probability at most ``alpha``. So at all
    times at once the interval is ``d +- sqrt(V (V + tau^2) / tau^2 * (2 ln(1/alpha) + ln((V + tau^2) / V)))``,
    and the p-value is ``min(1, 1 / L(0))``. Rates are taken to be normal, which ``LEAST_SEEN`` and
    ``LEAST_DONE`` see to.

    Args:
        ours, theirs: how many did it, of how many.
        alpha: share of experiments without a difference in which the interval may ever leave it out.

    Source: Johari, Koomen, Pekelis & Walsh, "Always valid inference: continuous monitoring of A/B tests",
    Operations Research 2022; Robbins, "Statistical methods related to the law of the iterated logarithm", 1970.
    """
    (x, n), (y, m) = ours, theirs
    nothing = float("nan")
    if not n or not m:
        return Difference(nothing, nothing, nothing, 1.0)
    p, q = x / n, y / m
    d = p - q
    few = min(n, m) < LEAST_SEEN or min(x, y, n - x, m - y) < LEAST_DONE
    if few:
        return Difference(d, nothing, nothing, 1.0)
    v, t2 = p * (1 - p) / n + q * (1 - q) / m, tau**2
    half = math.sqrt(v * (v + t2) / t2 * (2 * math.log(1 / alpha) + math.log((v + t2) / v)))
    ratio = math.log(v / (v + t2)) / 2 + t2 * d**2 / (2 * v * (v + t2))
    return Difference(d, d - half, d + half, math.exp(min(0.0, -ratio)))


LINGER_SECONDS = 1.0
MOST_CELLS = 1000  # waiting; an experiment has a dozen a day
Cell = tuple[int, date, str, str]
_waiting: Counter[Cell] = Counter()
_lock = threading.Lock()


def add(experiment: int, arm: str, outcome: str) -> None:
    """One visitor more; never waits for the database (engine ``immediate`` does)."""
    cell = (experiment, timezone.now().date(), arm, outcome)
    with _lock:
        if cell in _waiting or len(_waiting) < MOST_CELLS:
            _waiting[cell] += 1
        else:
            metrics.count("experiment_dropped")
    if conf.ENGINE == "immediate":
        write()
    else:
        thread.poke()


def write() -> bool:
    """Write what waits; False when the database would not take it, and it waits on."""
    with _lock:
        taken = dict(_waiting)
        _waiting.clear()
    try:
        with transaction.atomic(using=router.db_for_write(ExperimentCount)):
            for (experiment, day, arm, outcome), more in taken.items():
                row, _ = ExperimentCount.objects.get_or_create(
                    experiment_id=experiment, day=day, arm=arm, outcome=outcome
                )
                ExperimentCount.objects.filter(pk=row.pk).update(count=F("count") + more)
    except DatabaseError as error:
        metrics.count("experiment_write_failed")
        metrics.log.warning("counts of an experiment wait for the database: %s", error)
        with _lock:
            _waiting.update(taken)
        return False
    return True


def _work(stop: threading.Event, news: threading.Event) -> None:
    while not stop.is_set():
        news.wait()
        news.clear()
        stop.wait(LINGER_SECONDS)
        while _waiting and not write() and not stop.is_set():
            stop.wait(LINGER_SECONDS)


def _end() -> None:
    if thread.started:
        thread.end()
    if _waiting:
        write()


thread = Background("shopvision-tally", _work)
atexit.register(_end)

OWN, LIVE, CANDIDATE = "own", "live", "candidate"
ARMS = (OWN, LIVE, CANDIDATE)
SEEN = "seen"
OUTCOMES = (Kind.CLICK.value, Kind.BASKET_ADD.value, Kind.PURCHASE.value)
State = Experiment.State


@dataclass(frozen=True, slots=True)
class Arm:
    """What a visitor is shown.

    Args:
        name: of ``ARMS``; "" outside any experiment.
        experiment: its key.
        ranks_with: None for the shop's own order.
    """

    name: str = ""
    experiment: int = 0
    ranks_with: Serving | None = None

    @property
    def crowd(self) -> str:
        """Owner of orders that all visitors of an arm without a taste share; "" outside any experiment."""
        return f"arm {self.experiment} {self.name}" if self.name else ""


def arm_of(request: Any) -> Arm:
    """The arm of a request's visitor; it stays the same while the session, or the visitor's consent, lasts.

    Nobody is in an experiment who may not be counted, is a bot, or has no session.
    """
    plain = plain_request(request)
    known = serving.kept()
    running = known.experiment
    if running is None or not _counted(plain):
        return Arm(ranks_with=serving.current())
    name = divided(running, _token(plain))
    if name == CANDIDATE and known.candidate is None:  # it cannot be opened here
        return Arm(ranks_with=serving.current())
    ranks = {OWN: None, LIVE: serving.current(), CANDIDATE: known.candidate}
    return Arm(name, running.pk, ranks[name])


def divided(experiment: Experiment, token: str) -> str:
    """The arm that an HMAC of a visitor's token falls into; as even as chance, and another one in each experiment."""
    key = f"shopvision.experiment.{experiment.salt}.{settings.SECRET_KEY}".encode()
    drawn = hmac.new(key, token.encode(), hashlib.sha256).digest()
    share = int.from_bytes(drawn[:8], "big") / 2**64
    if share < experiment.holdout:
        return OWN
    return CANDIDATE if share < experiment.holdout + experiment.candidate_share else LIVE


def shown(request: Any, arm: Arm) -> None:
    """Count the visitor in, once; never raises."""
    if not arm.name:
        return
    try:
        if Visit(plain_request(request)).reached(_mark(arm.experiment, SEEN)):
            add(arm.experiment, arm.name, SEEN)
    except Exception:  # noqa: BLE001 - the shop's page never breaks because of us
        metrics.count("experiment_failed")
        metrics.log.exception("a visitor could not be counted into an experiment")


def connect() -> None:
    """Have ``record_events`` report acts to the running experiment."""
    if did not in on_acts:
        on_acts.append(did)


def did(request: Any, kinds: Collection[str]) -> None:
    """Count what a visitor who has seen a listing of their arm did, each kind once. Heard of by ``record_events``."""
    running = serving.kept().experiment
    outcomes = [kind for kind in OUTCOMES if kind in kinds]
    if running is None or not outcomes or not _counted(request):
        return
    visit = Visit(request)
    if not visit.has_reached(_mark(running.pk, SEEN)):
        return
    arm = divided(running, _token(request))
    for outcome in outcomes:
        if visit.reached(_mark(running.pk, outcome)):
            add(running.pk, arm, outcome)


def _counted(request: Any) -> bool:
    if getattr(request, "session", None) is None or why_not(request):
        return False
    return may_record(request).counts


def _token(request: Any) -> str:
    """What a visitor is divided by: of the consent or the user when the session began, else random; kept there."""
    subject = subject_of(request)
    named = subject.visitor or subject.user_id
    first = hashlib.sha256(f"{settings.SECRET_KEY} {named}".encode()).hexdigest()[:16] if named else ""
    return Visit(request).token(first)


def _mark(experiment: int, what: str) -> str:
    return f"{experiment}{what[0]}"


def start(
    name: str,
    *,
    holdout: float,
    candidate: RankerRelease | None = None,
    candidate_share: float = 0.0,
    user: Any = None,
) -> Experiment:
    """Begin an experiment; processes notice within seconds.

    Raises:
        InvalidRequest: one runs already (``conflict``), or the shares leave an arm empty.
    """
    if not 0 < holdout < 1 or candidate_share < 0 or holdout + candidate_share >= 1:
        raise InvalidRequest("holdout_share_invalid")
    if (candidate is None) != (candidate_share == 0):
        raise InvalidRequest("candidate_share_invalid")
    owner = user if getattr(user, "is_authenticated", False) else None
    try:
        with transaction.atomic():
            row = Experiment.objects.create(
                name=name[:100],
                holdout=holdout,
                candidate=candidate,
                candidate_share=candidate_share,
                created_by=owner,
            )
    except IntegrityError as error:
        raise InvalidRequest("experiment_running", code="conflict") from error
    metrics.event("experiment_started", experiment=row.pk, holdout=holdout, candidate=str(candidate or ""))
    return row


def stop(row: Experiment) -> Experiment:
    """End an experiment; its counts stay. One that has ended is left as it is."""
    if Experiment.objects.filter(pk=row.pk, state=State.RUNNING).update(
        state=State.STOPPED, stopped_at=timezone.now()
    ):
        metrics.event("experiment_stopped", experiment=row.pk)
    row.refresh_from_db()
    return row


@dataclass(frozen=True, slots=True)
class Result:
    """One outcome of an experiment.

    Args:
        done: visitors who did it, by arm. seen: visitors, by arm.
        differences: live against own, candidate against own, candidate against live, as far as there are any.
    """

    outcome: str
    done: Mapping[str, int]
    seen: Mapping[str, int]
    differences: Mapping[tuple[str, str], Difference]


PAIRS = ((LIVE, OWN), (CANDIDATE, OWN), (CANDIDATE, LIVE))


def results(row: Experiment, until: date | None = None) -> list[Result]:
    """What came of it, outcome by outcome.

    Args:
        until: last day that counts; all if not given.
    """
    counts = row.counts.order_by()
    if until is not None:
        counts = counts.filter(day__lte=until)
    sums = {(arm, what): n for arm, what, n in counts.values_list("arm", "outcome").annotate(n=Sum("count"))}
    seen = {arm: sums.get((arm, SEEN), 0) for arm in ARMS}
    return [_result(outcome, sums, seen) for outcome in OUTCOMES]


def _result(outcome: str, sums: Mapping[tuple[str, str], int], seen: Mapping[str, int]) -> Result:
    # somebody in the tally of another second may be counted as having done before being counted as seen
    done = {arm: min(sums.get((arm, outcome), 0), seen[arm]) for arm in ARMS}
    pairs: Sequence[tuple[str, str]] = [pair for pair in PAIRS if all(seen[arm] for arm in pair)]
    found = {(a, b): difference((done[a], seen[a]), (done[b], seen[b])) for a, b in pairs}
    return Result(outcome, done, seen, found)


def days(row: Experiment) -> list[date]:
    """Days on which somebody was counted, in order."""
    return sorted(set(ExperimentCount.objects.filter(experiment=row).values_list("day", flat=True)))
