"""Messages of ``shopvision.indexing``: code -> words."""

from django.utils.translation import gettext_noop as _

from ..messages import register

register(
    {
        "basis_measured_photos": _(
            "%(photos)s photos of the shop, measured on this machine: %(rate)s photos/s"
        ),
        "basis_no_photos": _("no photos"),
        "basis_rows_only": _("rows only, nothing is encoded"),
        "changes_left": _("%(outbox)s changes to go"),
        "changes_waiting": _("%(outbox)s changes wait for a worker"),
        "index_being_filled": _("the index is being filled; try again in a moment"),
        "indexing": _("indexing"),
        "looking_again": _("looking again"),
        "model_file_damaged": _(
            "model file %(value)s is damaged or gone: restore it, or run shopvision_tune"
        ),
        "no_photo_readable": _("no photo of %(count)s products can be read: %(reason)s"),
        "nothing_indexed_yet": _("no photo has been indexed yet: run shopvision_index"),
        "photo_failed": _("no photo of it can be used"),
        "queued_for_workers": _("queued for the workers"),
        "reconciling": _("reconciling"),
        "release_of_other_encoder": _(
            "release %(release)s was made with encoder %(value)s, but '%(backbone)s' is %(value2)s "
            "here; the installed weights differ, or the release is of another version"
        ),
        "release_without_projection": _(
            "release %(release)s has no projection: make one with shopvision_tune"
        ),
    }
)
