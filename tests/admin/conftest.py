from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from tests.classified import CommittingClient, classified_shop


@pytest.fixture
def client() -> Client:
    return CommittingClient()


@pytest.fixture
def boss(client: Client) -> Client:
    client.force_login(get_user_model().objects.create_superuser("boss", "b@example.org", "x"))
    return client


@pytest.fixture
def classified(live_release: Any) -> list[Any]:
    """Thirty labelled products and six without a label, and a live classifier."""
    return classified_shop()
