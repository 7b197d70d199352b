"""Registration of jobs, periodic work and worker hooks, by the package that does the work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from .. import metrics
from ..exceptions import InvalidRequest
from ..types import Step

Steps = Callable[[Mapping[str, Any], Mapping[str, Any]], Iterator[Step]]
Estimate = Callable[[Mapping[str, Any]], dict[str, Any]]
ROOT = Path(__file__).resolve().parents[1]  # the package shopvision
QUEUES = ("cpu", "gpu")


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter of a job, as a person or a program may give it.

    Args:
        type: ``str``, ``int``, ``float``, ``bool`` or ``uuid.UUID``.
        required: it must be given.
        choices: values allowed; asked anew each time.
        least, most: of a number.
        permission: what it takes to give this parameter, beside the job's own permission.
    """

    type: type
    required: bool = False
    choices: Callable[[], Iterable[str]] | None = None
    least: int | None = None
    most: int | None = None
    permission: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of job: what it runs, what it costs, and who may start it.

    Args:
        name: stored with each job.
        steps: ``(params, cursor) -> Iterator[Step]``. The cursor is that of the last step, with ``resumed``
            (its worker died) and ``job`` (the job's key) beside it.
        estimate: ``(params) -> {products, images, seconds, basis}``; raises ``InvalidRequest`` where the job
            cannot be started.
        words: what it does, for a person; translated where it is shown.
        queue: ``cpu``, or ``gpu`` for what runs a network; with Celery a worker of that queue runs it.
        bare: can be started without params, from the list of jobs.
        counted: its steps count products; the others only say what they are doing.
        permission: needed to start it; who started one may look at it, cancel and resume it.
        params: what a person may give it, by name.
        about: ``(params) -> rows of (name, value)``, in words, for the job's page.
        release: model of the releases its result names, as in ``rankerrelease``.
        undone_by: the kind that undoes it, which takes ``job``, a key.
    """

    name: str
    steps: Steps
    estimate: Estimate
    words: str
    queue: str = "cpu"
    bare: bool = True
    counted: bool = False
    permission: str = "shopvision.change_job"
    params: Mapping[str, Param] = field(default_factory=dict)
    about: Callable[[Mapping[str, Any]], Iterable[tuple[str, str]]] | None = None
    release: str = ""
    undone_by: str = ""


@dataclass(frozen=True, slots=True)
class Periodic:
    """Work that nobody asks for.

    Args:
        name: in the log, and for one process of all to do it.
        seconds: between two times; 0 for each round of a worker.
        run: does it.
    """

    name: str
    seconds: Callable[[], float]
    run: Callable[[], object]


KINDS: dict[str, Kind] = {}
PERIODIC: dict[str, Periodic] = {}
AFTER: dict[str, dict[str, Callable[[], object]]] = {}
ANSWERS: dict[str, Callable[[bytes], bytes]] = {}
_preparations: list[Callable[[], None]] = []


def register(name: str, *, steps: Steps, estimate: Estimate, words: str, **more: Any) -> Kind:
    """Add a kind of job; the other arguments are those of ``Kind``."""
    kind = Kind(name, steps, estimate, words, **more)
    if kind.queue not in QUEUES:
        raise ValueError(f"job {name!r} has queue {kind.queue!r}; one of {', '.join(QUEUES)}")
    KINDS[name] = kind
    return kind


def every(name: str, *, seconds: float | Callable[[], float], run: Callable[[], object]) -> None:
    """Add periodic work, done by one process of all; a function of seconds is asked anew each time."""
    PERIODIC[name] = Periodic(name, seconds if callable(seconds) else lambda: seconds, run)


def after(done: str, run: Callable[[], object]) -> None:
    """Have something done in the process that has just done something else.

    Args:
        done: ``changes`` (a worker has emptied the outbox), ``jobs`` (a worker has run jobs), or the kind of
            a job that ended well.
        run: does it.
    """
    AFTER.setdefault(done, {})[f"{run.__module__}.{run.__qualname__}"] = run


def answer(name: str, run: Callable[[bytes], bytes]) -> None:
    """Let workers of the gpu queue answer a question, which ``broker.ask`` puts to them."""
    ANSWERS[name] = run


def _drain_nothing(most: int | None = None) -> int:
    """Nobody has registered what works off the outbox."""
    return 0


drain: Callable[..., int] = _drain_nothing
"""Works off at most so many changes, all that are due by default; how many."""


def work_off_changes(run: Callable[..., int]) -> None:
    """Name what works off the outbox: ``(most) -> changes worked off``."""
    global drain
    drain = run


def prepare_gpu_worker(run: Callable[[], None]) -> None:
    """Have something called before a task of the gpu queue."""
    _preparations.append(run)


def prepare() -> None:
    """Call what is to be called before a task of the gpu queue."""
    for one in _preparations:
        one()


def kind_of(name: str) -> Kind:
    """A registered kind.

    Raises:
        InvalidRequest: no such kind.
    """
    if name not in KINDS:
        raise InvalidRequest("unknown_job_kind", code="unknown_job", name=name, names=", ".join(KINDS))
    return KINDS[name]


def run_after(done: str) -> None:
    """Do what follows this."""
    for name, run in list(AFTER.get(done, {}).items()):
        attempt(name, run)


def attempt(name: str, run: Callable[[], object]) -> None:
    """Do periodic work; a failure is logged and counted, and it is done again when it is due again."""
    try:
        run()
    except Exception:  # noqa: BLE001 - other work goes on, whatever one piece raises
        metrics.count("periodic_failed")
        metrics.log.exception("the periodic work %s failed; it is done again when it is due", name)


def autodiscover() -> None:
    """Import the module ``jobs`` of each package of shopvision that has one; it registers its work."""
    for path in sorted(ROOT.glob("*/jobs.py")):
        import_module(f"shopvision.{path.parent.name}.jobs")
