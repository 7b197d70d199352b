"""Write the catalogue adapter from the project's models."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError

from ...exceptions import InvalidRequest
from ..inspect_models import adapter_source, guess


class Command(BaseCommand):
    """Writes ``shopvision_catalogue.py`` into the product model's app; never over an existing one."""

    help = "Write shopvision_catalogue.py for your product model, and say what was guessed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--model", default="", help="the product model, as app.Model, if the guess is wrong"
        )
        parser.add_argument("--print", action="store_true", help="print the file instead of writing it")
        parser.add_argument("--force", action="store_true", help="overwrite an existing file")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = guess(options["model"])
        except InvalidRequest as error:
            raise CommandError(str(error)) from error
        source = adapter_source(found)
        path = Path(apps.get_app_config(found.model._meta.app_label).path) / "shopvision_catalogue.py"
        written = False
        if not options["print"]:
            if path.exists() and not options["force"]:
                raise CommandError(f"{path} exists; --force overwrites it, --print only prints")
            path.write_text(source)
            written = True
        label = found.model._meta.label
        if options["json"]:
            answer = {
                "model": label,
                "path": str(path),
                "written": written,
                "notes": found.notes(),
                "source": source,
            }
            self.stdout.write(json.dumps(answer))
            return
        if not written:
            self.stdout.write(source)
        self.stderr.write(f"{'Wrote ' + str(path) if written else 'Adapter'} for {label}. Guessed:")
        for note in found.notes():
            self.stderr.write(f"  {note}")
        self.stderr.write("Next: python manage.py migrate, shopvision_index, then shopvision_check.")
