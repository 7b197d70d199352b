"""Messages of ``shopvision.catalogue``: code -> words."""

from django.utils.translation import gettext_noop as _

from ..messages import register

register(
    {
        "adapter_path_unresolved": _("the adapter of %(label)s asks for '%(name)s': %(problem)s"),
        "label_field_not_own": _(
            "'%(target)s' of %(label)s is '%(name)s', which is no field of its own: override "
            "apply_classification and restore_classification in the adapter"
        ),
        "model_already_registered": _(
            "%(label)s is registered already, by %(known)s; a model has one adapter"
        ),
        "model_is_abstract": _("%(label)s is abstract; register the models made from it"),
        "unknown_catalogue": _("no catalogue is called '%(source)s': %(known)s"),
        "unknown_related_label": _("the shop has no %(verbose_name)s '%(label)s'"),
        "unknown_target": _("%(source)s has no '%(target)s' to recognise; it has %(known)s"),
        "workers_died_on_change": _("%(attempts)s workers died at work on it"),
    }
)
