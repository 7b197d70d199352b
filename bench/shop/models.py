"""Product: what a search answer shows."""

from django.db import models


class Product(models.Model):
    """A thing for sale."""

    name = models.CharField(max_length=100)
    image = models.ImageField()
    price = models.DecimalField(max_digits=8, decimal_places=2)
    stock = models.PositiveIntegerField()
    category = models.CharField(max_length=50)
    active = models.BooleanField(default=True)

    class Meta:
        app_label = "shop"

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Its page."""
        return f"/products/{self.pk}/"
