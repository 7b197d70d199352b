"""Benchmarks that need the shop's set-up; the others are in bench/."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ..freshness import measure


class Command(BaseCommand):
    """Measures on this machine, in a database that is made for it and dropped afterwards."""

    help = "Measure how long a save takes to become searchable."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=["freshness"])
        parser.add_argument("--saves", type=int, default=40, help="how many saves to time")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["saves"] < 1:
            raise CommandError("--saves takes a whole number above 0")
        answer = measure(options["saves"])
        if options["json"]:
            self.stdout.write(json.dumps(answer))
            return
        self.stdout.write(
            f"{answer['found']} of {answer['saves']} saves found; save to searchable "
            f"p50 {answer['p50_s']} s, p95 {answer['p95_s']} s, worst {answer['max_s']} s; "
            f"delete to gone p95 {answer['gone_p95_s']} s"
        )
