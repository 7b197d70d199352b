from __future__ import annotations

import io
from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from django.core.files.base import ContentFile
from PIL import Image

from demo_shop.models import Product, ProductPhoto
from shopvision import timestamps
from shopvision.catalogue.models import CatalogueEntry, CatalogueImage
from shopvision.classification import dataset
from shopvision.classification.dataset import (
    SAME_PICTURE,
    SAME_SHAPE,
    Dataset,
    Item,
    Pair,
    PhotoRow,
    quality,
    read_dataset,
    snapshot,
    snapshot_rows,
)
from shopvision.classification.models import DatasetSnapshot, Decision
from shopvision.exceptions import InvalidRequest
from shopvision.indexing import encoder_releases
from shopvision.indexing.encoder_releases import LiveRelease
from shopvision.indexing.pipeline import drain_outbox
from tests.classification.conftest import COLOURS, SOURCE, TARGET, coloured, fill, make_product, shelf

pytestmark = pytest.mark.django_db


def read() -> Dataset:
    return read_dataset(SOURCE, TARGET, encoder_releases.live().row.backbone_digest)


def decide(product: Product, verb: str, label: str, **values: Any) -> Decision:
    return Decision.objects.create(
        source=SOURCE, object_id=str(product.pk), target=TARGET, verb=verb, label=label, **values
    )


def label_of(dataset: Dataset, product: Product) -> str | None:
    found = [one for one in dataset.items if one.key == str(product.pk)]
    return dataset.labels[found[0].label].name if found else None


def test_every_labelled_product_with_a_described_photo_is_in_it(labelled: list[Product]) -> None:
    make_product("red", 77, labelled=False)
    Product.objects.create(sku="no photo", title="no photo", category=shelf("red"))
    drain_outbox()
    dataset = read()
    assert len(dataset.items) == len(dataset.photos) == 24
    assert sorted(one.name for one in dataset.labels) == ["blue", "green", "red"]
    assert np.bincount(dataset.targets).tolist() == [8, 8, 8]
    assert len(dataset.descriptors()["c5"]) == 24


def test_a_persons_latest_decision_is_the_label(labelled: list[Product]) -> None:
    one, other, third, fourth = labelled[:4]  # red in the shop
    blue, red = str(shelf("blue").pk), str(shelf("red").pk)
    decide(one, "reject", red)
    decide(one, "correct", blue)
    decide(other, "reject", red)
    decide(third, "reject", blue)
    decide(fourth, "correct", blue, undone_at=timestamps.from_seconds(0))
    dataset = read()
    assert label_of(dataset, one) == "blue"
    assert label_of(dataset, other) is None  # what it is instead, nobody has said
    assert label_of(dataset, third) == label_of(dataset, fourth) == "red"
    assert [one.decided for one in dataset.items].count(True) == 1


def test_a_label_that_only_a_model_gave_teaches_nothing(labelled: list[Product]) -> None:
    red = str(shelf("red").pk)
    decide(labelled[0], "apply", red)
    assert label_of(read(), labelled[0]) is None
    decide(labelled[0], "accept", red)
    assert label_of(read(), labelled[0]) == "red"


def test_folds_tear_apart_no_product_no_group_and_no_near_copy(live_release: LiveRelease) -> None:
    made = fill(6, photos=3)
    variants = [str(one.pk) for one in made[:3]]
    CatalogueEntry.objects.filter(object_id__in=variants).update(group="one family")
    copied = make_product("red", 500)
    with made[4].image.open() as file:
        copied.image.save("copy.png", ContentFile(file.read()))
    like = make_product("red", 501)
    like.image.save("like.jpg", recompressed(made[5]))
    strangers = [str(one.pk) for one in (made[7], made[8])]
    drain_outbox()
    CatalogueImage.objects.filter(entry__object_id__in=strangers).update(perceptual_hash=0x0F0F0F0F0F0F0F0F)
    for seed in range(5):
        dataset = read()
        folds: dict[str, set[int]] = defaultdict(set)
        for photo, fold in zip(dataset.photos, dataset.folds(seed=seed), strict=True):
            folds[dataset.items[photo.item].key].add(int(fold))
        assert all(len(found) == 1 for found in folds.values())
        assert len(set.union(*(folds[key] for key in variants))) == 1
        assert folds[str(made[4].pk)] == folds[str(copied.pk)]
        assert folds[str(made[5].pk)] == folds[str(like.pk)]
        assert len(set.union(*folds.values())) == 5
    groups = {one.key: one.group for one in dataset.items}
    assert len({groups[key] for key in strangers}) == 2  # a like hash alone joins nothing
    assert ProductPhoto.objects.count() == 36


def recompressed(product: Product) -> ContentFile[bytes]:
    """Its photo, smaller and as a JPEG."""
    out = io.BytesIO()
    with product.image.open() as file:
        Image.open(file).convert("RGB").resize((96, 96)).save(out, "JPEG", quality=60)
    return ContentFile(out.getvalue())


def test_a_label_with_one_product_is_left_out_and_said(labelled: list[Product]) -> None:
    odd = make_product("red", 900)
    Product.objects.filter(pk=odd.pk).update(category=shelf("odd"))
    drain_outbox()
    dataset = read()
    assert label_of(dataset, odd) is None
    assert quality(dataset)["small"] == [{"label": str(shelf("odd").pk), "name": "odd", "products": 1}]


