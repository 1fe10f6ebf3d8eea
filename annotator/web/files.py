"""Uploaded files where none are wanted, and where one short one is."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler, SkipFile
from django.http import HttpRequest


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


class OneFile(FileUploadHandler):
    """Keeps the file of one field in memory, at most `max_bytes` of it; others are left out.

    `content` is None where none came. What is longer is read no further (`is_too_large`), the fields behind it are.
    """

    def __init__(self, request: HttpRequest, *, field: str, max_bytes: int) -> None:
        super().__init__(request)
        self.content: bytes | None = None
        self.name = ""
        self.is_too_large = False
        self._field, self._max_bytes = field, max_bytes
        self._chunks: list[bytes] = []
        self._n_bytes = 0

    def handle_raw_input(self, input_data: Any, META: Any, content_length: int, *args: Any, **kwargs: Any) -> None:  # noqa: N803
        most = 2 * self._max_bytes + settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        if content_length > most:
            raise RequestDataTooBig(f"{content_length} bytes, {most} are the most")

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        if self.field_name != self._field or not self.file_name or self.content is not None or self.is_too_large:
            raise SkipFile
        self.name, self._chunks, self._n_bytes = self.file_name, [], 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self._n_bytes += len(raw_data)
        if self._n_bytes > self._max_bytes:
            self.is_too_large, self._chunks = True, []
            raise SkipFile
        self._chunks.append(raw_data)

    def file_complete(self, file_size: int) -> None:
        if not self.is_too_large:
            self.content = b"".join(self._chunks)
