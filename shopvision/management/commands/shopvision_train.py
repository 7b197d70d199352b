"""Train classifiers on the shop's labels, or a ranker on recorded choices."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from ... import jobs
from ...classification.classifier_training import KINDS
from ...classification.models import ClassifierRelease
from ...exceptions import ShopvisionError
from ...indexing import encoder_releases
from ...jobs import Job
from ...messages import translated, translated_data
from ...ranking.models import RankerRelease
from ...ranking.training.ranker_training import TRAINED
from ..job_command import ReadyCommand, run_here


class Command(ReadyCommand):
    """Trains, judges on products held out, and lets the gate decide; the release before stays for rolling back."""

    help = "Train a classifier of every catalogue's categories and attributes, or of one; or the ranker."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--source", help="one catalogue only, as in shop.product")
        parser.add_argument("--target", help="category, or an attribute the adapter names")
        parser.add_argument("--ranker", action="store_true", help="train the ranker of listings instead")
        parser.add_argument(
            "--kind",
            choices=list(dict.fromkeys(["auto", *KINDS, *TRAINED])),
            default="auto",
            help="auto tries all classifiers that need no torch, and all rankers that can be trained here",
        )
        parser.add_argument(
            "--force", action="store_true", help="with --ranker: go live whatever the gate says"
        )
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        chosen = {name: options[name] for name in ("source", "target", "seed") if options[name]}
        there, what = (TRAINED, "rankers") if options["ranker"] else (KINDS, "classifiers")
        if options["kind"] not in ("auto", *there):
            raise CommandError(f"--kind of {what} is auto, {', '.join(there)}")
        if options["kind"] != "auto":
            chosen["kind"] = options["kind"]
        if options["ranker"]:
            self._ranker({**chosen, "force": True} if options["force"] else chosen, as_json=options["json"])
            return
        encoder_releases.allow_torch()
        try:
            job = jobs.start("train", chosen, wake=False)
        except ShopvisionError as error:
            raise CommandError(str(error)) from error
        if not options["json"]:
            self.stderr.write(f"about {job.estimate['seconds']:.0f} s ({translated(job.estimate['basis'])})")
        run_here(job, "training")
        answer = _answer(job)
        self.stdout.write(json.dumps(answer) if options["json"] else _words(answer))
        if job.state != Job.State.DONE:
            raise CommandError(f"{job.state}: {job.message or 'run the command again'}")
        if answer["failed"] and not answer["releases"]:
            why = "; ".join(f"{name}: {words}" for name, words in answer["failed"].items())
            raise CommandError(f"nothing could be trained: {why}")

    def _ranker(self, chosen: dict[str, Any], *, as_json: bool) -> None:
        """Train the ranker here, with torch where it is installed."""
        if {"source", "target"} & set(chosen):
            raise CommandError("--source and --target are of classifiers; the ranker orders all catalogues")
        encoder_releases.allow_torch()
        try:
            job = jobs.start("train_ranker", chosen, wake=False)
        except ShopvisionError as error:
            raise CommandError(str(error)) from error
        if not as_json:
            self.stderr.write(f"about {job.estimate['seconds']:.0f} s ({translated(job.estimate['basis'])})")
        run_here(job, "training")
        row = RankerRelease.objects.filter(pk=job.result.get("release")).first()
        if job.state != Job.State.DONE or row is None:
            raise CommandError(f"{job.state}: {job.message or 'run the command again'}")
        answer = {
            "job": str(job.pk),
            "release": row.pk,
            "kind": row.kind,
            "state": row.state,
            "reason": translated(row.reason),
            "data": row.data,
            "metrics": translated_data(row.metrics),
        }
        words = f"{row}: {row.kind} is {row.state}, {row.reason}"
        self.stdout.write(json.dumps(answer) if as_json else words)


def _answer(job: Job) -> dict[str, Any]:
    keys = [value["release"] for value in job.result.values() if isinstance(value, dict)]
    rows = ClassifierRelease.objects.filter(pk__in=keys).order_by("pk").defer("held_out")
    releases = [
        {
            "id": row.pk,
            "source": row.source,
            "target": row.target,
            "kind": row.kind,
            "state": row.state,
            "reason": translated(row.reason),
            "metrics": translated_data(row.metrics),
        }
        for row in rows
    ]
    failed = {item: str(why) for item, why in job.errors.values_list("item", "message")}
    return {"job": str(job.pk), "state": job.state, "releases": releases, "failed": failed}


def _words(answer: dict[str, Any]) -> str:
    lines = [line for one in answer["releases"] for line in _release_words(one)]
    lines += [f"{name}: not trained, {why}" for name, why in answer["failed"].items()]
    return "\n".join(lines) or answer["state"]


def _release_words(one: dict[str, Any]) -> list[str]:
    """What became of it, and what it was compared with."""
    compared = [
        f"{kind} {model['accuracy']:.3f}" for kind, model in (one["metrics"].get("models") or {}).items()
    ]
    absent = [f"no {kind} ({why})" for kind, why in (one["metrics"].get("left_out") or {}).items()]
    return [
        f"{one['source']} {one['target']}: {one['kind']} is {one['state']}, {one['reason']}",
        f"  accuracy on products not seen: {', '.join([*compared, *absent])}",
    ]
