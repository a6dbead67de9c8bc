"""What a reader does on the site: searches, switches to dark, unfolds a solution, opens Colab."""

import re

import pytest

from tests.notebooks import prose
from tests.notebooks.execution import ROOT, chapters, read, repository_address
from tests.site.conftest import SITE, anchors

CHAPTERS = [f"notebooks/{path.stem}" for path in chapters()]


def test_front_door_leads_to_the_landing_page(open_page) -> None:
    front_door = (SITE / "index.html").read_text(encoding="utf-8")
    assert "url=book/index.html" in front_door
    assert open_page("book/index").page.locator("article h1").count() == 1


@pytest.mark.parametrize("words", ["perplexity", "Shannon", "困惑度"])
def test_search_finds_a_term_a_name_and_chinese(open_page, words: str) -> None:
    visit = open_page(f"search?q={words}")
    visit.page.wait_for_selector("#search-results ul.search li a")
    found = visit.page.locator("#search-results ul.search li a")
    addresses = [found.nth(i).get_attribute("href") for i in range(found.count())]
    assert any("01_language_models" in address for address in addresses), addresses
    assert not visit.messages
    assert not visit.foreign()


def test_search_box_leads_to_results(open_page) -> None:
    visit = open_page("book/index")
    visit.page.keyboard.press("Control+k")
    visit.page.keyboard.type("attention")
    visit.page.keyboard.press("Enter")
    visit.page.wait_for_selector("#search-results ul.search li")


def test_dark_and_light_can_be_switched_and_stay(open_page) -> None:
    visit = open_page(CHAPTERS[0])
    theme = "document.documentElement.dataset.theme"
    background = "getComputedStyle(document.body).backgroundColor"
    seen = set()
    for _ in range(3):  # auto, light, dark in turn
        visit.page.locator("button.theme-switch-button:visible").first.click()
        visit.page.wait_for_timeout(300)
        seen.add((visit.page.evaluate(theme), visit.page.evaluate(background)))
    assert {name for name, _ in seen} == {"light", "dark"}
    assert len({colour for _, colour in seen}) == 2


def test_page_follows_the_system_into_the_dark(open_page) -> None:
    visit = open_page(CHAPTERS[0], scheme="dark")
    assert visit.page.evaluate("document.documentElement.dataset.theme") == "dark"


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_solutions_are_folded_and_open_with_the_keyboard(open_page, chapter: str) -> None:
    page = open_page(chapter).page
    folds = page.locator("details.solution")
    assert folds.count() >= 6
    assert page.locator("details.solution[open]").count() == 0
    summary = folds.first.locator("summary")
    summary.focus()
    assert summary.evaluate("e => getComputedStyle(e).outlineStyle") != "none"
    page.keyboard.press("Enter")
    assert folds.first.evaluate("e => e.open")
    assert folds.first.locator("pre").is_visible()


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_chapter_opens_in_colab_and_binder(open_page, chapter: str) -> None:
    page = open_page(chapter).page
    place = repository_address(ROOT).removeprefix("https://github.com/")
    links = page.evaluate("() => [...document.querySelectorAll('a[href]')].map(a => a.href)")
    colab = "https://colab.research.google.com"
    assert f"{colab}/github/{place}/blob/main/{chapter}.ipynb" in links
    assert f"https://mybinder.org/v2/gh/{place}/main?urlpath=lab/tree/{chapter}.ipynb" in links


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_setup_for_colab_is_not_shown(open_page, chapter: str) -> None:
    assert "google.colab" not in open_page(chapter).page.locator("article").inner_text()


def test_landing_page_links_to_every_chapter(open_page) -> None:
    links = open_page("book/index").page.evaluate(
        "() => [...document.querySelectorAll('article a[href]')].map(a => a.href)"
    )
    for chapter in CHAPTERS:
        assert any(link.endswith(f"{chapter}.html") for link in links), f"{chapter} is not linked"


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_exhibits_have_their_anchors_and_repairs(open_page, chapter: str) -> None:
    notebook = read(ROOT / f"{chapter}.ipynb")
    page = open_page(chapter).page
    for kind, box in (("Exhibit", "exhibit"), ("Repair", "repair")):
        written = set(prose.boxes(notebook, kind))
        shown = page.locator(f"blockquote.{box} .box-label").all_inner_texts()
        assert written == set(re.findall(r"E\d{2,3}", " ".join(shown)))
    ids = anchors(SITE / f"{chapter}.html")
    assert set(prose.boxes(notebook, "Exhibit")) <= ids, "exhibits without an anchor"
