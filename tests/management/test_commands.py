from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import models
from django.db.migrations.recorder import MigrationRecorder
from django.test.utils import isolate_apps
from django.urls import reverse
from django.utils import timezone
from tqdm import tqdm

from demo_shop.models import Product
from shopvision.catalogue.adapter import NAMING, Catalogue, catalogue
from shopvision.jobs import Job
from shopvision.management.commands.shopvision_index import _tuned
from shopvision.management.inspect_models import adapter_source, guess, look
from shopvision.management.job_command import _show
from shopvision.messages import Message
from shopvision.ranking.models import RankerRelease
from tests.factories import ArticleFactory, DemoProductFactory
from tests.testshop.models import Article

pytestmark = pytest.mark.django_db


def run(name: str, *args: str) -> Any:
    out = io.StringIO()
    call_command(name, *args, "--json", stdout=out, stderr=io.StringIO())
    return json.loads(out.getvalue())


def test_reconcile_counts_then_mends(indexed_shop: list[Any]) -> None:
    Product.objects.filter(pk=indexed_shop[0].pk).update(title="changed behind our back")
    assert run("shopvision_reconcile", "--dry-run") == {"missing": 0, "stale": 1, "extra": 0}
    assert run("shopvision_reconcile")["stale"] == 1
    assert run("shopvision_reconcile", "--dry-run") == {"missing": 0, "stale": 0, "extra": 0}


def test_models_lists_and_refuses_what_is_not_there(live_release: Any) -> None:
    (row,) = run("shopvision_models")["releases"]
    assert row["state"] == "live"
    with pytest.raises(CommandError, match="no release 99"):
        run("shopvision_models", "--activate", "99")
    with pytest.raises(CommandError, match="roll back"):
        run("shopvision_models", "--rollback")


def test_duplicates_prints_pairs(indexed_shop: list[Any]) -> None:
    assert isinstance(run("shopvision_duplicates")["pairs"], list)


def test_tune_says_when_there_is_too_little(indexed_shop: list[Any]) -> None:
    with pytest.raises(CommandError, match="tuning takes"):
        run("shopvision_tune")


