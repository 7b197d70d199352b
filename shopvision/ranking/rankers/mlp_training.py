"""Train the neural ranker with torch."""

from __future__ import annotations

import numpy as np
import torch

from ..training.examples import Lessons
from .feature_scaling import fit_scaling
from .linear import scaled, targets
from .mlp import MlpRanker

WIDTH, NETS = 32, 4  # units of a layer; networks, whose mean is steadier than one by more than a seed's luck
EPOCHS, LISTINGS_AT_ONCE = 8, 32
OTHERS = 48  # products that were not chosen, drawn anew of each listing each time it is seen
RATE, DECAY, DROPOUT = 3e-3, 1e-3, 0.2


class _Nets(torch.nn.Module):  # type: ignore[misc]
    """Networks side by side, (E, N, F) -> (E, N)."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        shapes = {"w1": (inputs, WIDTH), "w2": (WIDTH, WIDTH), "w3": (WIDTH, 1)}
        for name, (rows, columns) in shapes.items():
            start = torch.randn(NETS, rows, columns) * (1 / rows) ** 0.5
            self.register_parameter(name, torch.nn.Parameter(start))
        for name in ("b1", "b2"):
            self.register_parameter(name, torch.nn.Parameter(torch.zeros(NETS, 1, WIDTH)))
        self.drop = torch.nn.Dropout(DROPOUT)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.drop(torch.relu(x @ self.w1 + self.b1))
        x = self.drop(torch.relu(x @ self.w2 + self.b2))
        return (x @ self.w3)[..., 0]

    def layers(self) -> dict[str, np.ndarray]:
        """As ``MlpRanker`` has them: the first layers of all networks in one matrix."""
        found = {name: value.detach().numpy().astype(np.float32) for name, value in self.named_parameters()}
        found["w1"] = np.concatenate(list(found["w1"]), axis=1)
        found["b1"] = found["b1"].ravel()
        return {name: np.ascontiguousarray(value) for name, value in found.items()}


def fit_mlp(lessons: Lessons, *, seed: int = 0, epochs: int = EPOCHS) -> MlpRanker:
    """Networks under which what was chosen is likeliest to be chosen first; each sees the listings in its own order.

    The loss is that of ``linear.fit_linear`` over what was chosen and some of the others; AdamW with one cycle
    of the rate. Listings of which nothing was chosen are left out.

    Args:
        lessons: at least one listing of which something was chosen.
        seed: of the start and the order; the same seed gives the same ranker on the same machine.
        epochs: times each listing is seen.

    Source: Cao et al., ICML 2007; Loshchilov & Hutter, "Decoupled weight decay regularization", ICLR 2019.
    """
    given = np.add.reduceat(lessons.chosen * lessons.weights, lessons.starts[:-1])
    lessons = lessons.take(np.flatnonzero(given > 0))
    scaling = fit_scaling(lessons.x)
    draw = np.random.default_rng(seed)
    x, wanted, there = _padded(lessons, scaled(scaling, lessons), targets(lessons), draw)
    torch.manual_seed(seed)
    nets = _Nets(x.shape[2])
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the matrices are small: a second thread waits more than it works
    try:
        _fit(nets, x, wanted, there, draw, epochs)
    finally:
        torch.set_num_threads(threads)
    return MlpRanker(scaling, nets.layers())


def _fit(
    nets: _Nets,
    x: torch.Tensor,
    wanted: torch.Tensor,
    there: torch.Tensor,
    draw: np.random.Generator,
    epochs: int,
) -> None:
    batches = max(1, len(x) // LISTINGS_AT_ONCE)
    most = int((wanted > 0).sum(dim=1).max())
    first, rest = np.arange(most), np.arange(most, wanted.shape[1])
    drawn = min(OTHERS, len(rest))
    optimiser = torch.optim.AdamW(nets.parameters(), lr=RATE, weight_decay=DECAY)
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, RATE, total_steps=epochs * batches + 1, pct_start=0.1
    )
    for _ in range(epochs):
        orders = np.stack([draw.permutation(len(x)) for _ in range(NETS)])
        for part in np.array_split(orders, batches, axis=1):
            rows = torch.from_numpy(part)[..., None]
            columns = torch.from_numpy(np.concatenate([first, draw.choice(rest, drawn, replace=False)]))
            scores = nets(x[rows, columns].flatten(1, 2)).view(*rows.shape[:2], -1)
            likely = torch.log_softmax(scores.masked_fill(~there[rows, columns], -1e9), dim=-1)
            loss = -(likely * wanted[rows, columns]).sum(-1).mean(-1).sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            cycle.step()


def _padded(
    lessons: Lessons, rows: np.ndarray, wanted: np.ndarray, draw: np.random.Generator
) -> tuple[torch.Tensor, ...]:
    """Inputs (G, W, F), targets (G, W) and which rows are there (G, W), W the longest listing's length.

    Within a listing what was chosen comes first, the others in an order that is drawn.
    """
    sizes = np.diff(lessons.starts)
    listing = np.repeat(np.arange(len(sizes)), sizes)
    order = np.lexsort((draw.random(len(rows)), wanted <= 0, listing))
    there = np.arange(sizes.max(initial=1)) < sizes[:, None]
    x = np.zeros((*there.shape, rows.shape[1]), np.float32)
    y = np.zeros(there.shape, np.float32)
    x[there], y[there] = rows[order], wanted[order]
    return torch.from_numpy(x), torch.from_numpy(y), torch.from_numpy(there)
