"""Cross-validate one classifier; out-of-fold scores, and scores for held-out classes."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from ..encoders.projection import unit
from .dimensionality_reduction import fit_centres, means, whitening
from .labelled_set import splits
from .logistic import fit_logistic
from .temperature_scaling import fit_scale, log_loss

SHRINKS = (0.2, 0.35, 0.5, 0.7)  # of the scatter within labels towards a sphere, tried for a discriminant
RIDGES = (3e-4, 1e-3, 3e-3)  # tried for a logistic regression, in the units of the mean loss
LEANS = (0.0, 0.5, 1.0)  # how much of the centres' cosines is tried beside the logits
EVEN_SHRINK = 0.35  # of the centres beside a logistic regression
MOST_LOGISTIC = (
    2e8  # examples x dimensions x labels, above which only the discriminant is tried: it is closed form
)
LABEL_FOLDS = 5  # groups of labels left out in turn


@dataclass(frozen=True)
class Table:
    """Examples as rows of numbers.

    Args:
        rows: centred, (N, d). targets: int (N,). count: labels. folds: int (N,). weights: of the examples, (N,).
        spread: whiten by the scatter within labels before centres are taken.
        glances: the same photos seen otherwise, (M, d), to learn from. glance_of: the row that each is of, int (M,).
    """

    rows: np.ndarray
    targets: np.ndarray
    count: int
    folds: np.ndarray
    weights: np.ndarray
    spread: bool = True
    glances: np.ndarray | None = None
    glance_of: np.ndarray | None = None

    def learned(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What is learned of some rows (numbers): they and the other glances at them.

        Returns:
            (L, d), and the place in ``rows`` that each is of, int (L,).
        """
        own = np.arange(len(rows))
        if self.glances is None or self.glance_of is None:
            return self.rows[rows], own
        place = np.full(len(self.rows), -1)
        place[rows] = own
        kept = np.flatnonzero(place[self.glance_of] >= 0)
        x = np.concatenate([self.rows[rows], self.glances[kept]])
        return x, np.concatenate([own, place[self.glance_of[kept]]])

    def moved(self, origin: np.ndarray) -> Table:
        """The same seen from another origin, (d,)."""
        glances = None if self.glances is None else self.glances - origin
        return replace(self, rows=self.rows - origin, glances=glances)


@dataclass(frozen=True, slots=True)
class Setting:
    """How a head is trained.

    Args:
        method: ``centres`` (cosines only), ``discriminant`` (Gaussian, one shrunk scatter) or ``logistic``.
        strength: shrinkage of the scatter, or ridge of the logistic regression.
    """

    method: str
    strength: float


@dataclass(frozen=True)
class Said:
    """Logits and cosines to the centres, (N, C) each."""

    logits: np.ndarray
    nearness: np.ndarray


@dataclass(frozen=True)
class Trained:
    """A head on a table's rows.

    Args:
        space, centres: as ``fit_centres`` gives them.
        slopes, intercepts: of the logits; None where there are the centres only.
    """

    space: np.ndarray
    centres: np.ndarray
    slopes: np.ndarray | None = None
    intercepts: np.ndarray | None = None

    def say(self, rows: np.ndarray) -> Said:
        """What it says of rows."""
        nearness = np.asarray(unit(rows @ self.space) @ self.centres.T)
        if self.slopes is None or self.intercepts is None:
            return Said(np.zeros_like(nearness), nearness)
        return Said(np.asarray(rows @ self.slopes + self.intercepts), nearness)


@dataclass(frozen=True)
class Voice:
    """A kind of head with its best setting.

    Args:
        kind: ``prototypes``, ``linear`` or ``text``.
        setting: that was best.
        said: of every example, out of fold.
        scale, lean: ``scale x logits + lean x nearness`` is calibrated.
        loss: log-loss out of fold of that.
        seconds: it took.
    """

    kind: str
    setting: Setting
    said: Said
    scale: float
    lean: float
    loss: float
    seconds: float = 0.0

    @property
    def scores(self) -> np.ndarray:
        """Calibrated logits out of fold."""
        return self.score(self.said)

    def score(self, said: Said) -> np.ndarray:
        """Calibrated logits."""
        return self.scale * said.logits + self.lean * said.nearness


def settings(kind: str, table: Table) -> list[Setting]:
    """What is tried for a kind."""
    logistic = [Setting("logistic", ridge) for ridge in RIDGES]
    if kind == "text":
        return logistic
    if kind == "prototypes":
        return [Setting("centres", shrink) for shrink in SHRINKS]
    found = [Setting("discriminant", shrink) for shrink in SHRINKS]
    size = table.rows.size + (0 if table.glances is None else table.glances.size)
    return found + logistic[1:2] if size * table.count <= MOST_LOGISTIC else found


def cross_validate(table: Table, kind: str) -> Voice:
    """The setting with the least log-loss out of fold."""
    start = time.perf_counter()
    tried = settings(kind, table)
    shape = (len(table.targets), table.count)
    said = [Said(np.zeros(shape), np.zeros(shape)) for _ in tried]
    for inside, outside in splits(table.folds):
        scatter = scatter_within(table, inside, table.targets[inside], table.count)
        new_rows = as_new(table, inside, outside)
        for one, setting in zip(said, tried, strict=True):
            head = train(table, setting, inside, table.targets[inside], table.count, scatter)
            new = head.say(new_rows)
            one.logits[outside], one.nearness[outside] = new.logits, new.nearness
    voices = [
        _calibrated(kind, setting, one, table.targets) for setting, one in zip(tried, said, strict=True)
    ]
    best = min(voices, key=lambda one: one.loss)
    return replace(best, seconds=time.perf_counter() - start)


