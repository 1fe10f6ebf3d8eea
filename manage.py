#!/usr/bin/env python
"""Django's command line. `manage.py up` starts everything; see README.md."""

import argparse
import os
import sys


def use_data_folder(arguments: list[str]) -> None:
    """Put `up --data FOLDER` into the environment: Django reads its settings before a command reads its options."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--data")
    folder = parser.parse_known_args(arguments)[0].data
    if folder:
        os.environ["MARGINALIA_DATA"] = os.path.abspath(folder)


def refuse_missing_installation(command: str) -> None:
    """Stop a command that works on an installation where there is none, before Django makes an empty one."""
    here = os.path.dirname(os.path.abspath(__file__))
    has_database = os.environ.get("DATABASE_URL") or os.environ.get("DATABASE_URL_FILE")
    is_ours = os.path.exists(os.path.join(here, "annotator", "management", "commands", f"{command}.py"))
    folder = os.path.abspath(os.environ.get("MARGINALIA_DATA") or os.path.join(here, "data"))
    makes_one = command in {"up", "serve", "restore"}
    if is_ours and not makes_one and not has_database and not os.path.exists(os.path.join(folder, "db.sqlite3")):
        sys.exit(f"error: there is no installation in {folder}: start one with `make run`, or set MARGINALIA_DATA")


def main() -> None:
    os.umask(0o077)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotator.settings")
    if sys.argv[1:2] == ["up"]:
        use_data_folder(sys.argv[2:])
    refuse_missing_installation(sys.argv[1] if len(sys.argv) > 1 else "")
    from django.core.management import execute_from_command_line

    from annotator.runtime import RuntimeFolderError

    try:
        execute_from_command_line(sys.argv)
    except RuntimeFolderError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
