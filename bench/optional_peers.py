"""Optional libraries that results are compared with: which are usable here, and why the others are not."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

NOT_INSTALLED = "not installed"
MESSAGE_CHARACTERS = 300


class OptionalPeers:
    """Libraries by name, each imported once to see whether it works; a broken one is named, never raised.

    Args:
        names: of the modules.
    """

    def __init__(self, *names: str) -> None:
        self._faults = {name: _fault(name) for name in names}

    def usable(self, name: str) -> bool:
        """Whether it is installed, can be imported, and has not failed since."""
        return not self._faults[name]

    @contextmanager
    def attempt(self, name: str) -> Iterator[None]:
        """Run a block that uses a library; any error ends the block, and the library counts as failed."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - a peer's fault must not end the benchmark
            self._faults[name] = f"failed: {_words(error)}"

    def fault(self, name: str) -> str:
        """Why it is not usable; empty where it is."""
        return self._faults[name]

    def faults(self) -> dict[str, str]:
        """Why each of those that are not usable is not, by name."""
        return {name: fault for name, fault in self._faults.items() if fault}

    def status(self) -> dict[str, str]:
        """``usable`` or what is wrong, by name."""
        return {name: fault or "usable" for name, fault in self._faults.items()}


def _fault(name: str) -> str:
    try:
        if find_spec(name) is None:
            return NOT_INSTALLED
        importlib.import_module(name)
    except Exception as error:  # noqa: BLE001 - a compiled library raises whatever it likes when it cannot load
        return f"cannot be imported: {_words(error)}"
    return ""


def _words(error: Any) -> str:
    """The kind of error and the end of its message, on one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[-MESSAGE_CHARACTERS:]}"
