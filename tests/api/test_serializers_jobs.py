"""Classify, jobs, predictions, duplicates: who may, what comes back, and what is refused."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from demo_shop.models import Category, Product
from shopvision.classification import review
from shopvision.classification.models import ClassifierRelease, Decision, Prediction
from shopvision.jobs import Job
from tests.classified import SOURCE, UNLABELLED, CommittingClient, classified_shop, person, suggestions
from tests.drawing import jpeg, photo_file
from tests.factories import DemoProductFactory

API = "/vision/api/v1/"
NO_JOB = "00000000-0000-0000-0000-000000000000"
WRITES = [
    "classify/",
    "jobs/",
    f"jobs/{NO_JOB}/cancel/",
    f"jobs/{NO_JOB}/resume/",
    f"jobs/{NO_JOB}/undo/",
    "predictions/1/accept/",
    "predictions/1/reject/",
    "predictions/1/correct/",
]
READS = ["jobs/", f"jobs/{NO_JOB}/", "predictions/", "duplicates/"]


@pytest.fixture
def classified(live_release: Any) -> list[Any]:
    return classified_shop()


@pytest.fixture
def queue(classified: list[Any]) -> list[Prediction]:
    return suggestions()


def client_of(user: Any) -> Client:
    client = CommittingClient()
    client.force_login(user)
    return client


def post(client: Client, what: str, data: Any = None) -> Any:
    return client.post(API + what, data or {}, content_type="application/json")


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


@pytest.mark.django_db
@pytest.mark.parametrize("what", WRITES)
def test_writing_takes_a_sign_in_and_a_permission(client: Client, what: str) -> None:
    assert code(post(client, what)) == (401, "not_authenticated")
    staff = client_of(person("staff"))
    assert code(post(staff, what)) == (403, "permission_denied")


@pytest.mark.django_db
@pytest.mark.parametrize("what", READS)
def test_reading_takes_a_sign_in_and_a_permission(client: Client, what: str) -> None:
    assert code(client.get(API + what)) == (401, "not_authenticated")
    assert code(client_of(person("staff")).get(API + what)) == (403, "permission_denied")


@pytest.mark.django_db
def test_a_forged_form_changes_nothing() -> None:
    """A session without the token of the shop's own pages is refused where something would change."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(person("ann", "classify_products", "view_job"))
    assert code(post(client, "jobs/", {"kind": "duplicates"})) == (403, "permission_denied")
    photo = {"image": photo_file(1)}
    assert client.post(API + "classify/", photo).status_code == 403
    assert client.get(API + "jobs/").status_code == 200


@pytest.mark.django_db
def test_a_photo_is_classified_at_once(classified: list[Any]) -> None:
    ann = client_of(person("ann", "classify_products"))
    answer = ann.post(API + "classify/", {"image": photo_file(33)})
    assert answer.status_code == 200, answer.content
    said = answer.json()["predictions"][0]
    assert (said["source"], said["target"]) == (SOURCE, "category")
    assert said["release"] == str(ClassifierRelease.objects.get(state="live"))
    assert {one["name"] for one in said["top"]} == {"Boxes", "Rounds", "Tents"}
    assert sum(one["probability"] for one in said["top"]) == pytest.approx(1, abs=0.01)
    same = post(ann, "classify/", {"image": base64.b64encode(jpeg(33)).decode(), "target": "category"}).json()
    assert same["predictions"][0]["top"][0]["label"] == said["top"][0]["label"]
    assert Prediction.objects.count() == 0


@pytest.mark.django_db
def test_what_is_no_photo_is_refused_by_its_code(classified: list[Any]) -> None:
    ann = client_of(person("ann", "classify_products"))
    broken = base64.b64encode(jpeg(1)[:60]).decode()
    assert code(post(ann, "classify/", {"image": broken})) == (422, "truncated")
    assert code(post(ann, "classify/", {"image": base64.b64encode(b"text").decode()}))[0] == 415
    assert code(post(ann, "classify/", {"image": "%"}))[0] == 400
    assert code(ann.post(API + "classify/", "x", content_type="text/plain"))[0] == 415
    assert code(post(ann, "classify/", {"image": broken, "target": "smell"})) == (400, "unknown_target")


@pytest.mark.django_db
def test_without_a_classifier_it_says_so(indexed_shop: list[Any]) -> None:
    ann = client_of(person("ann", "classify_products"))
    photo = base64.b64encode(jpeg(1)).decode()
    assert code(post(ann, "classify/", {"image": photo})) == (409, "no_classifier")
    assert code(post(ann, "classify/", {"source": SOURCE, "all": True})) == (409, "no_classifier")


