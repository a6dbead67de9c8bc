import pytest

from llmcourse.articles import articles, first_sentence, machine_summaries
from llmcourse.retrieval import words


def test_articles_are_whole_and_their_parts_apart():
    test, dev = articles("test"), articles("dev")
    assert (len(test), len(dev)) == (24, 8)
    for article in test + dev:
        assert len(article.sentences) == 5
        told = (*article.sentences, article.summary, article.contrary)
        assert all(sentence[-1] == "." and sentence == sentence.strip() for sentence in told)
        assert article.summary != article.contrary
        assert article.text.startswith(article.sentences[0] + " " + article.sentences[1])
    assert len({article.text for article in test + dev}) == 32
    with pytest.raises(ValueError, match="choose 'dev'"):
        articles("train")


def test_the_contrary_uses_the_words_of_the_summary():
    for article in articles("test") + articles("dev"):
        true, false = words(article.summary), words(article.contrary)
        assert len(set(true) & set(false)) > len(set(true)) / 2, article.contrary


def test_each_test_article_has_a_marked_summary_by_the_machine():
    marked = machine_summaries()
    assert len(marked) == 24
    assert all(isinstance(summary.faithful, bool) for summary in marked)
    assert 5 <= sum(summary.faithful for summary in marked) <= 19
    assert all(first_sentence(summary.text) == summary.text for summary in marked)


def test_a_sentence_ends_at_its_end():
    assert first_sentence(" It cost 2.4 million. And more. ") == "It cost 2.4 million."
    assert first_sentence("no end") == "no end"
