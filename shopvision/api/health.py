"""Numbers of the whole shop for a scraper, beside telemetry's numbers of one process."""

from __future__ import annotations

from ..search import status


def gauges() -> str:
    """Products, photos, waiting changes and their age, and whether searches can be answered."""
    counts, serving = status.counts(), status.serving()
    lines = []
    for what in ("products", "photos"):
        lines.append(f"# TYPE shopvision_{what} gauge")
        lines += [f'shopvision_{what}{{state="{state}"}} {n}' for state, n in counts[what].items()]
    single = {
        "changes_waiting": counts["waiting"],
        "changes_set_aside": counts["set_aside"],
        "oldest_change_seconds": counts["oldest_waiting_seconds"],
        "ready": int(serving["ok"]),
        "index_photos": serving.get("count", 0),
    }
    drift = status.drift_known()["total"]
    if drift is not None:
        single["drift"] = drift
    for name, value in single.items():
        lines += [f"# TYPE shopvision_{name} gauge", f"shopvision_{name} {value}"]
    return "\n".join(lines) + "\n"
