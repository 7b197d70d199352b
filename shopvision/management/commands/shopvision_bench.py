"""Benchmarks that need the shop's set-up; the others are in bench/."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from bench import classify_throughput, freshness


class Command(BaseCommand):
    """Measures on this machine, in a database that is made for it and dropped afterwards."""

    help = "Measure how long a save takes to become searchable, or how fast a classify job is."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=["freshness", "classify"])
        parser.add_argument("--saves", type=int, default=40, help="freshness: how many saves to time")
        parser.add_argument(
            "--products", type=int, default=5000, help="classify: how many with descriptors (400 or more)"
        )
        parser.add_argument("--photos", type=int, default=256, help="classify: how many without; 0 for none")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        answer = self._classify(options) if options["what"] == "classify" else self._freshness(options)
        if options["json"]:
            self.stdout.write(json.dumps(answer))
            return
        words = _classify_words if options["what"] == "classify" else _freshness_words
        self.stdout.write(words(answer))

    def _freshness(self, options: dict[str, Any]) -> dict[str, Any]:
        if options["saves"] < 1:
            raise CommandError("--saves takes a whole number above 0")
        return freshness.measure(options["saves"])

    def _classify(self, options: dict[str, Any]) -> dict[str, Any]:
        if options["products"] < classify_throughput.LABELLED:
            raise CommandError(
                f"--products takes {classify_throughput.LABELLED} or more: so many the classifier learns from"
            )
        if options["photos"] < 0:
            raise CommandError("--photos takes a whole number, 0 or more")
        return classify_throughput.measure(options["products"], options["photos"])


def _freshness_words(answer: dict[str, Any]) -> str:
    return (
        f"{answer['found']} of {answer['saves']} saves found; save to searchable "
        f"p50 {answer['p50_s']} s, p95 {answer['p95_s']} s, worst {answer['max_s']} s; "
        f"delete to gone p95 {answer['gone_p95_s']} s"
    )


def _classify_words(answer: dict[str, Any]) -> str:
    stored, missing = answer["stored"], answer["missing"]
    stages = ", ".join(f"{name} {ms}" for name, ms in stored["ms_per_product"].items() if ms)
    lines = [
        f"{stored['done']} products with descriptors: {stored['per_second']}/s (ms a product: {stages})",
    ]
    if missing:
        lines.append(
            f"{missing['done']} without: {missing['per_second']}/s, {missing['ratio_to_forward']} of the bare "
            f"forward pass ({missing['forward_per_second']}/s), {missing['ratio_to_decode_and_forward']} of "
            "decoding and forward pass"
        )
    return "\n".join(lines)
