"""Messages of ``shopvision.search``: code -> words."""

from django.utils.translation import gettext_noop as _

from ..messages import register

register(
    {
        "search_expired_or_unknown": _("there is no such search, or it has expired"),
        "search_cursor_invalid": _("the cursor is not one of this search's"),
        "comparing_photos": _("comparing photos"),
        "search_unknown_or_expired": _("this search is unknown or has expired; search again"),
    }
)
