"""Messages of ``shopvision.search``: code -> words."""

from django.utils.translation import gettext_noop as _

from ..messages import register

register(
    {
        "comparing_photos": _("comparing photos"),
        "search_unknown_or_expired": _("this search is unknown or has expired; search again"),
    }
)
