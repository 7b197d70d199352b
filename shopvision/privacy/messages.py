"""Messages of ``shopvision.privacy``: code -> words."""

from django.utils.translation import gettext_noop as _

from ..messages import register

register(
    {
        "unknown_purpose": _("'%(value)s' is no purpose; it takes %(names)s"),
    }
)
