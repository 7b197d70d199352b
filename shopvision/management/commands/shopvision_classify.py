"""Have products classified: suggestions for the review, applied where it is sure enough if asked."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ... import jobs
from ...catalogue.adapter import catalogues
from ...classification.measures import ERRORS
from ...exceptions import ShopvisionError
from ...jobs import Job
from ..foreground import run_here

STOPPED = (Job.State.CANCELLED, Job.State.FAILED)


class Command(BaseCommand):
    """Works on a whole catalogue or on some products; interrupted, the same command goes on."""

    help = "Suggest labels for products; people accept, correct or reject them in the admin."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("keys", nargs="*", help="keys of products; none for the whole catalogue")
        parser.add_argument("--source", help="which catalogue, where the shop has several")
        parser.add_argument(
            "--target", default="category", help="category, or an attribute the adapter names"
        )
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
        try:
            job = self._job(kind, self._params(options), fresh=options["fresh"])
        except ShopvisionError as error:
            raise CommandError(str(error)) from error
        if not options["json"]:
            known = job.estimate
            self.stderr.write(f"{job.total} products, about {known['seconds']:.0f} s ({known['basis']})")
        run_here(job, "undoing" if kind == "undo" else "classifying")
        answer = {
            "job": str(job.pk),
            "state": job.state,
            "done": job.done,
            "failed": job.failed,
            **job.result,
        }
        answer["errors"] = dict(job.errors.values_list("item", "message")[:20])
        self.stdout.write(json.dumps(answer) if options["json"] else _words(answer))
        if job.state != Job.State.DONE:
            raise CommandError(f"{job.state}: {job.message or 'run the command again to go on'}")

    def _params(self, options: dict[str, Any]) -> dict[str, Any]:
        if options["undo"]:
            return {"job": options["undo"]}
        source = options["source"] or next(iter(catalogues()), None)
        if source not in catalogues() or (len(catalogues()) > 1 and not options["source"]):
            raise CommandError(
                f"--source takes one of {', '.join(catalogues()) or 'no catalogue: none is there'}"
            )
        params = {"source": source, "target": options["target"], "acceptable_error": options["apply"]}
        return params | ({"refs": options["keys"]} if options["keys"] else {})

    def _job(self, kind: str, params: dict[str, Any], *, fresh: bool) -> Job:
        """The interrupted job of the same parameters if there is one, else a new one."""
        last = Job.objects.filter(kind=kind, params=params).first()
        if last and last.state in STOPPED and last.cursor and not fresh:
            return jobs.resume(last, wake=False)
        return jobs.start(kind, params, wake=False)


def _words(answer: dict[str, Any]) -> str:
    named = ("suggested", "decided", "applied", "restored", "left")
    parts = [f"{answer[name]} {name}" for name in named if name in answer]
    lines = [f"{answer['state']}: {answer['done']} products, {', '.join(parts)}, {answer['failed']} failed"]
    lines += [f"  {item}: {message}" for item, message in answer["errors"].items()]
    return "\n".join(lines)
