"""Grad-CAM through torch."""

from __future__ import annotations

import numpy as np
import pytest

from tests.encoders.colour_graph import HEAD

torch = pytest.importorskip("torch", reason="needs the torch extra")

from torch import nn  # noqa: E402

from shopvision.classifiers.networks import ClassifierNetwork, PooledHead  # noqa: E402
from tests.encoders.gradcam import grad_cam  # noqa: E402

pytestmark = pytest.mark.torch


def colour_network() -> ClassifierNetwork:
    """The same as ``colour_graph``, in torch: mean colours of 4 x 4 cells, and a linear head."""
    head = PooledHead(3, 3, dropout=0.0)
    with torch.no_grad():
        head.linear.weight.copy_(torch.from_numpy(HEAD))
    return ClassifierNetwork(nn.Identity(), nn.Sequential(nn.AvgPool2d(2), nn.AvgPool2d(4)), head).eval()


def corner() -> torch.Tensor:
    """Red in the upper left quarter, blue elsewhere."""
    pixels = torch.zeros(1, 3, 32, 32)
    pixels[:, 2] = 1.0
    pixels[:, :, :16, :16] = torch.tensor([1.0, 0.0, 0.0])[:, None, None]
    return pixels


def test_of_the_last_map_it_is_the_class_activation_map() -> None:
    """The values of ``test_explain``, of a sixteenth of the gradient in each cell."""
    network = colour_network()
    found = grad_cam(network, network.tail, corner(), 2)
    blue = np.exp(6) / (np.exp(6) + 1)
    expected = np.full((4, 4), -8 * blue / 16)
    expected[:2, :2] = 8 / 16
    np.testing.assert_allclose(found[0], expected, rtol=1e-4)


def test_an_earlier_layer_gives_a_finer_map() -> None:
    network = colour_network()
    found = grad_cam(network, network.tail[0], corner(), 2)
    assert found.shape == (1, 16, 16)
    assert found[0, :8, :8].min() > 0 > found[0, 8:, 8:].max()


def test_the_network_is_left_as_it_was() -> None:
    network = colour_network().train()
    grad_cam(network, network.tail, corner(), 0)
    assert network.training
    assert all(parameter.grad is None for parameter in network.parameters())


def test_a_layer_without_a_map_is_refused() -> None:
    network = colour_network()
    with pytest.raises(ValueError, match="gives a map"):
        grad_cam(network, network.head.linear, corner(), 0)
