"""Messages of ``shopvision.tuning``: code -> words."""

from django.utils.translation import gettext_noop as _

from ..messages import register

register(
    {
        "basis_stored_descriptors": _("stored descriptors, nothing is decoded"),
        "basis_views_and_fit": _("%(views)s photos to make views of, %(photos)s to fit on"),
        "described_photos_of_products": _("described the photos of %(value)s of %(count)s products"),
        "describing_photos_with_encoder": _("describing every photo with %(name)s in %(precision)s"),
        "embedding_under_new_release": _("embedding every photo under the new release"),
        "embedding_under_release": _("embedding every photo under %(release)s"),
        "encoder_release_not_found": _("there is no encoder release %(release)s"),
        "fitting_encoder": _("fitting the encoder to the catalogue"),
        "fitting_encoder_to_clicks": _("fitting the encoder to what shoppers chose"),
        "fitting_on_every_photo": _("fitting on every photo"),
        "judging_on_held_out_photos": _("judging on photos held out of the fit"),
        "made_augmented_views": _("made views of %(value)s of %(count)s photos"),
        "measuring_background": _("measuring the shop's background"),
        "no_earlier_encoder_release": _("there is no release before the live one to roll back to"),
        "reading_catalogue_photos": _("reading the catalogue's photos"),
        "release_is_live": _("%(release)s is live"),
        "release_not_promoted": _("%(release)s is %(state)s and was not promoted"),
        "too_few_photo_clicks": _(
            "%(count)s photo searches of shoppers who agreed to improvement led to a click; it takes "
            "%(least_pairs)s to learn from them"
        ),
        "too_few_photos_to_tune": _("%(count)s photos are described; tuning takes %(min_photos)s or more"),
    }
)
