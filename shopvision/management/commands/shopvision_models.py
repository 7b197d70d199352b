"""List encoder releases; promote one; roll back."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from ...exceptions import ShopvisionError
from ...index.models import EncoderRelease
from ...search import switch
from ..ready import ReadyCommand


class Command(ReadyCommand):
    """Without an option: every release, newest first."""

    help = "List encoder releases, make one live, or go back to the one before."

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--activate", type=int, metavar="ID", help="make this release live")
        what.add_argument(
            "--rollback", action="store_true", help="bring back the release before the live one"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["rollback"]:
                switch.rollback()
            elif options["activate"] is not None:
                self._activate(options["activate"])
        except ShopvisionError as error:
            raise CommandError(str(error)) from error
        rows = [_row(one) for one in EncoderRelease.objects.all()]
        if options["json"]:
            self.stdout.write(json.dumps({"releases": rows}))
            return
        for row in rows:
            recall = row["recall@1"]
            shown = f"{recall:.3f}" if isinstance(recall, float) else "  -  "
            self.stdout.write(
                f"{row['id']:4} {row['state']:10} {row['precision']:5} recall@1 {shown}  {row['backbone']}"
            )

    def _activate(self, key: int) -> None:
        row = EncoderRelease.objects.filter(pk=key).first()
        if row is None:
            raise CommandError(f"there is no release {key}; run shopvision_models to see them")
        switch.promote(row)


def _row(one: EncoderRelease) -> dict[str, Any]:
    return {
        "id": one.pk,
        "state": one.state,
        "backbone": one.backbone,
        "precision": one.precision,
        "dim": one.dim,
        "digest": one.digest,
        "recall@1": one.metrics.get("recall@1"),
        "metrics": one.metrics,
        "created_at": one.created_at.isoformat(timespec="seconds"),
        "activated_at": one.activated_at.isoformat(timespec="seconds") if one.activated_at else None,
        "previous": one.previous_id,
    }
