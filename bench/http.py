"""Photo search over HTTP under load: ``python -m bench.http --size 100000 --json``.

A real server (gunicorn, one worker, threads) holds an index of N photos; this process is the client. The
encoder's own time comes from the answer's Server-Timing header; "beyond" is all else a client waits for:
network, upload, decoding, index, the shop's database, reasons, JSON. "server_beyond" is the same by the server's
clock, from the decoded form to the answer: the client, which shares the server's cores here, is not in it. The
headline is one client, so that no search waits for another; two and four clients are told beside it.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
SIDE = 640  # long side of the photos sent, pixels; about what the storefront widget uploads
WARM_UP = 20
STAGE = re.compile(r"(\w+);dur=([\d.]+)")
Sample = dict[str, float]


def photos(count: int = 40) -> list[bytes]:
    """JPEG queries: real photos where there are any, else drawn ones."""
    data = Path(os.environ.get("SHOPVISION_DATA") or ROOT.parent / "shared" / "data")
    files = sorted(data.glob("grocery/**/*.jpg"))[::17][:count]
    images = [Image.open(file).convert("RGB") for file in files] or [_drawn(n) for n in range(count)]
    return [_jpeg(image) for image in images]


def _drawn(seed: int) -> Image.Image:
    return Image.effect_noise((80, 60), 60 + seed).convert("RGB").resize((SIDE, SIDE * 3 // 4))


def _jpeg(image: Image.Image) -> bytes:
    scale = SIDE / max(image.size)
    out = BytesIO()
    image.resize((round(image.width * scale), round(image.height * scale))).save(out, "JPEG", quality=85)
    return out.getvalue()


def build(size: int, queries: list[bytes]) -> float:
    """Make database and index in SHOPVISION_BENCH_DIR; seconds it took."""
    import django

    begun = time.perf_counter()
    django.setup()
    from django.core.management import call_command

    from bench.shop.seed import begin, fill
    from shopvision.images.decode import decode
    from shopvision.indexing import encoder_releases

    call_command("migrate", run_syncdb=True, verbosity=0)
    begin(queries)
    encoder_releases.bootstrap()
    fill(size, encoder_releases.live().encoder.describe([decode(data) for data in queries]))
    return time.perf_counter() - begun


def serve(threads: int, folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    """Start the server and wait until it is ready; its process and port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "bench.shop.wsgi", "--worker-class", "gthread"]
    options = [
        "--workers",
        "1",
        "--threads",
        str(threads),
        "--bind",
        f"127.0.0.1:{port}",
        "--keep-alive",
        "60",
    ]
    with (folder / "server.log").open("wb") as log:
        # one BLAS thread, as docs/operations.md says: two on a busy machine made a matrix product 6x slower
        one = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
        server = subprocess.Popen([*command, *options], cwd=ROOT, stdout=log, stderr=log, env=one)
    for _ in range(300):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            connection.request("GET", "/vision/api/v1/health/ready/")
            if connection.getresponse().status == 200:
                return server, port
        except OSError:
            pass
        time.sleep(0.1)
    server.terminate()
    raise SystemExit(f"the server did not become ready:\n{(folder / 'server.log').read_text()}")


def worker_memory(server: subprocess.Popen[bytes]) -> dict[str, float]:
    """Memory of the server's worker process in MB.

    ``anonymous`` is what the process alone needs; ``files`` are pages of files that it has mapped (libraries,
    the index), which all workers of a host share and the system may drop; ``rss`` is both, ``peak`` the most it
    ever was, ``pss`` counts a page by how many processes share it, ``index`` the index's part of the files.
    """
    worker = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()[0]
    rollup = _kilobytes(Path(f"/proc/{worker}/smaps_rollup").read_text())
    status = _kilobytes(Path(f"/proc/{worker}/status").read_text())
    mapped = re.findall(r"/index/.*\n(?:.*\n)*?Rss: +(\d+) kB", Path(f"/proc/{worker}/smaps").read_text())
    found = {
        "peak": status["VmHWM"],
        "rss": rollup["Rss"],
        "pss": rollup["Pss"],
        "anonymous": rollup["Anonymous"],
        "files": rollup["Rss"] - rollup["Anonymous"],
        "index": sum(map(int, mapped)),
    }
    return {name: round(kilobytes / 1024, 1) for name, kilobytes in found.items()}


