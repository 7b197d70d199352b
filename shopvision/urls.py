"""The one include a shop mounts: ``path("vision/", include("shopvision.urls"))``."""

from django.urls import URLPattern, URLResolver, include, path

app_name = "shopvision"
urlpatterns: list[URLPattern | URLResolver] = [path("api/v1/", include("shopvision.api.urls"))]
