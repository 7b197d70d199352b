"""EncoderRelease, Descriptor, Embedding: the truth every index is rebuilt from."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from ..privacy.registry import holds_no_person


class Artefact(models.Model):
    """A model file, kept in the database so that every host can have it; named by its sha256."""

    digest = models.CharField(primary_key=True, max_length=64)
    kind = models.CharField(max_length=32)  # "projection" (safetensors) or "graph" (ONNX)
    data = models.BinaryField()
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.kind} {self.digest[:12]}"


class EncoderRelease(models.Model):
    """Backbone digest + projection digest + precision, with its place in the life of releases."""

    class State(models.TextChoices):
        """building -> candidate -> live -> retired; failed when its gate refused it."""

        BUILDING = "building", _("building")
        CANDIDATE = "candidate", _("candidate")
        LIVE = "live", _("live")
        RETIRED = "retired", _("retired")
        FAILED = "failed", _("failed")

    name = models.CharField(max_length=100)
    backbone = models.CharField(max_length=100, help_text="as in SHOPVISION['ENCODER']")
    backbone_digest = models.CharField(max_length=64, help_text="EncoderSpec.digest: names its descriptors")
    precision = models.CharField(max_length=8)
    graph = models.ForeignKey(Artefact, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    projection = models.ForeignKey(
        Artefact, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    digest = models.CharField(max_length=64, unique=True, help_text="names its embeddings and its index")
    dim = models.PositiveIntegerField()
    state = models.CharField(max_length=16, choices=State.choices, default=State.BUILDING)
    metrics = models.JSONField(default=dict, blank=True, help_text="what the gate measured, and the recipe")
    background = models.JSONField(
        default=dict,
        blank=True,
        help_text="quantiles of similarities between different products",
    )
    sequence = models.BigIntegerField(default=0, help_text="number of the last change of its embeddings")
    previous = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    activated_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["state"], condition=models.Q(state="live"), name="shopvision_one_live_release"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name}@{self.pk}"


class Descriptor(models.Model):
    """One photo's blocks under one backbone digest, packed; costly to compute, so never computed twice."""

    image = models.ForeignKey(
        "shopvision.CatalogueImage", on_delete=models.CASCADE, related_name="descriptors"
    )
    backbone_digest = models.CharField(max_length=64)
    content_digest = models.CharField(max_length=64, help_text="sha256 of the photo's bytes it was made from")
    data = models.BinaryField(help_text="vision.descriptor.pack: at most 4 KB")
    created_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["image", "backbone_digest"], name="shopvision_descriptor_once")
        ]

    def __str__(self) -> str:
        return f"descriptor of image {self.image_id}"


class Embedding(models.Model):
    """One photo's vector under one release, or its tombstone.

    Every change takes the next ``sequence`` of its release inside the same transaction, which locks the
    release's row: numbers become visible in order, so an index that has applied everything up to n misses
    nothing at or below n. Photo and entry are plain numbers, not foreign keys: a tombstone outlives them.
    """

    release = models.ForeignKey(EncoderRelease, on_delete=models.CASCADE, related_name="embeddings")
    image_id = models.BigIntegerField()
    entry_id = models.BigIntegerField(db_index=True)
    vector = models.BinaryField(null=True, help_text="float16 (D,) little-endian; null marks a tombstone")
    sequence = models.BigIntegerField()
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["release", "image_id"], name="shopvision_embedding_once")
        ]
        indexes = [models.Index(fields=["release", "sequence"], name="shopvision_embedding_feed")]

    def __str__(self) -> str:
        return f"embedding of image {self.image_id} @ {self.sequence}"


holds_no_person(Artefact, "files of encoders")
holds_no_person(EncoderRelease, "describes an encoder")
holds_no_person(Descriptor, "computed from a photo of the shop's own catalogue")
holds_no_person(Embedding, "computed from a photo of the shop's own catalogue")
