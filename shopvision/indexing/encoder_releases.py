"""Encoder releases in this process: open, cache, switch, activate."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.db import connections, transaction
from django.utils.module_loading import import_string

from .. import conf, metrics
from ..encoders.backbones import graph_for
from ..encoders.base import Encoder, check_blocks
from ..encoders.onnx import OnnxEncoder
from ..encoders.projection import Projection, generic
from ..encoders.remote import RemoteEncoder
from ..exceptions import Misconfigured, ShopvisionError, TemporaryFailure
from ..index.base import VectorIndex
from ..index.models import Artefact, EncoderRelease
from ..releases import storage
from .change_feed import follow
from .photos import sample_photos

State = EncoderRelease.State
TORCH_ENCODER = "shopvision.encoders.torch.TorchEncoder"  # by its path: torch stays out of the web process
QUANTISE = "shopvision.encoders.quantise"  # by its path: onnx, 17 MB, stays out of it too
CUDA_DRIVER = Path("/proc/driver/nvidia/version")  # there is a CUDA device, said without importing torch
FIDELITY_PHOTOS = 16  # held out of the calibration, to see what rounding does to them
LEAST_FIDELITY = 0.9  # 0.98 costs half a point of recall@1; 0.77, the kernels' overflow, cost several
KEPT_OPEN = 3  # live, the one being built beside it, the one before
_lock = threading.RLock()
_open: dict[str, LiveRelease] = {}
_sender: Callable[[bytes, float], bytes] | None = None


@dataclass(frozen=True, eq=False)
class LiveRelease:
    """A release ready for use: its row, encoder, projection and index."""

    row: EncoderRelease
    encoder: Encoder
    projection: Projection
    index: VectorIndex
    place: str = ""

    @cached_property
    def query_encoder(self) -> Encoder:
        """Encodes query photos: here, or in a worker with this process as the fall-back."""
        if conf.ENCODE_IN == "worker" and _sender is not None:
            return RemoteEncoder(
                self.encoder.spec, _sender, timeout_s=conf.ENCODE_TIMEOUT_SECONDS, fallback=self.encoder
            )
        return self.encoder


@dataclass(slots=True)
class _Seen:
    """What this process last knew of the live release, and whether it may load torch."""

    pk: int = 0
    checked: float = float("-inf")
    following: bool = False
    opening: bool = False
    torch: bool = False


_seen = _Seen()


def set_remote_sender(send: Callable[[bytes, float], bytes] | None) -> None:
    """Say how a request reaches a worker's encoder: ``send(payload, timeout_s) -> answer``."""
    global _sender
    _sender = send


def live() -> LiveRelease:
    """The live release, opened once a process; a switch is noticed within POLL_SECONDS.

    Raises:
        TemporaryFailure: the shop has none yet (``warming``).
    """
    fresh = time.monotonic() - _seen.checked < conf.POLL_SECONDS
    if fresh:
        for one in list(_open.values()):
            if one.row.pk == _seen.pk:
                return one
    with _lock:
        row = EncoderRelease.objects.filter(state=State.LIVE).defer("metrics").first()
        if row is None:
            raise TemporaryFailure("nothing_indexed_yet", code="warming", retry_after_seconds=10)
        found = open_release(row)
        _seen.pk, _seen.checked = row.pk, time.monotonic()
    _keep_up(found, row.sequence)
    return found


def answering() -> LiveRelease:
    """The live release, if this host's index holds anything of it yet.

    Raises:
        TemporaryFailure: as ``live``; or the index is being filled for the first time (``warming``), and would
            call everything unknown meanwhile.
    """
    found = live()
    if not found.index.sequence():  # the row in memory may be older than the index that was lost
        newest = EncoderRelease.objects.values_list("sequence", flat=True).filter(pk=found.row.pk).first()
        _keep_up(found, newest or 0)
        if newest and not found.index.sequence():
            raise TemporaryFailure("index_being_filled", code="warming")
    return found


def at_hand() -> LiveRelease | None:
    """The live release if this process has it open; else None, and a thread opens it for the next time.

    For pages that must not wait for an encoder to load; in tests it is opened at once. A process that ends
    meanwhile waits for the thread: one that ends while onnxruntime loads an encoder is aborted.
    """
    if conf.ENGINE == "immediate" or any(one.row.pk == _seen.pk for one in list(_open.values())):
        return answering_or_none()
    if not _seen.opening:
        _seen.opening = True
        threading.Thread(target=_open_once, name="shopvision-open").start()
    return None


def answering_or_none() -> LiveRelease | None:
    """As ``answering``; None where there is none, or it cannot be opened."""
    try:
        return answering()
    except ShopvisionError:
        return None


