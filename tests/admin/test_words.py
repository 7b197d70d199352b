"""Every page of the admin is whole in Chinese: English is left of the shop's own words and technical names alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

import pytest
from django.contrib.admin import AdminSite
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation

from shopvision import jobs
from shopvision.admin.classify import NAME
from shopvision.admin.overview import OverviewAdmin
from shopvision.admin.verbose_names import word
from shopvision.catalogue.models import CatalogueEntry, CatalogueImage, Outbox, Overview
from shopvision.classification import review
from shopvision.classification.models import ClassifierRelease, Decision, Prediction
from shopvision.events.models import Event
from shopvision.index.models import EncoderRelease
from shopvision.jobs import Job, JobError
from shopvision.messages import Message
from shopvision.privacy.models import ConsentRecord, PrivacyLog
from shopvision.ranking import serving
from shopvision.ranking.models import Experiment, RankerRelease
from shopvision.ranking.simulation import simulate, simulate_experiment
from shopvision.search.models import Demand
from tests.classified import SOURCE, person, suggestions

pytestmark = pytest.mark.django_db
ADMIN = "/admin/shopvision/"
LIKE = 2  # pages of one address that differ in a key alone
SAME_AGAIN = re.compile(r"_changelist_filters|[?&]o=|csv=")  # a page seen before in another order; a file
WORD = re.compile(r"[A-Za-z]{2,}")
TECHNICAL = {
    *(
        "shopvision",
        "Shopvision",
        "SHOPVISION",
        "Django",
        "ENCODER",
        "AUROC",
        "NDCG",
        "MRR",
        "sha",
        "int",
        "fp",
    ),
    *(
        "epsilon",
        "HMAC",
        "CSV",
        "JPEG",
        "PNG",
        "WEBP",
        "KB",
        "MB",
        "True",
        "False",
        "None",
        "id",
        "torch",
        "gpu",
    ),
    *("python", "numpy", "onnxruntime", "timm", "torchvision", "scipy", "lightgbm", "safetensors", "rankers"),
    *("shopvision_train", "pip", "install"),
}
ACTIONS = (
    ("catalogueentry", "index_again"),
    ("catalogueentry", NAME),
    ("catalogueimage", "retry"),
    ("outbox", "retry"),
    ("job", "cancel"),
    ("job", "resume"),
    ("encoderrelease", "promote"),
    ("encoderrelease", "roll_back"),
)
DJANGOS_OWN = {
    "Model name",
    "Add link",
    "Change or view list link",
    "Search",
    "- Select an option -",
    "Filter by",
}
"""Not translated by Django 5.2 to 6.1 themselves."""
IDENTIFIERS = re.compile(
    r"[\w.-]+@\d+"  # a release
    r"|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b[0-9a-f]{6,}\b"  # a job, a receipt; a digest, a listing
    r"|(demo_shop|testshop)\.\w+(:\S+)?"  # a catalogue, a product
    r"|\S+\.(jpg|png)|/?[\w/]+/[0-9a-f]{64}\.safetensors"
    r"|tests\.fakes\.FakeEncoder|simulated[.:]\d+|\d{4}-\d\d-\d\dT\S+"
    r"|shopvision_[a-z]+"  # a command
)


class Page(HTMLParser):
    """What a person reads of a page, or hears of it, and where its links lead."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.links: list[str] = []
        self._silent = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self._silent += tag in ("script", "style")
        self.links += [given["href"] or ""] if tag == "a" and "href" in given else []
        spoken = ["title", "aria-label", "alt", "placeholder", "data-none"]
        spoken += ["value"] if given.get("type") in ("submit", "button") else []
        self.texts += [str(given[name]) for name in spoken if given.get(name)]

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self._silent and data.strip():
            self.texts.append(" ".join(data.split()))


@pytest.fixture(autouse=True)
def chinese(data_dir: Any, settings: Any) -> Iterator[None]:
    """The process speaks Chinese, its workers too."""
    serving.forget()
    settings.LANGUAGE_CODE = "zh-hans"
    with translation.override("zh-hans"):
        yield
    serving.forget()


