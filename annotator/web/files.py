"""Uploaded files where none are wanted."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler, SkipFile


class NoFiles(FileUploadHandler):
    """Leaves out the files of a request, and refuses one that is longer than its fields may be (400)."""

    def handle_raw_input(self, input_data: Any, META: Any, content_length: int, *args: Any, **kwargs: Any) -> None:  # noqa: N803
        if content_length > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise RequestDataTooBig(f"{content_length} bytes, {settings.DATA_UPLOAD_MAX_MEMORY_SIZE} are the most")

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        raise SkipFile

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """No file is begun, so there is nothing to receive."""

    def file_complete(self, file_size: int) -> None:
        """No file is begun, so none is complete."""
