"""Like a real shop that is not the demo: UUID keys, pictures in their own table, variants, many topics."""

from __future__ import annotations

import uuid

from django.db import models
from django.urls import reverse


class Topic(models.Model):
    """A category; an article has several."""

    label = models.CharField(max_length=60)
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.CASCADE)

    def __str__(self) -> str:
        return self.label


class Article(models.Model):
    """What is sold; a variant points at its master."""

    uid = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    headline = models.CharField(max_length=120)
    body_html = models.TextField(blank=True)
    topics = models.ManyToManyField(Topic, blank=True)
    maker = models.CharField(max_length=60, blank=True)
    cost = models.DecimalField(max_digits=10, decimal_places=2, null=True, blank=True)
    units_left = models.IntegerField(default=1)
    hidden_from = models.CharField(max_length=30, blank=True)
    master = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.CASCADE, related_name="variants"
    )

    def __str__(self) -> str:
        return self.headline

    def get_absolute_url(self) -> str:
        return reverse("testshop:article", args=[self.pk])


class Picture(models.Model):
    """One of an article's pictures."""

    article = models.ForeignKey(Article, on_delete=models.CASCADE, related_name="pictures")
    file = models.ImageField(upload_to="articles")
    rank = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["rank", "pk"]

    def __str__(self) -> str:
        return str(self.file.name)


class Bargain(Article):
    """A proxy, as a shop has for an admin page of its own."""

    class Meta:
        proxy = True


class Boot(Article):
    """Made from an article, with a table of its own; its key is the article's."""

    size = models.IntegerField(default=40)


class Poster(Picture):
    """A proxy of a related model."""

    class Meta:
        proxy = True