def _open_once() -> None:
    try:
        answering_or_none()
    except Exception:  # noqa: BLE001 - the next page tries again
        metrics.log.exception("the live release could not be opened")
    finally:
        _seen.opening = False
        connections.close_all()


def _keep_up(release: LiveRelease, newest: int) -> None:
    """If this host's index is behind, bring it up without holding up the request (but in tests, at once)."""
    if _seen.following or release.index.sequence() == newest:
        return
    if (
        release.index.shared_between_hosts and conf.ENGINE != "immediate"
    ):  # a worker applies the change for all
        return
    if conf.ENGINE == "immediate":
        follow(release)
        return
    _seen.following = True
    threading.Thread(target=_follow_once, args=(release,), name="shopvision-follow", daemon=True).start()


def _follow_once(release: LiveRelease) -> None:
    try:
        follow(release)
    except ShopvisionError as error:
        metrics.log.warning("the index follows later: %s", error)
    finally:
        _seen.following = False
        connections.close_all()


def open_release(row: EncoderRelease) -> LiveRelease:
    """Open a release of any state; the last few stay open.

    Raises:
        Misconfigured: its encoder cannot be had here, or is not the one the release was made with.
    """
    with _lock:
        known = _open.get(row.digest)
        if known is not None and known.place == _place():
            known.row.sequence, known.row.state = row.sequence, row.state
            known.row.background = row.background  # measured anew while the shop grows
            _open[row.digest] = _open.pop(row.digest)  # the latest used is the last to be let go
            return known
        if row.projection_id is None:
            raise Misconfigured("release_without_projection", release=row)
        opened = LiveRelease(row, _encoder_of(row), _projection_of(row), _index_of(row), _place())
        _open[row.digest] = opened
        for digest in list(_open)[:-KEPT_OPEN]:
            _open.pop(digest)
        return opened


def reset() -> None:
    """Forget what this process has open (tests, and after a fork)."""
    with _lock:
        for one in _open.values():
            one.index.close()
        _open.clear()
        _seen.pk, _seen.checked, _seen.following = 0, float("-inf"), False


def _forked() -> None:
    _seen.following = _seen.opening = False


os.register_at_fork(after_in_child=_forked)


def _place() -> str:
    """What decides where indexes lie: a release opened under other settings is opened anew."""
    return repr((conf.DATA_DIR, conf.INDEX))


def _index_of(row: EncoderRelease) -> VectorIndex:
    chosen = conf.backend(conf.INDEX)
    kind: Callable[..., VectorIndex] = import_string(chosen.path)
    return kind(digest=row.digest, dim=row.dim, **chosen.options)


def _projection_of(row: EncoderRelease) -> Projection:
    return Projection.from_bytes(artefact(str(row.projection_id)))


def _encoder_of(row: EncoderRelease) -> Encoder:
    graph = artefact(row.graph_id) if row.graph_id else None
    encoder = make_encoder(row.backbone, graph)
    if encoder.spec.digest != row.backbone_digest:
        raise Misconfigured(
            "release_of_other_encoder",
            release=row,
            value=row.backbone_digest[:12],
            backbone=row.backbone,
            value2=encoder.spec.digest[:12],
        )
    return encoder


def make_encoder(name: str, graph: bytes | None = None) -> Encoder:
    """An encoder by its name in ``SHOPVISION["ENCODER"]``, or from its graph."""
    if graph is None and ":" not in name:
        chosen = conf.backend(conf.ENCODER)
        make: Callable[..., Encoder] = import_string(name)
        return check_blocks(make(**(chosen.options if chosen.path == name else {})))
    if graph is None and _on_device():
        on_device: Encoder = import_string(TORCH_ENCODER)(name, conf.DEVICE)
        return check_blocks(on_device)
    return check_blocks(OnnxEncoder(graph or graph_for(name), threads=conf.INFERENCE_THREADS))


def allow_torch() -> None:
    """Let this process run fp32 encoders in torch on a CUDA device; workers say so, web processes never do."""
    _seen.torch = True


def torch_allowed() -> bool:
    """This process is a worker of the queue that runs networks, and may import torch."""
    return _seen.torch


def _on_device() -> bool:
    wanted = conf.DEVICE.startswith("cuda") or (conf.DEVICE == "auto" and CUDA_DRIVER.exists())
    return _seen.torch and wanted and find_spec("torch") is not None and find_spec("timm") is not None


def store_artefact(kind: str, data: bytes) -> Artefact:
    """Keep a model file; the same bytes are kept once."""
    digest = hashlib.sha256(data).hexdigest()
    return Artefact.objects.get_or_create(digest=digest, defaults={"kind": kind, "data": data})[0]


