"""The folders and the key of an installation."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from annotator.runtime import SOCKET_FOLDER_BYTES, RuntimeFolderError, data_folder, secret_key, socket_folder


@pytest.fixture(autouse=True)
def short_parent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where socket folders go, so that none is left behind."""
    parent = tmp_path / "run"
    parent.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(parent))
    monkeypatch.setattr("annotator.runtime.SOCKET_FOLDER_BYTES", len(os.fsencode(parent)) + 40)
    return parent


@pytest.fixture
def no_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def test_data_folder_is_made_for_this_user_only(tmp_path: Path, no_umask: None):
    folder = data_folder(tmp_path / "new" / "data")
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_others_can_read_is_refused(tmp_path: Path):
    tmp_path.chmod(0o750)
    with pytest.raises(RuntimeFolderError, match="has mode 750, others could read it: run chmod 700"):
        data_folder(tmp_path)


def test_a_file_is_no_data_folder(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(RuntimeFolderError, match="cannot make the data folder"):
        data_folder(tmp_path / "file" / "data")


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("annotator.runtime.os.access", lambda *_: False)  # root may write everywhere
    with pytest.raises(RuntimeFolderError, match="is not writable by this user"):
        data_folder(tmp_path)
    assert data_folder(tmp_path, is_written=False) == tmp_path, "some programs only read it"


def test_the_key_is_made_once_and_private(tmp_path: Path, no_umask: None):
    key = secret_key(tmp_path)
    assert len(key) >= 64
    assert secret_key(tmp_path) == key
    assert (tmp_path / "secret_key").stat().st_mode & 0o777 == 0o600


def test_two_installations_have_two_keys(tmp_path: Path):
    first, second = data_folder(tmp_path / "first"), data_folder(tmp_path / "second")
    assert secret_key(first) != secret_key(second)


def test_a_key_that_others_can_read_is_refused(tmp_path: Path):
    secret_key(tmp_path)
    (tmp_path / "secret_key").chmod(0o644)
    with pytest.raises(RuntimeFolderError, match="chmod 600"):
        secret_key(tmp_path)


def test_an_empty_key_is_refused(tmp_path: Path):
    (tmp_path / "secret_key").touch(mode=0o600)
    with pytest.raises(RuntimeFolderError, match="holds no key"):
        secret_key(tmp_path)


def test_socket_folder_is_short_and_of_this_data_folder_only(tmp_path: Path, short_parent: Path):
    deep = tmp_path / "/".join(["d" * 100] * 10)
    folder = socket_folder(deep)
    assert folder.parent == short_parent
    assert folder == socket_folder(deep)
    assert folder != socket_folder(tmp_path)
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_long_runtime_folder_is_passed_over(tmp_path: Path, short_parent: Path, monkeypatch: pytest.MonkeyPatch):
    long_parent = tmp_path / ("r" * 80)
    long_parent.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(long_parent))
    monkeypatch.setattr("annotator.runtime.tempfile.gettempdir", lambda: str(short_parent))
    assert socket_folder(tmp_path).parent == short_parent


def test_a_missing_runtime_folder_is_passed_over(tmp_path: Path, short_parent: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "missing"))
    monkeypatch.setattr("annotator.runtime.tempfile.gettempdir", lambda: str(short_parent))
    assert socket_folder(tmp_path).parent == short_parent


def test_a_socket_folder_planted_by_another_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = socket_folder(tmp_path)
    folder.rmdir()
    folder.symlink_to(tmp_path)
    with pytest.raises(RuntimeFolderError, match="belongs to someone else"):
        socket_folder(tmp_path)


def test_a_socket_path_fits_on_linux_and_macos():
    assert SOCKET_FOLDER_BYTES + len("/valkey.sock") <= 103
