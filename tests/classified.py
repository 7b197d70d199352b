"""A shop with a live classifier of its shelves, trained on its own drawn products."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client, TestCase

from shopvision import jobs
from shopvision.classification import classifier_releases, classifier_training
from shopvision.classification.models import Prediction
from shopvision.indexing.pipeline import drain_outbox
from tests.factories import CategoryFactory, DemoProductFactory

SOURCE = "demo_shop.product"
LABELLED, UNLABELLED = 30, 6


class CommittingClient(Client):
    """Runs what waits for a request's commit, which a test's own transaction never sees."""

    def request(self, **request: Any) -> Any:
        with TestCase.captureOnCommitCallbacks(execute=True):
            return super().request(**request)


def classified_shop() -> list[Any]:
    """Thirty products on three shelves by their shape, and six on none; a classifier that can be explained is live."""
    shelves = [CategoryFactory(name=name, slug=name.lower()) for name in ("Boxes", "Rounds", "Tents")]
    products = [DemoProductFactory(seed=n, category=shelves[n % 3]) for n in range(LABELLED)]
    products += [DemoProductFactory(seed=n, category=None) for n in range(LABELLED, LABELLED + UNLABELLED)]
    drain_outbox()
    row = classifier_training.train(SOURCE, "category", kind="linear")
    if classifier_releases.live(SOURCE, "category") is None:
        classifier_releases.promote(row)
    return products


def suggestions() -> list[Prediction]:
    """Have everything classified, suggestions only; the queue."""
    job = jobs.start(
        "classify", {"source": SOURCE, "target": "category", "acceptable_error": None}, wake=False
    )
    jobs.run(job)
    job.refresh_from_db()
    if job.state != "done":
        raise RuntimeError(job.message)
    return list(Prediction.objects.filter(state="suggested").order_by("-value", "id"))


def person(name: str, *codenames: str, **flags: bool) -> Any:
    """Somebody of the shop's staff who holds exactly these permissions."""
    user = get_user_model().objects.create_user(name, password="x", **{"is_staff": True, **flags})
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return user
