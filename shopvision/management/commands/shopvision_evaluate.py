"""Measure quality on real data, through the real code, in a throw-away database."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from bench import classification, ranking, retrieval

from ...exceptions import ShopvisionError


class Command(BaseCommand):
    """``shopvision_evaluate retrieval|classification|ranking --data DIR``: train and tune, then judge once."""

    help = (
        "Evaluate searching on a catalogue folder (products.csv, queries.csv), or classifying on a folder of "
        "labelled photos (labels.csv: image,label,split) or a catalogue folder, or ranking on a folder of "
        "purchases (events.csv, products.csv); the shop's data is not touched."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=["retrieval", "classification", "ranking"])
        parser.add_argument("--data", required=True, type=Path, help="folder of photos, or of events")
        parser.add_argument("--no-tune", action="store_true", help="leave the encoder untuned, to compare")
        parser.add_argument("--folds", type=int, default=5, help="of the cross-validation of classifiers")
        parser.add_argument("--shots", type=int, default=5, help="photos a label of a catalogue folder")
        parser.add_argument(
            "--target", choices=["sku", "category"], default="sku", help="label of its products"
        )
        parser.add_argument("--finetune", action="store_true", help="fine-tune the backbone too; needs torch")
        parser.add_argument(
            "--no-baseline", action="store_true", help="leave out the small network from scratch, to be quick"
        )
        parser.add_argument("--seed", type=int, default=0, help="of the folds")
        parser.add_argument("--seeds", type=int, default=3, help="times the listings of ranking are drawn")
        parser.add_argument(
            "--users", type=int, help="train and judge a ranking on so many baskets only, to be quick"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            answer = self._evaluate(options["data"].resolve(), options)
        except ShopvisionError as error:
            raise CommandError(str(error)) from error
        answer = {"data": options["data"].name, **answer}
        self.stdout.write(json.dumps(answer) if options["json"] else _table(answer))

    def _evaluate(self, folder: Path, options: dict[str, Any]) -> dict[str, Any]:
        if options["what"] == "retrieval":
            return retrieval.evaluate(folder, tune=not options["no_tune"], say=self._say)
        if options["what"] == "ranking":
            return ranking.evaluate(folder, seeds=options["seeds"], users=options["users"], say=self._say)
        chosen = {name: options[name] for name in ("folds", "shots", "target", "finetune", "seed")}
        return classification.evaluate(folder, **chosen, say=self._say, compare=not options["no_baseline"])

    def _say(self, words: str) -> None:
        self.stderr.write(f"evaluating: {words}")


def _table(answer: dict[str, Any]) -> str:
    """A line for each figure, and for each row of a table of figures."""
    lines = []
    for key, value in answer.items():
        nested = isinstance(value, dict) and any(isinstance(one, dict) for one in value.values())
        lines += (
            [key, *(f"  {name:26} {_line(row)}" for name, row in value.items())]
            if nested
            else [f"{key:22} {_line(value)}"]
        )
    return "\n".join(lines)


def _line(value: Any) -> str:
    if isinstance(value, dict):
        return "  ".join(f"{name} {number}" for name, number in value.items())
    return str(value)
