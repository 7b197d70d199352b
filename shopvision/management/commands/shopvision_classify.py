"""Classify products: suggestions for review, applied automatically if asked."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from ...classification.classifier_evaluation import ERRORS
from ...classification.classifier_releases import live
from ...classification.jobs import pairs
from ...exceptions import ShopvisionError
from ...jobs import Job
from ..job_command import ReadyCommand, resume_or_start, run_here

SHOWN_ERRORS = 20


class Command(ReadyCommand):
    """Works on a whole catalogue or on some products; interrupted, the same command goes on."""

    help = "Suggest labels for products; people accept, correct or reject them in the admin."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("keys", nargs="*", help="keys of products; none for all of them")
        parser.add_argument("--source", help="one catalogue only, as in shop.product; keys need it")
        parser.add_argument("--target", help="only the category, or an attribute the adapter names")
        parser.add_argument(
            "--apply",
            type=float,
            choices=ERRORS,
            metavar="ERROR",
            help=f"also apply what is sure enough to err this rarely: {', '.join(map(str, ERRORS))}",
        )
        parser.add_argument("--undo", metavar="JOB", help="give back what this classify job applied")
        parser.add_argument("--fresh", action="store_true", help="start over instead of resuming")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        kind = "undo" if options["undo"] else "classify"
        jobs_done = []
        for params in [{"job": options["undo"]}] if options["undo"] else self._todo(options):
            try:
                job = resume_or_start(kind, params, fresh=options["fresh"])
            except ShopvisionError as error:
                raise CommandError(str(error)) from error
            if not options["json"]:
                known = job.estimate
                self.stderr.write(
                    f"{_name(job)}: {job.total} products, about {known['seconds']:.0f} s ({known['basis']})"
                )
            run_here(job, "undoing" if options["undo"] else "classifying")
            jobs_done.append(job)
        answers = [_answer(job) for job in jobs_done]
        words = "\n".join(map(_words, answers))
        self.stdout.write(json.dumps({"jobs": answers}) if options["json"] else words)
        for job in jobs_done:
            if job.state != Job.State.DONE:
                raise CommandError(f"{job.state}: {job.message or 'run the command again to go on'}")

    def _todo(self, options: dict[str, Any]) -> list[dict[str, Any]]:
        """Params of a job for each target that has a live classifier, or for the one that was named."""
        if options["keys"] and not options["source"]:
            raise CommandError("keys of products need --source, as in shop.product")
        named = {name: options[name] for name in ("source", "target") if options[name]}
        try:
            found = pairs(named)
        except ShopvisionError as error:
            raise CommandError(str(error)) from error
        ready = [pair for pair in found if live(*pair) is not None]
        if not ready:
            raise CommandError("no classifier is live: train one with shopvision_train")
        more = {"refs": options["keys"]} if options["keys"] else {}
        return [
            {"source": source, "target": target, "acceptable_error": options["apply"], **more}
            for source, target in ready
        ]


def _name(job: Job) -> str:
    return f"{job.params.get('source', 'undo')} {job.params.get('target', '')}".strip()


def _answer(job: Job) -> dict[str, Any]:
    answer = {"job": str(job.pk), "name": _name(job), "state": job.state, "done": job.done}
    errors = dict(job.errors.values_list("item", "message")[:SHOWN_ERRORS])
    return {**answer, "failed": job.failed, **job.result, "errors": errors}


def _words(answer: dict[str, Any]) -> str:
    named = ("suggested", "decided", "applied", "restored", "left")
    parts = [f"{answer['name']} {answer['state']}: {answer['done']} products"]
    parts += [f"{answer[name]} {name}" for name in named if name in answer]
    lines = [", ".join([*parts, f"{answer['failed']} failed"])]
    lines += [f"  {item}: {message}" for item, message in answer["errors"].items()]
    return "\n".join(lines)
