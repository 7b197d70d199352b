"""Content-addressed storage of trained files, and the shared columns of releases."""

from __future__ import annotations

import hashlib
import platform
import tempfile
from collections.abc import Callable, Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.db import models, transaction
from django.db.models import QuerySet
from django.utils import timezone

from .. import conf, metrics, signals
from ..exceptions import Misconfigured
from ..messages import MessageEncoder, MessageField


def store(folder: str, data: bytes) -> tuple[str, str]:
    """Keep bytes in the configured storage; their name there, and their digest.

    Bytes that are there already, and whole, are not written again.

    Args:
        folder: in the storage, such as ``shopvision/rankers``.
    """
    digest = hashlib.sha256(data).hexdigest()
    storage, name = storages[conf.MODEL_STORAGE], f"{folder}/{digest}.safetensors"
    if storage.exists(name):
        with storage.open(name) as file:
            if hashlib.sha256(file.read()).hexdigest() == digest:
                return name, digest
    return str(storage.save(name, ContentFile(data))), digest


def read(name: str, digest: str, what: str) -> bytes:
    """Bytes of a digest, from this host's cache if they are whole, else from the storage.

    Args:
        name: in the storage. what: the model, for the message.

    Raises:
        Misconfigured: the storage's copy is damaged or gone.
    """
    return cached(Path(name).parent.name, digest, lambda: _from_storage(name, digest, what))


def cached(folder: str, digest: str, fetch: Callable[[], bytes]) -> bytes:
    """Bytes of a digest from this host's cache if they are whole, else fetched and kept there.

    Args:
        folder: of DATA_DIR.
        fetch: gets them from where they are kept; raises where they are damaged or gone.
    """
    path = Path(conf.DATA_DIR) / folder / digest
    try:
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() == digest:
            return data
    except FileNotFoundError:
        pass
    data = fetch()
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(data)
    Path(file.name).replace(path)
    return data


def forget(name: str, digest: str) -> None:
    """Delete a file from the storage and from this host's cache; one that is gone already is fine."""
    (Path(conf.DATA_DIR) / Path(name).parent.name / digest).unlink(missing_ok=True)
    storages[conf.MODEL_STORAGE].delete(name)


def _from_storage(name: str, digest: str, what: str) -> bytes:
    try:
        with storages[conf.MODEL_STORAGE].open(name) as file:
            data = bytes(file.read())
    except FileNotFoundError as error:
        raise Misconfigured("model_file_gone", name=what, file=name, storage=conf.MODEL_STORAGE) from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise Misconfigured("model_file_altered", name=what, file=name, storage=conf.MODEL_STORAGE)
    return data


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Of python and those of the packages that are installed."""
    found = {"python": platform.python_version()}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


class Stored(models.Model):
    """A row whose file is an artefact."""

    artefact = models.CharField(max_length=200, help_text="name in the storage SHOPVISION['MODEL_STORAGE']")
    digest = models.CharField(max_length=64, help_text="sha256 of the artefact's bytes")

    class Meta:
        abstract = True


class Trained(Stored):
    """A release: made by a training, judged by a gate, perhaps live. It has a ``state`` and the ``previous`` one."""

    reason = MessageField(help_text="why its gate promoted or refused it")
    seed = models.PositiveIntegerField(default=0)
    versions = models.JSONField(default=dict, blank=True, help_text="of the packages that trained it")
    metrics = models.JSONField(
        default=dict, blank=True, encoder=MessageEncoder, help_text="everything its evaluation measured"
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    activated_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True
        ordering = ["-id"]


def go_live(row: Any, among: QuerySet[Any], name: str, user: Any = None, *, back: bool = False) -> Any:
    """Make a release the live one, atomically, and tell the listeners; the one before is kept as its ``previous``.

    Args:
        row: to go live. among: the releases of which one is live at a time.
        name: of the release, for the log. user: who decided; None for a job or a command.
        back: it comes back and keeps its own ``previous``: going back twice leads two releases back, not to and
            fro.

    Returns:
        the row as it is now; the row that was live already, if it is this one.
    """
    with transaction.atomic():
        rows = among.select_for_update()
        previous = rows.filter(state="live").first()
        if previous is not None and previous.pk == row.pk:
            return previous
        if previous is not None:
            rows.filter(pk=previous.pk).update(state="retired")
        kept = {} if back else {"previous": previous}
        rows.filter(pk=row.pk).update(state="live", activated_at=timezone.now(), **kept)
    row.refresh_from_db()
    who = user.get_username() if getattr(user, "is_authenticated", False) else "a job or a command"
    metrics.event("release_activated", release=name, previous=str(previous or ""), by=who)
    signals.release_activated.send_robust(type(row), release=row, previous=previous)
    return row
