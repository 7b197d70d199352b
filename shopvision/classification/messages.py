"""Messages of ``shopvision.classification``: code -> words."""

from django.utils.translation import gettext_noop as _

from ..messages import register

register(
    {
        "acceptable_error_not_a_choice": _(
            "acceptable_error takes one of %(names)s or null, not '%(error)s'"
        ),
        "all_undone_or_decided": _(
            "all that it had applied (%(labels)s labels) has been undone or decided by a person since"
        ),
        "basis_describe_then_classify": _(
            "%(photos)s photos to describe at %(rate)s/s, then %(products)s products/s"
        ),
        "basis_described_photos": _("%(photos)s described photos, %(ms)s ms each"),
        "basis_described_photos_and_network": _(
            "%(photos)s described photos, %(ms)s ms each, and a small network from scratch on "
            "%(compared)s of them to compare with"
        ),
        "basis_shops_own_save": _("the shop's own save of each product"),
        "classifier_cannot_be_opened": _(
            "classifier %(release)s of %(source)s cannot be opened here: %(error)s"
        ),
        "classifier_encoder_outdated": _(
            "classifier %(release)s of %(source)s reads descriptors of encoder %(value)s, which is no "
            "longer live; a worker trains it anew, or run shopvision_train"
        ),
        "classifier_kind_without_map": _("a '%(kind)s' classifier has no map of its reasons"),
        "classifier_label_unknown": _("the classifier knows no label '%(label)s'"),
        "classify_job_not_found": _("there is no classify job %(key)s"),
        "classifying_with_release": _("classifying with %(release)s"),
        "compared_with_commonest_label": _(
            "%(ours)s right on %(products)s products it had not seen; always saying '%(label)s': %(theirs)s"
        ),
        "compared_with_live_classifier": _(
            "%(ours)s right against %(theirs)s of %(release)s on the same %(products)s products that "
            "neither had seen: %(gain)s points, 95 %% interval %(low)s to %(high)s"
        ),
        "comparing_with_live_classifier": _("comparing it with the live one"),
        "decided_by": _("somebody has decided meanwhile by %(user)s: %(state)s"),
        "decided_meanwhile": _("somebody has decided meanwhile: %(state)s"),
        "decision_already_undone": _("this decision is undone already"),
        "describing_augmented_views": _("looking at %(count)s photos mirrored and from nearer"),
        "error_rate_out_of_reach_on_unseen": _(
            "classifier %(release)s cannot keep the error at %(error)s on products it had not seen: "
            "accept more error, or label more products"
        ),
        "first_classifier": _("the first classifier of this target: %(why)s"),
        "job_cannot_be_undone": _("of job %(key)s nothing can be undone: %(why)s"),
        "job_not_finished": _("job %(key)s is %(state)s: cancel it, or wait until it ends"),
        "label_counted_as": _(
            "'%(label)s': %(products)s products, counted as %(different)s (near-copies or variants of "
            "one another, or of another label's)"
        ),
        "label_has_products": _("'%(label)s': %(products)s product(s)"),
        "later_decision_exists": _("somebody has decided since; undo the later decision first"),
        "left_changed_since": _("left alone: the shop has changed it since"),
        "left_decided_since": _("left alone: a person has decided since"),
        "left_product_gone": _("left alone: the shop has no such product any more"),
        "left_undone_already": _("left alone: undone already"),
        "measuring": _("measuring"),
        "more_labels": _("%(labels)s more labels"),
        "networks_cannot_be_trained": _("networks cannot be trained here: %(why)s, best on a GPU worker"),
        "no_better_than_guess": _("no better than a guess: %(why)s"),
        "no_classifier_to_roll_back": _(
            "no classifier of '%(target)s' of '%(source)s' is live, so there is nothing to roll back"
        ),
        "no_earlier_classifier": _(
            "there is no classifier of '%(target)s' of '%(source)s' before %(release)s to roll back to"
        ),
        "no_live_classifier_train_first": _(
            "no classifier of '%(target)s' of '%(source)s' is live: train one with shopvision_train"
        ),
        "no_product_has_a_label": _("No product has a label"),
        "no_text_for_fused_classifier": _(
            "no product has a title or description that a fused classifier could read"
        ),
        "not_a_job_key": _("'%(key)s' is no job's key"),
        "nothing_applied": _("it has applied nothing"),
        "nothing_to_recognise": _(
            "there is no '%(value)s' to recognise in %(value2)s: %(value3)s. Adapters name them "
            "(category, attributes)"
        ),
        "nothing_to_undo": _("of this job nothing can be undone: %(why)s"),
        "only_own_decisions_undone": _(
            "only a person's decision can be undone here; a job is undone as a whole"
        ),
        "params_need_source": _("params take 'source', as in 'shop.product'"),
        "product_gone_from_shop": _("the shop has no product %(productref)s any more"),
        "product_left_catalogue": _("the product left the catalogue; nothing can be undone"),
        "product_not_in_shop": _("the shop has no such product"),
        "product_photo_unreadable": _("no photo of the product can be read"),
        "reading_labels": _("reading the labels of %(target)s of %(source)s"),
        "refs_must_be_text_list": _("'refs' takes a list of product keys as text"),
        "suggestion_changed": _(
            "the suggestion has changed meanwhile, from '%(name)s' to '%(name2)s': look again"
        ),
        "suggestion_classifier_gone": _("the classifier that made this suggestion is gone"),
        "suggestion_gone": _("this suggestion is gone: its product left the catalogue"),
        "too_few_labels": _(
            "'%(target)s' of %(source)s has %(labels)s label(s) with %(least)s or more different "
            "products that have a photo; a classifier tells two or more apart, and needs %(least)s "
            "different products of each: one to learn from, one to judge on. %(counted)s. Variants of "
            "one product, and products with the same or nearly the same photo, count as one. Label "
            "other products in the shop, give them photos of their own, or accept suggestions"
        ),
        "too_few_to_compare": _(
            "only %(products)s products can be compared with %(release)s; the newer labels count"
        ),
        "too_many_refs": _(
            "'refs' takes %(max_refs)s keys at most, not %(count)s: select by a filter instead"
        ),
        "too_many_suggestions_at_once": _("%(max_at_once)s suggestions at most can be accepted together"),
        "torch_not_loaded_here": _(
            "this process does not load torch: workers of the gpu queue and shopvision_train do"
        ),
        "training": _("training"),
        "training_classifier": _("training %(name)s on %(count)s photos of %(count2)s products"),
        "training_ended": _("training of %(target)s of %(source)s has ended"),
        "training_epoch": _("%(phase)s: epoch %(epoch)s of %(epochs)s, %(share)s"),
        "undoing": _("undoing"),
        "unknown_classifier_kind": _("no classifier of kind '%(kind)s'; it takes auto, %(names)s"),
        "unknown_label_choose_one": _(
            "the shop has no label '%(label)s' for %(target)s: choose one of its %(count)s, such as %(some)s"
        ),
        "you_decided_already": _(
            "you have decided this already (%(label)s, %(state)s); undo your decision to change it"
        ),
        "you_rejected_already": _(
            "you have decided this already (%(state)s); undo your decision to change it"
        ),
    }
)