@pytest.mark.django_db
def test_products_are_classified_in_a_job(classified: list[Any]) -> None:
    ann = client_of(person("ann", "classify_products"))
    refs = [f"{SOURCE}:{one.pk}" for one in classified[-3:]]
    answer = post(ann, "classify/", {"products": refs})
    assert answer.status_code == 202, answer.content
    body = answer.json()
    assert answer["Location"] == f"{API}jobs/{body['id']}/"
    assert body["params"]["refs"] == [str(one.pk) for one in classified[-3:]]
    done = ann.get(answer["Location"]).json()
    assert (done["state"], done["done"], done["failed"]) == ("done", 3, 0)
    assert Prediction.objects.count() == 3
    again = post(ann, "jobs/", {"kind": "classify", "params": {"source": SOURCE, "all": True}})
    assert (again.status_code, again.json()["total"]) == (202, len(classified))


@pytest.mark.django_db
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"products": []},
        {"products": ["mug"]},
        {"products": ["demo_shop.product:1", "testshop.article:1"]},
        {"source": "no.shop", "all": True},
        {"source": SOURCE},
        {"source": SOURCE, "all": True, "target": "smell"},
        {"source": SOURCE, "all": "perhaps"},
        {"source": SOURCE, "all": True, "acceptable_error": 0.3},
        {"image": "aGk=", "products": ["demo_shop.product:1"]},
    ],
)
def test_a_question_that_makes_no_sense_is_400(live_release: Any, body: dict[str, Any]) -> None:
    ann = client_of(person("ann", "classify_products"))
    assert post(ann, "classify/", body).status_code == 400


@pytest.mark.django_db
def test_applying_takes_its_own_permission_and_can_be_undone(classified: list[Any]) -> None:
    row = ClassifierRelease.objects.get(state="live")
    thresholds = {"0.1": {"threshold": 0.0, "coverage": 1.0, "error": 0.08}}
    ClassifierRelease.objects.filter(pk=row.pk).update(metrics={**row.metrics, "thresholds": thresholds})
    wanted = {"source": SOURCE, "all": True, "acceptable_error": "0.1"}
    ann = client_of(person("ann", "classify_products"))
    assert code(post(ann, "classify/", wanted)) == (403, "permission_denied")
    bea = client_of(person("bea", "classify_products", "apply_classifications"))
    job = post(bea, "classify/", wanted).json()
    applied = Decision.objects.filter(job=job["id"], verb="apply").count()
    assert applied > 0
    assert Product.objects.filter(category=None).count() == UNLABELLED - applied
    assert code(post(ann, f"jobs/{job['id']}/undo/")) == (403, "permission_denied")
    undone = post(bea, f"jobs/{job['id']}/undo/")
    assert undone.status_code == 202, undone.content
    assert Product.objects.filter(category=None).count() == UNLABELLED
    again = post(bea, f"jobs/{job['id']}/undo/")
    assert code(again) == (409, "nothing_to_undo")
    assert f"all that it had applied ({applied} labels) has been undone" in again.json()["detail"]
    unreachable = {**wanted, "acceptable_error": "0.01"}
    assert code(post(bea, "classify/", unreachable)) == (409, "unreachable_error")


@pytest.mark.django_db
def test_jobs_are_listed_by_pages_and_shown_to_who_started_them(db: None) -> None:
    ann, boss = person("ann", "classify_products"), person("boss", "view_job")
    for number in range(5):
        Job.objects.create(kind="classify", params={"n": number}, created_by=ann if number % 2 else None)
    first = client_of(boss).get(API + "jobs/?limit=3").json()
    second = client_of(boss).get(first["next"]).json()
    assert [one["params"]["n"] for one in first["results"] + second["results"]] == [4, 3, 2, 1, 0]
    assert second["next"] is None
    mine = client_of(ann).get(API + "jobs/?kind=classify&state=queued").json()
    assert [one["params"]["n"] for one in mine["results"]] == [3, 1]
    other = Job.objects.filter(created_by=None).first()
    assert other is not None
    assert code(client_of(ann).get(f"{API}jobs/{other.pk}/")) == (404, "not_found")
    assert code(client_of(boss).get(f"{API}jobs/?cursor=made-up")) == (400, "invalid_cursor")


@pytest.mark.django_db
def test_cancel_and_resume_follow_the_jobs_state(db: None) -> None:
    ann = person("ann", "classify_products")
    job = Job.objects.create(kind="classify", created_by=ann)
    client = client_of(ann)
    assert post(client, f"jobs/{job.pk}/cancel/").json()["state"] == "cancelled"
    assert code(post(client, f"jobs/{job.pk}/cancel/")) == (409, "conflict")
    foreign = Job.objects.create(kind="duplicates", state="cancelled")
    looker = client_of(person("bob", "view_job"))
    assert code(post(looker, f"jobs/{foreign.pk}/resume/")) == (403, "permission_denied")


