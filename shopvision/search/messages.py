"""Messages of ``shopvision.search``: code -> words."""

from django.utils.translation import gettext_noop as _

from ..messages import register

register(
    {
        "basis_measured_photos": _(
            "%(photos)s photos of the shop, measured on this machine: %(rate)s photos/s"
        ),
        "basis_no_photos": _("no photos"),
        "basis_rows_only": _("rows only, nothing is encoded"),
        "basis_views_and_fit": _("%(views)s photos to make views of, %(photos)s to fit on"),
        "changes_left": _("%(outbox)s changes to go"),
        "changes_waiting": _("%(outbox)s changes wait for a worker"),
        "comparing_photos": _("comparing photos"),
        "fitting_encoder": _("fitting the encoder to the catalogue"),
        "fitting_encoder_to_clicks": _("fitting the encoder to what shoppers chose"),
        "indexing": _("indexing"),
        "looking_again": _("looking again"),
        "queued_for_workers": _("queued for the workers"),
        "reconciling": _("reconciling"),
        "search_unknown_or_expired": _("this search is unknown or has expired; search again"),
    }
)
