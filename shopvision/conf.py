"""Settings: default, validation and reason of every key of ``SHOPVISION``.

A shop sets them in one dict, ``SHOPVISION``, in its settings module. A key that is not listed here is an
error (``shopvision.E001``), with the nearest spelling. Read them as attributes: ``conf.BATCH_SIZE``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings as django_settings

from .exceptions import Misconfigured


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of ``SHOPVISION``.

    Args:
        default: used when the shop says nothing; a callable is called at read time.
        reason: why this default, and when to change it.
        valid: returns True for a value we can work with.
        rule: the same in words, for the error message.
        keys: settings of a dict's own keys; a shop names those it changes, the others keep their default.
    """

    default: Any
    reason: str
    valid: Callable[[Any], bool]
    rule: str
    keys: Mapping[str, Setting] = field(default_factory=dict)

    def value(self) -> Any:
        """The default, computed if it must be."""
        return self.default() if callable(self.default) else self.default

    def filled(self, given: Any) -> Any:
        """What a shop gave, with the defaults of the keys it left out."""
        default = self.value()
        return {**default, **given} if self.keys and isinstance(default, dict) else given


def _positive(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _count(value: Any) -> bool:
    return _whole(value) or (value == 0 and not isinstance(value, bool))


def _share(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1


def _rate(value: Any) -> bool:
    return isinstance(value, str) and bool(RATE.fullmatch(value))


def _names(value: Any) -> bool:
    return isinstance(value, (list, tuple, set, frozenset)) and all(isinstance(one, str) for one in value)


def _within(keys: Mapping[str, Setting]) -> Callable[[Any], bool]:
    return lambda value: (
        isinstance(value, dict) and all(name in keys and keys[name].valid(one) for name, one in value.items())
    )


def _one_of(*names: str) -> Callable[[Any], bool]:
    return lambda value: value in names


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _backend(value: Any) -> bool:
    return _text(value) or (_within(_BACKEND)(value) and "BACKEND" in value)


def _data_dir() -> Path:
    base = getattr(django_settings, "BASE_DIR", None) or Path.cwd()
    return Path(base) / "shopvision_data"


RATE = re.compile(r"[1-9]\d*/(s|sec|second|m|min|minute|h|hour|d|day)")
MOST_WINDOW = 1000  # products a page can wait for
POSITIVE = "a number above 0"
WHOLE = "a whole number above 0"
COUNT = "a whole number, 0 or more"
SHARE = "a number from 0 to 1"
A_RATE = "a DRF rate such as '60/min'"

_BACKEND = {
    "BACKEND": Setting("", "Dotted path, or a name that the setting knows.", _text, "a dotted path"),
    "OPTIONS": Setting(
        dict,
        "Keyword arguments of the backend.",
        lambda value: isinstance(value, dict) and all(isinstance(name, str) for name in value),
        "a dict with text keys",
    ),
}
A_BACKEND = "a dotted path, or {'BACKEND': path, 'OPTIONS': {...}}"
_RATES = {
    "search": Setting("60/min", "Photo searches: they cost an encoder's time.", _rate, A_RATE),
    "browse": Setting(
        "600/min",
        "Everything else (similar products, pages, re-ordering); events and staff count apart.",
        _rate,
        A_RATE,
    ),
}
_RANKING = {
    "ranker": Setting(
        "auto",
        "Who scores products: 'auto' (the live release of the ranker, before the first one a blend of what is "
        "known), or a callable that returns a Ranker: a dotted path, or {'BACKEND': path, 'OPTIONS': {...}}.",
        _backend,
        f"'auto', {A_BACKEND}",
        _BACKEND,
    ),
    "window": Setting(
        200,
        "Products at the head of a listing that are re-ordered; the rest keeps the shop's order.",
        lambda value: _whole(value) and value <= MOST_WINDOW,
        f"a whole number from 1 to {MOST_WINDOW}",
    ),
    "budget_ms": Setting(
        15.0, "Milliseconds a page may wait for us; then it gets the shop's own order.", _positive, POSITIVE
    ),
    "max_moved": Setting(0, "Most positions a product moves up or down; 0 sets no limit.", _count, COUNT),
    "diversity": Setting(
        0.1, "How much likeness to the products just above counts against a product.", _share, SHARE
    ),
    "explore": Setting(
        0.1,
        "Share of listings in which one place goes to a product that few have seen yet, so that the shop "
        "learns; the odds are logged.",
        _share,
        SHARE,
    ),
    "sold_out_last": Setting(
        True,
        "Products that cannot be bought now go behind the others of the window.",
        lambda value: isinstance(value, bool),
        "True or False",
    ),
    "sort_parameters": Setting(
        ("sort", "sort_by", "sortby", "order", "order_by", "orderby", "ordering", "o"),
        "Query parameters of the shop's pages by which a shopper chooses an order; with one of them set, "
        "that order stands.",
        _names,
        "a list of names",
    ),
    "own_order": Setting(
        ("default", "relevance", "relevancy", "recommended"),
        "Values of those parameters that leave the order to the shop.",
        _names,
        "a list of values",
    ),
    "refresh_hours": Setting(
        24,
        "Hours after which a worker looks anew at what goes with what, and what is popular, so that listings "
        "follow behaviour; 0 never does.",
        _count,
        COUNT,
    ),
    "train_days": Setting(
        7,
        "Days after which a worker trains a ranker anew from the events that may be used, and the encoder from "
        "photo searches, if there are enough; 0 leaves both to the commands and the admin.",
        _count,
        COUNT,
    ),
    "keep_seconds": Setting(
        1800, "How long the order of a listing stays as it is while its visitor pages on.", _whole, WHOLE
    ),
    "cache": Setting(
        "default",
        "Alias in Django's CACHES for what is kept between requests; with several web processes one that they "
        "share, such as Redis.",
        _text,
        "an alias of CACHES",
    ),
}

SETTINGS: dict[str, Setting] = {
    "DATA_DIR": Setting(
        _data_dir,
        "Folder for index snapshots and model files; derived data, safe to delete. One per host, not on NFS.",
        lambda value: isinstance(value, (str, Path)),
        "a path",
    ),
    "ENGINE": Setting(
        "thread",
        "Who does background work: 'thread' (a worker thread beside the web process, or the command "
        "shopvision_worker), 'celery', or 'immediate' (inside the request; for tests and scripts).",
        _one_of("thread", "celery", "immediate"),
        "'thread', 'celery' or 'immediate'",
    ),
    "ENCODER": Setting(
        "weights:efficientnet_lite0",
        "Backbone: 'weights:efficientnet_lite0' (no torch), 'timm:NAME', 'torchvision:NAME', "
        "'open_clip:MODEL/TAG' (torch extra), or a callable that returns an Encoder: a dotted path, or "
        "{'BACKEND': path, 'OPTIONS': {...}}.",
        _backend,
        f"a backbone's name, {A_BACKEND}",
        _BACKEND,
    ),
    "ENCODE_IN": Setting(
        "process",
        "Where query photos are encoded: 'process' (the web process, ONNX Runtime) or 'worker' (Celery's "
        "gpu queue, with a deadline and a fall-back to the process).",
        _one_of("process", "worker"),
        "'process' or 'worker'",
    ),
    "ENCODE_TIMEOUT_SECONDS": Setting(
        2.0, "How long a request waits for a worker to encode its photo.", _positive, POSITIVE
    ),
    "PRECISION": Setting(
        "auto",
        "'int8' (2.3x faster on CPUs with VNNI, 1.4x on others), 'fp32', or 'auto': int8 if it describes "
        "held-out photos of the shop nearly as fp32 does.",
        _one_of("auto", "int8", "fp32"),
        "'auto', 'int8' or 'fp32'",
    ),
    "DEVICE": Setting(
        "auto",
        "Device of torch encoders: 'auto' (CUDA if there is one), 'cpu', 'cuda', 'cuda:1'.",
        _text,
        "a torch device name or 'auto'",
    ),
    "INFERENCE_THREADS": Setting(
        2, "Threads of one ONNX session; 1 where many web processes share few cores.", _whole, WHOLE
    ),
    "EMBEDDING_DIM": Setting(
        256, "Dimensions of an embedding; 256 lost nothing against 512 on the benchmark sets.", _whole, WHOLE
    ),
    "INDEX": Setting(
        "shopvision.index.flat.FlatIndex",
        "The vector index: a dotted path, or {'BACKEND': path, 'OPTIONS': {...}}.",
        _backend,
        A_BACKEND,
        _BACKEND,
    ),
    "MAX_UPLOAD_BYTES": Setting(
        12 * 2**20, "Largest photo accepted; a 12-megapixel phone photo is 3-6 MB.", _whole, WHOLE
    ),
    "MAX_IMAGE_PIXELS": Setting(
        40_000_000, "Most pixels a header may announce; guards memory against bombs.", _whole, WHOLE
    ),
    "MIN_IMAGE_SIDE_PIXELS": Setting(
        16, "Shortest side accepted; less shows nothing to compare.", _whole, WHOLE
    ),
    "IMAGE_FORMATS": Setting(
        ("JPEG", "PNG", "WEBP", "AVIF"),
        "Allowed formats by Pillow's name; AVIF is dropped when Pillow was built without it.",
        lambda value: bool(value) and set(value) <= {"JPEG", "PNG", "WEBP", "AVIF"},
        "some of JPEG, PNG, WEBP, AVIF",
    ),
    "BATCH_SIZE": Setting(32, "Images a worker encodes together.", _whole, WHOLE),
    "LEASE_SECONDS": Setting(
        120, "How long a worker may hold claimed work before another takes it over.", _whole, WHOLE
    ),
    "MAX_ATTEMPTS": Setting(
        3,
        "Tries before an image or a change is set aside, with its reason shown in the admin.",
        _whole,
        WHOLE,
    ),
    "POLL_SECONDS": Setting(
        1.0,
        "How often a worker looks for work that nobody woke it for, and readers look for news.",
        _positive,
        POSITIVE,
    ),
    "RECONCILE_SECONDS": Setting(
        300,
        "How often a worker compares the shop's tables with ours, to catch what sent no signal.",
        _positive,
        POSITIVE,
    ),
    "SEARCH_MAX_RESULTS": Setting(
        100, "Most products one search can page through; every search looks them all up.", _whole, WHOLE
    ),
    "SEARCH_TTL_SECONDS": Setting(
        3600, "How long further pages of a search can be asked for; then its row is purged.", _whole, WHOLE
    ),
    "RATES": Setting(
        {name: one.default for name, one in _RATES.items()},
        "Requests per visitor.",
        _within(_RATES),
        "a dict of the keys below",
        _RATES,
    ),
    "SEARCH_MAX_IN_FLIGHT": Setting(
        8, "Photo searches one process works on at once; more get 503 queue_full.", _whole, WHOLE
    ),
    "RANKING": Setting(
        {name: one.default for name, one in _RANKING.items()},
        "How listings are re-ordered for a visitor.",
        _within(_RANKING),
        "a dict of the keys below",
        _RANKING,
    ),
    "PRIVACY_MODE": Setting(
        "session",
        "What may be remembered of a visitor: 'off' (nothing), 'session' (the last products, in the visitor's "
        "own Django session, and sums that name nobody) or 'consent' (event rows under a pseudonym, for the "
        "purposes the visitor agreed to).",
        _one_of("off", "session", "consent"),
        "'off', 'session' or 'consent'",
    ),
    "PSEUDONYM_ROTATION_DAYS": Setting(
        30,
        "Days after which a visitor's rows are written under a new pseudonym; only the visitor's own cookie "
        "links the old one to the new one.",
        _whole,
        WHOLE,
    ),
    "RETENTION_DAYS": Setting(
        dict,
        "Days rows are kept, by table, where the table's own default (docs/how-to/privacy.md) does not suit: "
        "{'events': 30}.",
        lambda value: (
            isinstance(value, dict)
            and all(isinstance(name, str) and _whole(days) for name, days in value.items())
        ),
        "a dict of table names and whole numbers above 0",
    ),
    "MODEL_STORAGE": Setting(
        "default",
        "Alias in Django's STORAGES where trained classifiers are kept; every worker must reach it, so on "
        "several hosts not a local folder.",
        _text,
        "an alias of STORAGES",
    ),
    "RETRAIN_AFTER": Setting(
        {"decisions": 200, "days": 0},
        "Train a classifier anew when people have decided so many of its suggestions since the last training, "
        "or so many days after it; 0, or left out, never does.",
        lambda value: (
            isinstance(value, dict)
            and set(value) <= {"decisions", "days"}
            and all(map(_count, value.values()))
        ),
        "a dict of decisions and days, whole numbers, 0 or more",
    ),
    "QUEUES": Setting(
        {"cpu": "shopvision-cpu", "gpu": "shopvision-gpu"},
        "Celery queue names.",
        lambda value: isinstance(value, dict) and set(value) == {"cpu", "gpu"},
        "a dict with the keys cpu and gpu",
    ),
}


def _given() -> dict[str, Any]:
    given = getattr(django_settings, "SHOPVISION", {})
    if not isinstance(given, dict):
        raise Misconfigured("settings_must_be_dict", name=type(given).__name__)
    return given


@dataclass(frozen=True, slots=True)
class Backend:
    """A pluggable part as configured: its dotted path or name, and keyword arguments."""

    path: str
    options: Mapping[str, Any] = field(default_factory=dict)


def backend(value: Any) -> Backend:
    """A setting's value, a text or ``{"BACKEND", "OPTIONS"}``, as a ``Backend``."""
    if isinstance(value, str):
        return Backend(value)
    return Backend(value["BACKEND"], value.get("OPTIONS", {}))


def problems() -> list[tuple[str, str]]:
    """What is wrong with the shop's ``SHOPVISION``, as (check id, message) pairs; empty when all is well."""
    return list(_problems(_given(), SETTINGS, "SHOPVISION"))


def _problems(given: dict[str, Any], known: Mapping[str, Setting], path: str) -> Iterator[tuple[str, str]]:
    for key, value in given.items():
        name = f"{path}[{key!r}]"
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.5)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            yield "shopvision.E001", f"{name} is not a setting{hint}"
        elif known[key].keys and isinstance(value, dict):
            yield from _problems(value, known[key].keys, name)
        elif not known[key].valid(value):
            yield "shopvision.E002", f"{name} is {value!r}; it takes {known[key].rule}"


def __getattr__(name: str) -> Any:
    """The value of a setting: the shop's if given, else the default.

    Raises:
        Misconfigured: the shop's value breaks the setting's rule.
    """
    if name not in SETTINGS:
        raise AttributeError(f"shopvision has no setting {name!r}")
    setting = SETTINGS[name]
    given = _given()
    if name not in given:
        return setting.value()
    if not setting.valid(given[name]):
        problems = "; ".join(text for _, text in _problems({name: given[name]}, SETTINGS, "SHOPVISION"))
        raise Misconfigured("settings_wrong", problems=problems)
    return setting.filled(given[name])
