"""A visitor in a real browser looks at two mugs, and the next listing is another one, with the reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache

from shopvision.events.models import Event
from shopvision.indexing.pipeline import drain_outbox
from shopvision.ranking import deadline, popularity
from tests.browser.test_storefront import accessible, css, violations
from tests.drawing import photo_file
from tests.factories import DemoProductFactory

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
]


@pytest.fixture(autouse=True)
def _nobody_was_here(settings: Any) -> None:
    settings.SHOPVISION = {**settings.SHOPVISION, "RANKING": {"budget_ms": 5000, "explore": 0}}
    for forget in (cache.clear, popularity.forget, deadline.resume):
        forget()


def titles(browser: Any) -> list[str]:
    return [one.text for one in browser.find_elements("css selector", ".grid .card .name")]


def test_two_mugs_looked_at_change_the_next_listing_and_say_why(
    chromium: Any, shop: Any, artefacts: Path
) -> None:
    url, _ = shop
    mugs = [
        DemoProductFactory(title=f"red mug {view}", image=photo_file(990, view=view)) for view in range(4)
    ]
    drain_outbox()
    chromium.execute_cdp_cmd("Network.clearBrowserCookies", {})
    chromium.get(url)
    before = titles(chromium)
    assert before[-4:] == [mug.title for mug in mugs]
    for mug in mugs[:2]:
        css(chromium, f"a[href='{mug.get_absolute_url()}']").click()
        assert css(chromium, "h1").text == mug.title
        chromium.get(url)
    after = titles(chromium)
    assert sorted(after) == sorted(before)
    assert {mug.title for mug in mugs} <= set(after[:6])
    reasons = [one.text for one in chromium.find_elements("css selector", ".grid .why")]
    assert "You looked at this" in reasons
    assert any(reason.startswith("Looks like “red mug") for reason in reasons)
    assert "Because you looked at “red mug 1”" in chromium.page_source
    chromium.save_screenshot(str(artefacts / "personal-listing.png"))
    assert violations(chromium) == []
    assert Event.objects.count() == 0
    chromium.get(url + mugs[3].get_absolute_url())
    assert "Looked at recently" in chromium.page_source
    assert violations(chromium) == []
    assert accessible(chromium) == []
    chromium.get(url)
    assert accessible(chromium) == []
