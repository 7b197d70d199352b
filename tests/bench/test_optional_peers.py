from __future__ import annotations

from pathlib import Path

import pytest

from bench.optional_peers import OptionalPeers


def test_a_missing_and_a_broken_library_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_peer.py").write_text("raise OSError('libpeer.so:\\n no such file')")
    monkeypatch.syspath_prepend(str(tmp_path))
    peers = OptionalPeers("json", "no_such_peer", "broken_peer")
    assert peers.status() == {
        "json": "usable",
        "no_such_peer": "not installed",
        "broken_peer": "cannot be imported: OSError: libpeer.so: no such file",
    }
    assert [peers.usable(name) for name in ("json", "no_such_peer", "broken_peer")] == [True, False, False]


def test_a_library_that_fails_at_work_counts_as_failed_from_then_on() -> None:
    peers = OptionalPeers("sqlite3")
    with peers.attempt("sqlite3"):
        raise AttributeError("'Connection' object has no attribute 'enable_load_extension'")
    assert not peers.usable("sqlite3")
    assert peers.faults() == {
        "sqlite3": "failed: AttributeError: 'Connection' object has no attribute 'enable_load_extension'"
    }
