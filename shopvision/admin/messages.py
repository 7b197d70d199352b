"""Messages of ``shopvision.admin``: code -> words."""

from django.utils.translation import gettext_noop as _

from ..messages import register

register(
    {
        "classify_target_missing": _("Choose what to recognise."),
        "job_state_forbids": _("This job is %(state)s; that cannot be done now."),
        "may_not_apply_automatically": _("You may not have suggestions applied automatically."),
        "model_without_catalogue": _("These products have no catalogue registered with shopvision."),
        "no_product_chosen": _("Choose at least one product."),
        "no_release_before": _("There is none before %(release)s to roll back to."),
        "products_of_several_catalogues": _(
            "Choose products of one catalogue: filter the list by source first."
        ),
        "release_cannot_be_promoted": _("%(release)s is %(state)s and cannot be promoted."),
        "release_not_live": _("%(release)s is %(state)s; only the live one is rolled back."),
        "share_not_a_percentage": _("Shares are numbers from 0 to 100."),
        "shop_has_no_label": _("The shop has no %(target)s called “%(label)s”."),
        "training_target_missing": _("Choose what to train."),
        "unknown_review_verb": _("One can accept, correct or reject, not %(verb)s."),
    }
)
