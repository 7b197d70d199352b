"""shopvision_train, shopvision_classify and shopvision_models."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from demo_shop.models import Product
from shopvision.classification.models import ClassifierRelease, Prediction
from shopvision.indexing.pipeline import drain_outbox
from tests.classification.conftest import SOURCE, TARGET, labelled, make_product, trained

__all__ = ["labelled", "trained"]
pytestmark = pytest.mark.django_db


def run(name: str, *args: str) -> Any:
    out = io.StringIO()
    call_command(name, *args, "--json", stdout=out, stderr=io.StringIO())
    return json.loads(out.getvalue())


def test_train_trains_every_target_and_says_why_one_was_not(labelled: list[Product]) -> None:
    answer = run("shopvision_train")
    (made,) = answer["releases"]
    assert (made["source"], made["target"], made["state"]) == (SOURCE, TARGET, "live")
    assert made["metrics"]["accuracy"] > 0.9
    assert sorted(answer["failed"]) == ["demo_shop.product colour", "testshop.article category"]


def test_train_says_in_words_what_stops_it(live_release: Any, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(CommandError, match=r"^failed: 'category' of .* two or more apart"):
        run("shopvision_train", "--source", SOURCE, "--target", TARGET)
    assert any("two or more apart" in one.getMessage() for one in caplog.records)
    assert not any(one.exc_info for one in caplog.records)  # a traceback tells a shop's developer nothing
    with pytest.raises(CommandError, match=r"'taste' to recognise .* demo_shop.product has category, colour"):
        run("shopvision_train", "--target", "taste")
    with pytest.raises(
        CommandError, match=r"no catalogue is called .no\.such.: demo_shop\.product, testshop"
    ):
        run("shopvision_train", "--source", "no.such")


@pytest.mark.parametrize(
    ("command", "wrong", "choices"),
    [
        (("shopvision_train", "--kind", "magic"), "magic", "auto, prototypes, linear, fused, finetuned"),
        (("shopvision_classify", "--apply", "0.3"), "0.3", "0.01, 0.02, 0.05, 0.1"),
    ],
)
def test_a_wrong_choice_is_answered_with_the_choices(
    command: tuple[str, ...], wrong: str, choices: str
) -> None:
    with pytest.raises(CommandError) as error:
        call_command(*command)
    assert wrong in str(error.value)
    assert choices in str(error.value).replace("'", "")


def test_classify_suggests_for_all_and_applies_and_undoes_when_asked(trained: ClassifierRelease) -> None:
    trained.metrics["thresholds"] = {"0.05": {"threshold": 0.3}}
    trained.save()
    new = make_product("red", 70_000, labelled=False)
    drain_outbox()
    (job,) = run("shopvision_classify")["jobs"]
    assert (job["state"], job["done"], job["suggested"], job["failed"]) == ("done", 25, 25, 0)
    (job,) = run("shopvision_classify", str(new.pk), "--source", SOURCE, "--apply", "0.05")["jobs"]
    assert (job["done"], job["applied"]) == (1, 1)
    new.refresh_from_db()
    assert str(new.category) == "red"
    (undone,) = run("shopvision_classify", "--undo", job["job"])["jobs"]
    assert (undone["restored"], undone["left"]) == (1, 0)
    new.refresh_from_db()
    assert new.category is None
    assert Prediction.objects.count() == 25
    with pytest.raises(CommandError, match=r"all that it had applied .1 labels. has been undone"):
        run("shopvision_classify", "--undo", job["job"])


def test_classify_says_in_words_what_stops_it(labelled: list[Product]) -> None:
    with pytest.raises(CommandError, match="train one with shopvision_train"):
        run("shopvision_classify")
    with pytest.raises(CommandError, match="need --source"):
        run("shopvision_classify", "12")
    with pytest.raises(CommandError, match="no classify job"):
        run("shopvision_classify", "--undo", "00000000-0000-0000-0000-000000000000")
    with pytest.raises(CommandError, match="no job's key"):
        run("shopvision_classify", "--undo", "nonsense")


def test_models_lists_promotes_and_rolls_back_classifiers(trained: ClassifierRelease) -> None:
    (row,) = run("shopvision_models")["classifiers"]
    assert (row["id"], row["state"], row["source"]) == (trained.pk, "live", SOURCE)
    with pytest.raises(CommandError, match=f"no classifier of '{TARGET}' of '{SOURCE}' before {trained} to"):
        run("shopvision_models", "--rollback-classifier", SOURCE, TARGET)
    other = ClassifierRelease.objects.get(pk=trained.pk)
    other.pk, other.state = None, "retired"
    other.save()
    run("shopvision_models", "--promote", str(other.pk))
    assert ClassifierRelease.objects.get(state="live").pk == other.pk
    run("shopvision_models", "--rollback-classifier", SOURCE, TARGET)
    assert ClassifierRelease.objects.get(state="live").pk == trained.pk
    with pytest.raises(CommandError, match="no classifier of '' of '' is live"):
        run("shopvision_models", "--rollback-classifier", "", "")
    for key in ("99", "0"):
        with pytest.raises(CommandError, match=f"no classifier {key}"):
            run("shopvision_models", "--promote", key)
