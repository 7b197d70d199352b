"""Admin action for bulk classification: selection, confirmation page and start of the job."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.sites import all_sites
from django.core.signals import request_started
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from .. import jobs
from ..catalogue.adapter import Catalogue, catalogues
from ..catalogue.models import CatalogueEntry
from ..classification import classifier_releases
from ..classification.classifier_evaluation import ERRORS
from ..classification.models import ClassifierRelease
from ..exceptions import InvalidRequest, ShopvisionError
from ..messages import translated
from .job_pages import duration, started
from .verbose_names import word

NAME = "shopvision_classify"  # the action's; cannot meet one of the shop's own
KEYS_AT_ONCE = 2000
CLASSIFY, APPLY, TRAIN = (
    f"shopvision.{name}" for name in ("classify_products", "apply_classifications", "train_classifier")
)
_seen: WeakKeyDictionary[admin.AdminSite, int] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Choice:
    """An acceptable error, with what the release measured for it.

    Args:
        value: as the form sends it.
        reached: False when no threshold keeps the error that low.
    """

    value: str
    error: float
    reached: bool
    threshold: float = 1.0
    coverage: float = 0.0
    measured: float = 0.0


@dataclass(frozen=True, slots=True)
class Offer:
    """One thing that can be recognised, and by what."""

    target: str
    release: ClassifierRelease | None
    estimate: Mapping[str, Any]
    choices: tuple[Choice, ...]

    @property
    def kind(self) -> str:
        """The release's kind, in words."""
        return word(self.release.kind) if self.release else ""

    @property
    def duration(self) -> str:
        """How long it will take, in words."""
        return duration(float(self.estimate.get("seconds") or 0))


@dataclass(frozen=True, slots=True)
class Selection:
    """What a person chose: products of one catalogue, as rows of its model or of ``CatalogueEntry``."""

    source: str
    count: int
    rows: QuerySet[Any]

    def keys(self) -> Iterator[str]:
        """Keys of the products in the shop, a batch in memory at a time."""
        name = "object_id" if issubclass(self.rows.model, CatalogueEntry) else "pk"
        return map(str, self.rows.values_list(name, flat=True).iterator(chunk_size=KEYS_AT_ONCE))


@admin.action(description=gettext_lazy("Classify with shopvision…"), permissions=[NAME])
def shopvision_classify(
    modeladmin: admin.ModelAdmin[Any], request: HttpRequest, queryset: QuerySet[Any]
) -> HttpResponse | None:
    """Ask what to recognise and how careful to be; then start the job with exactly the products chosen."""
    try:
        chosen = selected(modeladmin, request, queryset)
        if "confirmed" in request.POST:
            return started(request, start(request, chosen))
        return _confirmation(modeladmin, request, chosen)
    except ShopvisionError as error:
        messages.error(request, translated(error))
        return None


def selected(modeladmin: admin.ModelAdmin[Any], request: HttpRequest, queryset: QuerySet[Any]) -> Selection:
    """The products that the list gives, each once.

    Raises:
        InvalidRequest: nothing, or products of several catalogues.
    """
    ours = issubclass(modeladmin.model, CatalogueEntry)
    source = _source(request, queryset) if ours else _adapter(modeladmin.model).source
    every: QuerySet[Any] = queryset.model._base_manager.using(queryset.db)
    rows = every.filter(pk__in=queryset.order_by().values("pk")).order_by("pk")
    count = rows.count()
    if not count:
        raise InvalidRequest("no_product_chosen")
    return Selection(source, count, rows)


def _source(request: HttpRequest, queryset: QuerySet[CatalogueEntry]) -> str:
    sources = list(queryset.order_by().values_list("source", flat=True).distinct()[:2])
    if len(sources) != 1:
        raise InvalidRequest("products_of_several_catalogues")
    return str(sources[0])


def _adapter(model: type[Any]) -> Catalogue:
    for adapter in catalogues().values():
        if adapter.model._meta.concrete_model is model._meta.concrete_model:
            return adapter
    raise InvalidRequest("model_without_catalogue")


