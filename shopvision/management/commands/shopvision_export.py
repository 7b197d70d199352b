"""Export the data of a subject, or noisy views per product and day."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.core.serializers.json import DjangoJSONEncoder

from ...catalogue.models import CatalogueEntry
from ...events.noisy_aggregates import views
from ...privacy import differential_privacy
from ...privacy.data_export import export
from ...privacy.erasure import what_is_kept
from ..job_command import ReadyCommand
from .shopvision_erase import add_subject, exists, subject_in


class Command(ReadyCommand):
    """``--user 7 --output data.json``, or ``--views 30`` for numbers that name nobody."""

    help = "Write a copy of what is kept of a user or visitor, or noisy views by product and day."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_subject(parser)
        parser.add_argument(
            "--views", type=int, default=0, metavar="DAYS", help="views of the last full days"
        )
        parser.add_argument("--output", default="", help="file to write; standard output if not given")
        parser.add_argument("--dry-run", action="store_true", help="only count")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["views"] < 0:
            raise CommandError("--views takes a number of days, 1 or more")
        answer = self._views(options) if options["views"] else self._copy(options)
        text = json.dumps(answer, cls=DjangoJSONEncoder, indent=None if options["json"] else 1)
        if options["output"] and not options["dry_run"]:
            try:
                Path(options["output"]).write_text(text + "\n")
            except OSError as error:
                raise CommandError(f"{options['output']} cannot be written: {error.strerror}") from error
            return
        self.stdout.write(text)

    def _copy(self, options: dict[str, Any]) -> dict[str, Any]:
        subject = subject_in(options)
        counts = what_is_kept(subject)
        if not (any(counts.values()) or exists(subject)):
            raise CommandError(
                f"there is no user with the key {subject.user_id!r} and nothing is kept under it"
            )
        return (
            {"dry_run": True, "counts": counts} if options["dry_run"] else export(subject, source="command")
        )

    def _views(self, options: dict[str, Any]) -> dict[str, Any]:
        rows = list(_rows(options["views"]))
        if options["dry_run"]:
            return {"dry_run": True, "counts": {"views": len(rows)}}
        return {
            "epsilon": differential_privacy.EPSILON,
            "scale": differential_privacy.laplace_scale(),
            "views": rows,
        }


def _rows(days: int) -> Iterator[dict[str, Any]]:
    entries = CatalogueEntry.objects.order_by("source", "object_id").values_list("source", "object_id")
    for one in views([f"{source}:{key}" for source, key in entries], days):
        yield {"day": one.day, "product": one.product, "visitors": one.visitors}
