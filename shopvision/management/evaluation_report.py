"""Text report of ``shopvision_evaluate``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Found = Mapping[str, Any]
NO_EVENTS = {
    "off": "PRIVACY_MODE is off: no events are kept, so nothing can be read.",
    "session": "PRIVACY_MODE is session: events are counted, not kept, so nothing can be read.",
}
OUTCOMES = {"click": "clicked", "basket_add": "put into the basket", "purchase": "bought"}


def report(answer: Found) -> str:
    """All parts, each with a heading; a part without enough data says how much is missing."""
    return "\n\n".join(PARTS[name](found) for name, found in answer.items())


def _held_out(found: Found) -> str:
    head = "Held-out photos: is a product found by its other photos, the photo searched with left out?"
    if found["missing"]:
        return f"{head}\n  {_lacking({'photos of products with two or more': found['missing']}, found['photos'])}"
    lines = [
        head,
        f"  {found['photos']} photos of {found['products']} products, drawn of {found['eligible_photos']} "
        f"(at most {found['sample']}, seed {found['seed']}), release {found['release']}",
        *(
            f"  recall@{depth} {found[f'recall@{depth}']:.3f} {_interval(found[f'recall@{depth}_interval'])}"
            for depth in (1, 5)
        ),
    ]
    if found["tuning"]:
        lines.append(_tuned(found["tuning"]))
    rows = found["by_category"].items()
    return "\n".join(
        lines
        + [
            f"    {name}: recall@1 {one['recall@1']:.3f}, recall@5 {one['recall@5']:.3f} ({one['photos']} photos)"
            for name, one in rows
        ]
    )


def _tuned(tuning: Found) -> str:
    recall, judged = tuning["recall@1"], tuning["judged_on"] or {}
    held = f": {recall:.3f} ({judged.get('queries', 0)} queries)" if isinstance(recall, float) else ""
    return (
        "  The release was tuned on these photos, so this is an upper bound; recall@1 on photos held out of the "
        f"tuning{held or ' is unknown'}"
    )


def _clicks(found: Found) -> str:
    head = f"Photo searches of the last {found['days']} days, of visitors who agreed to improvement"
    if any(found["missing"].values()):
        return f"{head}\n  {_no_events(found['privacy_mode'], found['missing'])}"
    lines = [
        head,
        f"  {found['searches']} searches of {found['visitors']} visitors{_simulated(found['simulated'])}",
    ]
    if found["click_share"] is None:
        return "\n".join(
            [*lines, "  Fewer than five visitors clicked; how many searches that were is withheld."]
        )
    lines.append(f"  {found['click_share']:.1%} led to a click {_interval(found['click_share_interval'])}")
    rank = found["rank"]
    if rank is None:
        return "\n".join([*lines, "  Too few visitors clicked a product whose rank is known."])
    return "\n".join(
        [
            *lines,
            f"  rank of the product clicked: median {rank['median']:.0f}, first {rank['first_share']:.1%}, among "
            f"the first five {rank['first_5_share']:.1%}, mean reciprocal rank {rank['mean_reciprocal']:.3f} "
            f"({rank['clicks']} clicks)",
        ]
    )


def _reviews(found: Sequence[Found]) -> str:
    head = "Classifiers: people's decisions about the live classifiers' suggestions"
    if not found:
        return f"{head}\n  No classifier is live: train one with shopvision_train."
    return "\n".join([head, *(_reviewed(one) for one in found)])


def _reviewed(found: Found) -> str:
    name = f"  {found['target']} of {found['source']} ({found['release']}): "
    if found["missing"]:
        return name + _lacking({"decisions": found["missing"]}, found["decisions"])
    shares = ", ".join(f"{found[verb]:.1%} {verb}" for verb in ("accepted", "corrected", "rejected"))
    line = f"{name}{found['decisions']} decisions: {shares}; accepted {_interval(found['accepted_interval'])}"
    if found["calibration_error"] is None:
        return line
    return (
        f"{line}\n    calibration error {found['calibration_error']:.3f}; chance alone gives "
        f"{found['calibration_floor']:.3f} with so many"
    )


def _rankers(found: Found) -> str:
    return "\n".join(
        [
            f"Ranker: {found['live'] or 'the untrained blend'}",
            _ranker_release(found["release"]),
            _experiment(found["experiment"]),
            _off_policy(found["off_policy"], found["privacy_mode"]),
        ]
    )


def _ranker_release(found: Found) -> str:
    if "missing" in found:
        return f"  release: {_lacking(found['missing'])}"
    return (
        f"  release: NDCG@10 {found['ndcg@10']:.3f} {_interval(found['ndcg@10_interval'])}, recall@20 "
        f"{found['recall@20']:.3f}, mean reciprocal rank {found['mrr']:.3f}; {found['listings']} later listings "
        f"({found['listings_are']}) of {found['visitors']} visitors{_simulated(found['simulated_events'])}"
    )


def _experiment(found: Found) -> str:
    if "missing" in found:
        return f"  experiment: {_lacking(found['missing'])}"
    made_up = " (simulated)" if found["simulated"] else ""
    seen = ", ".join(f"{arm} {count}" for arm, count in found["visitors"].items())
    lines = [f"  experiment {found['name']!r}, {found['state']}{made_up}: visitors {seen}"]
    for outcome, one in found["outcomes"].items():
        done = ", ".join(f"{arm} {'few' if n is None else n}" for arm, n in one["done"].items())
        gains = "".join(
            f"; {pair} {gain['value']:+.2%} {_interval([gain['low'], gain['high']])}"
            for pair, gain in one["differences"].items()
        )
        lines.append(f"    {OUTCOMES.get(outcome, outcome)}: {done}{gains}")
    return "\n".join(lines)


def _off_policy(found: Found, mode: str) -> str:
    head = "  off-policy estimate on listings since it learned:"
    if "missing" in found:
        return f"{head} {_no_events(mode, found['missing'])}"
    if found.get("refused"):
        return f"{head} none: {found['refused']}"
    return (
        f"{head} {found['value']:.4f} clicks per product shown {_interval([found['low'], found['high']])}; "
        f"{found['logged']:.4f} were clicked; {found['listings']} listings of {found['visitors']} visitors"
    )


def _no_events(mode: str, missing: Mapping[str, int]) -> str:
    """What is missing; where it is visitors and no events are kept of any, that."""
    return (missing.get("visitors") and NO_EVENTS.get(mode)) or _lacking(missing)


def _lacking(missing: Mapping[str, int], there: int = 0) -> str:
    """How many of what are missing."""
    lacking = ", ".join(f"{count} {what}" for what, count in missing.items() if count)
    have = f" ({there} there)" if there else ""
    return f"Too little data{have}; missing: {lacking}."


def _interval(bounds: Sequence[float]) -> str:
    return f"(95 % {bounds[0]:.3f} to {bounds[1]:.3f})"


def _simulated(count: int) -> str:
    return f", {count} of them simulated" if count else ""


PARTS: dict[str, Callable[[Any], str]] = {
    "held_out_photos": _held_out,
    "search_clicks": _clicks,
    "reviews": _reviews,
    "rankers": _rankers,
}
