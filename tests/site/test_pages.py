"""What holds for every page of the site."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.site.conftest import SITE, Visit, anchors, pages

BUDGET = 3_300_000  # bytes that a page and all it loads may have, uncompressed; MathJax is 1.2 MB

# Faults of the theme that this book cannot mend without replacing its templates: axe's rule, the
# elements, why.  A fault on any other element fails.
THEME_FAULTS = {
    "region": (
        ".sidebar-primary-item",
        "the logo above the sidebar's navigation is in no landmark",
    ),
}


def test_the_site_is_built() -> None:
    assert pages(), f"no pages in {SITE}: run `make book` first"


def test_no_error_or_warning_in_the_console(visit: Visit) -> None:
    assert not visit.messages


def test_no_request_leaves_the_disk(visit: Visit) -> None:
    assert not visit.foreign()
    assert not visit.failed, "files that the page asks for and that are not there"


def test_page_is_within_its_budget(visit: Visit) -> None:
    files = visit.weight()
    largest = sorted(files.items(), key=lambda item: -item[1])[:5]
    assert sum(files.values()) <= BUDGET, f"the largest: {largest}"


@pytest.mark.parametrize("width", [390, 768, 1280, 1920])
def test_page_does_not_scroll_sideways(visit: Visit, width: int) -> None:
    visit.page.set_viewport_size({"width": width, "height": 900})
    wide = visit.page.evaluate(
        """() => {
          const limit = document.documentElement.clientWidth;
          if (document.documentElement.scrollWidth <= limit) return [];
          const scrolls = e => e && e !== document.body
            && (getComputedStyle(e).overflowX !== 'visible' || scrolls(e.parentElement));
          return [...document.querySelectorAll('main *')]
            .filter(e => e.getBoundingClientRect().right > limit + 1 && !scrolls(e.parentElement))
            .map(e => e.outerHTML.slice(0, 200)).reverse();
        }"""
    )
    visit.page.set_viewport_size({"width": 1280, "height": 900})
    assert not wide, "wider than the screen"


def test_every_image_loads_and_has_alt_text(visit: Visit) -> None:
    bad = visit.page.evaluate(
        """() => [...document.images]
          .filter(i => !i.hasAttribute('alt') || (i.closest('article') && !i.alt.trim())
                       || (i.complete && i.naturalWidth === 0))
          .map(i => i.outerHTML.slice(0, 200))"""
    )
    assert not bad


def test_formulas_are_set(visit: Visit) -> None:
    unset, errors, raw = visit.page.evaluate(
        r"""() => {
          const text = e => e.textContent.slice(0, 120);
          const article = document.querySelector('article') || document.body;
          const unset = [...document.querySelectorAll('.math')]
            .filter(e => !e.querySelector('mjx-container')).map(text);
          const errors = [...document.querySelectorAll('mjx-merror, [data-mjx-error]')].map(text);
          const walk = document.createTreeWalker(article, NodeFilter.SHOW_TEXT);
          const raw = [];
          while (walk.nextNode()) {
            const inside = walk.currentNode.parentElement;
            if (inside.closest('pre, code, script, style, mjx-container, .highlight')) continue;
            if (/\$\$|\\\(|\\\[|\$[^\s$][^$]*\$/.test(walk.currentNode.data))
              raw.push(walk.currentNode.data.slice(0, 120));
          }
          return [unset, errors, raw];
        }"""
    )
    assert not unset, "MathJax left these formulas alone"
    assert not errors, "MathJax could not read these formulas"
    assert not raw, "formulas that show as text"


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_page_is_accessible(visit: Visit, scheme: str, width: int) -> None:
    visit.page.emulate_media(color_scheme=scheme)
    visit.page.set_viewport_size({"width": width, "height": 900})
    theme = "document.documentElement.dataset.theme"
    visit.page.wait_for_function(f"{theme} === '{scheme}'")
    visit.page.wait_for_timeout(300)  # the theme fades between its colours
    found = Axe().run(visit.page).response["violations"]
    visit.page.emulate_media(color_scheme="light")
    visit.page.set_viewport_size({"width": 1280, "height": 900})
    faults = [
        f"{rule['id']} ({rule['help']}): {node['target']} {node['html'][:150]}"
        for rule in found
        for node in rule["nodes"]
        if not is_theme_fault(rule["id"], str(node["target"]))
    ]
    assert not faults, "\n".join(faults)


def is_theme_fault(rule: str, target: str) -> bool:
    element, _ = THEME_FAULTS.get(rule, (None, ""))
    return element is not None and element in target


def test_links_within_the_site_lead_somewhere(visit: Visit) -> None:
    links = visit.page.evaluate("() => [...document.querySelectorAll('a[href]')].map(a => a.href)")
    dead = []
    for link in {link for link in links if link.startswith("file:")}:
        parts = urlsplit(link)
        path = Path(unquote(parts.path))
        anchor = unquote(parts.fragment)
        if not path.is_file():
            dead.append(f"{link}: no such file")
        elif anchor and path.suffix == ".html" and anchor not in anchors(path):
            dead.append(f"{link}: no such anchor")
    assert not dead
