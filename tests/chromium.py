"""Finds a Chromium for the browser tests; run as a program, installs one where there is none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
APPLICATIONS = (
    Path("/Applications/Chromium.app/Contents/MacOS/Chromium"),
    Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
)


def find_chromium() -> Path | None:
    """The program of an installed Chromium or Chrome: of this machine, else Playwright's own."""
    for name in NAMES:
        found = shutil.which(name)
        if found:
            return Path(found)
    for application in APPLICATIONS:
        if application.exists():
            return application
    return _of_playwright()


def install_chromium() -> None:
    """Install Chromium by apt as root, else by Playwright.

    Raises subprocess.CalledProcessError where neither works.
    """
    if shutil.which("apt-get") and os.getuid() == 0 and _install_by_apt():
        return
    subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=True)


def _install_by_apt() -> bool:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-q"], env=environment, check=False)
    install = ["apt-get", "install", "-q", "-y", "--no-install-recommends", "chromium"]
    return subprocess.run(install, env=environment, check=False).returncode == 0


def _of_playwright() -> Path | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        program = Path(playwright.chromium.executable_path)
    return program if program.exists() else None


if __name__ == "__main__":
    if find_chromium() is None:
        print("No Chromium here: installing one for the browser tests ...", flush=True)
        install_chromium()
    chromium = find_chromium()
    if chromium is None:
        sys.exit("error: no Chromium for the browser tests, and none could be installed")
    print(f"Browser tests use {chromium}")
