"""RemoteEncoder: encode query photos in a worker, with a deadline and a fall-back."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL import Image

from ..exceptions import EncoderUnavailable, TemporaryFailure, WrongEncoder
from ..images.preprocess import fit_square
from .base import Descriptors, Encoder, EncoderSpec, check_described

HEAD = struct.Struct("<I")


def encode_request(spec: EncoderSpec, images: Sequence[Image.Image]) -> bytes:
    """Photos as a worker takes them: the encoder's digest, then each photo as PNG (lossless).

    Of an encoder with feature maps only the square that it looks at is sent; any other gets the photo as it is.
    """
    parts = []
    for image in images:
        out = io.BytesIO()
        pre = spec.preprocess
        sent = fit_square(image, pre.size, pre.fit) if spec.channels else image
        sent.save(out, "PNG", compress_level=1)
        parts.append(out.getvalue())
    head = json.dumps({"digest": spec.digest, "lengths": [len(part) for part in parts]}).encode()
    return HEAD.pack(len(head)) + head + b"".join(parts)


def answer_request(encoder: Encoder, payload: bytes) -> bytes:
    """A worker's side: describe what ``encode_request`` packed.

    Raises:
        WrongEncoder: the request is for another encoder.
    """
    head, body = _split(payload)
    if head["digest"] != encoder.spec.digest:
        raise WrongEncoder(
            "remote_encoder_digest_differs", value=head["digest"][:12], value2=encoder.spec.digest[:12]
        )
    images, start = [], 0
    for length in head["lengths"]:
        with Image.open(io.BytesIO(body[start : start + length]), formats=("PNG",)) as image:
            images.append(image.convert("RGB"))
        start += length
    blocks = encoder.describe(images)
    shapes = {name: list(block.shape) for name, block in blocks.items()}
    reply = json.dumps({"digest": encoder.spec.digest, "shapes": shapes}).encode()
    data = b"".join(np.ascontiguousarray(block, "<f4").tobytes() for block in blocks.values())
    return HEAD.pack(len(reply)) + reply + data


def decode_response(spec: EncoderSpec, payload: bytes, rows: int) -> Descriptors:
    """Blocks from what ``answer_request`` gave.

    Raises:
        WrongEncoder: another encoder answered.
        Misconfigured: it gave other blocks than its record says.
    """
    head, body = _split(payload)
    if head["digest"] != spec.digest:
        raise WrongEncoder("remote_answer_digest_differs", value=spec.digest[:12], value2=head["digest"][:12])
    blocks, start = {}, 0
    for name, shape in head["shapes"].items():
        count = int(np.prod(shape))
        blocks[name] = np.frombuffer(body, "<f4", count, start).reshape(shape)
        start += 4 * count
    check_described(spec, blocks, rows)
    return blocks


def _split(payload: bytes) -> tuple[Any, bytes]:
    (length,) = HEAD.unpack_from(payload)
    return json.loads(payload[HEAD.size : HEAD.size + length]), payload[HEAD.size + length :]


class RemoteEncoder(Encoder):
    """An encoder elsewhere, under the same contract.

    Args:
        spec: of the encoder that must answer.
        send: hands a payload to a worker and waits: ``send(payload, timeout_s) -> answer``; raises
            TemporaryFailure or TimeoutError when nobody answers.
        timeout_s: how long to wait.
        fallback: used when nobody answers in time; None raises instead.
    """

    def __init__(
        self,
        spec: EncoderSpec,
        send: Callable[[bytes, float], bytes],
        *,
        timeout_s: float,
        fallback: Encoder | None = None,
    ) -> None:
        self.spec = spec
        self._send = send
        self._timeout_s = timeout_s
        self._fallback = fallback
        self.supports_text = fallback is not None and fallback.supports_text

    def describe(self, images: Sequence[Image.Image]) -> Descriptors:
        """See ``Encoder.describe``; the fall-back's answer is the same to the precision of the CPU."""
        payload = encode_request(self.spec, images)
        try:
            return decode_response(self.spec, self._send(payload, self._timeout_s), len(images))
        except (TemporaryFailure, TimeoutError, WrongEncoder) as error:
            if self._fallback is None:
                raise EncoderUnavailable(
                    "remote_encoder_timed_out", timeout_s=self._timeout_s, error=error
                ) from error
            return self._fallback.describe(images)

    def describe_text(self, texts: Sequence[str]) -> Descriptors:
        """In this process: texts are short, and only photos are sent to a worker."""
        return super().describe_text(texts) if self._fallback is None else self._fallback.describe_text(texts)

    def health(self) -> bool:
        """As the encoder here says; a worker that does not answer is fallen back from."""
        return self._fallback is None or self._fallback.health()
