"""URL patterns of version 1 of the API."""

from django.urls import path, register_converter
from django.urls.converters import PathConverter

from .views.classify import ClassifyView
from .views.duplicates import DuplicatesView
from .views.events import EventsView
from .views.jobs import JobCancelView, JobResumeView, JobsView, JobUndoView, JobView
from .views.not_found import NothingView
from .views.operations import LiveView, MetricsView, ReadyView, SchemaView, StatusView
from .views.predictions import AcceptView, CorrectView, PredictionsView, RejectView
from .views.privacy import ConsentView, MeView
from .views.ranking import RecommendationsView, RerankView
from .views.search import SearchView, SimilarView, StoredSearchView


class RefConverter(PathConverter):
    """A product's reference: any characters, a line break among them."""

    regex = "(?s:.+)"


class NothingConverter:
    """The rest of an address; but one of ours that lacks its last slash is left to the shop's ``APPEND_SLASH``."""

    regex = "(?s:.*)"

    def to_python(self, value: str) -> str:
        """As it is.

        Raises:
            ValueError: with a slash it would be an address of ours, so it is not taken.
        """
        if any(one.pattern.match(f"{value}/") for one in endpoints):
            raise ValueError(f"{value!r} lacks its slash")
        return value

    def to_url(self, value: str) -> str:
        """As it is."""
        return value


register_converter(RefConverter, "shopvision_ref")
register_converter(NothingConverter, "shopvision_nothing")

endpoints = [
    path("search/", SearchView.as_view(), name="search"),
    path("searches/<str:id>/", StoredSearchView.as_view(), name="stored-search"),
    path("products/<shopvision_ref:ref>/similar/", SimilarView.as_view(), name="similar"),
    path("rerank/", RerankView.as_view(), name="rerank"),
    path("recommendations/", RecommendationsView.as_view(), name="recommendations"),
    path("classify/", ClassifyView.as_view(), name="classify"),
    path("jobs/", JobsView.as_view(), name="jobs"),
    path("jobs/<str:id>/", JobView.as_view(), name="job"),
    path("jobs/<str:id>/cancel/", JobCancelView.as_view(), name="job-cancel"),
    path("jobs/<str:id>/resume/", JobResumeView.as_view(), name="job-resume"),
    path("jobs/<str:id>/undo/", JobUndoView.as_view(), name="job-undo"),
    path("predictions/", PredictionsView.as_view(), name="predictions"),
    path("predictions/<str:id>/accept/", AcceptView.as_view(), name="prediction-accept"),
    path("predictions/<str:id>/reject/", RejectView.as_view(), name="prediction-reject"),
    path("predictions/<str:id>/correct/", CorrectView.as_view(), name="prediction-correct"),
    path("duplicates/", DuplicatesView.as_view(), name="duplicates"),
    path("events/", EventsView.as_view(), name="events"),
    path("consent/", ConsentView.as_view(), name="consent"),
    path("me/", MeView.as_view(), name="me"),
    path("health/live/", LiveView.as_view(), name="live"),
    path("health/ready/", ReadyView.as_view(), name="ready"),
    path("status/", StatusView.as_view(), name="status"),
    path("metrics/", MetricsView.as_view(), name="metrics"),
    path("schema/", SchemaView.as_view(), name="schema"),
]
urlpatterns = [*endpoints, path("<shopvision_nothing:rest>", NothingView.as_view())]