@pytest.fixture
def busy_shop(classified: list[Any], boss: Client) -> list[Any]:
    """Something on every page: jobs of every kind, decisions, rejected photos, rankers, an experiment."""
    rows = suggestions()
    owner = person("lee", "review_predictions")
    review.accept(rows[0], owner)
    review.reject(rows[1], owner)
    simulate(visitors=60, days=20)
    for kind in ("index_all", "reconcile", "duplicates", "tune", "tune_from_clicks", "refresh_knowledge"):
        jobs.run(jobs.start(kind, {}, wake=False))
    jobs.run(jobs.start("train", {"source": SOURCE, "target": "category", "kind": "prototypes"}, wake=False))
    jobs.run(jobs.start("train_ranker", {"kind": "linear", "force": True}, wake=False))
    simulate_experiment()
    waiting = jobs.start("tune", {}, wake=False)
    product = CatalogueEntry.objects.all()[0]
    JobError.objects.create(job=waiting, item=str(product.ref), message=Message("left_changed_since"))
    for code, words in (
        ("truncated", Message("photo_file_incomplete", {"kind": "JPEG"})),
        ("too_small", Message("photo_side_too_small", {"width": 20, "height": 30, "least": 32})),
    ):
        photo = CatalogueImage.objects.filter(state="indexed").last()
        assert photo is not None
        CatalogueImage.objects.filter(pk=photo.pk).update(
            state="rejected", reject_code=code, reject_reason=words
        )
    Outbox.objects.create(source=SOURCE, object_id="1", state="poisoned", attempts=3)
    Demand.objects.create(day=timezone.localdate(), category="Boxes", colour="red", count=3)
    Event.objects.create(key="k", kind="rate", subject="1.0123456789", purposes=7, at=timezone.now(), value=4)
    ConsentRecord.objects.create(subject="", purposes=["improvement"])
    for act in PrivacyLog.Act.values:
        for source in ("visitor", "withdrawal", "user deleted", "command", "duty", "api"):
            PrivacyLog.objects.create(act=act, source=source, counts={"events": 3, "photo_queries": 1})
    return classified


def english(texts: list[str]) -> list[str]:
    """Texts with a word that is neither the shop's own nor technical."""
    own = {"boxes", "rounds", "tents", "Simulated: hold-out", *DJANGOS_OWN}
    own |= {"thing", "Boxes", "Rounds", "Tents", "boss", "ann", "lee", "fake"}
    own |= {
        "Demo shop",
        "Demo_Shop",
        "Categories",
        "Products",
        "Testshop",
        "testshop",
    }  # the shop's own admin
    shops = re.compile("|".join(re.escape(one) for one in sorted(own, key=len, reverse=True)))
    found = []
    for text in texts:
        left = shops.sub("", IDENTIFIERS.sub("", text))
        if set(WORD.findall(left)) - TECHNICAL:
            found.append(text)
    return found


def read(client: Client, address: str) -> Page:
    answer = client.get(address, follow=True)
    assert answer.status_code == 200, address
    return Page(answer.content.decode()) if "html" in answer.headers["Content-Type"] else Page("")


def shape(link: str) -> str:
    """Addresses that differ in a key or a value alone have one."""
    path, query, given = link.partition("?")
    return re.sub(r"/\d+/|/[0-9a-f-]{36}/", "/N/", path) + query + re.sub(r"=[^&]*", "", given)


def crawl(client: Client, start: str) -> dict[str, list[str]]:
    """English left on every page that links lead to."""
    todo, seen, found = [start], set[str](), dict[str, list[str]]()
    met: dict[str, int] = {}
    while todo:
        address = todo.pop()
        if address in seen:
            continue
        seen.add(address)
        page = read(client, address)
        if left := english(page.texts):
            found[address] = left
        for link in page.links:
            link = urljoin(address, link).partition("#")[0]
            met[shape(link)] = met.get(shape(link), 0) + 1
            if link.startswith(ADMIN) and met[shape(link)] <= LIKE and not SAME_AGAIN.search(link):
                todo.append(link)
    assert len(seen) > 150
    return found


