"""Grad-CAM with torch's gradients: what the shipped maps, which need no torch, must equal."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn


def grad_cam(network: nn.Module, layer: nn.Module, pixels: torch.Tensor, label: int) -> np.ndarray:
    """Where a layer sees reasons for a label: its channels, weighted by the mean gradient of the log-odds.

    Args:
        network: pixels (N, 3, S, S) -> last map and logits (N, L), as ``networks.ClassifierNetwork``; left as it
            was.
        layer: one of its modules, whose output is a map (N, C, h, w).
        pixels: normalised, on the network's device.
        label: number of the label.

    Returns:
        float32 (N, h, w): what each cell adds, negative where it speaks against; cells sum to the gradient's
        product with the pooled map.

    Raises:
        ValueError: the layer is not passed, or its output is no map.

    Source: Selvaraju et al., "Grad-CAM", ICCV 2017.
    """
    outputs: list[torch.Tensor] = []
    hook = layer.register_forward_hook(lambda _module, _inputs, output: outputs.append(output))
    training = network.training
    try:
        network.eval()
        with torch.enable_grad():
            logits = network(pixels.detach().clone().requires_grad_())[1]
            if not outputs or outputs[-1].ndim != 4:
                raise ValueError("Grad-CAM takes a layer that is passed and gives a map (N, C, h, w)")
            rest = [other for other in range(logits.shape[1]) if other != label]
            odds = logits[:, label] - torch.logsumexp(logits[:, rest], 1)
            slopes = torch.autograd.grad(odds.sum(), outputs[-1])[0]
    finally:
        hook.remove()
        network.train(training)
    weights = slopes.mean((2, 3), keepdim=True)
    return np.asarray((weights * outputs[-1]).sum(1).detach().cpu().numpy(), np.float32)
