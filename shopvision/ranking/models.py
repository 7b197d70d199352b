"""KnowledgeSnapshot, RankerRelease, Experiment, ExperimentCount."""

from __future__ import annotations

import secrets

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from ..privacy.registry import holds_no_person
from ..releases.storage import Stored, Trained


def new_salt() -> str:
    """Random; makes the arms of two experiments independent."""
    return secrets.token_hex(16)


class KnowledgeSnapshot(Stored):
    """What was known of the shop's products at a time; the newest one serves, whoever ranks."""

    data = models.JSONField(
        default=dict,
        help_text="what it was made of: events, subjects, products, days; how many were simulated",
    )
    seconds = models.FloatField(default=0)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"knowledge@{self.pk}"


class RankerRelease(Trained):
    """A trained ranker, with its place in the life of releases."""

    class State(models.TextChoices):
        """candidate -> live -> retired; or refused by its gate."""

        CANDIDATE = "candidate", _("candidate")
        LIVE = "live", _("live")
        RETIRED = "retired", _("retired")
        REFUSED = "refused", _("refused")

    kind = models.CharField(max_length=32, help_text="linear, mlp or lightgbm")
    state = models.CharField(max_length=16, choices=State.choices, default=State.CANDIDATE)
    snapshot = models.CharField(max_length=64, help_text="sha256 of the acts, listings and products it saw")
    data = models.JSONField(default=dict, help_text="what it learned from, and how many of it were simulated")
    learned_until = models.DateTimeField(help_text="later listings are unknown to it")
    previous = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    class Meta(Trained.Meta):
        permissions = [("train_ranker", "Can train, promote and roll back rankers, and run experiments")]
        constraints = [
            models.UniqueConstraint(
                fields=["state"], condition=models.Q(state="live"), name="shopvision_one_live_ranker"
            )
        ]

    def __str__(self) -> str:
        return f"ranker@{self.pk}"


class Experiment(models.Model):
    """Visitors divided among the shop's own order, the live ranker and perhaps a candidate; one runs at a time."""

    class State(models.TextChoices):
        """running -> stopped."""

        RUNNING = "running", _("running")
        STOPPED = "stopped", _("stopped")

    name = models.CharField(max_length=100)
    state = models.CharField(max_length=16, choices=State.choices, default=State.RUNNING)
    salt = models.CharField(max_length=32, default=new_salt, editable=False)
    holdout = models.FloatField(help_text="share of visitors who see the shop's own order, in (0, 1)")
    candidate = models.ForeignKey(
        RankerRelease, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    candidate_share = models.FloatField(default=0, help_text="of visitors, in [0, 1)")
    simulated = models.BooleanField(default=False, help_text="its counts were made up, to show the page")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    started_at = models.DateTimeField(auto_now_add=True)
    stopped_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["state"], condition=models.Q(state="running"), name="shopvision_one_experiment"
            )
        ]

    def __str__(self) -> str:
        return self.name


class ExperimentCount(models.Model):
    """How many visitors of an arm did something for the first time in an experiment on a day; add them up."""

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="counts")
    day = models.DateField()
    arm = models.CharField(max_length=16)
    outcome = models.CharField(max_length=16, help_text="seen, click, basket_add or purchase")
    count = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["experiment", "day", "arm", "outcome"], name="shopvision_experiment_count_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.experiment} {self.day} {self.arm} {self.outcome} {self.count}"


holds_no_person(
    KnowledgeSnapshot, "sums over visitors about products; rebuilt from what is left of the events"
)
holds_no_person(
    RankerRelease, "weights; names the member of staff whose work it was, emptied when that user is deleted"
)
holds_no_person(Experiment, "names the member of staff whose work it was; emptied when that user is deleted")
holds_no_person(ExperimentCount, "counts visitors by arm and day; no subject, no session")
