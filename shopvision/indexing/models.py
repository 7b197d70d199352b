"""Reading: numbers of the index and the catalogue that a worker counts and pages show."""

from __future__ import annotations

from django.db import models

from ..privacy.registry import holds_no_person


class Reading(models.Model):
    """A number that takes too long to count in a request: a worker counts it, pages show it with its time."""

    name = models.CharField(primary_key=True, max_length=32)
    value = models.JSONField()
    taken_at = models.DateTimeField()

    class Meta:
        app_label = "shopvision"

    def __str__(self) -> str:
        return f"{self.name} at {self.taken_at:%Y-%m-%d %H:%M}"


holds_no_person(Reading, "counts of the index and the catalogue")
