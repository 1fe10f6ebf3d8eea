from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client, RequestFactory
from django.urls import reverse


def test_files_are_left_out_where_none_are_wanted() -> None:
    body = {"before": "1", "file": SimpleUploadedFile("note.txt", b"No chest pain."), "after": "2"}
    request = RequestFactory().post("/", body)
    assert dict(request.FILES) == {}
    assert request.POST.dict() == {"before": "1", "after": "2"}


@pytest.mark.django_db
def test_a_request_with_more_than_a_form_is_refused(client: Client, settings: Any, tmp_path: Path) -> None:
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 2000
    address = reverse("accounts:sign_in")
    assert client.post(address, {"file": SimpleUploadedFile("note.txt", b"x" * 1000)}).status_code == 422
    assert client.post(address, {"file": SimpleUploadedFile("note.txt", b"x" * 3000)}).status_code == 400
    assert list(tmp_path.iterdir()) == []
