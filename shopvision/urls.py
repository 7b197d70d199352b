"""The one include a shop mounts: ``path("vision/", include("shopvision.urls"))``."""

from django.urls import URLPattern, URLResolver

app_name = "shopvision"
urlpatterns: list[URLPattern | URLResolver] = []
