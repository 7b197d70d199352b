"""A progress bar on a terminal's standard error; silent anywhere else."""

from __future__ import annotations

import sys
import time
from typing import TextIO

WIDTH = 30  # characters
REDRAW_SECONDS = 0.1


class Progress:
    """One line that redraws itself: bar, count, rate, time left.

    Args:
        label: what is being done.
        stream: where to draw; nothing is drawn if it is no terminal.
    """

    def __init__(self, label: str, stream: TextIO | None = None) -> None:
        self.label = label
        self.stream = stream or sys.stderr
        self.live = self.stream.isatty()
        self._begun = time.monotonic()
        self._drawn = 0.0

    def show(self, done: int, total: int, note: str = "") -> None:
        """Redraw, at most ten times a second; the last step always."""
        now = time.monotonic()
        if not self.live or (done < total and now - self._drawn < REDRAW_SECONDS):
            return
        self._drawn = now
        self.stream.write("\r\x1b[2K" + line(self.label, done, total, now - self._begun, note))
        self.stream.flush()

    def close(self) -> None:
        """End the line."""
        if self.live and self._drawn:
            self.stream.write("\n")
            self.stream.flush()


def line(label: str, done: int, total: int, seconds: float, note: str = "") -> str:
    """The bar as text: "index [#####.....] 50/100 25/s 2s left"; of what counts nothing: "tuning 12s fitting"."""
    if not total:
        return f"{label} {seconds:.0f}s {note}".rstrip()
    share = min(1.0, done / total)
    full = round(share * WIDTH)
    rate = done / seconds if seconds > 0 else 0.0
    left = f" {(total - done) / rate:.0f}s left" if rate and done < total else ""
    tail = f" {note}" if note else ""
    return f"{label} [{'#' * full}{'.' * (WIDTH - full)}] {done}/{total} {rate:.0f}/s{left}{tail}"
