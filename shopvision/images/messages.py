"""Messages of ``shopvision.images``: code -> words."""

from django.utils.translation import gettext_noop as _

from ..messages import register

register(
    {
        "crop_too_small": _(
            "the part chosen of the photo has %(width)s x %(height)s pixels; its longer side needs at "
            "least %(least_pixels)s: choose a larger part"
        ),
        "jpeg_depth_unsupported": _("JPEG of %(precision)s bits is not supported; save it with 8"),
        "jpeg_kind_unsupported": _("this kind of JPEG is not supported; save it as baseline"),
        "jpeg_scans_over_limit": _("JPEG of %(scans)s scans; %(max_scans)s are the most we read"),
        "photo_animated": _("the file holds several frames; send a still photo"),
        "photo_file_damaged": _("the %(format)s file is incomplete or damaged (%(error)s); send it again"),
        "photo_file_empty": _("the file has no bytes; choose a photo"),
        "photo_file_incomplete": _("the %(kind)s file is incomplete or damaged; send it again"),
        "photo_file_over_limit": _("the file has more than %(most)s bytes; send a smaller photo"),
        "photo_format_unsupported": _("the file is not a %(formats)s photo; save it as one of these"),
        "photo_header_incomplete": _("the %(kind)s file ends within its header; send it again"),
        "photo_pixels_over_limit": _(
            "%(width)s x %(height)s pixels; a %(format)s file may have %(most)s: send a smaller photo"
        ),
        "photo_side_too_small": _("%(width)s x %(height)s pixels; the shorter side needs at least %(least)s"),
        "photo_sizes_contradict": _("the file contradicts itself about its size; save it again"),
        "photo_too_large_to_decode": _("%(error)s; send a smaller photo"),
    }
)
