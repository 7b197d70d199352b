"""StoredSearch and Demand tables."""

from __future__ import annotations

import uuid

from django.db import models

from ..privacy.registry import holds_no_person


class StoredSearch(models.Model):
    """The ordered answer of one search, so that its further pages agree; purged after SEARCH_TTL_SECONDS."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    kind = models.CharField(max_length=16)  # "photo" or "similar"
    payload = models.JSONField(help_text="hits, match, query and facets as types.Listing holds them")
    took_ms = models.FloatField()
    encode_ms = models.FloatField(default=0)

    class Meta:
        verbose_name_plural = "stored searches"

    def __str__(self) -> str:
        return str(self.id)


class Demand(models.Model):
    """A shopper looked for something we do not sell, in words that our catalogue uses; no photo, no person."""

    day = models.DateField(db_index=True)
    category = models.CharField(max_length=255, blank=True, help_text="nearest category's name")
    colour = models.CharField(max_length=32, blank=True)
    text = models.CharField(max_length=200, blank=True, help_text="words typed beside the photo, if any")
    count = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name_plural = "demand"
        constraints = [
            models.UniqueConstraint(
                fields=["day", "category", "colour", "text"], name="shopvision_demand_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.colour} {self.category}"


holds_no_person(StoredSearch, "references and numbers of one answer, for an hour; no photo, no subject")
holds_no_person(
    Demand, "counts words and colours by day; no photo, no subject", name="demand", days=90, at="day"
)
