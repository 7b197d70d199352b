"""Messages of ``shopvision.api``: code -> words."""

from django.utils.translation import gettext_noop as _

from ..messages import register

register(
    {
        "busy": _("busy for a moment; try again"),
        "duplicates_cursor_outdated": _("the cursor is not of the latest search; start from the first page"),
        "form_body_over_limit": _("the body may have %(form_bytes)s bytes; send less at once"),
        "job_not_found": _("there is no job %(id)s"),
        "kind_cannot_be_undone": _("what %(kind)s does cannot be undone"),
        "list_cursor_invalid": _("the cursor is not one of this list's"),
        "listing_body_over_limit": _("the body may have %(listing_bytes)s bytes; send fewer products"),
        "no_live_classifier": _("no classifier is live; train one first"),
        "no_live_classifier_for_target": _(
            "no classifier is live for %(target)s of %(source)s; train one first"
        ),
        "not_found": _("there is no such thing"),
        "not_ready": _("%(why)s"),
        "permission_denied": _("you may not do this"),
        "photo_bytes_over_limit": _("a photo may have %(most)s bytes; send a smaller one"),
        "photo_missing": _("choose a photo first"),
        "prediction_not_found": _("there is no prediction %(id)s"),
        "product_reference_unreadable": _("%(error)s"),
        "request_unreadable": _("the request could not be read"),
        "too_many_searches_at_once": _("too many photos are being searched for at once; try again"),
        "unknown_api_address": _("the API has no such address; schema/ lists those it has"),
        "unknown_catalogue_or_target": _("no such catalogue or target to recognise"),
        "unknown_placement_choice": _("placement: %(no_such)s"),
    }
)
