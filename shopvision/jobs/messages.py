"""Messages of ``shopvision.jobs``: code -> words."""

from django.utils.translation import gettext_noop as _

from ..messages import register

register(
    {
        "job_cannot_be_cancelled": _("%(kind)s %(id)s is %(state)s and cannot be cancelled"),
        "job_cannot_be_resumed": _("%(kind)s %(id)s is %(state)s and cannot be resumed"),
        "job_lease_lost": _("another worker took the job over: the lease ran out"),
        "nothing_chosen": _("there is nothing chosen to work on"),
        "remote_encoder_failed": _("%(name)s: %(error)s"),
        "unknown_job_kind": _("there is no job called '%(name)s'; one of %(names)s"),
        "workers_died_on_job": _("%(attempts)s workers died on it without a step forward"),
    }
)
