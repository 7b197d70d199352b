from __future__ import annotations

import numpy as np
import pytest
from django.db import transaction

from shopvision.index.models import Embedding, EncoderRelease
from shopvision.indexing import embeddings
from shopvision.indexing.change_feed import follow, verify
from shopvision.indexing.embeddings import build_release, embed_products, lock, sweep
from shopvision.indexing.encoder_releases import LiveRelease, open_release
from shopvision.indexing.pipeline import drain_outbox
from tests.factories import DemoProductFactory

pytestmark = pytest.mark.django_db


def beside(live: LiveRelease, state: str) -> EncoderRelease:
    """A second release of the same encoder."""
    row = live.row
    return EncoderRelease.objects.create(
        name="second",
        backbone=row.backbone,
        backbone_digest=row.backbone_digest,
        precision=row.precision,
        graph=row.graph,
        projection=row.projection,
        digest="b" * 64,
        dim=row.dim,
        state=state,
    )


def stored(row: EncoderRelease) -> dict[int, bytes | None]:
    """Vectors by photo."""
    return dict(Embedding.objects.filter(release=row).values_list("image_id", "vector"))


def test_sequence_numbers_of_a_release_have_no_gap_and_no_repeat(live_release: LiveRelease) -> None:
    DemoProductFactory.create_batch(3)
    drain_outbox()
    first = DemoProductFactory()
    drain_outbox()
    first.delete()
    drain_outbox()
    numbers = sorted(Embedding.objects.values_list("sequence", flat=True))
    assert numbers == [1, 2, 3, 5]  # the fourth photo's row was written as 4 and became the tombstone 5
    live_release.row.refresh_from_db()
    assert live_release.row.sequence == 5


def test_a_built_release_holds_what_the_live_one_holds(
    live_release: LiveRelease, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embeddings, "PRODUCTS_PER_STEP", 2)
    DemoProductFactory.create_batch(5)
    drain_outbox()
    second = beside(live_release, EncoderRelease.State.BUILDING)
    assert build_release(second) == 5
    first, again = stored(live_release.row), stored(second)
    assert first.keys() == again.keys()
    for key, vector in first.items():  # float16: the order of additions may turn the last bit
        assert np.allclose(np.frombuffer(vector, "<f2"), np.frombuffer(again[key], "<f2"), atol=1e-3)


def test_a_change_made_while_a_release_is_built_reaches_both(live_release: LiveRelease) -> None:
    products = DemoProductFactory.create_batch(3)
    drain_outbox()
    second = beside(live_release, EncoderRelease.State.BUILDING)
    with transaction.atomic():  # the build has come as far as the first product
        entries = [1]
        embed_products(second, live_release.projection, entries, lock([second.pk])[second.pk])
    DemoProductFactory()
    products[0].delete()
    drain_outbox()
    build_release(second)
    alive = {key for key, vector in stored(second).items() if vector is not None}
    assert alive == {key for key, vector in stored(live_release.row).items() if vector is not None}
    assert len(alive) == 3


def test_a_candidate_is_ready_to_search_before_it_goes_live(live_release: LiveRelease) -> None:
    second = beside(live_release, EncoderRelease.State.CANDIDATE)
    DemoProductFactory.create_batch(2)
    drain_outbox()
    assert open_release(second).index.count() == 2


def test_a_retired_release_is_left_alone(live_release: LiveRelease) -> None:
    second = beside(live_release, EncoderRelease.State.RETIRED)
    DemoProductFactory()
    drain_outbox()
    assert stored(second) == {}


def test_embeddings_whose_product_vanished_unheard_are_swept(live_release: LiveRelease) -> None:
    from shopvision.catalogue.models import CatalogueEntry

    DemoProductFactory.create_batch(2)
    drain_outbox()
    CatalogueEntry.objects.first().delete()  # type: ignore[union-attr]
    assert verify(live_release).orphaned == 1
    assert sweep(live_release.row) == 1
    follow(live_release)
    assert live_release.index.count() == 1
    assert verify(live_release).total == 0
