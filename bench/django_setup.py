"""Set Django up when a benchmark runs as a program; import it before anything that imports models.

Settings are those of ``DJANGO_SETTINGS_MODULE``, or ``bench.shop.settings`` with its data in a temporary
folder. Nothing happens where Django is set up already, as in the tests.
"""

from __future__ import annotations

import atexit
import os
import tempfile

import django
from django.apps import apps


def _set_up() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.shop.settings")
    if "SHOPVISION_BENCH_DIR" not in os.environ:
        folder = tempfile.TemporaryDirectory(prefix="shopvision-bench-")
        atexit.register(folder.cleanup)
        os.environ["SHOPVISION_BENCH_DIR"] = folder.name
    os.environ.setdefault("SHOPVISION_BENCH_THREADS", str(os.cpu_count() or 1))
    django.setup()


if not apps.ready:
    _set_up()
