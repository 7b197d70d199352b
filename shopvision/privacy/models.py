"""ConsentRecord, PrivacyLog and ErasedSubject tables."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .registry import holds_no_person, holds_personal_data


class ConsentRecord(models.Model):
    """A decision, kept as proof; after an erasure, and once withdrawn, without a name."""

    subject = models.CharField(
        max_length=40, blank=True, db_index=True, help_text="pseudonym; empty once erased"
    )
    at = models.DateTimeField(default=timezone.now, db_index=True)
    purposes = models.JSONField(default=list, help_text="agreed to; empty is a refusal")
    source = models.CharField(max_length=16, help_text="where it was decided: page or api")
    signal = models.CharField(
        max_length=8, blank=True, help_text="gpc or dnt, when the browser said no itself"
    )

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d} {', '.join(self.purposes) or 'refused'}"


class PrivacyLog(models.Model):
    """Something was erased, purged or handed out: how much of what, and at whose wish; never whose."""

    class Act(models.TextChoices):
        """What was done."""

        ERASE = "erase", _("erased")
        EXPORT = "export", _("exported")
        PURGE = "purge", _("past its time")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, help_text="the receipt's number")
    at = models.DateTimeField(default=timezone.now, db_index=True)
    act = models.CharField(max_length=8, choices=Act.choices)
    source = models.CharField(max_length=16, help_text="visitor, withdrawal, user deleted, command, duty")
    counts = models.JSONField(default=dict, help_text="rows by table")

    class Meta:
        verbose_name = verbose_name_plural = "privacy log"
        ordering = ["-at"]

    def __str__(self) -> str:
        return f"{self.get_act_display()} {self.id}"


class ErasedSubject(models.Model):
    """Ends the consents that began before it: events on their way, in whatever process, are not written."""

    digest = models.CharField(max_length=64, db_index=True, help_text="sha256 of the erased pseudonym")
    at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.digest[:8]


holds_personal_data(
    ConsentRecord, "consents", days=1095, columns=("purposes", "source", "signal"), blank_on_erase=True
)
holds_no_person(
    PrivacyLog, "counts by table and the time; the receipt's number is random", name="privacy_log", days=1825
)
holds_no_person(
    ErasedSubject,
    "digest of a pseudonym that no row carries any more, for a day",
    name="erased_subjects",
    days=1,
)
