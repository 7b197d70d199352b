"""Writes docs/reference/settings.md from shopvision/conf.py (``--check`` only compares)."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs/reference/settings.md"
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")


def page() -> str:
    """The whole page, from the settings' own records."""
    from shopvision.conf import SETTINGS

    lines = [
        "# Settings",
        "",
        "One dict in your settings module, `SHOPVISION = {...}`. Every key has a default; an unknown key",
        "is an error with the nearest spelling. This page is generated: `.venv/bin/python docs/generate.py`.",
        "",
        "| key | default | takes | why |",
        "|---|---|---|---|",
    ]
    for key, setting in SETTINGS.items():
        default = "`BASE_DIR / 'shopvision_data'`" if key == "DATA_DIR" else f"`{setting.value()!r}`"
        default = "below" if setting.keys else default
        lines.append(f"| `{key}` | {default} | {setting.rule} | {setting.reason} |")
        lines += [
            f"| `{key}[{name!r}]` | `{one.value()!r}` | {one.rule} | {one.reason} |"
            for name, one in setting.keys.items()
        ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    text = page()
    if "--check" in sys.argv:
        same = TARGET.exists() and TARGET.read_text() == text
        sys.exit(0 if same else f"{TARGET.relative_to(ROOT)} is out of date: run python docs/generate.py")
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(text)
