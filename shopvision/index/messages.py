"""Messages of ``shopvision.index``: code -> words."""

from django.utils.translation import gettext_noop as _

from ..messages import register

register(
    {
        "index_changes_too_fast": _("the index changes too fast to be opened; try again"),
        "index_file_corrupt": _("the index's %(name)s is corrupt: rebuild it with shopvision_index"),
        "index_file_unreadable": _("the index's %(name)s cannot be read: %(error)s"),
        "index_manifest_corrupt": _("the index's manifest in %(name)s is corrupt: %(error)s"),
        "index_manifest_missing": _("the index has no manifest; try again"),
        "index_of_other_encoder": _(
            "the index in %(name)s holds %(dim)s-d vectors of encoder %(value)s, not %(dim2)s-d ones "
            "of %(value2)s"
        ),
        "index_write_lock_timeout": _("the index was being written for %(seconds)s s; try again"),
        "query_of_other_encoder": _(
            "a query of encoder %(value)s and shape %(np)s asked of an index of %(value2)s and "
            "dimension %(dim)s"
        ),
        "vector_shape_wrong": _("photo %(id)s: shape %(shape)s, the index takes (%(dim)s,)"),
        "vectors_of_other_encoder": _("vectors of encoder %(value)s offered to an index of %(value2)s"),
    }
)
