"""Sentences that workers wrote in English, in the reader's language.

A job's message, a release's reason and an error are stored or raised as English sentences: whoever writes them
does not know who will read them. A page finds the sentence here by its shape and words it for its reader. A
sentence that is not here, such as another library's error, is shown as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from .verbose_names import word

VALUE = re.compile(r"%\((\w+)\)s")

# fmt: off
SENTENCES = (
    # jobs and their progress
    _("indexing"),
    _("queued for the workers"),
    _("%(n)s changes wait for a worker"),
    _("%(n)s changes to go"),
    _("reconciling"),
    _("looking again"),
    _("comparing photos"),
    _("fitting the encoder to the catalogue"),
    _("fitting the encoder to what shoppers chose"),
    _("reading the catalogue's photos"),
    _("judging on photos held out of the fit"),
    _("fitting on every photo"),
    _("measuring the shop's background"),
    _("embedding every photo under the new release"),
    _("embedding every photo under %(release)s"),
    _("describing every photo with %(name)s in %(precision)s"),
    _("described the photos of %(n)s of %(m)s products"),
    _("made views of %(n)s of %(m)s photos"),
    _("%(release)s was not promoted"),
    _("%(release)s is %(state)s"),
    _("reading the labels of %(target)s of %(source)s"),
    _("training"),
    _("training %(code)s on %(n)s photos of %(m)s products"),
    _("training %(code)s on %(n)s listings"),
    _("training %(code)s on all but the latest listings"),
    _("%(code)s: epoch %(n)s of %(m)s, %(share)s"),
    _("looking at %(n)s photos mirrored and from nearer"),
    _("measuring"),
    _("comparing it with the live one"),
    _("classifying with %(release)s"),
    _("undoing"),
    _("reading what visitors did"),
    _("looking at what goes with what"),
    _("preparing listings of %(n)s acts"),
    _("comparing it with what ranks now"),
    _("%(n)s workers died on it without a step forward"),
    _("another worker took the job over: the lease ran out"),
    # what an estimate rests on
    _("%(n)s photos of the shop, measured on this machine: %(rate)s photos/s"),
    _("no photos"),
    _("rows only, nothing is encoded"),
    _("stored descriptors, nothing is decoded"),
    _("the shop's own save of each product"),
    _("%(n)s photos to make views of, %(m)s to fit on"),
    _("%(n)s described photos, %(k)s ms each"),
    _("%(n)s described photos, %(k)s ms each, and a small network from scratch on %(m)s of them to "
      "compare with"),
    _("%(n)s photos to describe at %(rate)s/s, then %(k)s products/s"),
    _("%(n)s events at %(rate)s/s, %(m)s products at %(k)s/s"),
    # the gates of releases
    _("forced live although %(why)s"),
    _("worse: %(why)s"),
    _("better: %(why)s"),
    _("no worse: %(why)s"),
    _("the first classifier of this target: %(why)s"),
    _("no better than a guess: %(why)s"),
    _("%(ours)s right on %(n)s products it had not seen; always saying %(label)s: %(theirs)s"),
    _("%(ours)s right against %(theirs)s of %(release)s on the same %(n)s products that neither had "
      "seen: %(gain)s points, 95 %% interval %(low)s to %(high)s"),
    _("only %(n)s products can be compared with %(release)s; the newer labels count"),
    _("only %(n)s listings of %(m)s visitors to judge by; it takes %(k)s of %(l)s"),
    _("NDCG@10 %(ours)s against %(theirs)s of %(what)s on the same %(n)s later listings: %(gain)s, "
      "95 %% interval %(low)s to %(high)s"),
    _("no better than %(what)s (%(gain)s); %(why)s"),
    _("the live ranker"),
    _("the untrained blend"),
    _("popularity"),
    _("chance"),
    _("the order given"),
    _("no listing since then was shown with known odds"),
    _("effective sample of %(n)s, at least %(m)s are needed"),
    _("%(n)s clicks, at least %(m)s are needed"),
    _("torch is not installed: pip install shopvision[torch]"),
    _("this process does not load torch: workers of the gpu queue and shopvision_train do"),
    _("networks cannot be trained here: %(why)s, best on a GPU worker"),
    # why a photo, a product or a label was left alone
    _("the file has no bytes; choose a photo"),
    _("the file has more than %(most)s bytes; send a smaller photo"),
    _("the file is not a %(formats)s photo; save it as one of these"),
    _("the file holds several frames; send a still photo"),
    _("%(width)s x %(height)s pixels; the shorter side needs at least %(least)s"),
    _("%(width)s x %(height)s pixels; a %(format)s file may have %(most)s: send a smaller photo"),
    _("the part chosen of the photo has %(n)s x %(m)s pixels; its longer side needs at least %(k)s: "
      "choose a larger part"),
    _("the %(name)s file is incomplete or damaged; send it again"),
    _("the %(format)s file is incomplete or damaged (%(error)s); send it again"),
    _("the %(name)s file ends within its header; send it again"),
    _("the file contradicts itself about its size; save it again"),
    _("%(error)s; send a smaller photo"),
    _("this kind of JPEG is not supported; save it as baseline"),
    _("JPEG of %(n)s bits is not supported; save it with 8"),
    _("JPEG of %(n)s scans; %(m)s are the most we read"),
    _("no photo of it can be used"),
    _("the shop has no such product"),
    _("no photo of %(n)s products can be read: %(error)s"),
    _("left alone: a person has decided since"),
    _("left alone: undone already"),
    _("left alone: the shop has no such product any more"),
    _("left alone: the shop has changed it since"),
    # errors of classifying and reviewing
    _("there is no job called %(name)s; one of %(names)s"),
    _("%(code)s %(id)s is %(state)s and cannot be cancelled"),
    _("%(code)s %(id)s is %(state)s and cannot be resumed"),
    _("%(name)s has no %(target)s to recognise; it has %(names)s"),
    _("there is no %(target)s to recognise in %(name)s: %(names)s. Adapters name them (category, "
      "attributes)"),
    _("acceptable_error takes one of %(names)s or null, not %(name)s"),
    _("classifier %(release)s cannot keep the error at %(share)s on products it had not seen: "
      "accept more error, or label more products"),
    _("of this job nothing can be undone: %(why)s"),
    _("all that it had applied (%(n)s labels) has been undone or decided by a person since"),
    _("it has applied nothing"),
    _("%(name)s is no job's key"),
    _("no photo of the product can be read"),
    _("the classifier that made this suggestion is gone"),
    _("the classifier knows no label %(label)s"),
    _("a %(kind)s classifier has no map of its reasons"),
    _("no classifier of %(target)s of %(source)s is live: train one with shopvision_train"),
    _("classifier %(release)s of %(source)s reads descriptors of encoder %(digest)s, which is no "
      "longer live; a worker trains it anew, or run shopvision_train"),
    _("classifier %(release)s of %(source)s cannot be opened here: %(error)s"),
    _("no classifier of %(target)s of %(source)s is live, so there is nothing to roll back"),
    _("there is no classifier of %(target)s of %(source)s before %(release)s to roll back to"),
    _("the shop has no label %(label)s for %(target)s: choose one of its %(n)s, such as %(names)s"),
    _("the shop has no %(target)s %(label)s"),
    _("%(n)s suggestions at most can be accepted together"),
    _("this suggestion is gone: its product left the catalogue"),
    _("you have decided this already (%(label)s, %(state)s); undo your decision to change it"),
    _("you have decided this already (%(state)s); undo your decision to change it"),
    _("somebody has decided meanwhile: %(state)s"),
    _("somebody has decided meanwhile by %(name)s: %(state)s"),
    _("the suggestion has changed meanwhile, from %(label)s to %(name)s: look again"),
    _("only a person's decision can be undone here; a job is undone as a whole"),
    _("this decision is undone already"),
    _("somebody has decided since; undo the later decision first"),
    _("the shop has no product %(name)s any more"),
    _("the product left the catalogue; nothing can be undone"),
    _("no classifier of kind %(kind)s; it takes auto, %(names)s"),
    _("no product has a title or description that a fused classifier could read"),
    _("%(target)s of %(source)s has %(n)s label(s) with %(m)s or more different products that have "
      "a photo; a classifier tells two or more apart, and needs %(k)s different products of each: "
      "one to learn from, one to judge on. %(names)s. Variants of one product, and products with "
      "the same or nearly the same photo, count as one. Label other products in the shop, give them "
      "photos of their own, or accept suggestions"),
    _("a classifier tells two labels or more apart; the photos have one"),
    _("a label has %(n)s product(s); it takes %(m)s: one to learn from, one to judge on"),
    # errors of searching and ranking
    _("no photo has been indexed yet: run shopvision_index"),
    _("the index is being filled; try again in a moment"),
    _("the index was being written for %(n)s s; try again"),
    _("the index changes too fast to be opened; try again"),
    _("the index has no manifest; try again"),
    _("the index's %(name)s is corrupt: rebuild it with shopvision_index"),
    _("the index's %(name)s cannot be read: %(error)s"),
    _("the index's manifest in %(name)s is corrupt: %(error)s"),
    _("release %(release)s has no projection: make one with shopvision_tune"),
    _("release %(release)s was made with encoder %(digest)s, but %(name)s is %(other)s here; the "
      "installed weights differ, or the release is of another version"),
    _("model file %(digest)s is damaged or gone: restore it, or run shopvision_tune"),
    _("the file of %(name)s, %(file)s in the storage %(storage)s, is %(state)s: restore it, roll "
      "back, or train anew"),
    _("there is no release %(n)s"),
    _("there is no release before the live one to roll back to"),
    _("%(n)s photos are described; tuning takes %(m)s or more"),
    _("%(n)s photo searches of shoppers who agreed to improvement led to a click; it takes %(m)s to "
      "learn from them"),
    _("the hold-out takes more than none and less than all of the visitors, and some are left for "
      "the live ranker"),
    _("a candidate takes a share of the visitors, and a share a candidate"),
    _("an experiment is running; stop it first"),
    _("no trained ranker is live, so there is nothing to roll back"),
    _("%(release)s cannot be opened here: %(error)s"),
    _("%(n)s acts of visitors who agreed to improvement; it takes %(m)s to train a ranker. Until "
      "then listings go by what is known of the products"),
    _("no ranker of kind %(kind)s; it takes auto, %(names)s"),
    _("a ranker of kind %(kind)s cannot be trained here: it takes an extra, and mlp a worker of the "
      "gpu queue or the command"),
    _("no visit has two acts from which one could be learned"),
)
# fmt: on

NUMBER = r"[-+\d][\d.,]*%?"
SHAPES = {
    **dict.fromkeys(("n", "m", "k", "l", "rate", "share", "gain", "low", "high", "ours", "theirs"), NUMBER),
    "release": r"\S+",
    "state": r"[a-z ]+",
    "code": r"[\w-]+",
    "id": r"[-0-9a-f]{36}",
}
"""What a value looks like; any other is text."""


def said(text: object) -> str:
    """A sentence in the reader's language, with the values it was stored with; an unknown one as it stands."""
    given = str(text)
    for template, shape in _shapes():
        found = shape.fullmatch(given)
        if found is not None:
            values = {name: _worded(name, value) for name, value in found.groupdict().items()}
            return gettext(template) % values if "%" in template else gettext(template)
    return given


def _worded(name: str, value: str) -> str:
    """A value that is words itself; the shop's own names stay as they are."""
    inner: dict[str, Callable[[str], str]] = {
        "why": said,
        "what": said,
        "state": word,
        "code": word,
        "target": lambda quoted: word(quoted.strip("'")),
    }
    return inner[name](value) if name in inner else value


@cache
def _shapes() -> list[tuple[str, re.Pattern[str]]]:
    """Every sentence with what recognises it, the one with the most words of its own first."""
    return sorted(((one, _shape(one)) for one in SENTENCES), key=lambda pair: -len(VALUE.sub("", pair[0])))


def _shape(template: str) -> re.Pattern[str]:
    parts = VALUE.split(template)  # words, the name of a value, words, ...
    for place, part in enumerate(parts):
        parts[place] = (
            f"(?P<{part}>{SHAPES.get(part, '.+?')})" if place % 2 else re.escape(part.replace("%%", "%"))
        )
    return re.compile("".join(parts), re.DOTALL)
