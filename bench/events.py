"""Events a second through the real gate and writer: ``python -m bench.events --json``.

Visitors who agreed report batches as the beacon does: 70 % impressions, 15 % views, 12 % clicks, 3 % purchases,
which are joined to their clicks. ``events_per_s`` runs from the first report to the last row committed;
``page_ms`` is what one report of a batch costs the request that makes it. SQLite in WAL mode as
docs/operations.md says, and PostgreSQL from a wheel where it is installed (fsync on).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

from bench.optional_peers import OptionalPeers
from tests.postgres import server

ROOT = Path(__file__).resolve().parents[1]
VISITORS = 200
PRODUCTS = 2000
BATCH = 20  # events of one report
HALF_FULL = 5000  # waiting events at which the reporter pauses: throughput is asked for, not loss


def reports(count: int) -> list[list[Any]]:
    """Batches of new events, each of one visitor's listing."""
    from shopvision.events.record import NewEvent
    from shopvision.types import ProductRef

    def product(number: int) -> ProductRef:
        return ProductRef("shop.product", str(number % PRODUCTS))

    found = []
    for batch in range(count // BATCH):
        listing, first = uuid.uuid4().hex, batch * 7
        events = [NewEvent("impression", product(first + n), listing=listing, position=n) for n in range(14)]
        events += [NewEvent("view", product(first + n)) for n in range(3)]
        events += [NewEvent("click", product(first + n), listing=listing, position=n) for n in range(2)]
        last = "purchase" if batch % 5 < 3 else "click"
        events.append(NewEvent(last, product(first), value=1.0))
        found.append(events)
    return found


def measure(count: int) -> dict[str, Any]:
    """Report ``count`` events in this process and wait for the last row."""
    import django

    django.setup()
    from django.core.management import call_command

    from shopvision import metrics
    from shopvision.events import writer
    from shopvision.events.models import Event
    from shopvision.events.record import record_events
    from tests.visitors import again, visitor

    call_command("migrate", verbosity=0)
    visitors = [visitor("personalisation", "improvement") for _ in range(VISITORS)]
    work, waits = reports(count), []
    begun = time.perf_counter()
    for number, events in enumerate(work):
        request = again(visitors[number % VISITORS])
        start = time.perf_counter()
        record_events(events, request=request)
        waits.append((time.perf_counter() - start) * 1000)
        while len(writer.buffer) > HALF_FULL:
            time.sleep(0.01)
    reported = time.perf_counter() - begun
    writer.flush(seconds=120)
    seconds = time.perf_counter() - begun
    written = Event.objects.count()
    return {
        "events": count,
        "written": written,
        "joined_purchases": Event.objects.filter(kind="purchase").exclude(listing="").count(),
        "purchases": Event.objects.filter(kind="purchase").count(),
        "dropped": metrics.snapshot()["counters"].get("events_dropped", 0),
        "events_per_s": round(written / seconds),
        "reporting_s": round(reported, 2),
        "page_ms": {
            "p50": round(metrics.quantile(waits, 0.5), 3),
            "p95": round(metrics.quantile(waits, 0.95), 3),
        },
    }


def child(database: str, count: int, socket: str = "") -> dict[str, Any]:
    """``measure`` in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="shopvision-bench-") as folder:
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "bench.shop.settings",
            "SHOPVISION_BENCH_DIR": folder,
            "SHOPVISION_BENCH_POSTGRES": socket,
            "SHOPVISION_BENCH_PRIVACY": "consent",
        }
        command = [sys.executable, "-m", "bench.events", "--one", database, "--events", str(count)]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr[-4000:])
        return dict(json.loads(done.stdout.splitlines()[-1]))


def postgres(count: int) -> dict[str, Any] | str:
    """The same on PostgreSQL, or why not."""
    peer = OptionalPeers("psycopg")
    if not peer.usable("psycopg"):
        return f"skipped: psycopg {peer.fault('psycopg')}"
    if reason := server.why_not():
        return f"skipped: {reason}"
    with peer.attempt("psycopg"), server.running(durable=True) as socket:
        return child("postgres", count, str(socket))
    return peer.fault("psycopg")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.events", description=__doc__)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--one", default="", help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="one line (else indented)")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.events)))
        return
    answer = {
        "machine": platform.machine(),
        "sqlite": child("sqlite", options.events),
        "postgres": postgres(options.events),
    }
    print(json.dumps(answer, indent=None if options.json else 1))


if __name__ == "__main__":
    main()
