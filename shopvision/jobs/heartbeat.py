"""Heartbeats of worker processes."""

from __future__ import annotations

import os
import socket
from datetime import timedelta

from django.db import models
from django.db.models import Q
from django.utils import timezone

from .models import Worker

WORKER_SEEN_SECONDS = 30.0  # a worker that wrote nothing for longer is taken for dead


def here_i_am(kind: str) -> None:
    """Write this process's heartbeat."""
    name, now = f"{socket.gethostname()}:{os.getpid()}"[-100:], timezone.now()
    if not Worker.objects.filter(name=name).update(seen_at=now, kind=kind):
        Worker.objects.get_or_create(name=name, defaults={"kind": kind})


def good_bye() -> None:
    """Take this process's heartbeat back, and those of workers silent for a day."""
    name = f"{socket.gethostname()}:{os.getpid()}"[-100:]
    silent = Q(seen_at__lt=timezone.now() - timedelta(days=1))
    Worker.objects.filter(Q(name=name) | silent).delete()


def workers_alive() -> models.QuerySet[Worker]:
    """Workers that said "here I am" within ``WORKER_SEEN_SECONDS``."""
    return Worker.objects.filter(seen_at__gte=timezone.now() - timedelta(seconds=WORKER_SEEN_SECONDS))
