"""List, promote and roll back releases of encoders, classifiers and rankers."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from ... import timestamps
from ...classification import classifier_releases
from ...classification.models import ClassifierRelease
from ...exceptions import ShopvisionError
from ...index.models import EncoderRelease
from ...messages import translated
from ...ranking import ranker_releases as rankers
from ...ranking.models import RankerRelease
from ...tuning import promotion
from ..job_command import ReadyCommand


class Command(ReadyCommand):
    """Without an option: every encoder release, classifier and ranker, newest first."""

    help = "List releases, make one live, or go back to the one before."

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--activate", type=int, metavar="ID", help="make this encoder release live")
        what.add_argument(
            "--rollback", action="store_true", help="bring back the encoder release before the live one"
        )
        what.add_argument("--promote", type=int, metavar="ID", help="make this classifier live")
        what.add_argument(
            "--rollback-classifier",
            nargs=2,
            metavar=("SOURCE", "TARGET"),
            help="bring back the classifier before the live one, as in shop.product category",
        )
        what.add_argument("--promote-ranker", type=int, metavar="ID", help="make this ranker live")
        what.add_argument(
            "--rollback-ranker", action="store_true", help="bring back the ranker before the live one"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._act(options)
        except ShopvisionError as error:
            raise CommandError(str(error)) from error
        rows = [_row(one) for one in EncoderRelease.objects.all()]
        classifiers = [_classifier(one) for one in ClassifierRelease.objects.defer("held_out")]
        ranking = [_ranker(one) for one in RankerRelease.objects.all()]
        if options["json"]:
            found = {"releases": rows, "classifiers": classifiers, "rankers": ranking}
            self.stdout.write(json.dumps(found))
            return
        for row in rows:
            recall = row["recall@1"]
            shown = f"{recall:.3f}" if isinstance(recall, float) else "  -  "
            self.stdout.write(
                f"{row['id']:4} {row['state']:10} {row['precision']:5} recall@1 {shown}  {row['backbone']}"
            )

        for row in classifiers:
            accuracy = row["metrics"].get("accuracy")
            shown = f"{accuracy:.3f}" if isinstance(accuracy, float) else "  -  "
            what = f"{row['source']} {row['target']}"
            self.stdout.write(f"{row['id']:4} {row['state']:10} {row['kind']:11} accuracy {shown}  {what}")
        for row in ranking:
            ndcg = row["metrics"].get("ndcg@10")
            shown = f"{ndcg:.3f}" if isinstance(ndcg, float) else "  -  "
            self.stdout.write(f"{row['id']:4} {row['state']:10} {row['kind']:11} NDCG@10 {shown}  ranker")

    def _act(self, options: dict[str, Any]) -> None:
        if options["rollback"]:
            promotion.rollback()
        elif options["activate"] is not None:
            promotion.promote(_found(EncoderRelease, options["activate"], "release"))
        elif options["promote"] is not None:
            classifier_releases.promote(_found(ClassifierRelease, options["promote"], "classifier"))
        elif options["rollback_classifier"]:
            classifier_releases.rollback(*options["rollback_classifier"])
        elif options["promote_ranker"] is not None:
            rankers.promote(_found(RankerRelease, options["promote_ranker"], "ranker"))
        elif options["rollback_ranker"]:
            rankers.rollback()


def _found(model: Any, key: int, what: str) -> Any:
    row = model.objects.filter(pk=key).first()
    if row is None:
        raise CommandError(f"there is no {what} {key}; run shopvision_models to see them")
    return row


def _life(one: Any) -> dict[str, Any]:
    """The last columns of every kind of release."""
    return {
        "metrics": one.metrics,
        "created_at": timestamps.as_text(one.created_at),
        "activated_at": timestamps.as_text(one.activated_at),
        "previous": one.previous_id,
    }


def _classifier(one: ClassifierRelease) -> dict[str, Any]:
    return {
        "id": one.pk,
        "source": one.source,
        "target": one.target,
        "state": one.state,
        "kind": one.kind,
        "digest": one.digest,
        "snapshot": one.snapshot_id,
        "reason": translated(one.reason),
        **_life(one),
    }


def _ranker(one: RankerRelease) -> dict[str, Any]:
    return {
        "id": one.pk,
        "state": one.state,
        "kind": one.kind,
        "digest": one.digest,
        "snapshot": one.snapshot,
        "data": one.data,
        "reason": translated(one.reason),
        **_life(one),
    }


def _row(one: EncoderRelease) -> dict[str, Any]:
    return {
        "id": one.pk,
        "state": one.state,
        "backbone": one.backbone,
        "precision": one.precision,
        "dim": one.dim,
        "digest": one.digest,
        "recall@1": one.metrics.get("recall@1"),
        **_life(one),
    }
