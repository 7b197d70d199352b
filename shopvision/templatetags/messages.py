"""Messages of ``shopvision.templatetags``: code -> words."""

from django.utils.translation import gettext_noop as _

from ..messages import register

register(
    {
        "not_a_catalogue_product": _("it is no product of a registered catalogue"),
    }
)
