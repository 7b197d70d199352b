"""Messages of ``shopvision.ranking``: code -> words."""

from django.utils.translation import gettext_noop as _

from ..messages import register

register(
    {
        "unknown_placement": _("there is no placement '%(placement)s'; here: %(known)s"),
        "this_placement_needs_product": _("this placement needs a product"),
        "basis_events_and_products": _(
            "%(events)s events at %(rate)s/s, %(products)s products at %(products_rate)s/s"
        ),
        "building_item_model": _("looking at what goes with what"),
        "candidate_share_invalid": _("a candidate takes a share of the visitors, and a share a candidate"),
        "compared_rankers": _(
            "NDCG@10 %(ours)s against %(theirs)s of %(what)s on the same %(listings)s later listings: "
            "%(gain)s, 95 %% interval %(low)s to %(high)s"
        ),
        "comparing_with_live_ranking": _("comparing it with what ranks now"),
        "effective_sample_too_small": _("effective sample of %(effective)s, at least %(least)s are needed"),
        "experiment_running": _("an experiment is running; stop it first"),
        "holdout_share_invalid": _(
            "the hold-out takes more than none and less than all of the visitors, and some are left "
            "for the live ranker"
        ),
        "item_model_built": _("%(model)s is served"),
        "lightgbm_not_installed": _("this ranker needs LightGBM: pip install 'shopvision[ranking]'"),
        "no_better_than": _("no better than %(what)s (%(gain)s); %(why)s"),
        "no_listing_with_propensities": _("no listing since then was shown with known odds"),
        "no_ranker_to_roll_back": _("no trained ranker is live, so there is nothing to roll back"),
        "no_visit_with_two_acts": _("no visit has two acts from which one could be learned"),
        "order_live": _("the live ranker"),
        "order_no_op": _("the order given"),
        "order_popularity": _("popularity"),
        "order_prior": _("the untrained blend"),
        "order_shuffle": _("chance"),
        "preparing_listings": _("preparing listings of %(count)s acts"),
        "ranker_cannot_be_opened": _("%(release)s cannot be opened here: %(error)s"),
        "ranker_kind_not_trainable_here": _(
            "a ranker of kind '%(kind)s' cannot be trained here: it takes an extra, and mlp a worker "
            "of the gpu queue or the command"
        ),
        "reading_events": _("reading what visitors did"),
        "too_few_clicks": _("%(clicks)s clicks, at least %(least)s are needed"),
        "too_few_events_to_train": _(
            "%(count)s acts of visitors who agreed to improvement; it takes %(least_acts)s to train a "
            "ranker. Until then listings go by what is known of the products"
        ),
        "too_few_listings_to_judge": _(
            "only %(listings)s listings of %(visitors)s visitors to judge by; it takes %(least)s of "
            "%(least_visitors)s"
        ),
        "training_final_ranker": _("training %(best)s on all but the latest listings"),
        "training_ranker": _("training %(name)s on %(count)s listings"),
        "unknown_ranker_kind": _("no ranker of kind '%(kind)s'; it takes auto, %(names)s"),
    }
)
