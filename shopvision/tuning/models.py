"""PhotoQuery: descriptors of consented photo searches, which tuning learns from."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from ..privacy.registry import holds_personal_data


class PhotoQuery(models.Model):
    """What a photo searched with looked like, in numbers, of somebody who agreed to improvement; never the photo.

    With the product clicked in its answer it is a pair that ``shopvision_tune --from-clicks`` learns from.
    """

    listing = models.CharField(max_length=32, unique=True, help_text="id of the search's answer")
    subject = models.CharField(max_length=40, db_index=True, help_text="pseudonym: key id and HMAC")
    backbone_digest = models.CharField(max_length=64, help_text="EncoderSpec.digest of the descriptor")
    data = models.BinaryField(help_text="packed descriptor; vision.descriptor.pack")
    at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        verbose_name_plural = "photo queries"

    def __str__(self) -> str:
        return self.listing


holds_personal_data(PhotoQuery, "photo_queries", days=90, columns=("listing",))
