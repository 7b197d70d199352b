"""Messages of ``shopvision.releases``: code -> words."""

from django.utils.translation import gettext_noop as _

from ..messages import register

register(
    {
        "better": _("better: %(why)s"),
        "forced_live": _("forced live although %(why)s"),
        "model_file_altered": _(
            "the file of %(name)s, %(file)s in the storage '%(storage)s', is damaged: restore it, roll "
            "back, or train anew"
        ),
        "model_file_gone": _(
            "the file of %(name)s, %(file)s in the storage '%(storage)s', is gone: restore it, roll "
            "back, or train anew"
        ),
        "no_worse": _("no worse: %(why)s"),
        "release_state": _("%(release)s is %(state)s"),
        "worse": _("worse: %(why)s"),
    }
)