def _kilobytes(text: str) -> dict[str, int]:
    """Lines like ``Rss:   1234 kB``."""
    return {name: int(number) for name, number in re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE)}


def body(photo: bytes) -> bytes:
    """A multipart form with one photo."""
    disposition = b'Content-Disposition: form-data; name="image"; filename="p.jpg"'
    return b"--x\r\n" + disposition + b"\r\nContent-Type: image/jpeg\r\n\r\n" + photo + b"\r\n--x--\r\n"


def client(port: int, bodies: list[bytes], count: int, seen: list[Sample], failed: list[int]) -> None:
    """Send ``count`` searches one after the other over one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    for number in range(count):
        start = time.perf_counter()
        connection.request("POST", "/vision/api/v1/search/", bodies[number % len(bodies)], headers)
        response = connection.getresponse()
        response.read()
        wall = (time.perf_counter() - start) * 1000
        if response.status != 200:
            failed.append(response.status)
            continue
        stages = {name: float(value) for name, value in STAGE.findall(response.headers["Server-Timing"])}
        beyond = {"beyond": wall - stages["encode"], "server_beyond": stages["total"] - stages["encode"]}
        seen.append({**stages, "wall": wall, **beyond})


def load(port: int, queries: list[bytes], clients: int, count: int) -> dict[str, Any]:
    """``clients`` connections at once, ``count`` searches in all; figures in milliseconds."""
    bodies = [body(photo) for photo in queries]
    seen: list[Sample] = []
    failed: list[int] = []
    share = (port, bodies, count // clients, seen, failed)
    threads = [threading.Thread(target=client, args=share) for _ in range(clients)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - begun
    columns: dict[str, list[float]] = defaultdict(list)
    for sample in seen:
        for name, value in sample.items():
            columns[name].append(value)
    return {
        "clients": clients,
        "searches": len(seen),
        "errors": len(failed),
        "per_second": round(len(seen) / seconds, 1),
        **{f"{name}_ms": _spread(values) for name, values in sorted(columns.items())},
    }


def _spread(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {
        "p50": round(ordered[len(ordered) // 2], 2),
        "p95": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))], 2),
    }


def measure(size: int, count: int, threads: int) -> dict[str, Any]:
    """Build, serve, ask; everything is thrown away afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="shopvision-bench-"))
    os.environ |= {"SHOPVISION_BENCH_DIR": str(folder), "DJANGO_SETTINGS_MODULE": "bench.shop.settings"}
    queries = photos()
    try:
        built = build(size, queries)
        server, port = serve(threads, folder)
        try:
            load(port, queries, 1, WARM_UP)
            runs = [load(port, queries, clients, count) for clients in (1, 2, 4)]
            memory = worker_memory(server)
        finally:
            server.terminate()
            server.wait(20)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    alone = runs[0]
    return {
        "size": size,
        "query_bytes": sum(map(len, queries)) // len(queries),
        "build_s": round(built, 1),
        "wall_ms_p50": alone["wall_ms"]["p50"],
        "wall_ms_p95": alone["wall_ms"]["p95"],
        "encode_ms_p50": alone["encode_ms"]["p50"],
        "beyond_encoder_ms_p50": alone["beyond_ms"]["p50"],
        "beyond_encoder_ms_p95": alone["beyond_ms"]["p95"],
        "server_beyond_encoder_ms_p50": alone["server_beyond_ms"]["p50"],
        "server_beyond_encoder_ms_p95": alone["server_beyond_ms"]["p95"],
        "searches_per_second": max(run["per_second"] for run in runs),
        "server_mb": memory,
        "errors": sum(run["errors"] for run in runs),
        "load": runs,
    }


def main() -> None:
    """Read the command line and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=100_000, help="photos in the index")
    parser.add_argument("--searches", type=int, default=300, help="searches per run")
    parser.add_argument("--threads", type=int, default=4, help="threads of the server")
    parser.add_argument("--json", action="store_true", help="one line of JSON (default: indented)")
    asked = parser.parse_args()
    print(json.dumps(measure(asked.size, asked.searches, asked.threads), indent=None if asked.json else 1))


if __name__ == "__main__":
    main()
