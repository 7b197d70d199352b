"""Write the golden schema anew: ``python -m tests.api.golden``; read the difference before committing it."""

import json
import os
from pathlib import Path
from typing import Any

import django

PATH = Path(__file__).with_name("openapi.json")


def text(schema: dict[str, Any]) -> str:
    """The schema as it is kept; without the version, which every release changes."""
    schema = {**schema, "info": {**schema["info"], "version": ""}}
    return json.dumps(schema, indent=1, sort_keys=True, ensure_ascii=False, default=str) + "\n"


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    from shopvision.api.schema import openapi

    PATH.write_text(text(openapi()))
