"""Artefacts: trained files in the storage SHOPVISION['MODEL_STORAGE'], named by their digest, cached on each host."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from django.core.files.base import ContentFile
from django.core.files.storage import storages

from . import conf
from .exceptions import Misconfigured


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
    path = Path(conf.DATA_DIR) / Path(name).parent.name / digest
    try:
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() == digest:
            return data
    except FileNotFoundError:
        pass
    data = _from_storage(name, digest, what)
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
        raise Misconfigured(_damaged(name, what, "gone")) from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise Misconfigured(_damaged(name, what, "damaged"))
    return data


def _damaged(name: str, what: str, how: str) -> str:
    return (
        f"the file of {what}, {name} in the storage {conf.MODEL_STORAGE!r}, is {how}: restore it, roll back, or "
        "train anew"
    )
