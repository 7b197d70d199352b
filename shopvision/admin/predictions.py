"""Admin of predictions and decisions, and the review screen for single and bulk review."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseNotFound,
    HttpResponseRedirect,
    JsonResponse,
)
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext, gettext_lazy, ngettext
from django.utils.translation import gettext as _

from ..classification import explanations, review
from ..classification.models import Decision, Prediction
from ..exceptions import InvalidRequest, ShopvisionError
from ..messages import translated
from . import review_card
from .read_only import ReadOnlyAdmin
from .review_card import Narrowing
from .verbose_names import WordsFilter, column

REVIEW = "shopvision.review_predictions"
SAMPLES = 12  # shown before many are accepted
MAP_SECONDS = 3600  # a browser keeps a heat map this long
BY_A_PERSON = (Decision.Verb.ACCEPT, Decision.Verb.CORRECT, Decision.Verb.REJECT)


@admin.register(Prediction)
class PredictionAdmin(ReadOnlyAdmin):
    """The list, most worth looking at first."""

    list_display = (
        "product",
        "of_what",
        "name",
        "share",
        "state",
        "current",
        "worth",
        "release",
        "changed_at",
    )
    list_filter = ("state", ("target", WordsFilter), "entry__source", "release")
    search_fields = ("entry__title", "entry__object_id", "name")
    list_select_related = ("entry", "release")
    exclude = ("target", "top", "job")  # the review screen has all labels, in words
    readonly_fields = ("of_what",)
    change_list_template = "admin/shopvision/prediction_list.html"
    of_what = column("target", gettext_lazy("target"))

    @admin.display(description=gettext_lazy("product"), ordering="entry__title")
    def product(self, prediction: Prediction) -> str:
        """Whose label it is about."""
        return str(prediction.entry)

    @admin.display(description=gettext_lazy("probability"), ordering="probability")
    def share(self, prediction: Prediction) -> str:
        """Calibrated: of a hundred such, so many are right."""
        return f"{prediction.probability:.1%}"

    @admin.display(description=gettext_lazy("worth looking at"), ordering="value")
    def worth(self, prediction: Prediction) -> str:
        """Views x uncertainty."""
        return f"{prediction.value:.2f}"

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may review sees the list, too."""
        return super().has_view_permission(request, obj) or request.user.has_perm(REVIEW)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Shows the section to who may review and nothing else."""
        return super().has_module_permission(request) or request.user.has_perm(REVIEW)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list, with the way to the review screen."""
        context = {"may_review": request.user.has_perm(REVIEW), **(extra_context or {})}
        return super().changelist_view(request, context)

    def row_page(self, request: HttpRequest, object_id: str, extra: dict[str, Any]) -> HttpResponse | None:
        """One prediction is shown on the review screen to those who may decide."""
        if request.user.has_perm(REVIEW) and object_id.isdecimal():
            return HttpResponseRedirect(f"{reverse('admin:shopvision_prediction_review')}?id={object_id}")
        return None

    def get_urls(self) -> list[URLPattern]:
        """Adds the review screen, its verbs and its heat maps."""
        own: list[tuple[str, Any, str]] = [
            ("review/", self.review_view, "review"),
            ("review/undo/", self.undo_view, "undo"),
            ("review/bulk/", self.bulk_view, "bulk"),
            ("review/<int:pk>/heat.png", self.heat_view, "heat"),
            ("review/<int:pk>/<slug:verb>/", self.decide_view, "decide"),
        ]
        found = [
            path(route, self.admin_site.admin_view(view), name=f"shopvision_prediction_{name}")
            for route, view, name in own
        ]
        return [*found, *super().get_urls()]

    def review_view(self, request: HttpRequest) -> HttpResponse:
        """The screen; ``?part=card`` gives the card alone, for the page's script."""
        may_review(request)
        where = Narrowing.read(request.GET)
        context = {"where": where, "opts": self.opts, **review_card.card(where, self.admin_site)}
        if request.GET.get("part") == "card":
            return TemplateResponse(request, "admin/shopvision/review_card.html", context)
        context |= {
            "title": _("Review suggestions"),
            "is_nav_sidebar_enabled": False,  # the photo needs the room
            "last": last_decision(request),
            **review_card.filters(where),
        }
        return self.rendered(request, "review.html", context)

    def decide_view(self, request: HttpRequest, pk: int, verb: str) -> HttpResponse:
        """Accept, correct or reject; then the next one."""
        may_review(request)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        prediction = get_object_or_404(Prediction.objects.select_related("entry"), pk=pk)
        where = Narrowing.read(request.GET)
        try:
            decision = decide(request, prediction, verb)
        except ShopvisionError as error:
            return self._answer(request, translated(error), where.to(id=pk), ok=False)
        return self._answer(request, in_words(decision, prediction), where.to(after=pk))

    def undo_view(self, request: HttpRequest) -> HttpResponse:
        """Take back one's own latest decision and look at the product again."""
        may_review(request)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        where, last = Narrowing.read(request.GET), last_decision(request)
        if last is None:
            return self._answer(request, _("There is nothing to undo."), where.to(), ok=False)
        try:
            prediction = review.undo(last, request.user)
        except ShopvisionError as error:
            return self._answer(request, translated(error), where.to(), ok=False)
        words = _("Undone: %(product)s is open again.") % {"product": prediction.entry}
        return self._answer(request, words, where.to(id=prediction.pk))

    def _answer(self, request: HttpRequest, words: str, query: str, *, ok: bool = True) -> HttpResponse:
        """For a script JSON, for a plain form a message and the next page."""
        address = f"{reverse('admin:shopvision_prediction_review')}?{query}"
        if request.headers.get("accept") == "application/json":
            return JsonResponse({"ok": ok, "words": words, "address": address}, status=200 if ok else 409)
        messages.add_message(request, messages.SUCCESS if ok else messages.ERROR, words)
        return HttpResponseRedirect(address)

    def bulk_view(self, request: HttpRequest) -> HttpResponse:
        """How many suggestions lie above a probability, some of them; accepts them when confirmed."""
        may_review(request)
        given = request.POST or request.GET
        where = Narrowing.read(given)
        rows = where.rows().filter(state=Prediction.State.SUGGESTED).order_by("-probability", "id")
        if any(given.get(name) and getattr(where, name) is None for name in ("min", "max", "job")):
            rows = rows.none()  # never more than was meant
            messages.error(request, _("A probability takes a number from 0 to 100: nothing is chosen."))
        chosen = list(rows.values_list("pk", flat=True)[: review.MAX_AT_ONCE])
        if request.method == "POST":
            done = review.bulk_accept(Prediction.objects.filter(pk__in=chosen), request.user)
            words = ngettext("%(n)d suggestion accepted.", "%(n)d suggestions accepted.", done)
            messages.success(request, words % {"n": done})
            return HttpResponseRedirect(
                f"{reverse('admin:shopvision_prediction_review')}?{where.to(min=None)}"
            )
        context = {
            "title": _("Accept many suggestions"),
            "where": where,
            "count": len(chosen),
            "more": rows.count() - len(chosen),
            "labels": review_card.labels_of(rows),
            "samples": review_card.samples(rows, SAMPLES, self.admin_site),
        }
        return self.rendered(request, "review_bulk.html", context)

    def heat_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Where on the photo the suggestion comes from, as a transparent PNG."""
        may_review(request)
        prediction = get_object_or_404(Prediction.objects.select_related("entry", "release"), pk=pk)
        try:
            data = explanations.heat_map(prediction)
        except ShopvisionError as error:
            return HttpResponseNotFound(translated(error), content_type="text/plain")
        response = HttpResponse(data, content_type="image/png")
        response["Cache-Control"] = f"private, max-age={MAP_SECONDS}"
        return response


def may_review(request: HttpRequest) -> None:
    """Refuse whoever may not decide.

    Raises:
        PermissionDenied: as Django answers 403.
    """
    if not request.user.has_perm(REVIEW):
        raise PermissionDenied


def decide(request: HttpRequest, prediction: Prediction, verb: str) -> Decision:
    """What the person said of the prediction.

    Raises:
        InvalidRequest: no such verb or label, or somebody else decided meanwhile.
    """
    if verb == "accept":
        return review.accept(prediction, request.user)
    if verb == "reject":
        return review.reject(prediction, request.user)
    if verb == "correct":
        given = request.POST.get("label", "").strip()
        return review.correct(prediction, request.user, review_card.label_named(prediction, given))
    raise InvalidRequest("unknown_review_verb", verb=verb)


def last_decision(request: HttpRequest) -> Decision | None:
    """The person's own latest decision that stands."""
    mine = Decision.objects.filter(user=request.user.pk, verb__in=BY_A_PERSON, undone_at=None)
    return mine.order_by("-id").first()


