"""Messages of ``shopvision.management``: code -> words."""

from django.utils.translation import gettext_noop as _

from ..messages import register

register(
    {
        "model_not_found_because": _("there is no model '%(label)s': %(error)s"),
        "no_image_field_found": _(
            "no image field was found in %(where)s; name the product model with --model app.Model"
        ),
    }
)
