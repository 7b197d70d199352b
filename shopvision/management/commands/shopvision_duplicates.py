"""Find products with near-duplicate photos."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from ...exceptions import ShopvisionError
from ...search.duplicates import MIN_SIMILARITY, find_duplicates
from ..job_command import ReadyCommand


class Command(ReadyCommand):
    """Same file, same picture, same look; variants of one product are not counted."""

    help = "Find products that share a photo, or nearly."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--min-similarity", type=float, default=MIN_SIMILARITY, help="of embeddings, 0-1")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            pairs = find_duplicates(min_similarity=options["min_similarity"])
        except ShopvisionError as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps({"pairs": [pair.as_dict() for pair in pairs]}))
            return
        for pair in pairs:
            self.stdout.write(f"{pair.reason:13} {pair.similarity:.3f}  {pair.first}  {pair.second}")
        self.stdout.write(f"{len(pairs)} pairs")
