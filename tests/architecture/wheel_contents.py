"""Checks a built wheel: what must be in it is, and nothing else (python wheel_contents.py dist/*.whl)."""

import sys
import zipfile

REQUIRED = (
    "shopvision/py.typed",
    "shopvision/migrations/0001_initial.py",
    "shopvision/static/shopvision/",
    "shopvision/templates/shopvision/",
    "shopvision/templates/admin/shopvision/",
    "shopvision/locale/zh_Hans/LC_MESSAGES/django.mo",
    "shopvision/management/commands/shopvision_init.py",
)
WEIGHTS = (".onnx", ".pth", ".pt", ".safetensors", ".npy", ".npz")


def problems(path: str) -> list[str]:
    """What is missing from the wheel and what should not be in it, in words."""
    names = zipfile.ZipFile(path).namelist()
    found = [f"missing: {need}" for need in REQUIRED if not any(name.startswith(need) for name in names)]
    for name in names:
        if not name.startswith("shopvision") or name.startswith(("shopvision/tests", "shopvision/demo")):
            found.append(f"does not belong: {name}")
        if name.endswith(WEIGHTS):
            found.append(f"model weights: {name}")
    return found


if __name__ == "__main__":
    found = [line for path in sys.argv[1:] for line in problems(path)]
    print("\n".join(found) if found else f"wheel contents: 0 problems in {len(sys.argv) - 1} wheel")
    sys.exit(1 if found else 0)
