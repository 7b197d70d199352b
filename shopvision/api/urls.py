"""Endpoints of version 1."""

from django.urls import path

from .views.events import EventsView
from .views.operations import LiveView, MetricsView, ReadyView, SchemaView, StatusView
from .views.privacy import ConsentView, MeView
from .views.search import SearchView, SimilarView, StoredSearchView

urlpatterns = [
    path("search/", SearchView.as_view(), name="search"),
    path("searches/<str:id>/", StoredSearchView.as_view(), name="stored-search"),
    path("products/<path:ref>/similar/", SimilarView.as_view(), name="similar"),
    path("events/", EventsView.as_view(), name="events"),
    path("consent/", ConsentView.as_view(), name="consent"),
    path("me/", MeView.as_view(), name="me"),
    path("health/live/", LiveView.as_view(), name="live"),
    path("health/ready/", ReadyView.as_view(), name="ready"),
    path("status/", StatusView.as_view(), name="status"),
    path("metrics/", MetricsView.as_view(), name="metrics"),
    path("schema/", SchemaView.as_view(), name="schema"),
]
