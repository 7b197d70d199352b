"""Settings of the test run: both shops installed, SQLite, work done at once."""

import os
import tempfile
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = "tests only"
DEBUG = False
ALLOWED_HOSTS = ["*"]
USE_TZ = "SHOPVISION_TEST_NAIVE" not in os.environ  # without it times are naive, six hours from UTC
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "shopvision",
    "demo_shop",
    "tests.testshop.apps.TestShopConfig",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
ROOT_URLCONF = "tests.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
_scratch = Path(tempfile.mkdtemp(prefix="shopvision-tests-"))
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("SHOPVISION_TEST_DB") or _scratch / "shop.sqlite3",
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;",
        },
        # a file: of a database in memory all threads share one connection, and a live server's last request
        # may be in the middle of a transaction when the test is over and its tables are emptied
        "TEST": {"NAME": os.environ.get("SHOPVISION_TEST_DB") or _scratch / "test.sqlite3"},
    }
}
if "SHOPVISION_TEST_POSTGRES" in os.environ:  # the folder of a server's socket: tests/postgres
    DATABASES["default"] = {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ["SHOPVISION_TEST_POSTGRES"],
        "USER": "postgres",
        "NAME": os.environ.get("SHOPVISION_TEST_DB_NAME", "postgres"),
    }
MEDIA_ROOT = _scratch / "media"
MEDIA_URL = "/media/"
STATIC_URL = "/static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SHOPVISION = {"DATA_DIR": _scratch / "data", "ENGINE": "immediate"}
