"""Run background work in this process."""

from __future__ import annotations

import json
import signal
import threading
from argparse import ArgumentParser
from types import FrameType
from typing import Any

from ...jobs.engine import run_worker
from ..job_command import ReadyCommand


class Command(ReadyCommand):
    """Works until it is told to stop (SIGTERM, SIGINT); finishes the batch in hand first.

    With it running, the web processes leave the work to it. Any number may run, on any number of hosts.
    """

    help = "Index changes, run jobs, reconcile and purge, until stopped."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="work off what is waiting, then end")
        parser.add_argument("--json", action="store_true", help="print one JSON object at the end")

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()

        def end(number: int, frame: FrameType | None) -> None:
            stop.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, end)
        if not (options["json"] or options["once"]):
            self.stderr.write("shopvision worker: looking for work; Ctrl-C ends it")
        done = run_worker(stop, once=options["once"])
        if options["json"]:
            self.stdout.write(json.dumps({"changes": done}))
        else:
            self.stdout.write(f"{done} changes worked off")
