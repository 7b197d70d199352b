"""The whole corpus of hostile photos over HTTP: each its code, never a 5xx."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from shopvision.api.errors import IMAGE_STATUS
from tests.api.conftest import SEARCH, Backend
from tests.images import corpus


@pytest.mark.parametrize("name", corpus.FILES)
def test_each_file_gets_its_code_over_http(client: Client, backend: Backend, name: str) -> None:
    backend.decodes = True
    code, make = corpus.FILES[name]
    response = client.post(SEARCH, {"image": SimpleUploadedFile("photo.jpg", make(), "image/jpeg")})
    if code:
        assert response.status_code == IMAGE_STATUS.get(code, 422)
        assert response.json()["code"] == code
        assert response.json()["detail"]
    else:
        assert response.status_code == 200
