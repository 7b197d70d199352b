"""Base class of read-only admin pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from .verbose_names import speak

if TYPE_CHECKING:
    Base = admin.ModelAdmin[Any]
    Inline = admin.TabularInline[Any, Any]
else:
    Base = admin.ModelAdmin
    Inline = admin.TabularInline


class ReadOnlyAdmin(Base):
    """List and detail without add, change or delete; actions may still do what their permission allows."""

    def __init__(self, model: type[Model], admin_site: AdminSite) -> None:
        """Names of the model and of its columns are in the reader's language."""
        super().__init__(model, admin_site)
        speak(model)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody adds derived rows."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody edits derived rows."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes derived rows here: delete the product in the shop."""
        return False

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The row's own page where it has one, else Django's form, which nobody can change."""
        own = self.row_page(request, object_id, extra_context or {})
        return own if own is not None else super().change_view(request, object_id, form_url, extra_context)

    def row_page(self, request: HttpRequest, object_id: str, extra: dict[str, Any]) -> HttpResponse | None:
        """A page in place of the form; None for the form."""
        return None

    def shown(self, request: HttpRequest, object_id: str) -> Any:
        """The row, for its own page.

        Raises:
            Http404: there is none.
            PermissionDenied: this person may not see it.
        """
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404(f"there is no {self.opts.verbose_name} {object_id!r}")
        if not self.may_see(request, row):
            raise PermissionDenied
        return row

    def may_see(self, request: HttpRequest, row: Any) -> bool:
        """May this person look at the row's own page."""
        return self.has_view_permission(request, row)

    def rendered(self, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
        """A page of ours within the admin's frame."""
        frame = {**self.admin_site.each_context(request), "opts": self.opts}
        return TemplateResponse(request, f"admin/shopvision/{template}", {**frame, **context})

    def may_act(self, request: HttpRequest) -> bool:
        """May this person run the page's actions: the model's change permission."""
        return bool(request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}"))

    def has_act_permission(self, request: HttpRequest) -> bool:
        """For ``@admin.action(permissions=["act"])``."""
        return self.may_act(request)