@pytest.mark.django_db
def test_each_kind_of_job_takes_its_own_permission_and_params(indexed_shop: list[Any]) -> None:
    ann = client_of(person("ann", "classify_products"))
    for kind in ("train", "undo", "duplicates", "index_all"):
        assert code(post(ann, "jobs/", {"kind": kind})) == (403, "permission_denied")
    boss = client_of(get_user_model().objects.create_superuser("boss", "b@example.org", "x"))
    for body in (
        {"kind": "nonsense"},
        {"kind": "duplicates", "params": {"x": 1}},
        {"kind": "train", "params": {"source": "no.shop"}},
        {"kind": "train", "params": {"target": "smell"}},
        {"kind": "train", "params": {"kind": "magic"}},
        {"kind": "undo", "params": {}},
        {"kind": "classify", "params": "all"},
    ):
        assert post(boss, "jobs/", body).status_code == 400, body
    assert code(post(boss, "jobs/", {"kind": "undo", "params": {"job": NO_JOB}})) == (404, "not_found")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("what", "body", "choices"),
    [
        ("jobs/", {"kind": "nonsense"}, "index_all, reconcile, train_ranker"),
        (
            "jobs/",
            {"kind": "train", "params": {"kind": "magic"}},
            "auto, prototypes, linear, fused, finetuned",
        ),
        ("jobs/", {"kind": "train", "params": {"source": "no.shop"}}, "demo_shop.product, testshop.article"),
        ("jobs/", {"kind": "train", "params": {"target": "smell"}}, "category, colour"),
        ("classify/", {"source": SOURCE, "all": True, "target": "smell"}, "category, colour"),
        ("classify/", {"source": SOURCE, "all": True, "acceptable_error": 0.3}, "0.01, 0.02, 0.05, 0.1"),
        ("events/", {"events": [{"id": "12345678", "kind": "nonsense"}]}, "impression, view, search"),
    ],
)
def test_a_wrong_choice_is_answered_with_the_choices(
    db: None, what: str, body: dict[str, Any], choices: str
) -> None:
    boss = client_of(get_user_model().objects.create_superuser("boss", "b@example.org", "x"))
    answer = post(boss, what, body)
    assert (answer.status_code, choices in answer.json()["detail"]) == (400, True), answer.json()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("what", "body", "words"),
    [
        ("jobs/", {"kind": "promote"}, "params.release: This field is required."),
        ("jobs/", {"kind": "promote", "params": {"release": 10**30}}, "params.release: Ensure this value"),
        ("jobs/", {"kind": "train", "params": {"seed": -1}}, "params.seed: Ensure this value"),
        ("jobs/", {"kind": "classify", "params": {}}, "params: name products, or a source and all"),
        ("classify/", {"source": SOURCE, "all": True, "products": [f"{SOURCE}:1"]}, "all: give either"),
        ("classify/", {"image": "aGk=", "acceptable_error": "0.05"}, "acceptable_error: nothing is applied"),
    ],
)
def test_what_a_job_cannot_use_is_refused_with_its_name(
    db: None, what: str, body: dict[str, Any], words: str
) -> None:
    boss = client_of(get_user_model().objects.create_superuser("boss", "b@example.org", "x"))
    answer = post(boss, what, body)
    assert code(answer) == (400, "invalid")
    assert answer.json()["detail"].startswith(words)


@pytest.mark.django_db
def test_an_encoder_release_is_promoted_by_who_may_change_releases(live_release: Any) -> None:
    body = {"kind": "promote", "params": {"release": live_release.row.pk}}
    assert code(post(client_of(person("ann", "change_job")), "jobs/", body)) == (403, "permission_denied")
    bea = client_of(person("bea", "change_encoderrelease"))
    assert post(bea, "jobs/", body).status_code == 202
    body["params"] = {"release": 4711}
    assert code(post(bea, "jobs/", body)) == (404, "not_found")


@pytest.mark.django_db
def test_predictions_are_filtered_and_paged_by_their_worth(queue: list[Prediction]) -> None:
    ann = client_of(person("ann", "review_predictions"))
    seen, link = [], f"{API}predictions/?target=category&state=suggested&limit=10"
    while link:
        page = ann.get(link).json()
        seen += [one["id"] for one in page["results"]]
        link = page["next"]
    assert seen == [one.pk for one in queue]
    some = ann.get(f"{API}predictions/?label={queue[0].label}&min_probability=0.5&limit=100").json()
    wanted = {one.pk for one in queue if one.label == queue[0].label and one.probability >= 0.5}
    assert {one["id"] for one in some["results"]} == wanted
    first = ann.get(f"{API}predictions/?limit=10").json()["next"]
    assert code(ann.get(first.replace("limit=10", "limit=10&state=accepted"))) == (400, "invalid_cursor")


