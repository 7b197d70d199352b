"""Every row's own page is reached in one place: what is not there is 404, what may not be seen 403."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from shopvision import admin
from shopvision.jobs import Job
from tests.classified import person

FOLDER = Path(admin.__file__).parent


@pytest.mark.parametrize("head", ["def change_view(", "self.admin_site.each_context(request)"])
def test_the_head_of_a_page_is_written_once(head: str) -> None:
    found = [file.name for file in FOLDER.glob("*.py") if head in file.read_text()]
    assert found == ["read_only.py"]


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["job", "classifierrelease", "prediction", "rankerrelease", "experiment"])
@pytest.mark.parametrize("key", ["00000000-0000-0000-0000-000000000000", "4711", "nonsense"])
def test_a_row_that_is_not_there_is_never_a_traceback(boss: Client, name: str, key: str) -> None:
    answer = boss.get(reverse(f"admin:shopvision_{name}_change", args=[key]))
    if answer.status_code == 302:  # the review screen, or Django's own way back with a message
        answer = boss.get(answer["Location"])
        assert answer.status_code == 200
    else:
        assert answer.status_code == 404


@pytest.mark.django_db
def test_a_job_is_shown_to_who_may_see_it_and_to_who_started_it(client: Client) -> None:
    ann, bea = person("ann", "classify_products"), person("bea", "classify_products")
    address = reverse(
        "admin:shopvision_job_change", args=[Job.objects.create(kind="classify", created_by=ann).pk]
    )
    seen: dict[Any, int] = {}
    for who in (ann, bea):
        client.force_login(who)
        seen[who.get_username()] = client.get(address).status_code
    assert seen == {"ann": 200, "bea": 403}
