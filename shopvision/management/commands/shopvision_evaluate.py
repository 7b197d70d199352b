"""Evaluate photo search, clicks, classifiers and rankers on the shop's live data."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from ...classification.review_outcomes import evaluate_reviews
from ...exceptions import ShopvisionError
from ...indexing import encoder_releases
from ...messages import translated_data
from ...ranking.ranker_outcomes import evaluate_rankers
from ...search.held_out_photos import SAMPLE, evaluate_held_out_photos
from ...search.search_clicks import DAYS, evaluate_search_clicks
from ..evaluation_report import report
from ..job_command import ReadyCommand

PARTS = ("held_out_photos", "search_clicks", "reviews", "rankers")


class Command(ReadyCommand):
    """``shopvision_evaluate [PART ...]``: reads only; nothing is said of fewer than five visitors."""

    help = (
        "Judge the shop's own live data: recall on held-out photos, clicks after photo searches, people's decisions "
        "about classifiers' suggestions, and the live ranker. Nothing is changed; events are read only of visitors "
        "who agreed to improvement, and nothing is said of fewer than five of them. For data sets in folders see "
        "bench/ in the repository."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all of them if none is named"
        )
        parser.add_argument(
            "--sample", type=int, default=SAMPLE, help=f"most photos held out (default {SAMPLE})"
        )
        parser.add_argument("--seed", type=int, default=0, help="of the draw of photos (default 0)")
        parser.add_argument("--days", type=int, default=DAYS, help=f"of photo searches (default {DAYS})")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        chosen = options["parts"] or PARTS
        if unknown := sorted(set(chosen) - set(PARTS)):
            raise CommandError(f"no part is called {', '.join(unknown)}; there are {', '.join(PARTS)}")
        if options["sample"] < 1 or options["days"] < 1:
            raise CommandError("--sample and --days take whole numbers above 0")
        try:
            answer = {part: _evaluate(part, options) for part in PARTS if part in chosen}
        except ShopvisionError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(json.dumps(translated_data(answer)) if options["json"] else report(answer))


def _evaluate(part: str, options: dict[str, Any]) -> Any:
    if part == "held_out_photos":
        live = encoder_releases.answering()
        return evaluate_held_out_photos(live, sample=options["sample"], seed=options["seed"])
    if part == "search_clicks":
        return evaluate_search_clicks(options["days"])
    return evaluate_reviews() if part == "reviews" else evaluate_rankers()
