"""The review screen as a plain page: every button is a form, every filter an address."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from demo_shop.models import Category, Product
from shopvision.admin.review_card import Narrowing
from shopvision.classification import review
from shopvision.classification.models import Decision, Prediction
from tests.classified import person, suggestions

pytestmark = pytest.mark.django_db
SCREEN = "/admin/shopvision/prediction/review/"
JSON = {"HTTP_ACCEPT": "application/json"}


def decide(client: Client, one: Prediction, verb: str, query: str = "", **data: Any) -> Any:
    url = reverse("admin:shopvision_prediction_decide", args=[one.pk, verb])
    extra = data.pop("extra", {})
    return client.post(f"{url}?{query}", data, **extra)


def product_of(one: Prediction) -> Product:
    return Product.objects.get(pk=one.entry.object_id)


@pytest.fixture
def queue(classified: list[Any]) -> list[Prediction]:
    return suggestions()


def test_the_first_card_is_the_one_most_worth_looking_at(boss: Client, queue: list[Prediction]) -> None:
    page = boss.get(SCREEN).content.decode()
    assert f'data-id="{queue[0].pk}"' in page
    assert queue[0].entry.title in page
    assert f"Accept “{queue[0].name}”" in page
    assert product_of(queue[0]).image.url in page
    assert "Because it looks like these" in page
    assert f"{len(queue)} left in this queue" in page


def test_accepting_writes_the_product_and_leads_to_the_next(boss: Client, queue: list[Prediction]) -> None:
    open_ = next(one for one in queue if product_of(one).category is None)
    answer = decide(boss, open_, "accept")
    assert answer.url == f"{SCREEN}?after={open_.pk}"
    assert str(product_of(open_).category_id) == open_.label
    decision = Decision.objects.get()
    assert (decision.verb, decision.user_name) == ("accept", "boss")
    place = queue.index(open_)
    following = queue[place + 1] if place + 1 < len(queue) else None
    page = boss.get(answer.url).content.decode()
    assert f'data-id="{following.pk if following else ""}"' in page


def test_rejecting_leaves_the_product_alone(boss: Client, queue: list[Prediction]) -> None:
    before = product_of(queue[0]).category_id
    decide(boss, queue[0], "reject")
    assert product_of(queue[0]).category_id == before
    queue[0].refresh_from_db()
    assert queue[0].state == "rejected"


def test_correcting_takes_the_words_of_the_list(boss: Client, queue: list[Prediction]) -> None:
    other = Category.objects.exclude(pk=queue[0].label).first()
    assert other is not None
    decide(boss, queue[0], "correct", label=other.name.upper())
    assert product_of(queue[0]).category == other
    answer = decide(boss, queue[1], "correct", label="no such shelf")
    assert answer.url == f"{SCREEN}?id={queue[1].pk}"
    queue[1].refresh_from_db()
    assert queue[1].state == "suggested"


def test_two_shelves_of_one_name_are_told_apart(boss: Client, queue: list[Prediction]) -> None:
    twins = [Category.objects.create(name="Twin", slug=f"twin-{n}") for n in range(2)]
    decide(boss, queue[0], "correct", label=f"Twin ({twins[1].pk})")
    assert product_of(queue[0]).category == twins[1]


def test_somebody_was_faster_and_nothing_is_overwritten(boss: Client, queue: list[Prediction]) -> None:
    review.reject(queue[0], get_user_model().objects.create_user("bob"))
    answer = decide(boss, queue[0], "accept", extra=JSON)
    assert answer.status_code == 409
    assert answer.json()["ok"] is False
    assert Decision.objects.count() == 1


def test_the_last_decision_is_undone_and_the_product_has_its_label_back(
    boss: Client, queue: list[Prediction]
) -> None:
    open_ = next(one for one in queue if product_of(one).category is None)
    decide(boss, open_, "accept")
    answer = boss.post(reverse("admin:shopvision_prediction_undo"))
    assert answer.url == f"{SCREEN}?id={open_.pk}"
    assert product_of(open_).category is None
    open_.refresh_from_db()
    assert open_.state == "suggested"
    nothing = boss.post(reverse("admin:shopvision_prediction_undo"), **JSON)
    assert (nothing.status_code, nothing.json()["words"]) == (409, "There is nothing to undo.")


def test_nobody_undoes_what_another_decided(client: Client, queue: list[Prediction]) -> None:
    review.accept(queue[0], get_user_model().objects.create_user("bob"))
    client.force_login(person("ann", "review_predictions"))
    assert client.post(reverse("admin:shopvision_prediction_undo"), **JSON).status_code == 409
    queue[0].refresh_from_db()
    assert queue[0].state == "accepted"


def test_filters_narrow_and_the_rest_of_the_queue_is_counted(boss: Client, queue: list[Prediction]) -> None:
    label = queue[0].label
    same = [one for one in queue if one.label == label]
    page = boss.get(f"{SCREEN}?label={label}&target=category").content.decode()
    assert f"{len(same)} left in this queue" in page
    assert "Nothing left to look at" in boss.get(f"{SCREEN}?target=nonsense").content.decode()
    rows = Narrowing.read({"min": "90"}).rows()
    assert set(rows) == {one for one in queue if one.probability >= 0.9}


def test_what_cannot_be_read_narrows_nothing(boss: Client, queue: list[Prediction]) -> None:
    where = Narrowing.read({"min": "much", "after": "x" * 40, "id": "-1", "state": "odd"})
    assert where == Narrowing()
    assert boss.get(f"{SCREEN}?min=x&after=99999999999999999999&id=999999").status_code == 200


def test_the_end_of_the_queue_offers_the_skipped(boss: Client, queue: list[Prediction]) -> None:
    page = boss.get(f"{SCREEN}?after={queue[-1].pk}").content.decode()
    assert "Nothing left to look at" in page
    assert f"{len(queue)} suggestions were skipped" in page


def test_many_are_accepted_after_they_were_counted(boss: Client, queue: list[Prediction]) -> None:
    url = reverse("admin:shopvision_prediction_bulk")
    sure = [one for one in queue if one.probability >= 0.5]
    page = boss.get(f"{url}?min=50").content.decode()
    assert f"Accept {len(sure)} suggestion" in page
    assert Decision.objects.count() == 0
    boss.post(url, {"min": "50"})
    assert Decision.objects.filter(verb="accept").count() == len(sure)
    assert Prediction.objects.filter(state="accepted").count() == len(sure)


def test_the_heat_map_is_a_picture_or_404(boss: Client, queue: list[Prediction]) -> None:
    answer = boss.get(reverse("admin:shopvision_prediction_heat", args=[queue[0].pk]))
    assert answer["Content-Type"] == "image/png"
    assert answer.content.startswith(b"\x89PNG")
    assert boss.get(reverse("admin:shopvision_prediction_heat", args=[10**9])).status_code == 404
    Prediction.objects.filter(pk=queue[1].pk).update(release=None)
    assert boss.get(reverse("admin:shopvision_prediction_heat", args=[queue[1].pk])).status_code == 404


def test_the_card_comes_alone_for_the_script(boss: Client, queue: list[Prediction]) -> None:
    part = boss.get(f"{SCREEN}?part=card").content.decode()
    assert "<html" not in part
    assert f'data-next="after={queue[0].pk}"' in part


def test_only_reviewers_review(client: Client, queue: list[Prediction]) -> None:
    client.force_login(person("ann", "view_prediction"))
    assert client.get(SCREEN).status_code == 403
    assert decide(client, queue[0], "accept").status_code == 403
    client.force_login(person("bea", "review_predictions"))
    assert client.get(SCREEN).status_code == 200
    assert client.get(reverse("admin:shopvision_prediction_changelist")).status_code == 200
    assert client.get(reverse("admin:shopvision_decision_changelist")).status_code == 200
    assert client.get(reverse("admin:index")).status_code == 200


def test_a_decided_card_shows_who_decided_and_has_no_buttons(boss: Client, queue: list[Prediction]) -> None:
    decide(boss, queue[0], "accept")
    page = boss.get(f"{SCREEN}?id={queue[0].pk}").content.decode()
    assert "boss" in page
    assert 'data-verb="accept"' not in page


def test_a_card_that_is_not_there_is_no_end_of_the_queue(boss: Client, queue: list[Prediction]) -> None:
    for unknown in ("0", "999999", "9" * 30):
        page = boss.get(f"{SCREEN}?id={unknown}&target=category").content.decode()
        assert "This suggestion is not there, or not any more." in page
        assert "Every suggestion of this queue has been decided." not in page
        assert 'href="?target=category"' in page


def test_the_overview_counts_what_people_decided(boss: Client, queue: list[Prediction]) -> None:
    decide(boss, queue[0], "accept")
    decide(boss, queue[1], "reject")
    page = boss.get(reverse("admin:shopvision_overview_changelist")).content.decode()
    assert "2 decided by people this week" in page
    assert "50 % as the model said" in page


def test_the_audit_shows_every_decision(boss: Client, queue: list[Prediction]) -> None:
    decide(boss, queue[0], "accept")
    page = boss.get(reverse("admin:shopvision_decision_changelist") + "?verb__exact=accept").content.decode()
    assert queue[0].entry.object_id in page
    assert "boss" in page


@pytest.mark.parametrize("query", ["job=garbage", "job=%00", "after=%C2%B2", "id=%C2%B2", "min=%C2%B2"])
@pytest.mark.parametrize("page", ["", "bulk/"])
def test_an_address_that_makes_no_sense_breaks_no_page(
    boss: Client, queue: list[Prediction], page: str, query: str
) -> None:
    assert boss.get(f"{SCREEN}{page}?{query}").status_code == 200
    assert boss.get("/admin/shopvision/prediction/%C2%B2/change/").status_code == 302  # Django: no such row


@pytest.mark.parametrize("least", ["99,5", "abc", "150", "nan"])
def test_a_least_probability_that_cannot_be_read_accepts_nothing(
    boss: Client, queue: list[Prediction], least: str
) -> None:
    page = boss.get(f"{SCREEN}bulk/", {"min": least}).content.decode()
    assert "0 to 100" in page
    boss.post(f"{SCREEN}bulk/", {"min": least})
    assert not Decision.objects.exists()
