"""Messages of ``shopvision.classifiers``: code -> words."""

from django.utils.translation import gettext_noop as _

from ..messages import register

register(
    {
        "one_label_in_photos": _("a classifier tells two labels or more apart; the photos have one"),
        "photo_of_row_rejected": _("photo %(release)s: %(text)s"),
        "too_few_products_of_label": _(
            "a label has %(counts)s product(s); it takes %(least_products)s: one to learn from, one to "
            "judge on"
        ),
        "torch_not_installed": _("torch is not installed: pip install shopvision[torch]"),
    }
)
