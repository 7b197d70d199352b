"""Settings of a shop in processes of its own: a file database, a real broker."""

import os
from pathlib import Path

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES, SHOPVISION

_home = Path(os.environ["SHOPVISION_TEST_HOME"])
DATABASES["default"]["NAME"] = str(_home / "shop.sqlite3")
DATABASES["default"]["OPTIONS"] = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
}
MEDIA_ROOT = _home / "media"
SHOPVISION = {
    **SHOPVISION,
    "DATA_DIR": _home / "data",
    "ENGINE": os.environ.get("SHOPVISION_TEST_ENGINE", "celery"),
    "ENCODER": "tests.fakes.slow_encoder",
    "LEASE_SECONDS": 3,
    "POLL_SECONDS": 0.3,
    "BATCH_SIZE": 16,
}
CELERY_BROKER_URL = os.environ.get("SHOPVISION_TEST_BROKER", "redis://127.0.0.1:1/0")
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 900,
    "unacked_restore_interval": 10,
    "unacked_restore_throttle": 1,
}
