"""URL patterns of shopvision: ``path("vision/", include("shopvision.urls"))``."""

from django.urls import URLPattern, URLResolver, include, path

from .api.views.privacy import PrivacyPage
from .api.views.storefront import PhotoPage

app_name = "shopvision"
urlpatterns: list[URLPattern | URLResolver] = [
    path("api/v1/", include("shopvision.api.urls")),
    path("photo/", PhotoPage.as_view(), name="photo"),
    path("privacy/", PrivacyPage.as_view(), name="privacy"),
]