@pytest.mark.django_db
def test_a_persons_word_is_written_once(queue: list[Prediction]) -> None:
    ann = client_of(person("ann", "review_predictions"))
    accepted = post(ann, f"predictions/{queue[0].pk}/accept/")
    assert (accepted.status_code, accepted.json()["state"]) == (200, "accepted")
    assert code(post(ann, f"predictions/{queue[0].pk}/reject/")) == (409, "decided")
    other = Category.objects.exclude(pk=queue[1].label).first()
    assert other is not None
    corrected = post(ann, f"predictions/{queue[1].pk}/correct/", {"label": str(other.pk)})
    after = corrected.json()
    assert (after["state"], after["label"], after["current"]) == ("corrected", queue[1].label, str(other.pk))
    assert after["decision"] == {"verb": "correct", "label": str(other.pk), "name": str(other)}
    assert accepted.json()["current"] == accepted.json()["decision"]["label"] == queue[0].label
    assert Product.objects.get(pk=queue[1].entry.object_id).category == other
    unknown = post(ann, f"predictions/{queue[2].pk}/correct/", {"label": "no"})
    assert code(unknown) == (400, "unknown_label")
    assert f"{other.pk} ({other})" in unknown.json()["detail"]
    assert code(post(ann, f"predictions/{queue[2].pk}/correct/", {})) == (400, "invalid")
    review.reject(queue[3], get_user_model().objects.create_user("bob"))
    assert code(post(ann, f"predictions/{queue[3].pk}/accept/")) == (409, "decided")
    assert code(post(ann, "predictions/999999999999999999999/accept/")) == (404, "not_found")
    assert Decision.objects.count() == 3


@pytest.mark.django_db
def test_duplicates_are_those_of_the_latest_job(indexed_shop: list[Any]) -> None:
    boss = client_of(get_user_model().objects.create_superuser("boss", "b@example.org", "x"))
    assert boss.get(API + "duplicates/").json() == {
        "job": None,
        "as_of": None,
        "count": 0,
        "next": None,
        "results": [],
    }
    twins = [DemoProductFactory(image=photo_file(500 + n // 2, name=f"twin-{n}.jpg")) for n in range(4)]
    post(boss, "jobs/", {"kind": "index_all"})
    started = post(boss, "jobs/", {"kind": "duplicates"}).json()
    first = boss.get(API + "duplicates/?limit=1").json()
    assert first["job"] == started["id"]
    found, link = list(first["results"]), first["next"]
    while link:
        page = boss.get(link).json()
        found, link = found + page["results"], page["next"]
    assert len(found) == first["count"]
    pairs = {(one["first"], one["second"]) for one in found if one["reason"] == "same file"}
    assert pairs == {(f"{SOURCE}:{a.pk}", f"{SOURCE}:{b.pk}") for a, b in (twins[:2], twins[2:])}
    assert "found" not in boss.get(f"{API}jobs/{started['id']}/").json()["result"]
    assert code(boss.get(API + "duplicates/?cursor=x")) == (400, "invalid_cursor")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "what",
    [
        "jobs/?state=",
        "jobs/?kind=x",
        "predictions/?target=",
        "predictions/?min_probability=2",
        "duplicates/?cursor=",
    ],
)
def test_a_parameter_that_says_nothing_is_400(db: None, what: str) -> None:
    boss = client_of(get_user_model().objects.create_superuser("boss", "b@example.org", "x"))
    assert boss.get(API + what).status_code == 400


@pytest.mark.django_db
@pytest.mark.parametrize(
    "what", ["jobs/x/cancel/", "jobs/1/undo/", "predictions/x/accept/", "predictions/-1/reject/"]
)
def test_an_id_that_cannot_be_one_is_404(db: None, what: str) -> None:
    boss = client_of(get_user_model().objects.create_superuser("boss", "b@example.org", "x"))
    assert code(post(boss, what)) == (404, "not_found")


@pytest.mark.django_db
def test_work_is_throttled_too(settings: Any, db: None) -> None:
    settings.SHOPVISION = {**settings.SHOPVISION, "RATES": {"browse": "2/min"}}
    ann = client_of(person("ann", "view_job"))
    assert [ann.get(API + "jobs/").status_code for _ in range(3)] == [200, 200, 429]
