"""The two databases that Marginalia runs on, as Django's settings want them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dj_database_url

# A writer waits its turn for the longest write there is: an import of 100,000 spans (docs/benchmarks.md).
WAIT_SECONDS = 60


def sqlite(folder: Path) -> dict[str, Any]:
    """SQLite in the data folder.

    WAL and IMMEDIATE: a writer waits its turn instead of failing with "database is locked". synchronous FULL: a
    decision that was answered as saved survives a power cut.
    """
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": folder / "db.sqlite3",
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": WAIT_SECONDS,
            "init_command": (
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; "
                "PRAGMA temp_store=MEMORY; PRAGMA secure_delete=ON; PRAGMA journal_size_limit=67108864;"
            ),
        },
    }


def postgresql(url: str) -> dict[str, Any]:
    """PostgreSQL at `postgresql://USER:PASSWORD@HOST:PORT/NAME`; a socket's folder is a host with %2F for each slash.

    Connections are kept and looked at before each request: a server that was restarted costs nobody an error page.
    Raises ValueError, without the address, which holds a password.
    """
    if not url.startswith(("postgresql://", "postgres://")):
        raise ValueError("DATABASE_URL must begin with postgresql://: unset it to use SQLite in the data folder")
    try:
        parsed: Any = dj_database_url.parse(url, conn_max_age=600, conn_health_checks=True)
    except ValueError:
        parsed = {}
    if not parsed.get("NAME"):
        raise ValueError("DATABASE_URL must be postgresql://USER:PASSWORD@HOST:PORT/NAME") from None
    given = parsed.setdefault("OPTIONS", {})
    given["options"] = f"-c lock_timeout={WAIT_SECONDS}s " + given.get("options", "")
    return dict(parsed)
