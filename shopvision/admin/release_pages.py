"""Base classes of the release pages: training, promotion and rollback with permissions."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _

from ..exceptions import InvalidRequest, ShopvisionError
from ..messages import translated
from .read_only import ReadOnlyAdmin

VERBS = ("promote", "rollback")


class TrainingAdmin(ReadOnlyAdmin):
    """Pages of who may train: they may look without the model's view permission, and have buttons."""

    training_permission = ""

    def may_train(self, request: HttpRequest) -> bool:
        """Train, promote, roll back."""
        return bool(request.user.has_perm(self.training_permission))

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may train may look."""
        return super().has_view_permission(request, obj) or self.may_train(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Shows the section to who may train and nothing else."""
        return super().has_module_permission(request) or self.may_train(request)

    def asked(self, request: HttpRequest) -> HttpResponse | None:
        """What refuses a button's request; None where it may go on.

        Raises:
            PermissionDenied: this person may not train.
        """
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.may_train(request):
            raise PermissionDenied
        return None


class ReleaseAdmin(TrainingAdmin):
    """Releases that are promoted and rolled back by a button.

    Attributes:
        first_rolls_back: something untrained stands behind the first release.
    """

    first_rolls_back = False

    def buttons(self, row: Any) -> list[str]:
        """What may be done with a release in its state."""
        if row.state == "live":
            return ["rollback"] if row.previous_id or self.first_rolls_back else []
        return ["promote"] if row.state in ("candidate", "retired", "refused") else []

    def press(self, request: HttpRequest, row: Any, verb: str) -> tuple[str, Any]:
        """Do it; what is live now, in words, and the release to show next."""
        raise Http404(f"{row} has nothing called {verb!r} to do")

    def verb_view(self, request: HttpRequest, pk: int, verb: str) -> HttpResponse:
        """Promote a release, or roll back to the one before it.

        Raises:
            Http404: nothing is called so, or there is no such release.
        """
        refused = self.asked(request)
        if refused is not None:
            return refused
        if verb not in VERBS:
            raise Http404(f"there is nothing called {verb!r} to do with a release")
        row = get_object_or_404(self.model, pk=pk)
        try:
            if verb not in self.buttons(row):
                raise _why_not(row, verb)
            name, row = self.press(request, row, verb)
            messages.success(request, _("%(release)s is live.") % {"release": name})
        except ShopvisionError as error:
            messages.error(request, translated(error))
        return HttpResponseRedirect(reverse(f"admin:shopvision_{self.opts.model_name}_change", args=[row.pk]))


def _why_not(row: Any, verb: str) -> InvalidRequest:
    if verb == "promote":
        return InvalidRequest("release_cannot_be_promoted", release=row, state=row.state)
    if row.state == "live":
        return InvalidRequest("no_release_before", release=row)
    return InvalidRequest("release_not_live", release=row, state=row.state)
