"""Job, JobError, JobItem and Worker tables."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ..messages import MessageEncoder, MessageField
from ..privacy.registry import holds_no_person


class Job(models.Model):
    """Work that takes longer than a request: its size, how far it is, and who may stop it."""

    class State(models.TextChoices):
        """queued -> running -> done | failed | cancelled; a cancelled or failed job can be resumed."""

        QUEUED = "queued", _("queued")
        RUNNING = "running", _("running")
        CANCELLING = "cancelling", _("cancelling")
        CANCELLED = "cancelled", _("cancelled")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=32)  # as it is registered
    params = models.JSONField(default=dict, blank=True)
    state = models.CharField(max_length=16, choices=State.choices, default=State.QUEUED, db_index=True)
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    cursor = models.JSONField(default=dict, blank=True, help_text="where to resume")
    estimate = models.JSONField(
        default=dict, blank=True, encoder=MessageEncoder, help_text="{images, seconds, basis}"
    )
    result = models.JSONField(default=dict, blank=True, encoder=MessageEncoder)
    message = MessageField()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    lease = models.CharField(max_length=36, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0, help_text="workers that died on it since it last moved")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        app_label = "shopvision"
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


class JobError(models.Model):
    """What went wrong with one item of a job; the other items went on."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="errors")
    item = models.CharField(max_length=360, help_text="product reference, or whatever the job works on")
    message = MessageField()
    created_at = models.DateTimeField(auto_now=True)

    class Meta:
        app_label = "shopvision"
        constraints = [models.UniqueConstraint(fields=["job", "item"], name="shopvision_job_error_once")]

    def __str__(self) -> str:
        return f"{self.item}: {self.message}"


class Worker(models.Model):
    """A process that does background work; it says "here I am" every few seconds."""

    name = models.CharField(primary_key=True, max_length=100, help_text="host:process id")
    kind = models.CharField(max_length=16, help_text="thread, command or celery")
    started_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        app_label = "shopvision"

    def __str__(self) -> str:
        return self.name


class JobItem(models.Model):
    """One of the things that a person chose for a job to work on, written when they confirmed their choice."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="items")
    position = models.PositiveIntegerField(help_text="from 1, in the order of work")
    key = models.CharField(max_length=255, help_text="a product's key in the shop")

    class Meta:
        app_label = "shopvision"
        constraints = [models.UniqueConstraint(fields=["job", "position"], name="shopvision_job_item_place")]

    def __str__(self) -> str:
        return f"{self.position}: {self.key}"


holds_no_person(Job, "names the member of staff whose work it was; emptied when that user is deleted")
holds_no_person(JobError, "names an item of the catalogue")
holds_no_person(JobItem, "names products of the catalogue")
holds_no_person(Worker, "names a process of the shop's servers")
