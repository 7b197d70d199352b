"""DRF reads most settings when its classes are made: another shop's settings need another process."""

import json
import subprocess
import sys
from pathlib import Path

from tests.api.golden import PATH

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import json
from django.conf import settings
from tests import settings as ours

values = {name: getattr(ours, name) for name in dir(ours) if name.isupper()}
values["REST_FRAMEWORK"] = {
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAdminUser"],
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.FormParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.StaticHTMLRenderer"],
    "DEFAULT_THROTTLE_CLASSES": ["rest_framework.throttling.ScopedRateThrottle"],
    "DEFAULT_VERSIONING_CLASS": "rest_framework.versioning.AcceptHeaderVersioning",
    "DEFAULT_VERSION": "1",
    "ALLOWED_VERSIONS": ["9"],
    "EXCEPTION_HANDLER": "no.such.handler",
    "STRICT_JSON": False,
}
values["ROOT_URLCONF"] = "shop_urls"
values["SPECTACULAR_SETTINGS"] = {"TITLE": "the shop's", "PREPROCESSING_HOOKS": ["math.factorial"]}
values["SPECTACULAR_SETTINGS"]["SCHEMA_PATH_PREFIX_TRIM"] = True
settings.configure(**values)
import django
django.setup()
import sys, types
from django.urls import include, path
sys.modules["shop_urls"] = types.ModuleType("shop_urls")
sys.modules["shop_urls"].urlpatterns = [path("", include("shopvision.urls"))]
from django.test import Client
from shopvision.api.schema import openapi

client = Client(headers={"Accept": "application/vnd.shop+xml; version=3"})
seen = []
for response in (
    client.post("/api/v1/search/?format=xml", {"limit": "3"}),
    client.post("/api/v1/search/", '{"limit": NaN}', content_type="application/json"),
    client.get("/api/v1/health/live/"),
    client.get("/api/v1/status/"),
    client.get("/api/v1/searches/s_made-up/"),
):
    body = response.json()
    seen.append([response.status_code, response["Content-Type"], body.get("code") or body["status"]])
print(json.dumps({"seen": seen, "schema": openapi()}, default=str))
"""


def test_the_shops_own_drf_settings_change_nothing() -> None:
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, cwd=ROOT, check=True, timeout=60, text=True
    )
    told = json.loads(run.stdout)
    assert told["seen"] == [
        [400, "application/json", "invalid"],
        [400, "application/json", "invalid"],
        [200, "application/json", "live"],
        [401, "application/json", "not_authenticated"],
        [404, "application/json", "not_found"],
    ]
    golden = json.loads(PATH.read_text())
    assert told["schema"]["paths"] == golden["paths"]
    assert told["schema"]["components"] == golden["components"]
    assert told["schema"]["servers"] == [{"url": "/"}]