def pages_of_rows() -> list[str]:
    """Addresses of every row of the tables whose rows have pages of their own."""
    rows = [*Job.objects.all(), *ClassifierRelease.objects.all(), *RankerRelease.objects.all()]
    rows += [*EncoderRelease.objects.all(), *Experiment.objects.all(), *Decision.objects.all()]
    assert len({type(row) for row in rows}) == 6
    return [reverse(f"admin:shopvision_{row._meta.model_name}_change", args=[row.pk]) for row in rows]


def test_no_page_has_english_words_and_nothing_is_stored_in_chinese(
    boss: Client, client: Client, busy_shop: list[Any]
) -> None:
    addresses = [*pages_of_rows(), reverse("admin:shopvision_prediction_bulk") + "?min=1"]
    left = {address: english(read(boss, address).texts) for address in addresses}
    assert {address: texts for address, texts in left.items() if texts} == {}
    assert crawl(boss, ADMIN) == {}
    stored = [
        *Job.objects.values_list("message", flat=True),
        *(j.estimate["basis"] for j in Job.objects.all()),
    ]
    for model in (ClassifierRelease, RankerRelease):
        stored += model.objects.values_list("reason", flat=True)
    assert sum(map(bool, stored)) > 12
    assert [one for one in stored if not str(one.params if isinstance(one, Message) else one).isascii()] == []
    client.force_login(person("ann", "view_prediction"))
    row = Prediction.objects.all()[0]
    assert english(read(client, reverse("admin:shopvision_prediction_change", args=[row.pk])).texts) == []


def test_what_buttons_and_actions_answer_is_chinese(boss: Client, busy_shop: list[Any]) -> None:
    found: dict[str, list[str]] = {}
    for model, action in ACTIONS:
        address = reverse(f"admin:shopvision_{model}_changelist")
        ticked = re.findall(
            rf'name="{ACTION_CHECKBOX_NAME}" value="([^"]+)"', boss.get(address).content.decode()
        )
        for chosen in (ticked[:1], ticked):
            answer = boss.post(address, {"action": action, ACTION_CHECKBOX_NAME: chosen}, follow=True)
            found[f"{address} {action} {len(chosen)}"] = english(Page(answer.content.decode()).texts)
    for address in ("job/start/x7/", "experiment/start/", *releases_pressed()):
        answer = boss.post(ADMIN + address, {"name": "ann", "holdout": "200"}, follow=True)
        found[address] = english(Page(answer.content.decode()).texts)
    decided = Prediction.objects.filter(state="accepted")[0]
    verb = reverse("admin:shopvision_prediction_decide", args=[decided.pk, "accept"])
    answer = boss.post(verb, headers={"accept": "application/json"})
    assert answer.status_code == 409
    found[verb] = english([answer.json()["words"]])
    assert {name: texts for name, texts in found.items() if texts} == {}


def releases_pressed() -> list[str]:
    """Promoting, and rolling back, each release that is trained."""
    return [
        f"{row._meta.model_name}/{row.pk}/do/{verb}/"
        for row in (*ClassifierRelease.objects.all(), *RankerRelease.objects.all())
        for verb in ("promote", "rollback")
    ]


def test_a_word_is_made_of_a_code_and_nothing_else() -> None:
    assert word("tune_from_clicks") == "根据点击调优"
    for text in ("efficientnet_lite0@1", "Red_mug", "", "no_such_code 7!"):
        assert word(text) == text


def test_a_second_site_keeps_the_names_english_underneath() -> None:
    OverviewAdmin(Overview, AdminSite("second"))
    assert str(Overview._meta.verbose_name_plural) == "概览"
    with translation.override("en"):
        assert str(Overview._meta.verbose_name_plural) == "overview"
        assert str(CatalogueEntry._meta.get_field("object_id").verbose_name) == "product key"
