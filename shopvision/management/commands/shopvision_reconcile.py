"""Compare the shop with the index and repair the differences."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from ... import conf
from ...catalogue.reconcile import drift
from ...indexing.drift import queue_differences
from ...indexing.pipeline import drain_outbox
from ...jobs import engine
from ..job_command import ReadyCommand


class Command(ReadyCommand):
    """Finds what sent no signal: ``QuerySet.update()``, bulk imports, raw SQL, a restored backup."""

    help = "Find products that differ between the shop and the index, and index them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only count")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        answer = self._count() if options["dry_run"] else self._mend()
        if options["json"]:
            self.stdout.write(json.dumps(answer))
            return
        self.stdout.write(", ".join(f"{number} {name}" for name, number in answer.items()))

    def _count(self) -> dict[str, int]:
        found = drift()
        return {"missing": len(found.missing), "stale": len(found.stale), "extra": len(found.extra)}

    def _mend(self) -> dict[str, int]:
        answer = queue_differences()
        if conf.ENGINE == "celery":
            engine.wake()
            return answer
        return {**answer, "worked_off": drain_outbox()}
