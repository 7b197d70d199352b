"""The storefront as a shopper uses it: by mouse, by keyboard, by clipboard, and without JavaScript."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import AXE, start
from tests.drawing import jpeg

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
]
WAIT_SECONDS = 15


def wait(browser: Any, script: str) -> Any:
    """The script's value once it is true."""
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(browser, WAIT_SECONDS).until(
        lambda driver: driver.execute_script(f"return {script}")
    )


def until_url(browser: Any, part: str) -> None:
    """Wait for the page whose address holds the part."""
    from selenium.webdriver.support import expected_conditions
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, WAIT_SECONDS).until(expected_conditions.url_contains(part))


def css(browser: Any, selector: str) -> Any:
    """The first element of a selector, once it is there."""
    from selenium.webdriver.support import expected_conditions
    from selenium.webdriver.support.ui import WebDriverWait

    found = expected_conditions.presence_of_element_located(("css selector", selector))
    return WebDriverWait(browser, WAIT_SECONDS).until(found)


def photo_of(product: Any) -> str:
    return str(product.image.storage.path(product.image.name))  # the test's own storage is a folder


def cards(browser: Any) -> list[str]:
    wait(browser, "document.querySelectorAll('.sv-dialog .sv-card').length > 0")
    return [one.text for one in browser.find_elements("css selector", ".sv-dialog .sv-name")]


def open_dialog(browser: Any, url: str) -> None:
    browser.get(url)
    css(browser, ".sv-open").click()
    wait(browser, "document.querySelector('.sv-dialog').open")


def upload(browser: Any, path: str) -> None:
    css(browser, ".sv-drop input[name=file]").send_keys(path)


def hand_over(browser: Any, data: bytes, event: str) -> None:
    """Drop or paste bytes as an image file."""
    browser.execute_script(
        """
        const bytes = Uint8Array.from(atob(arguments[0]), (c) => c.charCodeAt(0));
        const box = new DataTransfer();
        box.items.add(new File([bytes], "photo.jpg", { type: "image/jpeg" }));
        const event = arguments[1] === "drop"
          ? new DragEvent("drop", { dataTransfer: box, bubbles: true, cancelable: true })
          : new ClipboardEvent("paste", { clipboardData: box, bubbles: true });
        document.querySelector(".sv-dialog").dispatchEvent(event);
        """,
        base64.b64encode(data).decode(),
        event,
    )


def violations(browser: Any) -> list[str]:
    """What the content policy blocked since the last call."""
    return [
        row["message"] for row in browser.get_log("browser") if "Content Security Policy" in row["message"]
    ]


def accessible(browser: Any) -> list[str]:
    """Rules that axe-core finds broken on the page as it stands."""
    if not AXE.exists():
        pytest.skip("needs axe-core (make test installs it with npm)")
    browser.execute_cdp_cmd("Runtime.evaluate", {"expression": AXE.read_text()})
    found = browser.execute_async_script("axe.run().then((r) => arguments[0](JSON.stringify(r.violations)))")
    return [f"{one['id']}: {one['nodes'][0]['html'][:120]}" for one in json.loads(found)]


def test_an_uploaded_photo_finds_its_product(chromium: Any, shop: Any, artefacts: Path) -> None:
    url, products = shop
    open_dialog(chromium, url)
    upload(chromium, photo_of(products[3]))
    assert cards(chromium)[0] == products[3].title
    chromium.save_screenshot(str(artefacts / "search.png"))
    assert violations(chromium) == []


def test_the_same_photo_can_be_chosen_again(chromium: Any, shop: Any) -> None:
    """A browser tells of a change only if the input's value changed, so it is emptied at once."""
    url, products = shop
    open_dialog(chromium, url)
    upload(chromium, photo_of(products[3]))
    cards(chromium)
    assert chromium.execute_script("return document.querySelector('.sv-drop input[name=file]').value") == ""


@pytest.mark.parametrize("event", ["drop", "paste"])
def test_a_photo_is_dropped_or_pasted(chromium: Any, shop: Any, event: str) -> None:
    url, products = shop
    open_dialog(chromium, url)
    with products[5].image.open("rb") as file:
        hand_over(chromium, file.read(), event)
    assert cards(chromium)[0] == products[5].title