def _calibrated(kind: str, setting: Setting, said: Said, targets: np.ndarray) -> Voice:
    """The scale of the logits, and how much to lean on the cosines."""
    near = fit_scale(said.nearness, targets)
    if setting.method == "centres":
        loss = log_loss(near * said.nearness, targets)
        return Voice(kind, setting, said, 0.0, near, loss)
    alone = fit_scale(said.logits, targets)
    found = []
    for share in LEANS if kind == "linear" else (0.0,):
        mixed = alone * said.logits + share * near * said.nearness
        scale = fit_scale(mixed, targets)
        loss = log_loss(scale * mixed, targets)
        found.append(Voice(kind, setting, said, scale * alone, scale * share * near, loss))
    return min(found, key=lambda one: one.loss)


def as_new(table: Table, inside: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """Rows as they would be if only those inside had made the axes: what lies outside their span is lost.

    Without it examples out of fold seem farther from every centre than new examples will.
    """
    seen = table.learned(inside)[0]
    if len(seen) >= table.rows.shape[1]:
        return np.asarray(table.rows[outside])
    axes = np.linalg.qr(seen.T)[0]
    return np.asarray((table.rows[outside] @ axes) @ axes.T)


def scatter_within(
    table: Table, rows: np.ndarray, targets: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """Eigenvalues and -vectors of the scatter of rows within labels; None for a table that is taken as it is."""
    if not table.spread:
        return None
    x, place = table.learned(rows)
    moved = x - means(x, targets[place], count)[targets[place]]
    values, vectors = np.linalg.eigh(moved.T @ moved / len(x))
    return np.maximum(values, 0), vectors


def train(
    table: Table,
    setting: Setting,
    rows: np.ndarray,
    targets: np.ndarray,
    count: int,
    scatter: tuple[np.ndarray, np.ndarray] | None = None,
) -> Trained:
    """A head trained on some of the table's rows (numbers), whose labels may be counted anew.

    The discriminant's logits are those of Gaussians with one scatter S, labels equally likely:
    ``m_c' S^-1 x - m_c' S^-1 m_c / 2``, with S drawn towards a sphere.

    Args:
        scatter: ``scatter_within`` of the same rows, if it is known.

    Source: Friedman, "Regularized Discriminant Analysis", JASA 1989.
    """
    scatter = scatter or scatter_within(table, rows, targets, count)
    x, place = table.learned(rows)
    rows, targets = rows[place], targets[place]
    shrink = EVEN_SHRINK if setting.method == "logistic" else setting.strength
    white = whitening(scatter, shrink) if scatter else None
    space, centres = fit_centres(x, targets, count, white)
    if setting.method == "centres":
        return Trained(space, centres)
    if setting.method == "logistic" or white is None:
        ridge, weights = setting.strength, table.weights[rows]
        slopes, intercepts = fit_logistic(x, targets, count, ridge=ridge, weights=weights)
        return Trained(space, centres, slopes, intercepts)
    middle = means(x, targets, count) @ white
    return Trained(space, centres, white @ middle.T, -(middle**2).sum(axis=1) / 2)


@dataclass(frozen=True)
class Unheard:
    """What a head says that was trained without some labels.

    Args:
        said: of each example judged; the columns are those of the labels trained on, so they vary by turn.
        known: whether the example's label was among them, bool (M,).
        rows: of the table.
    """

    said: tuple[Said, ...]
    known: tuple[np.ndarray, ...]
    rows: tuple[np.ndarray, ...]


def label_groups(count: int) -> np.ndarray:
    """Which labels are left out together, int (C,); none where two labels are all there are.

    Five groups, or half as many as labels, every fifth label in one: neighbours by name are often of one kind,
    and a kind is then known by its other labels, which is what a new label of a shop looks like.
    """
    return np.arange(count) % max(3, min(LABEL_FOLDS, count // 2)) if count > 2 else np.empty(0, int)


def leave_labels_out(table: Table, setting: Setting) -> Unheard:
    """Groups of labels left out in turn; judged on them, and on a fold of the others.

    Every label is left out once where there are three or more; with two nothing can be learned from it.
    """
    groups = label_groups(table.count)
    if not len(groups):
        return Unheard((), (), ())
    folds = np.unique(table.folds)
    said, known, judged = [], [], []
    for group in range(int(groups.max()) + 1):
        kept = np.flatnonzero(groups != group)
        place = np.full(table.count, -1)
        place[kept] = np.arange(len(kept))
        label = place[table.targets]
        aside = table.folds == folds[group % len(folds)]
        inside = np.flatnonzero(~aside & (label >= 0))
        outside = np.flatnonzero(aside | (label < 0))
        part = table.moved(table.rows[inside].mean(0))  # else the centre tells on them
        trained = train(part, setting, inside, label[inside], len(kept))
        said.append(trained.say(as_new(part, inside, outside)))
        known.append(label[outside] >= 0)
        judged.append(outside)
    return Unheard(tuple(said), tuple(known), tuple(judged))