def test_index_counts_tuning_in_its_estimate_and_shows_that_it_tunes(
    live_release: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    [ArticleFactory(views=4) for _ in range(5)]
    monkeypatch.setattr("shopvision.tuning.jobs.TUNE_FROM_PHOTOS", 20)
    shown: list[str] = []
    monkeypatch.setattr(tqdm, "set_postfix_str", lambda self, note, refresh=True: shown.append(note))
    err = io.StringIO()
    call_command("shopvision_index", stdout=io.StringIO(), stderr=err)
    first, tuning, outcome = err.getvalue().splitlines()
    assert re.search(
        r"5 products, about 20 photos: at most \d+ s .*; then tuning to them, about \d+ s$", first
    )
    assert re.search(r"^tuning the encoder to 20 photos of the shop, about \d+ s", tuning)
    assert outcome in (
        "tuning done: live",
        "tuning done: the tuned release was not better; the live one stays",
    )
    assert shown.index("made views of 16 of 20 photos") < shown.index("fitting on every photo")


@pytest.mark.parametrize(
    ("state", "outcome", "words"),
    [
        ("done", "failed", "tuning done: the tuned release was not better; the live one stays"),
        ("done", "live", "tuning done: live"),
        ("failed", "", "tuning failed: OSError: the disk is full"),
    ],
)
def test_a_tuning_that_found_no_more_is_not_called_failed(state: str, outcome: str, words: str) -> None:
    job = Job(
        state=state,
        result={"release_state": outcome},
        message=Message("unexpected_error", {"type": "OSError", "text": "the disk is full"}),
    )
    assert _tuned(job) == words


def test_check_tries_everything(indexed_shop: list[Any]) -> None:
    found = run("shopvision_check")
    assert found["ok"], found
    assert {row["check"] for row in found["checks"]} >= {"storage", "database", "encoder", "index", "worker"}


def failures() -> dict[str, str]:
    """What shopvision_check finds wrong."""
    out = io.StringIO()
    with pytest.raises(CommandError, match="something is wrong"):
        call_command("shopvision_check", "--json", stdout=out, stderr=io.StringIO())
    return {row["check"]: row["detail"] for row in json.loads(out.getvalue())["checks"] if not row["ok"]}


def test_check_opens_the_ranker_that_is_live(indexed_shop: list[Any]) -> None:
    RankerRelease.objects.create(
        kind="linear",
        state="live",
        artefact="gone",
        digest="0" * 64,
        snapshot="x",
        learned_until=timezone.now(),
    )
    assert "the file of ranker@" in failures()["ranker"]


def test_check_before_migrate_says_so_and_nothing_else(indexed_shop: list[Any]) -> None:
    MigrationRecorder.Migration.objects.filter(app="shopvision").order_by("-pk")[0].delete()
    assert "run python manage.py migrate" in failures()["migrations"]
    assert list(failures()) == ["migrations"]


def test_check_asks_products_for_their_pages(
    indexed_shop: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        Product, "get_absolute_url", lambda self: reverse("demo_shop:nowhere", args=[self.pk])
    )
    assert f"demo_shop.product:{indexed_shop[0].pk}: NoReverseMatch" in failures()["addresses"]
    monkeypatch.setattr(Product, "get_absolute_url", lambda self: "")
    assert "do not link" in failures()["addresses"]
    monkeypatch.delattr(Product, "get_absolute_url")
    assert "has no attribute 'get_absolute_url'" in failures()["addresses"]
    monkeypatch.setattr(type(catalogue("demo_shop.product")), "url", lambda self, product: f"/p/{product.pk}")
    assert run("shopvision_check")["ok"]


def test_check_fails_before_anything_is_indexed(data_dir: Any) -> None:
    with pytest.raises(CommandError):
        run("shopvision_check")


def test_init_never_overwrites(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="exists"):
        run("shopvision_init", "--model", "testshop.Article")
    with pytest.raises(CommandError, match="no model"):
        run("shopvision_init", "--model", "no.Such")
    with pytest.raises(CommandError, match="no image field"):
        run("shopvision_init", "--model", "auth.User")


@pytest.mark.parametrize("label", ["demo_shop.Product", "testshop.Article"])
def test_init_names_every_option_it_wrote_or_could_not_map_and_every_field_it_left(label: str) -> None:
    found = guess(label)
    notes = "\n".join(found.notes())
    written = re.findall(r"^    (\w+) = ", adapter_source(found), re.MULTILINE)
    assert {"images", "title"} <= set(written)
    for option in written:
        assert f"{option} = " in notes
    for option in {*NAMING, "related"} - {*written, "views"}:
        assert option in notes.partition("not found: ")[2].partition("(")[0] or option == "related"
    fields = [one.name for one in found.model._meta.get_fields() if not one.auto_created]
    assert all(re.search(rf"\b{name}\b", notes) for name in fields if name != found.model._meta.pk.name)


@isolate_apps("tests.testshop")
def test_init_takes_no_json_for_a_title_and_says_so_and_names_the_flags_of_photos() -> None:
    class Ware(models.Model):
        title = models.JSONField(default=dict)
        summary = models.TextField()
        price = models.JSONField(default=dict)

        class Meta:
            app_label = "testshop"

        def __str__(self) -> str:
            return str(self.title)

    class Shot(models.Model):
        ware = models.ForeignKey(Ware, on_delete=models.CASCADE, related_name="shots")
        file = models.ImageField()
        is_primary = models.BooleanField(default=False)

        class Meta:
            app_label = "testshop"

        def __str__(self) -> str:
            return str(self.file)

    found = look(Ware)
    assert found.images == ["shots__file"]
    assert found.names == {"description": "summary"}
    notes = "\n".join(found.notes())
    assert "title: title is a JSONField" in notes
    assert "price: price is a JSONField" in notes
    assert "not used: shots.is_primary" in notes
    assert 'title = "title"' not in adapter_source(found)


def test_check_prints_a_title_and_a_price_as_read_and_refuses_a_dict(
    indexed_shop: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = {row["check"]: row["detail"] for row in run("shopvision_check")["checks"]}
    product = Product.objects.order_by("pk")[0]
    assert (
        rows["reading"] == f"demo_shop.product:{product.pk}: title {product.title!r}, price {product.price}"
    )
    monkeypatch.setattr(Product, "words", lambda self: {"en": self.title}, raising=False)
    monkeypatch.setattr(type(catalogue("demo_shop.product")), "title", "words")
    assert "'words' is a dict" in failures()["reading"]


def test_init_says_what_comes_next_in_the_order_that_works() -> None:
    err = io.StringIO()
    call_command("shopvision_init", "--print", stdout=io.StringIO(), stderr=err)
    commands = re.findall(r"migrate|shopvision_\w+", err.getvalue().splitlines()[-1])
    assert commands == [
        "migrate",
        "shopvision_index",
        "shopvision_check",
    ]  # check fails before there is an index


@pytest.mark.parametrize(
    ("label", "factory"), [("demo_shop.Product", DemoProductFactory), ("testshop.Article", ArticleFactory)]
)
def test_the_written_adapter_works_unchanged_and_is_short(data_dir: Any, label: str, factory: Any) -> None:
    """The guessed adapter gives the same facts and photos as the one written by hand."""
    source = adapter_source(guess(label))
    code = [line for line in source.splitlines() if line.strip() and not line.startswith(('"""', "from"))]
    assert len(code) <= 15
    model = {"demo_shop.Product": Product, "testshop.Article": Article}[label]
    body = "\n".join(line for line in source.splitlines() if not line.startswith(("from .", "@register")))
    space: dict[str, Any] = {}
    exec(body, space)  # the file the command would write, without its registration
    (cls,) = [
        v for v in space.values() if isinstance(v, type) and issubclass(v, Catalogue) and v is not Catalogue
    ]
    product = factory() if label.startswith("demo") else factory(views=2)
    product = model._default_manager.get(pk=product.pk)
    ours, theirs = cls(model), catalogue(label.lower())
    assert ours.problems() == []
    assert ours.facts(product) == theirs.facts(product)
    assert [f.name for f in ours.image_files(product)] == [f.name for f in theirs.image_files(product)]


def test_without_a_name_the_product_model_is_found() -> None:
    assert guess().model in (Product, Article)


def test_a_command_before_migrate_says_what_to_do(live_release: Any) -> None:
    rows = MigrationRecorder.Migration.objects.filter(app="shopvision")
    rows.order_by("-pk")[0].delete()
    for name in ("shopvision_index", "shopvision_worker", "shopvision_tune", "shopvision_models"):
        with pytest.raises(
            CommandError, match=r"1 migrations are not applied .* run python manage.py migrate"
        ):
            run(name)


def test_a_command_on_an_empty_database_says_what_to_do(tmp_path: Path) -> None:
    code = "import sys; from django.core.management import execute_from_command_line as run; run(sys.argv)"
    place = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "SHOPVISION_TEST_DB": str(tmp_path / "x"),
    }
    command = [sys.executable, "-c", code, "shopvision_index"]
    ended = subprocess.run(command, env=place, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 1
    assert "run python manage.py migrate" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_progress_shows_the_share_or_where_nothing_is_counted_the_note() -> None:
    out = io.StringIO()
    bar = tqdm(desc="index", file=out, ncols=80, mininterval=0, miniters=0)
    _show(bar, Job(done=50, total=100), "")
    assert re.search(r"index:  50%\|.+\| 50/100 ", out.getvalue())
    _show(bar, Job(done=0, total=0), "fitting")
    assert "fitting" in out.getvalue()
