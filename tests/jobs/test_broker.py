from __future__ import annotations

import base64
import time
from typing import Any

import pytest
from celery import current_app

from shopvision import jobs
from shopvision.exceptions import EncoderUnavailable
from shopvision.jobs import broker, gpu, registration

NOBODY = "redis://127.0.0.1:1/0"


def test_nothing_is_sent_when_no_broker_answers_and_nothing_is_raised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(name: str, *args: Any) -> None:
        raise ConnectionRefusedError("no broker")

    monkeypatch.setattr(broker, "enqueue", refuse)
    broker.send_wake("gpu.drain_outbox")


def test_a_question_without_a_broker_is_told_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(current_app.conf, "broker_url", NOBODY)
    monkeypatch.setattr(current_app.conf, "broker_write_url", NOBODY)
    begun = time.monotonic()
    with pytest.raises(EncoderUnavailable):
        broker.ask("encode_query", b"photo", 1.0)
    assert time.monotonic() - begun < 2 * broker.BROKER_SECONDS + 1


def test_a_gpu_worker_is_prepared_and_answers_what_was_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    prepared: list[str] = []
    monkeypatch.setitem(registration.ANSWERS, "backwards", None)  # taken away again after the test
    monkeypatch.setattr(registration, "_preparations", [])
    jobs.answer("backwards", lambda payload: payload[::-1])
    jobs.prepare_gpu_worker(lambda: prepared.append("torch"))
    answer = gpu.answer("backwards", base64.b64encode(b"abc").decode())
    assert base64.b64decode(answer) == b"cba"
    assert prepared == ["torch"]
