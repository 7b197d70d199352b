"""shopvision and nothing else."""

from django.urls import include, path

urlpatterns = [path("vision/", include("shopvision.urls"))]
