"""From nothing to a running shop: migrate, seed, index, classify, simulate visitors, find one photo, serve."""

from __future__ import annotations

import os
import secrets
import sys
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from demo_shop.importer import ImportProblem
from demo_shop.models import Product
from demo_shop.seed import seed_drawn, seed_folder
from shopvision import listings

MOST_TOLD = 50  # skipped lines of a folder


class Command(BaseCommand):
    """``python manage.py demo [--no-serve] [--port 8000]``; ``CATALOGUE=DIR`` seeds from a folder."""

    help = "Set up the demo shop, index it, print one real search result, and serve it."

    def add_arguments(self, parser: CommandParser) -> None:
        """Options."""
        parser.add_argument("--no-serve", action="store_true", help="do everything but serve")
        parser.add_argument("--port", type=int, default=8000, help="port of 127.0.0.1 (default 8000)")
        parser.add_argument(
            "--catalogue", default=os.environ.get("CATALOGUE", ""), help="folder to seed from"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Each step says what it does and how long it took."""
        start = time.monotonic()
        call_command("migrate", verbosity=0)
        queries = self._seed(options["catalogue"])
        self._say("Indexing:")
        call_command("shopvision_index")
        self._classify()
        self._visitors()
        self._search(queries)
        self._admin()
        self._say(f"Ready after {time.monotonic() - start:.0f} s.")
        if not options["no_serve"]:
            self._say(f"\nThe shop is at http://127.0.0.1:{options['port']}  (Ctrl-C stops it)")
            call_command("runserver", f"127.0.0.1:{options['port']}", "--noreload", "--insecure", verbosity=0)

    def _seed(self, catalogue: str) -> list[tuple[Path, str]]:
        media, skipped = Path(settings.MEDIA_ROOT), list[str]()
        try:
            if catalogue:
                number, queries, skipped = seed_folder(Path(catalogue).expanduser())
            else:
                number, queries = seed_drawn(media.parent / "phone_photos", self._drawing)
        except (ImportProblem, OSError) as error:
            raise CommandError(f"The catalogue could not be read: {error}") from error
        for words in skipped[:MOST_TOLD]:
            self.stderr.write(f"Skipped: {words}")
        if len(skipped) > MOST_TOLD:
            self.stderr.write(f"Skipped: {len(skipped) - MOST_TOLD} more")
        self._say(f"{Product.objects.count()} products in the shop, {number} of them new.")
        if skipped:
            self._say(
                f"{len(skipped)} lines or files of the folder could not be used; the rest is in the shop."
            )
        return queries

    def _drawing(self, done: int, total: int) -> None:
        if sys.stderr.isatty() or done == total:
            end = "\n" if done == total else "\r"
            self.stderr.write(f"Drawing the catalogue: {done}/{total}", ending=end)

    def _classify(self) -> None:
        """A classifier of shelves and one of colours, and suggestions of both to review."""
        self._say("Classifying:")
        for target in ("category", "colour"):
            try:
                call_command("shopvision_train", target=target)
                call_command("shopvision_classify", target=target)
            except CommandError as error:  # a folder without such labels has nothing to learn from
                self._say(f"  no classifier of {target}: {error}")

    def _visitors(self) -> None:
        """Made-up visitors, a ranker that learned from them, and an experiment; marked as simulated everywhere."""
        self._say("Simulating visitors (marked as simulated; shopvision_simulate --forget takes them away):")
        try:
            call_command("shopvision_simulate", visitors=650)
            call_command("shopvision_train", ranker=True, kind="linear")
        except CommandError as error:  # they are there from an earlier start, or the catalogue is too small
            self._say(f"  {error}")

    def _search(self, queries: list[tuple[Path, str]]) -> None:
        """One photo that the index has never seen."""
        if not queries:
            self._say("The folder has no query photos, so there is nothing to try a search with.")
            return
        path, title = queries[len(queries) // 2]
        found = listings.search_by_photo(path.read_bytes(), limit=3)
        self._say(f"\nA photo of “{title}” ({path.name}) finds, in {found.took_ms:.0f} ms:")
        for hit in found.hits:
            reasons = f" ({', '.join(hit.why)})" if hit.why else ""
            alike = (
                f", more alike than {hit.percentile:.1f} % of unrelated pairs"
                if hit.percentile is not None
                else ""
            )
            self._say(f"  {hit.facts['title']:32} similarity {hit.similarity:.2f}{alike}{reasons}")
        if found.match:
            self._say(f"  match: {found.match.level}")

    def _admin(self) -> None:
        users = get_user_model().objects
        if users.filter(username="admin").exists():
            return
        password = secrets.token_urlsafe(9)
        users.create_superuser("admin", "admin@example.org", password)
        self._say(f"\nAdmin: /admin/  user admin, password {password}  (shown this once)")

    def _say(self, words: str) -> None:
        self.stdout.write(words)
