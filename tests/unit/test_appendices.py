"""The appendices: every question answered, every term explained, every cited work listed."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "book").glob("*.md")}
CHAPTERS = {
    path.stem: path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
}

# ---------------------------------------------------------------------------- questions


def test_all_27_questions_are_listed_and_answered():
    asked, _, answered = PAGES["faq"].partition("\n## ")
    links = re.findall(r"\]\(#([\w-]+)\)", asked)
    both = asked[asked.index("Both lists have") : asked.index("That makes twelve")]
    assert len(links) + len(re.findall(r"\]\(#", both)) == 27
    targets = re.findall(r"^\(([\w-]+)\)=\n### .+\?\n\n<!-- covers: (\d+)", answered, re.M)
    assert sorted(name for name, _ in targets) == sorted(set(links))
    assert sorted(int(key) for _, key in targets) == list(range(131, 147))


def test_every_answer_has_60_to_160_words_and_a_link():
    for answer in re.split(r"^### ", PAGES["faq"], flags=re.M)[1:]:
        question, _, text = answer.partition("\n")
        text = re.split(r"\n## |\n\([\w-]+\)=", re.sub(r"<!--.*?-->", "", text))[0]
        assert "](" in text, question
        words = len(re.sub(r"\]\([^)]*\)|\{\w+\}`[^`]*`", "", text).split())
        assert 60 <= words <= 160, f"{question}: {words} words"


# ---------------------------------------------------------------------------- glossary

TERMS = re.findall(r"^(.+?) · (.+)\n: (.+) \{chapter\}`(\d+)`$", PAGES["glossary"], re.M)


def test_the_glossary_has_its_terms_in_order_and_in_two_languages():
    names = [name.lower() for name, *_ in TERMS]
    assert len(names) >= 120
    assert names == sorted(set(names)), "sorted, none twice"
    assert PAGES["glossary"].count("\n: ") == len(TERMS), "an entry that is built otherwise"
    assert all(re.search(r"[\u4e00-\u9fff]", chinese) for _, chinese, *_ in TERMS)
    assert all(1 <= int(chapter) <= 23 for *_, chapter in TERMS)


def test_a_term_is_explained_in_a_sentence():
    assert not [name for name, _, text, _ in TERMS if not 4 <= len(text.split()) <= 40]


# ---------------------------------------------------------------------------- bibliography

WORKS = re.findall(r"^- (.+?)$", PAGES["bibliography"], re.M)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_work_with_a_number_that_a_chapter_cites_is_in_the_bibliography(chapter):
    places = r"https://(?:arxiv\.org/abs|doi\.org|aclanthology\.org)/[^)\s\"\\]+"
    cited = set(re.findall(places, CHAPTERS[chapter]))
    assert not {address for address in cited if f"]({address})" not in PAGES["bibliography"]}


def test_a_work_that_no_chapter_cites_is_one_that_only_the_articles_name():
    keys = [re.search(r"\{cited\}`([^`]+)`", work)[1] for work in WORKS]
    assert [k for k in keys if not any(k in text for text in CHAPTERS.values())] == [
        "https://www.deeplearningbook.org"
    ]


def test_a_work_is_listed_once_with_authors_title_year_and_chapters():
    for work in WORKS:
        assert re.match(r"\S.+?, [\"*].+[\"*],? .+\. \{cited\}`[^`]+`$", work), work
    titles = [re.search(r", ([\"*].+[\"*]),", work)[1] for work in WORKS]
    assert len(titles) == len(set(titles)) >= 100


def test_no_work_is_older_than_its_number():
    for work in WORKS:
        number = re.search(r"\[arXiv:(\d\d)\d\d\.", work)
        years = [int(year) for year in re.findall(r"\b(?:19|20)\d\d\b(?=\. \[arXiv)", work)]
        if number:
            assert 0 <= years[-1] - 2000 - int(number[1]) <= 2, work


def test_what_the_pages_cite_by_number_is_in_the_bibliography_too():
    for name in ("errata", "faq", "resources"):
        for number in re.findall(r"arxiv\.org/abs/(\d{4}\.\d{4,5})", PAGES[name]):
            assert number in PAGES["bibliography"], f"{name}: {number}"