def start(request: HttpRequest, selection: Selection) -> jobs.Job:
    """Queue the job the confirmation page describes.

    Raises:
        InvalidRequest: an unknown target, no live classifier, or more than the person may do.
    """
    target = request.POST.get("target", "")
    chosen = request.POST.get(f"error:{target}", "")
    if target not in catalogues()[selection.source].targets():
        raise InvalidRequest("classify_target_missing", code="unknown_target")
    if classifier_releases.live(selection.source, target) is None:
        raise InvalidRequest(
            "no_live_classifier_for_target", code="no_classifier", target=target, source=selection.source
        )
    error = next((one for one in ERRORS if str(one) == chosen), None)
    if error is not None and not request.user.has_perm(APPLY):
        raise InvalidRequest("may_not_apply_automatically")
    params = params_of(selection, target, error)
    return jobs.start("classify", params, request.user, items=selection.keys())


def params_of(selection: Selection, target: str, error: float | None = None) -> dict[str, Any]:
    """What a classify job takes; ``chosen`` lets it say its cost before the products are written."""
    known = {"source": selection.source, "chosen": selection.count}
    return {**known, "target": target, "acceptable_error": error}


def offers(selection: Selection) -> Iterator[Offer]:
    """What can be recognised of these products."""
    source = selection.source
    for target in catalogues()[source].targets():
        live = classifier_releases.live(source, target)
        if live is None:
            yield Offer(target, None, {}, ())
            continue
        known = jobs.estimate("classify", params_of(selection, target))
        yield Offer(target, live, known, tuple(choices(live)))


def choices(live: ClassifierRelease) -> Iterator[Choice]:
    """Every acceptable error with its measured threshold and coverage."""
    measured = live.metrics.get("thresholds") or {}
    for error in ERRORS:
        found = measured.get(str(error))
        if not found:
            yield Choice(str(error), error, reached=False)
            continue
        yield Choice(
            str(error),
            error,
            reached=True,
            threshold=float(found.get("threshold") or 0),
            coverage=float(found.get("coverage") or 0),
            measured=float(found.get("error") or 0),
        )


def _confirmation(
    modeladmin: admin.ModelAdmin[Any], request: HttpRequest, selection: Selection
) -> HttpResponse:
    everything = request.POST.get("select_across") == "1"
    site, offered = modeladmin.admin_site, list(offers(selection))
    context = {
        **site.each_context(request),
        "title": _("Classify products"),
        "opts": modeladmin.opts,
        "media": modeladmin.media,
        "action": NAME,
        "count": selection.count,
        "source": selection.source,
        "offers": offered,
        "everything": everything,
        "checkbox": ACTION_CHECKBOX_NAME,
        "ticked": request.POST.getlist(ACTION_CHECKBOX_NAME)[: 1 if everything else None],
        "can_start": any(offer.release for offer in offered),
        "may_apply": request.user.has_perm(APPLY),
        "may_train": request.user.has_perm(TRAIN),
    }
    return TemplateResponse(request, "admin/shopvision/classify_confirm.html", context)


def attach(**_: Any) -> None:
    """Give every admin of a registered catalogue's model the action; the shop edits nothing.

    Runs when a request starts, since only then every site and every registration is there. An admin that
    switches actions off (``actions = None``) keeps none.
    """
    for site in all_sites:
        if _seen.get(site) == len(site._registry):
            continue
        known = {adapter.model._meta.concrete_model for adapter in catalogues().values()}
        for model, modeladmin in site._registry.items():
            ours = model is CatalogueEntry
            if (ours or model._meta.concrete_model in known) and modeladmin.actions is not None:
                _attach(modeladmin)
        _seen[site] = len(site._registry)


def may_classify(request: HttpRequest) -> bool:
    """For the action's ``permissions``: it is not in the list of those who may not."""
    return bool(request.user.has_perm(CLASSIFY))


def _attach(modeladmin: admin.ModelAdmin[Any]) -> None:
    names = [getattr(action, "__name__", action) for action in modeladmin.actions or ()]
    if NAME not in names:
        setattr(modeladmin, f"has_{NAME}_permission", may_classify)
        modeladmin.actions = [*(modeladmin.actions or ()), shopvision_classify]


request_started.connect(attach, dispatch_uid="shopvision-classify-action")
