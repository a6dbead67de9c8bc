"""The built site, page by page, in a Chromium without a network.

Pages are opened from disk (file://), as a reader opens them after `make book`.  Every request is
recorded; one that would leave the disk fails a test, and finds no host.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from playwright.sync_api import Browser, Error, Page, sync_playwright

from tests.conftest import ROOT

SITE = ROOT / "_build" / "html"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
]  # fmt: skip
NO_BROWSER = (
    "no Chromium found: install your system's package `chromium`, or run "
    "`.venv/bin/python -m playwright install chromium`; the site was not tested"
)
weights: dict[str, dict[str, int]] = {}


def pages() -> list[str]:
    """Every page of the site, as a path from its root without `.html`; not the front door, which
    only leads on to the landing page."""
    found = {path.relative_to(SITE) for path in SITE.rglob("*.html")} - {Path("index.html")}
    return sorted(p.with_suffix("").as_posix() for p in found if p.parts[0] != "_static")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "visit" in metafunc.fixturenames:
        metafunc.parametrize("visit", pages(), indirect=True, scope="module")


class Visit:
    """A page that is open in the browser, and what happened while it loaded."""

    def __init__(self, browser: Browser, name: str, scheme: str = "light") -> None:
        self.name = name
        self.messages: list[str] = []
        self.requests: list[str] = []
        self.failed: list[str] = []
        size = {"width": 1280, "height": 900}
        self.context = browser.new_context(viewport=size, color_scheme=scheme)
        self.page: Page = self.context.new_page()
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.messages.append(f"error: {error}"))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("requestfailed", lambda request: self.failed.append(request.url))
        name, _, query = name.partition("?")
        self.page.goto((SITE / f"{name}.html").as_uri() + (f"?{query}" if query else ""))
        self.settle()

    def _on_console(self, message) -> None:
        if message.type in ("error", "warning", "assert"):
            self.messages.append(f"{message.type}: {message.text}")

    def settle(self) -> None:
        """Wait for formulas and fonts."""
        self.page.evaluate("async () => { await window.MathJax?.startup?.promise; }")
        self.page.evaluate("async () => { await document.fonts.ready; }")

    def foreign(self) -> list[str]:
        """Requests that would leave the disk."""
        return [u for u in self.requests if not u.startswith(("file:", "data:", "blob:"))]

    def weight(self) -> dict[str, int]:
        """Bytes of each file that the page asked for."""
        paths = {Path(unquote(urlsplit(u).path)) for u in self.requests if u.startswith("file:")}
        return {p.relative_to(SITE).as_posix(): p.stat().st_size for p in paths if p.is_file()}


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A Chromium: the system's, else playwright's own, which is fetched if it is not there."""
    with sync_playwright() as playwright:
        system = "/usr/bin/chromium"
        choice = {"executable_path": system} if os.path.exists(system) else {}
        try:
            chromium = playwright.chromium.launch(args=FLAGS, **choice)
        except Error:
            fetch = [sys.executable, "-m", "playwright", "install", "chromium"]
            fetched = subprocess.run(fetch, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if fetched.returncode != 0:
                give_up()
            chromium = playwright.chromium.launch(args=FLAGS)
        yield chromium
        chromium.close()


def give_up() -> None:
    """Without a browser: fail where all tests must run, else skip, and say what to do."""
    if os.environ.get("CI") == "true":
        pytest.fail(NO_BROWSER)
    pytest.skip(NO_BROWSER)


@pytest.fixture(scope="module")
def visit(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """Each page of the site in turn."""
    opened = Visit(browser, request.param)
    weights[opened.name] = opened.weight()
    yield opened
    opened.context.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator:
    """Open one page by name: `open_page("search?q=Shannon")`."""
    opened: list[Visit] = []

    def open_one(name: str, scheme: str = "light") -> Visit:
        opened.append(Visit(browser, name, scheme))
        return opened[-1]

    yield open_one
    for visit in opened:
        visit.context.close()


@lru_cache
def anchors(path: Path) -> frozenset[str]:
    """The ids of a page."""
    return frozenset(re.findall(r'\bid="([^"]+)"', path.read_text(encoding="utf-8")))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What a reader downloads, page by page."""
    if not weights:
        return
    terminalreporter.section("kilobytes per page, uncompressed (of which not shared)")
    for name, files in sorted(weights.items()):
        own = sum(size for path, size in files.items() if not path.startswith("_static"))
        terminalreporter.write_line(f"{sum(files.values()) / 1e3:8.0f} {own / 1e3:8.0f}  {name}")
