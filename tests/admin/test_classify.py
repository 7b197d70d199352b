"""Classify from the shop's own list of products, which knows nothing of shopvision."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.test import Client
from django.urls import reverse

from demo_shop.models import Product
from shopvision.admin.classify import NAME, attach
from shopvision.catalogue.models import CatalogueEntry
from shopvision.classification.models import ClassifierRelease, Decision, Prediction
from shopvision.jobs import Job
from tests.classified import LABELLED, SOURCE, UNLABELLED, person

pytestmark = pytest.mark.django_db
SHOP = "/admin/demo_shop/product/"
CATEGORY = {"target": "category", "error:category": ""}


def keys_of(job: Job) -> set[str]:
    """Products written for the job when it was confirmed."""
    return set(job.items.values_list("key", flat=True))


def asked(client: Client, *products: Any, url: str = SHOP, **more: str) -> Any:
    """Run the action on these products, or on all with ``select_across``."""
    ticked = [str(one.pk) for one in products]
    return client.post(url, {"action": NAME, ACTION_CHECKBOX_NAME: ticked, **more})


def test_the_action_comes_by_itself_to_the_shops_list_and_to_ours(boss: Client, db: None) -> None:
    for url in (SHOP, reverse("admin:shopvision_catalogueentry_changelist")):
        Product.objects.get_or_create(sku="one")
        CatalogueEntry.objects.get_or_create(source=SOURCE, object_id="1")
        assert f'value="{NAME}"' in boss.get(url).content.decode()


def test_attaching_twice_gives_one_action_and_other_models_none(db: None) -> None:
    attach()
    attach()
    names = [getattr(one, "__name__", one) for one in admin.site._registry[Product].actions or ()]
    assert names.count(NAME) == 1
    for model, modeladmin in admin.site._registry.items():
        has = NAME in [getattr(one, "__name__", one) for one in modeladmin.actions or ()]
        assert has == (model in (Product, CatalogueEntry)), model


def test_a_shop_that_switches_actions_off_keeps_none(db: None) -> None:
    class Plain(admin.ModelAdmin):  # type: ignore[type-arg]
        actions = None

    site = admin.AdminSite("second")
    site.register(Product, Plain)
    attach()
    assert site._registry[Product].actions is None


def test_who_may_not_classify_does_not_see_the_action(client: Client, classified: list[Any]) -> None:
    client.force_login(person("ann", "view_product", "change_product"))
    assert NAME not in client.get(SHOP).content.decode()
    asked(client, classified[0], confirmed="1", **CATEGORY)
    assert Job.objects.filter(kind="classify").count() == 0


def test_the_confirmation_says_how_many_which_model_and_how_long(boss: Client, classified: list[Any]) -> None:
    page = asked(boss, classified[0], classified[1]).content.decode()
    live = ClassifierRelease.objects.get(state="live", target="category")
    assert "2 products" in page
    assert str(live) in page
    assert "takes about" in page
    assert "Products a person has decided stay as they are." in page
    assert page.count('name="error:category"') == 5
    assert Job.objects.filter(kind="classify").count() == 0


def test_ticked_products_are_classified_and_the_page_shows_it(boss: Client, classified: list[Any]) -> None:
    answer = asked(boss, classified[0], classified[-1], confirmed="1", **CATEGORY)
    job = Job.objects.get(kind="classify")
    assert answer.url == reverse("admin:shopvision_job_change", args=[job.pk])
    assert keys_of(job) == {str(classified[0].pk), str(classified[-1].pk)}
    assert job.params["acceptable_error"] is None
    page = boss.get(answer.url).content.decode()
    assert 'data-state="done"' in page
    assert Prediction.objects.count() == 2
    assert Decision.objects.count() == 0


def test_select_all_takes_what_the_filter_shows(boss: Client, classified: list[Any]) -> None:
    url = f"{SHOP}?category__isnull=True"
    Product.objects.filter(category=None).update(title="loose thing")
    url = f"{SHOP}?q=loose"
    page = asked(boss, classified[-1], url=url, select_across="1").content.decode()
    assert f"{UNLABELLED} products" in page
    asked(boss, classified[-1], url=url, select_across="1", confirmed="1", **CATEGORY)
    job = Job.objects.get(kind="classify")
    assert (job.params["chosen"], len(keys_of(job))) == (UNLABELLED, UNLABELLED)
    assert (job.state, job.done) == ("done", UNLABELLED)
    keys = set(Prediction.objects.values_list("entry__object_id", flat=True))
    assert keys == {str(one.pk) for one in classified[LABELLED:]}


def test_our_own_list_takes_the_action_too(boss: Client, classified: list[Any]) -> None:
    url = reverse("admin:shopvision_catalogueentry_changelist")
    entry = CatalogueEntry.objects.get(object_id=str(classified[3].pk))
    asked(boss, entry, url=url, confirmed="1", **CATEGORY)
    assert keys_of(Job.objects.get(kind="classify")) == {entry.object_id}
    asked(boss, entry, url=url + "?state__exact=indexed", select_across="1", confirmed="1", **CATEGORY)
    job = Job.objects.filter(kind="classify").first()
    assert job is not None
    assert (job.state, job.done) == ("done", LABELLED + UNLABELLED)


def test_applying_takes_a_permission_of_its_own(client: Client, classified: list[Any]) -> None:
    client.force_login(person("ann", "view_product", "change_product", "classify_products"))
    page = asked(client, classified[-1]).content.decode()
    assert page.count("disabled") >= 4
    answer = asked(client, classified[-1], confirmed="1", target="category", **{"error:category": "0.1"})
    assert answer.status_code == 302
    assert Job.objects.filter(kind="classify").count() == 0


def test_the_own_job_can_be_looked_at_without_any_permission_on_jobs(
    client: Client, classified: list[Any]
) -> None:
    client.force_login(person("ann", "view_product", "change_product", "classify_products"))
    answer = asked(client, classified[0], confirmed="1", **CATEGORY)
    assert client.get(answer.url).status_code == 200
    other = Job.objects.create(kind="classify", params={})
    assert client.get(reverse("admin:shopvision_job_change", args=[other.pk])).status_code == 403


def test_without_a_classifier_the_page_offers_to_train(boss: Client, indexed_shop: list[Any]) -> None:
    page = asked(boss, indexed_shop[0]).content.decode()
    assert "no classifier is live" in page
    assert reverse("admin:shopvision_classifierrelease_train") in page
    asked(boss, indexed_shop[0], confirmed="1", **CATEGORY)
    assert Job.objects.filter(kind="classify").count() == 0


@pytest.mark.parametrize("target", ["", "smell"])
def test_what_cannot_be_recognised_is_asked_for_again(
    boss: Client, classified: list[Any], target: str
) -> None:
    asked(boss, classified[0], confirmed="1", target=target)
    page = boss.get(SHOP).content.decode()
    assert "Choose what to recognise." in page
    assert "No classifier is live" not in page


def test_what_a_job_applied_can_be_undone_on_its_page(boss: Client, classified: list[Any]) -> None:
    row = ClassifierRelease.objects.get(state="live", target="category")
    thresholds = {"0.1": {"threshold": 0.0, "coverage": 1.0, "error": 0.08}}
    ClassifierRelease.objects.filter(pk=row.pk).update(metrics={**row.metrics, "thresholds": thresholds})
    error = {"target": "category", "error:category": "0.1"}
    answer = asked(boss, *classified[LABELLED:], confirmed="1", **error)
    job = Job.objects.get(kind="classify")
    applied = Decision.objects.filter(job=job, verb="apply").count()
    assert applied > 0
    assert Product.objects.filter(category=None).count() == UNLABELLED - applied
    assert "Undo what it applied" in boss.get(answer.url).content.decode()
    boss.post(reverse("admin:shopvision_job_verb", args=[job.pk, "undo"]))
    assert Product.objects.filter(category=None).count() == UNLABELLED
    assert "Undo what it applied" not in boss.get(answer.url).content.decode()
