"""Send wake-ups and requests to Celery workers."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from celery import current_app

from .. import conf, metrics
from ..exceptions import EncoderUnavailable

WAKE_EXPIRES_SECONDS = 30  # a wake-up nobody took by then is worthless: workers poll
BROKER_SECONDS = 2  # a broker that does not answer within it is down, as far as a wake-up goes
_TIMEOUTS = {
    "socket_timeout": BROKER_SECONDS,
    "socket_connect_timeout": BROKER_SECONDS,
}  # Redis; others ignore it


def enqueue(name: str, *args: Any, expires: float = WAKE_EXPIRES_SECONDS) -> None:
    """Send one of our tasks to its queue, once: a broker that refuses is not asked again.

    Args:
        name: file and task, as in ``gpu.drain_outbox``; the file is the queue.
        args: JSON values.
        expires: seconds after which no worker starts it any more.

    Raises:
        Exception: whatever the broker's client raises; the caller logs it and goes on.
    """
    _send(name, args, expires=expires, ignore_result=True)


def _send(name: str, args: Sequence[Any], *, expires: float, ignore_result: bool) -> Any:
    queue = conf.QUEUES[name.partition(".")[0]]
    options = {**_TIMEOUTS, **current_app.conf.broker_transport_options}
    with current_app.connection_for_write(
        connect_timeout=BROKER_SECONDS, transport_options=options
    ) as broker:
        broker.ensure_connection(max_retries=1, interval_start=0, timeout=BROKER_SECONDS)
        return current_app.send_task(
            f"shopvision.jobs.{name}",
            args=args,
            queue=queue,
            expires=expires,
            connection=broker,
            retry=False,
            ignore_result=ignore_result,
        )


def ask(name: str, payload: bytes, timeout_s: float) -> bytes:
    """Have a worker of the gpu queue answer a question (``jobs.answer``); needs a Celery result backend.

    Args:
        name: of the question.
        payload: what the answering function takes.
        timeout_s: from now until the answer is here.

    Raises:
        EncoderUnavailable: nobody answered in time, or there is no broker or result backend.
    """
    text = base64.b64encode(payload).decode()
    try:
        answer = _send("gpu.answer", [name, text], expires=timeout_s, ignore_result=False)
        try:
            return base64.b64decode(answer.get(timeout=timeout_s))
        finally:
            answer.forget()
    except Exception as error:
        raise EncoderUnavailable("remote_encoder_failed", name=type(error).__name__, error=error) from error


def send_wake(task: str) -> None:
    """Send a wake-up; a broker that refuses it is logged and counted, since workers poll anyway."""
    try:
        enqueue(task)
    except Exception as error:  # noqa: BLE001 - any broker client may raise anything
        metrics.count("wakes_lost")
        metrics.log.warning("the broker took no wake-up (%s: %s); workers poll", type(error).__name__, error)