def in_words(decision: Decision, prediction: Prediction) -> str:
    """One sentence for the person, such as: Accepted: Red mug is Mugs."""
    values = {"product": prediction.entry, "label": decision.name or decision.label or prediction.name}
    if decision.verb == Decision.Verb.ACCEPT:
        return _("Accepted: %(product)s is %(label)s.") % values
    if decision.verb == Decision.Verb.CORRECT:
        return _("Corrected: %(product)s is %(label)s.") % values
    return _("Rejected: %(product)s is not %(label)s.") % values


@admin.register(Decision)
class DecisionAdmin(ReadOnlyAdmin):
    """Newest first; nothing here is ever changed or deleted."""

    list_display = (
        "created_at", "verb", "source", "object_id", "of_what", "called", "suggested", "share", "written", "who",
        "undone_at",
    )  # fmt: skip
    list_filter = ("verb", ("target", WordsFilter), "source", "written", "created_at")
    fields = readonly_fields = (
        "created_at", "verb", "source", "object_id", "of_what", "called", "label", "suggested", "share", "before",
        "after", "written", "release", "who", "undone_at",
    )  # fmt: skip
    search_fields = ("object_id", "name", "label", "user_name")
    date_hierarchy = "created_at"
    of_what = column("target", gettext_lazy("target"))

    @admin.display(description=gettext_lazy("label"), ordering="name")
    def called(self, decision: Decision) -> str:
        """The label by name."""
        return decision.name or decision.label

    @admin.display(description=gettext_lazy("probability"), ordering="probability")
    def share(self, decision: Decision) -> str:
        """What the model had given it."""
        return "" if decision.probability is None else f"{decision.probability:.1%}"

    @admin.display(description=gettext_lazy("decided by"), ordering="user_name")
    def who(self, decision: Decision) -> str:
        """The person, or the job."""
        return decision.user_name or (
            gettext("job %(id)s") % {"id": decision.job_id} if decision.job_id else "—"
        )

    def has_view_permission(self, request: HttpRequest, obj: Decision | None = None) -> bool:
        """Who may review may look up what was decided."""
        return super().has_view_permission(request, obj) or request.user.has_perm(REVIEW)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Shows the section to who may review and nothing else."""
        return super().has_module_permission(request) or request.user.has_perm(REVIEW)
