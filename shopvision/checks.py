"""Django system checks."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.checks import CheckMessage, Error, Warning, register
from django.db import connections, router
from django.utils.module_loading import import_string
from PIL import features

from . import conf
from .catalogue.adapter import catalogues
from .catalogue.models import Outbox
from .exceptions import Misconfigured
from .privacy import registry

VISIBILITY_SECONDS = (60, 3600)  # shorter runs tasks twice, longer leaves a dead worker's message lying


@register("shopvision")
def check_settings(**_: Any) -> list[CheckMessage]:
    """E001, E002: keys and values of SHOPVISION."""
    try:
        found = conf.problems()
    except Misconfigured as error:
        return [Error(str(error), hint="SHOPVISION = {...} in your settings module.", id="shopvision.E002")]
    return [
        Error(words, hint="docs/reference/settings.md lists every key.", id=number) for number, words in found
    ]


@register("shopvision")
def check_data_dir(**_: Any) -> list[CheckMessage]:
    """E003: DATA_DIR can be written, or made."""
    if conf.problems():
        return []
    path = Path(conf.DATA_DIR)
    there = next(parent for parent in (path, *path.parents) if parent.exists())
    if there.is_dir() and os.access(there, os.W_OK):
        return []
    return [
        Error(
            f"SHOPVISION['DATA_DIR'] {path} cannot be written: {there} is "
            f"{'not writable by this user' if there.is_dir() else 'not a folder'}",
            hint="Name a folder on a local disk that the web and worker processes may write.",
            id="shopvision.E003",
        )
    ]


@register("shopvision")
def check_adapters(**_: Any) -> list[CheckMessage]:
    """W001: nothing registered; E004: a name of an adapter leads nowhere."""
    if not catalogues():
        return [
            Warning(
                "no product model is registered with shopvision",
                hint="python manage.py shopvision_init writes shopvision_catalogue.py for you.",
                id="shopvision.W001",
            )
        ]
    return [
        Error(
            words, hint="A field, a path across relations, or a method of the product.", id="shopvision.E004"
        )
        for shop in catalogues().values()
        for words in shop.problems()
    ]


@register("shopvision")
def check_encoder(**_: Any) -> list[CheckMessage]:
    """E005: the chosen encoder needs a package that is not installed."""
    if conf.problems():
        return []
    encoder = conf.backend(conf.ENCODER).path
    family = encoder.partition(":")[0]
    needed = {"timm": "timm", "torchvision": "torchvision", "open_clip": "open_clip"}.get(family)
    if needed is None or importlib.util.find_spec(needed):
        return []
    return [
        Error(
            f"SHOPVISION['ENCODER'] {encoder!r} needs the package {needed}",
            hint="pip install 'shopvision[torch]'" + (" open_clip_torch" if family == "open_clip" else ""),
            id="shopvision.E005",
        )
    ]


@register("shopvision")
def check_privacy(**_: Any) -> list[CheckMessage]:
    """E007: a table of ours says nothing about personal data; E008: RETENTION_DAYS names no table."""
    found: list[CheckMessage] = [
        Error(
            f"{label} says nothing about personal data",
            hint='Above the model: @holds_personal_data(...) or @holds_no_person("why"), of privacy.registry.',
            id="shopvision.E007",
        )
        for label in registry.silent_models()
    ]
    known = {name for name, store in registry.stores().items() if store.default_days is not None}
    if not conf.problems() and (strange := set(conf.RETENTION_DAYS) - known):
        found.append(
            Error(
                f"SHOPVISION['RETENTION_DAYS'] names {', '.join(sorted(strange))}, which is not kept",
                hint=f"It takes {', '.join(sorted(known))}.",
                id="shopvision.E008",
            )
        )
    return found


@register("shopvision")
def check_sessions(**_: Any) -> list[CheckMessage]:
    """W005: interest is to be remembered in sessions, and the shop has none."""
    if conf.problems() or conf.PRIVACY_MODE == "off":
        return []
    if any("SessionMiddleware" in name for name in settings.MIDDLEWARE):
        return []
    return [
        Warning(
            f"SHOPVISION['PRIVACY_MODE'] is {conf.PRIVACY_MODE!r} and there is no session middleware",
            hint="Add django.contrib.sessions.middleware.SessionMiddleware, or set PRIVACY_MODE to 'off'.",
            id="shopvision.W005",
        )
    ]


@register("shopvision")
def check_ranking(**_: Any) -> list[CheckMessage]:
    """E009: RANKING names a cache that is not there; E010: or a ranker that cannot be imported."""
    if conf.problems():
        return []
    found: list[CheckMessage] = []
    if conf.RANKING["cache"] not in settings.CACHES:
        found.append(
            Error(
                f"SHOPVISION['RANKING']['cache'] is {conf.RANKING['cache']!r}, which CACHES does not have",
                hint=f"It takes {', '.join(settings.CACHES)}.",
                id="shopvision.E009",
            )
        )
    path = conf.backend(conf.RANKING["ranker"]).path
    try:
        import_string(path) if path != "auto" else None
    except ImportError as error:
        found.append(
            Error(
                f"SHOPVISION['RANKING']['ranker'] {path!r} cannot be imported: {error}",
                hint="'auto', or the dotted path of a callable that returns a Ranker.",
                id="shopvision.E010",
            )
        )
    return found


@register("shopvision")
def check_celery(**_: Any) -> list[CheckMessage]:
    """E006: ENGINE is celery without a broker; W002: its visibility timeout."""
    if conf.problems() or conf.ENGINE != "celery":
        return []
    broker = getattr(settings, "CELERY_BROKER_URL", "") or os.environ.get("CELERY_BROKER_URL", "")
    if not broker:
        return [
            Error(
                "SHOPVISION['ENGINE'] is 'celery' and CELERY_BROKER_URL is not set",
                hint="Set it, or use ENGINE 'thread'. Nothing is lost meanwhile: changes wait in the outbox.",
                id="shopvision.E006",
            )
        ]
    options = getattr(settings, "CELERY_BROKER_TRANSPORT_OPTIONS", {})
    seconds = options.get("visibility_timeout", VISIBILITY_SECONDS[1])
    if not broker.startswith("redis") or VISIBILITY_SECONDS[0] <= seconds < VISIBILITY_SECONDS[1]:
        return []
    return [
        Warning(
            f"the broker's visibility_timeout is {seconds} s",
            hint="CELERY_BROKER_TRANSPORT_OPTIONS = {'visibility_timeout': 900, 'unacked_restore_interval': 10, "
            "'unacked_restore_throttle': 1}; docs/operations.md says why.",
            id="shopvision.W002",
        )
    ]


@register("shopvision")
def check_sqlite(**_: Any) -> list[CheckMessage]:
    """W003: SQLite in deferred mode answers "database is locked" where it could wait."""
    connection = connections[router.db_for_write(Outbox)]
    options = connection.settings_dict.get("OPTIONS", {})
    if connection.vendor != "sqlite" or str(options.get("transaction_mode", "")).upper() == "IMMEDIATE":
        return []
    return [
        Warning(
            "SQLite runs in its default transaction mode: a worker and a visitor can lock each other out",
            hint="DATABASES[...]['OPTIONS'] = {'transaction_mode': 'IMMEDIATE', 'timeout': 20, "
            "'init_command': 'PRAGMA journal_mode=WAL;'}",
            id="shopvision.W003",
        )
    ]


@register("shopvision")
def check_databases(**_: Any) -> list[CheckMessage]:
    """E011: rows of ours point at users, which another database holds."""
    ours, theirs = router.db_for_write(Outbox), router.db_for_write(get_user_model())
    if ours == theirs:
        return []
    return [
        Error(
            f"shopvision's tables are in the database {ours!r} and the users in {theirs!r}",
            hint="DATABASE_ROUTERS: send the app shopvision where the user model is. Products may be elsewhere.",
            id="shopvision.E011",
        )
    ]


@register("shopvision")
def check_formats(**_: Any) -> list[CheckMessage]:
    """W004: a format the shop names and this Pillow cannot read (AVIF is the default's and dropped quietly)."""
    if conf.problems() or "IMAGE_FORMATS" not in getattr(settings, "SHOPVISION", {}):
        return []
    return list(_missing_formats())


def _missing_formats() -> Iterator[CheckMessage]:
    for name, feature in (("WEBP", "webp"), ("AVIF", "avif")):
        if name in conf.IMAGE_FORMATS and not features.check(feature):
            yield Warning(
                f"SHOPVISION['IMAGE_FORMATS'] names {name}, which this Pillow was built without",
                hint="Install Pillow's own wheel, or leave the format out.",
                id="shopvision.W004",
            )
