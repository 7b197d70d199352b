"""Event and ProductCount: pseudonymous events, and counts per product without identities."""

from __future__ import annotations

from datetime import date, datetime

from django.db import models, router, transaction
from django.db.models import Sum
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ..privacy.registry import holds_no_person, holds_personal_data


class Kind(models.TextChoices):
    """What can happen."""

    IMPRESSION = "impression", _("impression")  # shown at a position of a listing
    VIEW = "view", _("view")  # its page was looked at
    SEARCH = "search", _("search")
    PHOTO_SEARCH = "photo_search", _("photo search")
    CLICK = "click", _("click")
    BASKET_ADD = "basket_add", _("added to basket")
    BASKET_REMOVE = "basket_remove", _("removed from basket")
    PURCHASE = "purchase", _("purchase")
    RATE = "rate", _("rating")
    HIDE = "hide", _("hidden")


class Event(models.Model):
    """One act of one subject; written by ``record_events`` only, and only with consent."""

    key = models.CharField(max_length=90, unique=True, help_text="of its reporter; makes a repeat harmless")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    subject = models.CharField(max_length=40, help_text="pseudonym: key id and HMAC")
    session = models.CharField(max_length=24, blank=True, help_text="random name of the visit")
    product = models.CharField(max_length=360, blank=True, help_text="app.model:key")
    listing = models.CharField(max_length=32, blank=True, help_text="id of the listing it came from")
    position = models.PositiveIntegerField(null=True, blank=True, help_text="in the listing, from 0")
    propensity = models.FloatField(
        null=True, blank=True, help_text="probability with which the ranker showed it there, in (0, 1]"
    )
    value = models.FloatField(null=True, blank=True, help_text="stars, or pieces bought")
    text = models.CharField(max_length=100, blank=True, help_text="words searched for")
    purposes = models.PositiveSmallIntegerField(help_text="bits of privacy.consent.BITS it may be used for")
    at = models.DateTimeField(help_text="when it happened, by our clock")
    received_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        indexes = [
            models.Index(fields=["subject", "-at"], name="shopvision_event_subject"),
            models.Index(
                fields=["listing"], name="shopvision_event_listing", condition=~models.Q(listing="")
            ),
            models.Index(fields=["at"], name="shopvision_event_at"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.product}".strip()


def fold_counts(before: datetime) -> int:
    """Forget counts older than a time, and fold each past day's rows into one per product and kind.

    Returns:
        Rows that were deleted for their age; folding loses nothing and is not counted.
    """
    past = ProductCount.objects.filter(day__lt=timezone.now().date(), folded=False)
    for day in list(past.values_list("day", flat=True).distinct()):
        _fold(day)
    return ProductCount.objects.filter(day__lt=before.date()).delete()[0]


def _fold(day: date) -> None:
    """Two that fold one day at once wait for each other at its first row; the second finds it gone."""
    with transaction.atomic(using=router.db_for_write(ProductCount)):
        rows = ProductCount.objects.filter(day=day).order_by("pk")
        last = rows.order_by("-pk").values_list("pk", flat=True).first()
        if last is None or not list(rows.select_for_update().values_list("pk", flat=True)[:1]):
            return
        rows = rows.filter(pk__lte=last)
        sums = list(rows.order_by().values("product", "kind").annotate(n=Sum("count")))
        rows.delete()
        ProductCount.objects.bulk_create(
            ProductCount(day=day, product=one["product"], kind=one["kind"], count=one["n"], folded=True)
            for one in sums
        )


class ProductCount(models.Model):
    """So many more of a kind of event for a product, on the day we heard of them; add the rows up.

    Appended to, never updated in place: writers do not wait for one another. A view counts once for each
    visitor and day, so that one person changes a sum by at most one (``privacy.noise``).
    """

    day = models.DateField()
    product = models.CharField(max_length=360)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    count = models.PositiveIntegerField()
    folded = models.BooleanField(default=False, help_text="the whole day's sum so far")

    class Meta:
        indexes = [models.Index(fields=["day", "kind"], name="shopvision_count_day")]

    def __str__(self) -> str:
        return f"{self.day} {self.product} {self.kind} {self.count}"


holds_personal_data(
    Event,
    "events",
    days=90,
    columns=("kind", "product", "listing", "position", "value", "text", "session"),
)
holds_no_person(
    ProductCount,
    "sums over all visitors by product and day; no subject, no session",
    name="product_counts",
    days=730,
    at="day",
    purge=fold_counts,
)
