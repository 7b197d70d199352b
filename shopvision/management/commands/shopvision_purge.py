"""Delete rows past their retention time."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from ...privacy import registry, retention
from ..job_command import ReadyCommand


class Command(ReadyCommand):
    """Workers do it every hour; a shop whose workers stand still may call this from cron."""

    help = "Delete events, consents, counts and logs past their retention."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only count")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        counts = retention.purge(source="command", dry_run=options["dry_run"])
        if options["json"]:
            self.stdout.write(json.dumps({"dry_run": options["dry_run"], "counts": counts}))
            return
        for name, number in counts.items():
            self.stdout.write(f"{name:16} {number:8} older than {registry.stores()[name].days} days")
