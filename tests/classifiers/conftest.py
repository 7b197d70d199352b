"""The real network, for saliency."""

from tests.encoders.conftest import fp32, graph  # noqa: F401 - fixtures
