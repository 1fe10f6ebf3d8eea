"""Pictures of every page and state, for people who look at the design: docs/screens/NAME-THEME.png.

    python bench/screens.py [--out docs/screens] [--only review,import]

Opens the rows of tests/a11y/pages.py on an installation of its own in a temporary folder, filled by
tests/a11y/scene.py: 1440 pixels wide, the review and adjudication pages also at 900 and 700 in the states of NARROW.
Every page is drawn light and dark, and the review page in all its states; other states of a page are drawn light. The
clocks stand still, and chance is seeded, so that a page which did not change gives the picture that it gave before.
Needs the development packages and a Chromium.
"""

from __future__ import annotations

import argparse
import base64
import os
import random
import secrets
import struct
import sys
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parent.parent
NOW = datetime(2027, 3, 2, 9, 30, tzinfo=UTC)
N_READ = 24
NARROW = {"adjudicate", "review", "review-own-span", "review-missed", "review-offline"}
TALLEST = 1200
# The picture in at most 96 colours: its 24 commonest, those that are unlike all before, and for any other the nearest.
PALETTE = """async ([png]) => {
  const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob());
  const canvas = new OffscreenCanvas(image.width, image.height);
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const pixels = new Uint32Array(context.getImageData(0, 0, image.width, image.height).data.buffer);
  const counts = new Map();
  for (const pixel of pixels) counts.set(pixel, (counts.get(pixel) ?? 0) + 1);
  const parts = (pixel) => [pixel & 255, (pixel >> 8) & 255, (pixel >> 16) & 255];
  const away = ([r, g, b], [red, green, blue]) => (r - red) ** 2 + (g - green) ** 2 + (b - blue) ** 2;
  const byCount = [...counts].sort((one, other) => other[1] - one[1] || one[0] - other[0]).map(([pixel]) => pixel);
  const chosen = byCount.slice(0, 24);
  for (const pixel of byCount.slice(24)) {
    if (chosen.length < 96 && chosen.every((each) => away(parts(each), parts(pixel)) > 400)) chosen.push(pixel);
  }
  const colours = chosen.map(parts);
  const places = new Map(chosen.map((pixel, place) => [pixel, place]));
  for (const pixel of counts.keys()) {
    if (places.has(pixel)) continue;
    let best = 0, least = Infinity;
    colours.forEach((colour, place) => {
      const distance = away(colour, parts(pixel));
      if (distance < least) [best, least] = [place, distance];
    });
    places.set(pixel, best);
  }
  const bytes = Uint8Array.from(pixels, (pixel) => places.get(pixel));
  let text = "";
  for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
  return [image.width, image.height, colours.flat(), btoa(text)];
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "screens")
    parser.add_argument("--only", default="", help="names of rows, or how they begin, with commas between them")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    options = parser.parse_args()
    os.umask(0o077)
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"  # with a data folder of its own, which goes when this ends
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # Playwright keeps an event loop in this thread
    sys.path.insert(0, str(ROOT))
    import django

    django.setup()
    wanted = tuple(options.only.split(","))
    chance = random.Random(1)
    with (
        mock.patch("django.utils.timezone.now", return_value=NOW),
        mock.patch("annotator.jobs.bell._send"),
        mock.patch.object(secrets, "token_bytes", chance.randbytes),
        mock.patch.object(secrets, "token_hex", lambda n=32: chance.randbytes(n).hex()),
        mock.patch.object(
            secrets, "token_urlsafe", lambda n=32: base64.urlsafe_b64encode(chance.randbytes(n)).decode().rstrip("=")
        ),
        mock.patch.object(random, "SystemRandom", return_value=chance),
    ):
        draw(options.out, wanted=wanted, chromium=options.chromium)


def draw(out: Path, *, wanted: tuple[str, ...], chromium: str) -> None:
    """Write the pictures of the rows whose names begin so."""
    from django.core.management import call_command
    from playwright.sync_api import sync_playwright
    from pytest_django.live_server_helper import LiveServer

    from tests.a11y.pages import PAGES, Visitor
    from tests.a11y.scene import make_tour

    call_command("migrate", verbosity=0, interactive=False)
    tour = make_tour(now=NOW, n_read=N_READ)
    out.mkdir(parents=True, exist_ok=True)
    server = LiveServer("localhost:8110")
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
            painter = browser.new_page()
            visitor = Visitor(browser, server.url, tour, clock=NOW)
            first = {row.route: row for row in reversed(PAGES)}
            for row in PAGES:
                if not row.name.startswith(wanted):
                    continue
                is_in_both = row.route.startswith("review:") or first[row.route] is row
                for width in (1440, 900, 700) if row.name in NARROW else (1440,):
                    page = visitor.open(row, width=width)
                    for theme in ("light", "dark") if is_in_both else ("light",):
                        page.emulate_media(color_scheme=theme)
                        at = "" if width == 1440 else f"-{width}"
                        (out / f"{row.name}{at}-{theme}.png").write_bytes(picture(page, painter))
            visitor.close()
            browser.close()
    finally:
        server.stop()


def picture(page: Page, painter: Page) -> bytes:
    """The page as a PNG with a palette, whole as far as it is not endless."""
    height = page.evaluate("document.documentElement.scrollHeight")
    size = page.viewport_size or {"width": 1440, "height": 900}
    page.set_viewport_size({"width": size["width"], "height": max(900, min(height, TALLEST))})
    page.evaluate("document.fonts.ready")
    png = base64.b64encode(page.screenshot(animations="disabled", caret="hide")).decode()
    page.set_viewport_size({"width": size["width"], "height": 900})
    width, height, colours, places = painter.evaluate(PALETTE, [png])
    return palette_png(width, height, bytes(colours), base64.b64decode(places))


def palette_png(width: int, height: int, colours: bytes, places: bytes) -> bytes:
    """A PNG of one byte a pixel, each the place of its colour."""
    lines = b"".join(b"\0" + places[at : at + width] for at in range(0, width * height, width))
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"PLTE", colours), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


if __name__ == "__main__":
    main()