def test_the_crop_box_moves_by_keyboard_and_by_mouse(chromium: Any, shop: Any) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    url, products = shop
    open_dialog(chromium, url)
    chromium.execute_script(
        "const send = window.fetch; window.crops = [];"
        "window.fetch = (u, o) => { const crop = o?.body?.get?.('crop');"  # events are sent, too: they have none
        " if (crop) window.crops.push(crop); return send(u, o); };"
    )
    upload(chromium, photo_of(products[0]))
    cards(chromium)
    corner = css(chromium, ".sv-handle.sv-se")
    for _ in range(5):
        corner.send_keys(Keys.ARROW_LEFT)
    crop = wait(chromium, "window.crops[0]")
    assert [float(x) for x in crop.split(",")] == pytest.approx([0, 0, 0.85, 1], abs=1e-3)
    css(chromium, ".sv-crop").send_keys(Keys.ARROW_RIGHT)
    wait(chromium, "window.crops.at(-1)?.startsWith('0.03')")
    ActionChains(chromium).drag_and_drop_by_offset(css(chromium, ".sv-handle.sv-nw"), 60, 60).perform()
    crop = wait(chromium, "!window.crops.at(-1).startsWith('0.03') && window.crops.at(-1)")
    x0, y0, x1, y1 = (float(x) for x in crop.split(","))
    assert 0.1 < x0 < x1 < 1
    assert 0.05 < y0 < y1 == 1


def test_find_similar_leaves_the_product_out(chromium: Any, shop: Any) -> None:
    url, products = shop
    open_dialog(chromium, url)
    upload(chromium, photo_of(products[2]))
    first = cards(chromium)[0]
    css(chromium, ".sv-dialog .sv-similar").click()
    wait(chromium, f"document.querySelector('.sv-dialog .sv-name').textContent !== {json.dumps(first)}")
    assert first not in cards(chromium)


def test_a_file_that_is_no_photo_is_refused_in_words(chromium: Any, shop: Any, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(jpeg(1)[:40])
    open_dialog(chromium, shop[0])
    upload(chromium, str(tmp_path / "broken.jpg"))
    assert wait(chromium, "document.querySelector('.sv-status').textContent.includes('cannot be read')")


def test_escape_closes_and_the_button_has_the_focus_again(chromium: Any, shop: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    open_dialog(chromium, shop[0])
    chromium.switch_to.active_element.send_keys(Keys.ESCAPE)
    wait(chromium, "!document.querySelector('.sv-dialog').open")
    assert "sv-open" in chromium.switch_to.active_element.get_attribute("class")


def test_no_page_breaks_an_accessibility_rule(chromium: Any, shop: Any, artefacts: Path) -> None:
    url, products = shop
    for name, path in (
        ("home", "/"),
        ("product", f"/product/{products[0].pk}/"),
        ("photo", "/vision/photo/"),
    ):
        chromium.get(url + path)
        chromium.save_screenshot(str(artefacts / f"{name}.png"))
        assert accessible(chromium) == [], name
        assert violations(chromium) == []
    open_dialog(chromium, url)
    upload(chromium, photo_of(products[1]))
    cards(chromium)
    assert accessible(chromium) == []


def test_the_second_shop_has_the_button_too(chromium: Any, shop: Any) -> None:
    url, products = shop
    open_dialog(chromium, url + "/testshop/")
    upload(chromium, photo_of(products[4]))
    assert cards(chromium)[0] == products[4].title


def test_without_javascript_the_form_answers_on_a_page(chromium: Any, shop: Any, tmp_path: Path) -> None:
    url, products = shop
    plain = start(tmp_path / "profile", javascript=False)
    plain.implicitly_wait(WAIT_SECONDS)
    try:
        plain.get(url)
        css(plain, "input[name=image]").send_keys(photo_of(products[6]))
        css(plain, "form.sv-form button").click()
        assert css(plain, ".sv-card .sv-name").text == products[6].title
        css(plain, ".sv-card .sv-similar").click()
        until_url(plain, "product=")
        names = [one.text for one in plain.find_elements("css selector", ".sv-card .sv-name")]
        assert names
        assert products[6].title not in names
    finally:
        plain.quit()
