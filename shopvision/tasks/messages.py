"""Messages of ``shopvision.tasks``: code -> words."""

from django.utils.translation import gettext_noop as _

from ..messages import register

register(
    {
        "remote_encoder_failed": _("%(name)s: %(error)s"),
    }
)