def test_one_label_is_too_few_and_the_message_says_what_to_do(live_release: LiveRelease) -> None:
    fill(3, names=("red",))
    with pytest.raises(InvalidRequest, match="two or more apart") as caught:
        read()
    assert caught.value.code == "too_few_labels"
    with pytest.raises(InvalidRequest, match="to recognise") as caught:
        read_dataset(SOURCE, "taste", encoder_releases.live().row.backbone_digest)
    assert caught.value.code == "unknown_target"


def test_near_copies_that_count_as_one_are_told_label_by_label(live_release: LiveRelease) -> None:
    alike = fill(2, names=("red", "green"))
    for one in alike:
        with alike[0].image.open() as file:
            one.image.save("same.png", ContentFile(file.read()))
    drain_outbox()
    with pytest.raises(InvalidRequest, match="counted as 0") as caught:
        read()
    assert "2 products, counted as 1 (near-copies" in str(caught.value)
    assert "nearly the same photo, count as one" in str(caught.value)


def test_the_same_photo_under_two_labels_is_a_conflict(labelled: list[Product]) -> None:
    twin = make_product("blue", 950)
    with labelled[0].image.open() as file:
        twin.image.save("twin.png", ContentFile(file.read()))
    drain_outbox()
    (found,) = quality(read())["conflicts"]
    assert found["products"] == [f"{SOURCE}:{labelled[0].pk}", f"{SOURCE}:{twin.pk}"]
    assert (found["labels"], found["why"]) == (["red", "blue"], "same file")


def test_a_mislabelled_product_is_ranked_first_unless_a_person_said_so(labelled: list[Product]) -> None:
    wrong = labelled[0]
    Product.objects.filter(pk=wrong.pk).update(category=shelf("blue"))
    dataset = read()
    names = [one.name for one in dataset.labels]
    answers = np.full((24, 3), 0.05)
    for row, one in enumerate(dataset.items):  # a classifier that sees the colours as they are
        colour = list(COLOURS)[[str(p.pk) for p in labelled].index(one.key) // 8]
        answers[row, names.index(colour)] = 0.95 if one.key == str(wrong.pk) else 0.9
    (found,) = quality(dataset, answers)["mislabelled"]
    assert found["product"] == f"{SOURCE}:{wrong.pk}"
    assert (found["name"], found["suggested_name"], found["probability"]) == ("blue", "red", 0.95)
    decide(wrong, "accept", str(shelf("blue").pk))
    assert quality(read(), answers)["mislabelled"] == []


def test_a_snapshot_is_taken_once_and_tells_every_label_and_fold(labelled: list[Product]) -> None:
    first, again = snapshot(read()), snapshot(read())
    assert first.pk == again.pk
    assert DatasetSnapshot.objects.count() == 1
    rows = snapshot_rows(first)
    assert len(rows) == first.products == 24
    assert {label for _, label, _, _ in rows} == {str(shelf(name).pk) for name in COLOURS}
    Product.objects.filter(pk=labelled[0].pk).update(category=shelf("blue"))
    assert snapshot(read()).pk != first.pk


def test_more_photos_than_can_be_learned_from_are_thinned_evenly(
    labelled: list[Product], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shopvision.classification.dataset.MAX_PHOTOS", 9)
    decide(labelled[7], "accept", str(shelf("red").pk))
    dataset = read()
    assert np.bincount(dataset.targets).tolist() == [3, 3, 3]
    assert label_of(dataset, labelled[7]) == "red"  # what a person decided is kept


def test_coloured_photos_are_no_near_copies_of_one_another() -> None:
    assert coloured((1, 2, 3), 1).read() != coloured((1, 2, 3), 2).read()


def groups_of(labels: str, pairs: list[Pair]) -> list[int]:
    """Group of each of some products, a letter a label."""
    items = [(Item(n, str(n), 0, 0, "", False), label) for n, label in enumerate(labels)]
    photos = [PhotoRow(n, n, f"alone {n}", "", None) for n in range(len(labels))]
    return [one.group for one, _ in dataset._grouped(items, photos, pairs)]


def test_recoloured_pictures_are_one_group_only_under_one_label() -> None:
    shapes = [Pair(0, 1, SAME_SHAPE), Pair(1, 2, SAME_SHAPE)]
    first, second, third, *_ = groups_of("aabaabb", shapes)
    assert first == second != third


def test_a_label_whose_products_are_all_recoloured_keeps_them_apart_and_is_learned() -> None:
    """Nine mugs of one shape are nine products, or there would be no mugs."""
    mugs = [Pair(0, n, SAME_SHAPE) for n in range(1, 4)]
    hats = [Pair(4, 5, SAME_SHAPE)]
    groups = groups_of("mmmmhhhh", [*mugs, *hats])
    assert len(set(groups[:4])) == 4
    assert groups[4] == groups[5]
    assert len(set(groups[4:])) == 3


def test_one_picture_twice_stays_one_group_whatever_its_labels_say() -> None:
    first, second, *_ = groups_of("abab", [Pair(0, 1, SAME_PICTURE)])
    assert first == second
