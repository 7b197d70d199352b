"""The beacon and the privacy page in a real browser, with the strictest content policy."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shopvision.events import writer
from shopvision.events.models import Event
from shopvision.privacy.models import PrivacyLog
from tests.browser.conftest import start
from tests.browser.test_storefront import (
    WAIT_SECONDS,
    accessible,
    css,
    open_dialog,
    photo_of,
    upload,
    violations,
    wait,
)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
]


@pytest.fixture(autouse=True)
def _consent_mode(settings: Any, chromium: Any) -> None:
    settings.SHOPVISION = {**settings.SHOPVISION, "PRIVACY_MODE": "consent"}
    writer.buffer.clear()


def until(found: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + WAIT_SECONDS
    while not (value := found()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return value


def agree(browser: Any, url: str) -> None:
    browser.execute_cdp_cmd("Network.clearBrowserCookies", {})  # the test before's visitor is gone
    browser.get(url)
    css(browser, ".sv-privacy-choices button[value=accept]").click()
    wait(browser, "document.cookie.includes('shopvision_record=1')")


def test_clicks_reach_the_server_joined_to_their_listing(chromium: Any, shop: Any) -> None:
    url, _ = shop
    agree(chromium, url)
    shown = until(lambda: Event.objects.filter(kind="impression", position=2).last())
    css(chromium, f"[data-shopvision-product='{shown.product}'] a").click()
    click = until(lambda: Event.objects.filter(kind="click").first())
    assert (click.listing, click.position, click.product) == (shown.listing, 2, shown.product)
    assert until(lambda: Event.objects.filter(kind="view").count() == 1)
    assert violations(chromium) == []


def test_search_results_are_impressions_once_they_were_seen(chromium: Any, shop: Any) -> None:
    url, products = shop
    agree(chromium, url)
    open_dialog(chromium, url)
    upload(chromium, photo_of(products[3]))
    search = until(lambda: Event.objects.filter(kind="photo_search").first())
    assert until(lambda: Event.objects.filter(kind="impression", listing=search.listing, position=0).exists())


def test_offline_the_events_wait_and_arrive_later(chromium: Any, shop: Any) -> None:
    url, products = shop
    agree(chromium, url)
    chromium.get(url + products[0].get_absolute_url())
    offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    chromium.execute_cdp_cmd("Network.enable", {})
    chromium.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
    ref = f"demo_shop.product:{products[0].pk}"
    detail = f"{{kind: 'basket_add', product: '{ref}'}}"
    chromium.execute_script(
        f"document.dispatchEvent(new CustomEvent('shopvision:event', {{detail: {detail}}}))"
    )
    time.sleep(2.5)  # longer than the script gathers
    assert "basket_add" in chromium.execute_script("return localStorage.getItem('shopvision.events')")
    assert not Event.objects.filter(kind="basket_add").exists()
    online = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    chromium.execute_cdp_cmd("Network.emulateNetworkConditions", online)
    assert until(lambda: Event.objects.filter(kind="basket_add").count() == 1)
    assert wait(chromium, "localStorage.getItem('shopvision.events') === null")


def test_without_consent_nothing_is_sent_or_kept(chromium: Any, shop: Any) -> None:
    url, _ = shop
    agree(chromium, url)
    chromium.get(url + "/vision/privacy/")
    css(chromium, "button[value=refuse]").click()
    wait(chromium, "document.cookie.includes('shopvision_record=0')")
    chromium.get(url)
    chromium.execute_script(
        "window.sent = 0; const send = window.fetch; window.fetch = (...a) => { window.sent++; return send(...a); };"
        "document.dispatchEvent(new CustomEvent('shopvision:event', {detail: {kind: 'search', text: 'mug'}}))"
    )
    time.sleep(2.5)
    assert chromium.execute_script("return window.sent") == 0
    assert chromium.execute_script("return localStorage.getItem('shopvision.events')") is None
    assert Event.objects.count() == 0  # and what had been kept is erased
    assert PrivacyLog.objects.filter(act="erase").exists()


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_privacy_page_is_accessible_in_both_languages(
    chromium: Any, shop: Any, artefacts: Path, language: str, settings: Any
) -> None:
    url, products = shop
    agree(chromium, url)
    chromium.get(url + products[0].get_absolute_url())
    settings.LANGUAGE_CODE = language
    chromium.get(url + "/vision/privacy/")
    heading = {"en": "Your privacy", "zh-hans": "您的隐私"}[language]
    assert css(chromium, "h1").text == heading
    assert products[0].title in css(chromium, "main").text
    chromium.save_screenshot(str(artefacts / f"privacy-{language}.png"))
    assert violations(chromium) == []
    assert accessible(chromium) == []


def test_without_javascript_choosing_and_erasing_work(chromium: Any, shop: Any, tmp_path: Path) -> None:
    url, products = shop
    plain = start(tmp_path / "profile", javascript=False)
    plain.implicitly_wait(WAIT_SECONDS)
    try:
        plain.get(url + "/vision/privacy/")
        css(plain, "input[value=personalisation]").click()
        css(plain, "button[value=save]").click()
        assert css(plain, "[role=status]").text == "Your choice is saved."
        plain.get(url + products[0].get_absolute_url())
        assert Event.objects.filter(kind="view").count() == 1
        plain.get(url + "/vision/privacy/")
        css(plain, "button[value=erase]").click()
        receipt = css(plain, "[role=status] code").text
        assert PrivacyLog.objects.filter(pk=receipt).exists()
        assert Event.objects.count() == 0
    finally:
        plain.quit()
