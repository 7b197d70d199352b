"""URLs of the test run."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("vision/", include("shopvision.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
    path("testshop/", include("tests.testshop.urls")),
    path("", include("demo_shop.urls")),
]
