"""DatasetSnapshot, ClassifierRelease, Prediction, Decision."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from ..catalogue.models import CatalogueEntry
from ..jobs import Job
from ..privacy.registry import holds_no_person
from ..releases.storage import Trained


class DatasetSnapshot(models.Model):
    """What a training run learned from: every product's label as it stood, and its fold; named by its digest."""

    digest = models.CharField(primary_key=True, max_length=64, help_text="sha256 of source, target and data")
    source = models.CharField(max_length=100)
    target = models.CharField(max_length=64, help_text="category, or an attribute the adapter names")
    labels = models.JSONField(default=list, help_text="[{id, name, products, photos}]")
    products = models.PositiveIntegerField(default=0)
    photos = models.PositiveIntegerField(default=0)
    data = models.BinaryField(help_text="zlib of JSON: [[object_id, label id, fold, decided by a person]]")
    report = models.JSONField(
        default=dict, blank=True, help_text="small classes, conflicts, likely mislabelled products"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.target} of {self.source}, {self.products} products, {self.digest[:8]}"


class ClassifierRelease(Trained):
    """A trained classifier of one target of one catalogue, with its place in the life of releases."""

    class State(models.TextChoices):
        """building -> candidate -> live -> retired; refused by its gate, or failed."""

        BUILDING = "building", _("building")
        CANDIDATE = "candidate", _("candidate")
        LIVE = "live", _("live")
        RETIRED = "retired", _("retired")
        REFUSED = "refused", _("refused")
        FAILED = "failed", _("failed")

    source = models.CharField(max_length=100)
    target = models.CharField(max_length=64)
    kind = models.CharField(max_length=32, help_text="prototypes, linear, fusion, finetuned or cnn")
    state = models.CharField(max_length=16, choices=State.choices, default=State.BUILDING)
    snapshot = models.ForeignKey(DatasetSnapshot, on_delete=models.PROTECT, related_name="releases")
    backbone_digest = models.CharField(
        max_length=64, blank=True, help_text="EncoderSpec.digest of the descriptors it reads; empty for none"
    )
    labels = models.JSONField(default=list, help_text="[{id, name}], in the order of its outputs")
    held_out = models.BinaryField(
        default=bytes, help_text="its answers to products it had not seen; classification.held_out"
    )
    previous = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    class Meta(Trained.Meta):
        permissions = [("train_classifier", "Can train, promote and roll back classifiers")]
        constraints = [
            models.UniqueConstraint(
                fields=["source", "target"],
                condition=models.Q(state="live"),
                name="shopvision_one_live_classifier",
            )
        ]

    def __str__(self) -> str:
        return f"{self.target}@{self.pk}"


class Prediction(models.Model):
    """What the live classifier says of one product, and what became of it; one row a product and target.

    Once a person has decided, no model changes the row again.
    """

    class State(models.TextChoices):
        """suggested (by a model) -> accepted | corrected | rejected (by a person), or applied by a job."""

        SUGGESTED = "suggested", _("suggested")
        APPLIED = "applied", _("applied automatically")
        ACCEPTED = "accepted", _("accepted")
        CORRECTED = "corrected", _("corrected")
        REJECTED = "rejected", _("rejected")

    entry = models.ForeignKey(CatalogueEntry, on_delete=models.CASCADE, related_name="predictions")
    target = models.CharField(max_length=64)
    release = models.ForeignKey(
        ClassifierRelease, null=True, blank=True, on_delete=models.SET_NULL, related_name="predictions"
    )
    label = models.CharField(max_length=500)
    name = models.CharField(max_length=500)
    probability = models.FloatField(help_text="calibrated, of this label")
    known = models.FloatField(default=1.0, help_text="probability that it belongs to any of the labels")
    top = models.JSONField(default=list, help_text="[{label, name, probability}], best first, five at most")
    current = models.CharField(
        max_length=500, blank=True, help_text="the label the shop had when this was written"
    )
    state = models.CharField(max_length=16, choices=State.choices, default=State.SUGGESTED)
    value = models.FloatField(default=0.0, help_text="views x uncertainty: what looking at it is worth")
    job = models.ForeignKey(Job, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-value", "id"]
        permissions = [
            ("classify_products", "Can have products classified"),
            ("review_predictions", "Can accept, correct and reject suggestions"),
            ("apply_classifications", "Can have suggestions applied automatically, and undo that"),
        ]
        constraints = [models.UniqueConstraint(fields=["entry", "target"], name="shopvision_prediction_once")]
        indexes = [models.Index(fields=["target", "state", "-value"], name="shopvision_review_queue")]

    def __str__(self) -> str:
        return f"{self.entry}: {self.name} ({self.probability:.0%})"


class Decision(models.Model):
    """One line of the audit: who decided what of which product, when, and what it replaced.

    A person's latest decision is also the product's label for training. Product and user are kept in words,
    too, since both may go.
    """

    class Verb(models.TextChoices):
        """What was done."""

        ACCEPT = "accept", _("accepted")
        CORRECT = "correct", _("corrected")
        REJECT = "reject", _("rejected")
        APPLY = "apply", _("applied automatically")
        UNDO = "undo", _("undone")

    source = models.CharField(max_length=100)
    object_id = models.CharField(max_length=255)
    target = models.CharField(max_length=64)
    verb = models.CharField(max_length=16, choices=Verb.choices)
    label = models.CharField(max_length=500, help_text="accepted, corrected to, rejected or applied")
    name = models.CharField(max_length=500, blank=True)
    suggested = models.CharField(max_length=500, blank=True, help_text="what the model had said")
    probability = models.FloatField(null=True, blank=True)
    before = models.JSONField(null=True, blank=True, help_text="the shop's value before, to undo with")
    after = models.JSONField(null=True, blank=True, help_text="ids of the shop's labels after it was written")
    written = models.BooleanField(default=False, help_text="the shop's product was changed")
    release = models.ForeignKey(
        ClassifierRelease, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    job = models.ForeignKey(Job, null=True, blank=True, on_delete=models.SET_NULL, related_name="decisions")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    user_name = models.CharField(max_length=150, blank=True)
    undone_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["source", "target", "object_id", "-id"], name="shopvision_decision_of")
        ]

    def __str__(self) -> str:
        return f"{self.get_verb_display()} {self.source}:{self.object_id} {self.name}"


holds_no_person(DatasetSnapshot, "describes products of the shop")
holds_no_person(
    ClassifierRelease, "names the member of staff whose work it was; emptied when that user is deleted"
)
holds_no_person(Prediction, "describes a product of the shop")
holds_no_person(Decision, "names the member of staff whose work it was; emptied when that user is deleted")
