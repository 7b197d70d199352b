"""The merchandiser's day in a real browser: select all, classify, watch the job, review by keyboard."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model

from demo_shop.models import Product
from shopvision.classification.models import ClassifierRelease, Decision, Prediction
from shopvision.jobs import Job
from tests.browser.conftest import start
from tests.browser.test_storefront import accessible, css, until_url, violations, wait
from tests.classified import UNLABELLED, classified_shop, suggestions

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
]
SCREEN = "/admin/shopvision/prediction/review/"


@pytest.fixture
def office(live_server: Any, transactional_db: None, live_release: Any) -> str:
    """Where the shop answers; a classifier is live."""
    classified_shop()
    return str(live_server.url)


def sign_in(browser: Any, url: str, name: str = "boss") -> None:
    get_user_model().objects.create_superuser(name, "b@example.org", "secret")
    browser.get(url + "/admin/login/?next=/admin/")
    css(browser, "#id_username").send_keys(name)
    css(browser, "#id_password").send_keys("secret")
    css(browser, "input[type=submit]").click()
    css(
        browser, "#user-tools"
    )  # the sign-in page has none; waiting for less lets its answer overtake the next page


def press(browser: Any, keys: str) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(browser).send_keys(keys).perform()


def card(browser: Any) -> int:
    return int(css(browser, "#sv-card [data-id]").get_attribute("data-id"))


def until_other_card(browser: Any, former: int) -> int:
    wait(browser, f"document.querySelector('#sv-card [data-id]').dataset.id !== '{former}'")
    return card(browser)


def full_shot(browser: Any, path: Path) -> None:
    browser.set_window_size(
        1280, min(3000, 150 + browser.execute_script("return document.body.scrollHeight"))
    )
    browser.save_screenshot(str(path))
    browser.set_window_size(1280, 860)


def select_all(browser: Any) -> None:
    css(browser, "#action-toggle").click()
    across = browser.find_elements("css selector", ".actions .question a")
    if across and across[0].is_displayed():
        across[0].click()


def test_from_the_shops_own_list_to_reviewed_suggestions(chromium: Any, office: str, artefacts: Path) -> None:
    sign_in(chromium, office)
    chromium.get(office + "/admin/demo_shop/product/?category__isnull=True&active__exact=1")
    chromium.get(office + "/admin/demo_shop/product/?active__exact=1")
    select_all(chromium)
    chromium.execute_script("document.querySelector('select[name=action]').value = 'shopvision_classify'")
    css(chromium, ".actions button[type=submit]").click()
    assert css(chromium, ".shopvision-lead").text.startswith(f"{Product.objects.count()} products")
    full_shot(chromium, artefacts / "admin-classify.png")
    assert accessible(chromium) == []
    css(chromium, "input[type=submit]").click()
    until_url(chromium, "/admin/shopvision/job/")
    wait(chromium, "document.querySelector('[data-state=done]') !== null")
    full_shot(chromium, artefacts / "admin-job.png")
    assert accessible(chromium) == []
    assert Job.objects.get(kind="classify").done == Product.objects.count()

    chromium.get(office + SCREEN)
    first = card(chromium)
    press(chromium, "a")
    second = until_other_card(chromium, first)
    press(chromium, "r")
    third = until_other_card(chromium, second)
    assert "Rejected" in css(chromium, "#sv-said").text
    states = dict(Prediction.objects.filter(pk__in=(first, second)).values_list("pk", "state"))
    assert states == {first: "accepted", second: "rejected"}
    press(chromium, "u")
    assert until_other_card(chromium, third) == second
    assert Decision.objects.filter(verb="reject", undone_at=None).count() == 0
    assert violations(chromium) == []


def test_correct_skip_heat_and_help_by_keyboard(chromium: Any, office: str, artefacts: Path) -> None:
    queue = suggestions()
    sign_in(chromium, office)
    chromium.get(office + SCREEN)
    first = card(chromium)
    press(chromium, "h")
    wait(
        chromium,
        "document.querySelector('.sv-map').complete && document.querySelector('.sv-map').naturalWidth > 0",
    )
    full_shot(chromium, artefacts / "admin-review.png")
    assert accessible(chromium) == []
    chromium.execute_script("document.documentElement.dataset.theme = 'dark'")
    full_shot(chromium, artefacts / "admin-review-dark.png")
    assert accessible(chromium) == []
    press(chromium, "s")
    second = until_other_card(chromium, first)
    assert css(chromium, "#sv-heat").is_selected()  # the map stays on from card to card
    press(chromium, "c")
    other = next(
        one["name"] for one in queue[0].top if one["label"] != Prediction.objects.get(pk=second).label
    )
    chromium.switch_to.active_element.send_keys(other + "\n")
    until_other_card(chromium, second)
    assert Prediction.objects.get(pk=second).state == "corrected"
    assert chromium.switch_to.active_element.get_attribute("id") == "sv-title"
    press(chromium, "?")
    wait(chromium, "document.getElementById('sv-help').open")
    css(chromium, "#sv-keys").click()
    here = card(chromium)
    css(chromium, "#sv-title")
    chromium.execute_script("document.getElementById('sv-title').focus()")
    press(chromium, "a")
    assert card(chromium) == here  # single keys are off
    css(chromium, "#sv-keys").click()
    assert violations(chromium) == []


def test_somebody_was_faster_and_the_page_says_so(chromium: Any, office: str) -> None:
    suggestions()
    sign_in(chromium, office)
    chromium.get(office + SCREEN)
    first = card(chromium)
    Prediction.objects.filter(pk=first).update(state="rejected")
    press(chromium, "a")
    wait(chromium, "document.getElementById('sv-said').classList.contains('sv-bad')")
    assert "meanwhile" in css(chromium, "#sv-said").text


def test_classifier_pages_are_readable_in_both_themes(chromium: Any, office: str, artefacts: Path) -> None:
    sign_in(chromium, office)
    row = ClassifierRelease.objects.get(state="live")
    for name, path in (
        ("classifier", f"classifierrelease/{row.pk}/change/"),
        ("classifiers", "classifierrelease/"),
        ("train", "classifierrelease/train/"),
        ("overview", "overview/"),
        ("bulk", "prediction/review/bulk/?min=10"),
    ):
        for theme in ("light", "dark"):
            chromium.get(f"{office}/admin/shopvision/{path}")
            chromium.execute_script(f"document.documentElement.dataset.theme = {json.dumps(theme)}")
            full_shot(chromium, artefacts / f"admin-{name}-{theme}.png")
            if name != "classifiers":  # Django's own list page
                assert accessible(chromium) == [], (name, theme)
    assert violations(chromium) == []


def test_without_javascript_every_button_is_a_form(chromium: Any, office: str, tmp_path: Path) -> None:
    suggestions()
    plain = start(tmp_path / "profile", javascript=False)
    plain.implicitly_wait(15)
    try:
        sign_in(plain, office, "plain")
        plain.get(office + SCREEN)
        first = card(plain)
        css(plain, "form[data-verb=accept] button").click()
        until_url(plain, f"after={first}")
        assert Prediction.objects.get(pk=first).state == "accepted"
        css(plain, "#sv-undo button").click()
        until_url(plain, f"id={first}")
        assert Prediction.objects.get(pk=first).state == "suggested"
        assert Product.objects.filter(category=None).count() == UNLABELLED
    finally:
        plain.quit()
