"""Pages that show derived rows: nothing there is typed in by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest

if TYPE_CHECKING:
    Base = admin.ModelAdmin[Any]
    Inline = admin.TabularInline[Any, Any]
else:
    Base = admin.ModelAdmin
    Inline = admin.TabularInline


class ReadOnlyAdmin(Base):
    """List and detail without add, change or delete; actions may still do what their permission allows."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody adds derived rows."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody edits derived rows."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes derived rows here: delete the product in the shop."""
        return False

    def may_act(self, request: HttpRequest) -> bool:
        """May this person run the page's actions: the model's change permission."""
        return bool(request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}"))

    def has_act_permission(self, request: HttpRequest) -> bool:
        """For ``@admin.action(permissions=["act"])``."""
        return self.may_act(request)
