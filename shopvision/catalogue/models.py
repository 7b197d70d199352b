"""CatalogueEntry, CatalogueImage, Outbox."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ..messages import MessageField
from ..privacy.registry import holds_no_person
from ..types import ProductRef


class CatalogueEntry(models.Model):
    """Our projection of one product of the shop's: what filters and folding need, never shown as truth."""

    class State(models.TextChoices):
        """Where its photos stand."""

        PENDING = "pending", _("pending")
        INDEXED = "indexed", _("indexed")
        REJECTED = "rejected", _("rejected")  # no photo of it could be used
        EMPTY = "empty", _("no photo")

    source = models.CharField(max_length=100)
    object_id = models.CharField(max_length=255)
    group = models.CharField(
        max_length=360, db_index=True, help_text="variants with one group fold to one card"
    )
    title = models.CharField(max_length=500, blank=True)
    text = models.TextField(blank=True, help_text="lower-case words a text search looks in")
    categories = models.JSONField(default=list, help_text="[{id, name, ancestors}]")
    filters = models.JSONField(default=dict, help_text="{name: [value, ...]} of the adapter's filters")
    price = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    in_stock = models.BooleanField(default=True)
    fingerprint = models.CharField(
        max_length=64, blank=True, help_text="sha256 of all we project from the product"
    )
    state = models.CharField(max_length=16, choices=State.choices, default=State.PENDING, db_index=True)
    changed_at = models.DateTimeField(default=timezone.now, help_text="when the shop changed it")
    indexed_at = models.DateTimeField(null=True, blank=True, help_text="when it became searchable")

    class Meta:
        verbose_name_plural = "catalogue entries"
        constraints = [models.UniqueConstraint(fields=["source", "object_id"], name="shopvision_entry_once")]

    def __str__(self) -> str:
        return self.title or str(self.ref)

    @property
    def ref(self) -> ProductRef:
        """Which product of the shop's it stands for."""
        return ProductRef(self.source, self.object_id)


class CatalogueImage(models.Model):
    """One photo of a product, by its name in the shop's storage."""

    class State(models.TextChoices):
        """Where this photo stands."""

        PENDING = "pending", _("pending")
        INDEXED = "indexed", _("indexed")
        REJECTED = "rejected", _("rejected")

    entry = models.ForeignKey(CatalogueEntry, on_delete=models.CASCADE, related_name="images")
    name = models.CharField(max_length=500, help_text="in the field's own storage")
    position = models.PositiveIntegerField(default=0, help_text="0 is the catalogue image")
    content_digest = models.CharField(
        max_length=64, blank=True, db_index=True, help_text="sha256 of its bytes"
    )
    perceptual_hash = models.BigIntegerField(null=True, help_text="64-bit difference hash, signed")
    width = models.PositiveIntegerField(default=0)
    height = models.PositiveIntegerField(default=0)
    colours = models.JSONField(default=list, help_text="dominant colours: [{name, rgb, share}]")
    quality = models.JSONField(default=dict, help_text="sharpness, exposure, background; images.quality")
    state = models.CharField(max_length=16, choices=State.choices, default=State.PENDING, db_index=True)
    reject_code = models.CharField(max_length=32, blank=True)
    reject_reason = MessageField()
    attempts = models.PositiveIntegerField(default=0)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["entry_id", "position"]
        constraints = [models.UniqueConstraint(fields=["entry", "name"], name="shopvision_image_once")]

    def __str__(self) -> str:
        return self.name


class Outbox(models.Model):
    """A change of the catalogue that waits for a worker; written in the shop's own transaction."""

    class State(models.TextChoices):
        """Waiting or held (by the lease), or set aside after too many attempts."""

        WAITING = "waiting", _("waiting")
        POISONED = "poisoned", _("set aside")

    source = models.CharField(max_length=100)
    object_id = models.CharField(max_length=255)
    created_at = models.DateTimeField(default=timezone.now)
    available_at = models.DateTimeField(default=timezone.now, db_index=True, help_text="not before; back-off")
    lease = models.CharField(max_length=36, blank=True, help_text="token of the worker that holds it")
    leased_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=16, choices=State.choices, default=State.WAITING)
    last_error = MessageField()

    class Meta:
        verbose_name_plural = "outbox"
        indexes = [models.Index(fields=["state", "available_at", "id"], name="shopvision_outbox_claim")]

    def __str__(self) -> str:
        return f"{self.source}:{self.object_id}"


class Overview(CatalogueEntry):
    """The admin's first page; a name in the app list, no table of its own."""

    class Meta:
        proxy = True
        verbose_name = verbose_name_plural = "overview"
        default_permissions = ("view",)


holds_no_person(CatalogueEntry, "describes a product of the shop")
holds_no_person(CatalogueImage, "describes a photo of the shop's own catalogue")
holds_no_person(Outbox, "references of products that changed")
