"""Where an installation keeps its things: the data folder, its key, and the short folder for sockets."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shlex
import stat
import tempfile
from pathlib import Path

SOCKET_FOLDER_BYTES = 90
_GROUP_OR_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class RuntimeFolderError(Exception):
    """A folder or key file that cannot be used; one line that says why and what to do."""


def data_folder(path: Path, *, is_written: bool = True) -> Path:
    """`path`, made if need be, private to this user and, unless it is only read by some programs, writable.

    Raises RuntimeFolderError where it is not: notes are PHI, so a folder that others can read stops the start.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise RuntimeFolderError(f"cannot make the data folder {path}: {error.strerror}") from error
    if not path.is_dir():
        raise RuntimeFolderError(f"the data folder {path} is not a folder")
    _refuse_wide_mode(path, "chmod 700")
    if is_written and not os.access(path, os.W_OK | os.X_OK):
        raise RuntimeFolderError(f"the data folder {path} is not writable by this user")
    return path


def secret_key(folder: Path) -> str:
    """The installation's key, generated at the first call and kept in `folder` with mode 0600."""
    file = folder / "secret_key"
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        _refuse_wide_mode(file, "chmod 600")
        key = file.read_text().strip()
        if len(key) < 50:
            raise RuntimeFolderError(f"{file} holds no key: delete it to have a new one made") from None
        return key
    except OSError as error:
        raise RuntimeFolderError(f"cannot write {file}: {error.strerror}") from error
    key = secrets.token_urlsafe(64)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(key)
    return key


def secret(name: str) -> str | None:
    """The variable `name`, or what stands in the file that `name`_FILE names; None where neither is set."""
    file = os.environ.get(f"{name}_FILE")
    if not file:
        return os.environ.get(name) or None
    if os.environ.get(name):
        raise RuntimeFolderError(f"{name} and {name}_FILE are both set: unset one")
    try:
        content = Path(file).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise RuntimeFolderError(f"{name}_FILE: {file} cannot be read: {reason}") from None
    if not content:
        raise RuntimeFolderError(f"{name}_FILE: {file} is empty")
    return content


def socket_folder(folder: Path) -> Path:
    """A private folder with a short path for the sockets of the installation in `folder`.

    A socket's path is limited to 103 bytes on macOS and 107 on Linux, a data folder's is not: the name is a hash of
    the data folder's path, in the first folder for such things that exists and is short enough.
    """
    name = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:16]
    parents = (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp")  # noqa: S108  private all the same
    folders = [Path(parent) / f"marginalia-{os.getuid()}-{name}" for parent in parents if parent]
    usable = [
        short
        for short in folders
        if len(os.fsencode(short)) <= SOCKET_FOLDER_BYTES and os.access(short.parent, os.W_OK | os.X_OK)
    ]
    if not usable:
        raise RuntimeFolderError("no short writable folder for sockets: set XDG_RUNTIME_DIR to one")
    short = usable[0]
    with contextlib.suppress(FileExistsError):
        short.mkdir(mode=0o700)
    owner = short.lstat()
    if not stat.S_ISDIR(owner.st_mode) or owner.st_uid != os.getuid():
        raise RuntimeFolderError(f"{short} belongs to someone else: delete it or set XDG_RUNTIME_DIR")
    _refuse_wide_mode(short, "chmod 700")
    return short


def _refuse_wide_mode(path: Path, remedy: str) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & _GROUP_OR_OTHERS:
        raise RuntimeFolderError(
            f"{path} has mode {mode:03o}, others could read it: run {remedy} {shlex.quote(str(path))}"
        )
