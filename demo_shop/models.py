"""A small shop: categories, products with one image field, and further views in a table of their own."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.urls import reverse


class Category(models.Model):
    """A shelf of the shop, in a tree."""

    name = models.CharField(max_length=100)
    slug = models.SlugField(unique=True, max_length=120)
    parent = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.CASCADE, related_name="children"
    )

    class Meta:
        verbose_name_plural = "categories"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """The shelf's page."""
        return reverse("demo_shop:category", args=[self.slug])


class Product(models.Model):
    """Something for sale."""

    sku = models.CharField(max_length=64, unique=True)
    title = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    category = models.ForeignKey(Category, null=True, on_delete=models.SET_NULL, related_name="products")
    colour = models.CharField(max_length=40, blank=True)
    price = models.DecimalField(max_digits=8, decimal_places=2, default=Decimal("0"))
    stock = models.PositiveIntegerField(default=0)
    active = models.BooleanField(default=True)
    image = models.ImageField(upload_to="products", blank=True, max_length=200)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        """The product's page."""
        return reverse("demo_shop:product", args=[self.pk])


class ProductPhoto(models.Model):
    """A further view of a product."""

    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="photos")
    image = models.ImageField(upload_to="products", max_length=200)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return str(self.image.name)
