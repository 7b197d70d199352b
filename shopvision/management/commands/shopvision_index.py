"""Index the catalogue: estimate, progress bar, resumable."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from ... import jobs
from ...catalogue.adapter import catalogues
from ...index.models import EncoderRelease
from ...indexing import encoder_releases
from ...indexing.change_feed import verify
from ...jobs import Job
from ...tuning.jobs import tune_due, tuning_after
from ..job_command import ReadyCommand, resume_or_start, run_here


class Command(ReadyCommand):
    """Looks at every product, indexes what changed, drops what is gone; run again, it goes on."""

    help = "Index the catalogue: every product, one source, or the photos that were set aside."

    def add_arguments(self, parser: ArgumentParser) -> None:
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--all", action="store_true", help="every product of every source (the default)")
        which.add_argument("--source", help="one source only, as in shop.product")
        which.add_argument(
            "--failed", action="store_true", help="only photos and products that were set aside"
        )
        parser.add_argument("--fresh", action="store_true", help="start over instead of resuming")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        params = self._params(options)
        job = resume_or_start("index_all", params, fresh=options["fresh"])
        if not options["json"]:
            self.stderr.write(_words(job))
        run_here(job, "indexing")
        if job.state == Job.State.DONE and tune_due():
            self._tune(quiet=options["json"])
        answer = {"job": str(job.pk), "state": job.state, "done": job.done, "failed": job.failed}
        answer |= {
            **job.result,
            "drift": verify(encoder_releases.live()).as_dict() if job.state == "done" else None,
        }
        self.stdout.write(json.dumps(answer) if options["json"] else _summary(job, answer))
        if job.state != Job.State.DONE:
            raise CommandError(f"{job.state}: {job.message or 'run the command again to go on'}")

    def _tune(self, *, quiet: bool) -> None:
        job = jobs.start("tune", wake=False)
        if not quiet:
            known = job.estimate
            words = f"tuning the encoder to {known['images']} photos of the shop"
            self.stderr.write(f"{words}, about {known['seconds']:.0f} s ({known['basis']})")
        run_here(job, "tuning")
        if not quiet:
            self.stderr.write(_tuned(job))

    def _params(self, options: dict[str, Any]) -> dict[str, Any]:
        if not catalogues():
            raise CommandError(
                "no product model is registered: write shopvision_catalogue.py in your shop's app "
                "(python manage.py shopvision_init writes it for you)"
            )
        if options["source"] and options["source"] not in catalogues():
            raise CommandError(f"no source {options['source']!r}; one of {', '.join(catalogues())}")
        chosen = {"source": options["source"], "failed": options["failed"]}
        return {key: value for key, value in chosen.items() if value}


def _tuned(job: Job) -> str:
    """How the tuning ended; a release that was not better is no failure of the job."""
    outcome = job.result.get("release_state")
    if job.state != Job.State.DONE or not outcome:
        return f"tuning {job.state}: {job.message}"
    if outcome == EncoderRelease.State.FAILED:
        return "tuning done: the tuned release was not better; the live one stays"
    return f"tuning done: {outcome}"


def _words(job: Job) -> str:
    known = job.estimate
    verb = f"resuming at {job.done} of" if job.done else "indexing"
    return (
        f"{verb} {known.get('products', job.total)} products, about {known.get('images', 0)} photos: "
        f"at most {known.get('seconds', 0):.0f} s ({known.get('basis', '')}){_then(known)}"
    )


def _then(known: dict[str, Any]) -> str:
    seconds = tuning_after(known) if known.get("images") else 0.0
    return f"; then tuning to them, about {seconds:.0f} s" if seconds else ""


def _summary(job: Job, answer: dict[str, Any]) -> str:
    drift = (answer.get("drift") or {}).get("total", "unknown")
    return (
        f"{job.state}: {job.done} products, {answer.get('images', 0)} new photos "
        f"({answer.get('images_per_second', 0)}/s), {answer.get('rejected', 0)} rejected, drift {drift}"
    )
