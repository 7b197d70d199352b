from __future__ import annotations

import pytest
from django.test import RequestFactory

from shopvision.events.bot_filter import why_not
from tests.visitors import FIREFOX

BOTS = [
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 (compatible; YandexBot/3.0)",
    "Mozilla/5.0 (compatible; Baiduspider/2.0)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2)",
    "facebookexternalhit/1.1",
    "WhatsApp/2.23",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0)",
    "Screaming Frog SEO Spider/19.0",
    "Mozilla/5.0 (compatible; archive.org_bot)",
]
PEOPLE = [
    FIREFOX,
    "Mozilla/5.0 (Linux; Android 10; CUBOT NOTE 20) AppleWebKit/537.36 Chrome/120.0 Mobile Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 YaBrowser/25.1 Yowser/2.5 Safari/537.36",
    "ShopApp/3.1 okhttp/4.12",
    "",
]


@pytest.mark.parametrize("agent", BOTS)
def test_crawlers_are_told_by_their_name(agent: str) -> None:
    assert why_not(RequestFactory().get("/", HTTP_USER_AGENT=agent)) == "bot"


@pytest.mark.parametrize("agent", PEOPLE)
def test_people_are_not_taken_for_crawlers(agent: str) -> None:
    assert why_not(RequestFactory().get("/", HTTP_USER_AGENT=agent)) == ""


def test_a_link_from_another_site_is_a_visit_and_its_script_is_not() -> None:
    site = {"HTTP_SEC_FETCH_SITE": "cross-site"}
    assert why_not(RequestFactory().get("/", HTTP_SEC_FETCH_MODE="navigate", **site)) == ""
    assert why_not(RequestFactory().get("/", HTTP_SEC_FETCH_MODE="no-cors", **site)) == "foreign"
