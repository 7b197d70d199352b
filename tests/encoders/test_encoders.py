"""Every encoder keeps the contract."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shopvision.encoders.base import Encoder
from shopvision.encoders.onnx import OnnxEncoder
from shopvision.encoders.remote import RemoteEncoder, answer_request, decode_response, encode_request
from shopvision.exceptions import EncoderUnavailable, TemporaryFailure, WrongEncoder
from tests.contracts.encoder import PHOTOS, EncoderContract, cosines
from tests.fakes import FakeEncoder


class TestOnnx(EncoderContract):
    """CPU serving at full precision."""

    @pytest.fixture(scope="class")
    def encoder(self, fp32: OnnxEncoder) -> Encoder:
        return fp32


class TestOnnxInt8(EncoderContract):
    """CPU serving at eight bits: a value may fall on the other side of a rounding step."""

    tolerance = 2e-2

    @pytest.fixture(scope="class")
    def encoder(self, int8_graph: bytes) -> Encoder:
        return OnnxEncoder(int8_graph)


class TestFake(EncoderContract):
    """The one most tests use."""

    @pytest.fixture(scope="class")
    def encoder(self) -> Encoder:
        return FakeEncoder()


class TestRemote(EncoderContract):
    """Through the bytes that travel to a worker and back."""

    @pytest.fixture(scope="class")
    def encoder(self, fp32: OnnxEncoder) -> Encoder:
        return remote(fp32, lambda payload, timeout: answer_request(fp32, payload))


@pytest.mark.torch
class TestTorch(EncoderContract):
    """GPU workers' encoder, here on the CPU."""

    @pytest.fixture(scope="class")
    def encoder(self) -> Encoder:
        pytest.importorskip("timm", reason="needs the torch extra")
        from shopvision.encoders.torch import TorchEncoder

        return TorchEncoder("weights:efficientnet_lite0", "cpu")

    def test_it_is_the_same_encoder_as_the_graph(self, encoder: Encoder, fp32: OnnxEncoder) -> None:
        assert encoder.spec.digest == fp32.spec.digest
        assert min(cosines(encoder.describe(PHOTOS), fp32.describe(PHOTOS)).values()) > 1 - 1e-4


def remote(
    encoder: Encoder, send: Callable[[bytes, float], bytes], fallback: Encoder | None = None
) -> RemoteEncoder:
    return RemoteEncoder(encoder.spec, send, timeout_s=0.5, fallback=fallback)


def test_a_remote_answer_is_the_encoders_own_to_the_last_bit(fp32: OnnxEncoder) -> None:
    payload = encode_request(fp32.spec, PHOTOS)
    answer = decode_response(fp32.spec, answer_request(fp32, payload), len(PHOTOS))
    direct = fp32.describe(PHOTOS)
    assert all((answer[name] == direct[name]).all() for name in direct)


def test_another_encoder_at_either_end_is_refused() -> None:
    mine, other = FakeEncoder("a"), FakeEncoder("b")
    payload = encode_request(mine.spec, PHOTOS[:1])
    with pytest.raises(WrongEncoder):
        answer_request(other, payload)
    with pytest.raises(WrongEncoder):
        decode_response(other.spec, answer_request(mine, payload), 1)


@pytest.mark.parametrize(
    "failure", [TimeoutError(), TemporaryFailure("no worker"), WrongEncoder("old worker")]
)
def test_when_no_worker_answers_the_fall_back_does(failure: Exception) -> None:
    def send(payload: bytes, timeout: float) -> bytes:
        raise failure

    fake = FakeEncoder()
    assert min(cosines(remote(fake, send, fake).describe(PHOTOS), fake.describe(PHOTOS)).values()) > 0.9999
    with pytest.raises(EncoderUnavailable, match=r"0\.5 s"):
        remote(fake, send).describe(PHOTOS)
