"""Generate simulated visitors for a demo, marked as simulated."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from ...events import simulated_events
from ...events.models import Event
from ...ranking.models import Experiment
from ...ranking.simulation import simulate, simulate_experiment
from ..job_command import ReadyCommand


class Command(ReadyCommand):
    """Never in a shop that has real events: its sums would not be true any more."""

    help = "Write the acts of made-up visitors, so that a demo has something to show; or take them away."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--visitors", type=int, default=400)
        parser.add_argument("--days", type=int, default=45, help="over which they came (default 45)")
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--forget", action="store_true", help="take the made-up rows away")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["forget"]:
            Experiment.objects.filter(simulated=True).delete()
            answer = {"forgotten": simulated_events.forget()}
        else:
            answer = {"written": self._written(options)}
            simulate_experiment(seed=options["seed"])
        words = ", ".join(f"{number} simulated events {what}" for what, number in answer.items())
        self.stdout.write(json.dumps(answer) if options["json"] else words)

    def _written(self, options: dict[str, Any]) -> int:
        if min(options["visitors"], options["days"]) < 1:
            raise CommandError("it takes at least one visitor and one day")
        there = simulated_events.there()
        if there:
            raise CommandError(f"{there} simulated events are there already; --forget takes them away")
        if Event.objects.exists():
            raise CommandError("this shop has events of real visitors; made-up ones would spoil its sums")
        return simulate(options["visitors"], options["days"], seed=options["seed"])
