"""Settings of the benchmark's server: a production-like minimum, data in SHOPVISION_BENCH_DIR."""

import os
from pathlib import Path

BASE_DIR = Path(os.environ["SHOPVISION_BENCH_DIR"])
SECRET_KEY = "benchmark only"
DEBUG = False
ALLOWED_HOSTS = ["*"]
USE_TZ = True
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "rest_framework",
    "shopvision",
    "bench.shop",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
ROOT_URLCONF = "bench.shop.urls"
WSGI_APPLICATION = "bench.shop.wsgi.application"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": BASE_DIR / "db.sqlite3",
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }
}
if os.environ.get("SHOPVISION_BENCH_POSTGRES"):  # the folder of a server's socket
    DATABASES["default"] = {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ["SHOPVISION_BENCH_POSTGRES"],
        "USER": "postgres",
        "NAME": "postgres",
        "CONN_MAX_AGE": None,
    }
MEDIA_ROOT = BASE_DIR / "media"
MEDIA_URL = "/media/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LOGGING_CONFIG = None
SHOPVISION = {
    "DATA_DIR": BASE_DIR / "data",
    "RATES": {"search": "1000000/s"},
    "SEARCH_MAX_IN_FLIGHT": 64,
    "ENGINE": "celery",  # a shop of this size indexes in workers: no work in the web process but searches
    "PRIVACY_MODE": os.environ.get("SHOPVISION_BENCH_PRIVACY", "session"),
    "INFERENCE_THREADS": int(os.environ.get("SHOPVISION_BENCH_THREADS", "1")),
}