def artefact(digest: str) -> bytes:
    """A model file's bytes, from this host's cache if they are whole, else from the database.

    Raises:
        Misconfigured: the database's copy is damaged or gone.
    """
    return storage.cached("artefacts", digest, lambda: _from_database(digest))


def _from_database(digest: str) -> bytes:
    data = bytes(Artefact.objects.values_list("data", flat=True).filter(pk=digest).first() or b"")
    if hashlib.sha256(data).hexdigest() != digest:
        raise Misconfigured("model_file_damaged", value=digest[:12])
    return data


def release_digest(backbone_digest: str, projection: Projection) -> str:
    """Names a release's embeddings: the same descriptors under the same projection."""
    return hashlib.sha256(f"{backbone_digest}:{projection.digest}".encode()).hexdigest()


def is_generic(row: EncoderRelease) -> bool:
    """Was its projection made without looking at the shop's photos."""
    metrics: dict[str, Any] = EncoderRelease.objects.values_list("metrics", flat=True).get(pk=row.pk)
    return bool(metrics.get("recipe", {}).get("kind") == "generic")


def activate(row: EncoderRelease, user: Any = None, *, back: bool = False) -> EncoderRelease:
    """Make a release the live one, atomically; the one it replaces is kept for rolling back.

    Its index is brought up to its embeddings first, so no search meets an empty one; the embeddings are the
    caller's business (``switch.promote`` sees to both).

    Args:
        user, back: as ``artefacts.go_live`` takes them.

    Raises:
        ShopvisionError: it cannot be opened.
    """
    follow(open_release(row))
    _seen.checked = float("-inf")  # who hears of it asks for the live one
    now: EncoderRelease = storage.go_live(row, EncoderRelease.objects.all(), str(row), user, back=back)
    _seen.checked = float("-inf")
    return now


def bootstrap() -> EncoderRelease:
    """A shop's first release: nothing fitted yet, int8 if there are photos enough to calibrate on.

    Another process may be faster; then its release is returned.
    """
    encoder, graph = first_encoder()
    projection = generic_for(encoder)
    row = make_release(encoder, graph, projection, {"recipe": dict(projection.recipe)})
    with transaction.atomic():
        current = EncoderRelease.objects.select_for_update().filter(state=State.LIVE).first()
        if current is not None:
            return current
        return activate(row)


def generic_for(encoder: Encoder) -> Projection:
    """The projection a shop starts with: nothing fitted."""
    return generic(encoder.spec.blocks, conf.EMBEDDING_DIM)


def first_encoder() -> tuple[Encoder, bytes | None]:
    """The encoder that the settings ask for, and its graph if it is one of the shop's own."""
    name = conf.backend(conf.ENCODER).path
    encoder = make_encoder(name)
    if conf.PRECISION == "fp32" or ":" not in name:
        return encoder, None
    rounding = import_module(QUANTISE)
    photos = sample_photos(rounding.CALIBRATION_PHOTOS + FIDELITY_PHOTOS)
    held_out = photos[:: len(photos) // FIDELITY_PHOTOS or 1][:FIDELITY_PHOTOS]
    kept = [photo for photo in photos if not any(photo is one for one in held_out)]
    if len(kept) < rounding.MIN_CALIBRATION_PHOTOS:
        return encoder, None
    graph = bytes(rounding.quantise(graph_for(name), kept))
    small = make_encoder(name, graph)
    alike = float(
        rounding.fidelity(encoder.describe(held_out), small.describe(held_out), encoder.spec.blocks)
    )
    metrics.event("encoder_quantised", encoder=name, fidelity=round(alike, 3))
    if conf.PRECISION == "auto" and alike < LEAST_FIDELITY:
        return encoder, None
    return small, graph


def make_release(
    encoder: Encoder, graph: bytes | None, projection: Projection, metrics: dict[str, Any]
) -> EncoderRelease:
    """A release's row and its files, in state building; one that exists already is returned as it is."""
    spec = encoder.spec
    values = {
        "name": spec.name.rpartition(":")[2].rpartition(".")[2],
        "backbone": conf.backend(conf.ENCODER).path,
        "backbone_digest": spec.digest,
        "precision": spec.precision,
        "graph": store_artefact("graph", graph) if graph else None,
        "projection": store_artefact("projection", projection.to_bytes()),
        "dim": projection.dim,
        "metrics": metrics,
    }
    digest = release_digest(spec.digest, projection)
    return EncoderRelease.objects.get_or_create(digest=digest, defaults=values)[0]
