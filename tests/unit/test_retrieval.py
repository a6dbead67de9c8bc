import numpy
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rank_bm25 import BM25Okapi
from transformers import AutoModel, AutoTokenizer

from llmcourse.pretrained import _minilm
from llmcourse.reading import Span
from llmcourse.retrieval import (
    BM25,
    SentenceEncoder,
    VectorIndex,
    answer_with_sources,
    mean_reciprocal_rank,
    recall_at,
    words,
)

TEXTS = ["Who feeds the cat?", "Ann does.", "The cat is fed by Ann, every day at noon.", "Rain."]


@pytest.fixture(scope="module")
def encoder():
    return SentenceEncoder()


def test_sentence_vectors_are_those_of_the_library(encoder):
    folder = _minilm()
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
    batch = tokenizer(TEXTS, padding=True, return_tensors="pt")
    with torch.no_grad():
        hidden = model.eval()(**batch).last_hidden_state
    mask = batch["attention_mask"][..., None]
    mean = (hidden * mask).sum(1) / mask.sum(1)
    expected = torch.nn.functional.normalize(mean, dim=-1)
    assert torch.allclose(encoder(TEXTS), expected, atol=1e-5)


def test_a_vector_depends_on_its_text_alone(encoder):
    together = encoder(TEXTS)
    alone = torch.cat([encoder([text]) for text in TEXTS])
    assert torch.allclose(together, alone, atol=1e-5)
    assert torch.allclose(encoder(TEXTS, batch_size=1), alone, atol=1e-6)


def test_a_long_text_is_cut_and_an_empty_one_is_a_text(encoder):
    assert encoder(["word " * 2000, ""]).norm(dim=1).tolist() == pytest.approx([1, 1], abs=1e-5)


def test_a_string_or_nothing_to_encode_is_an_error(encoder):
    with pytest.raises(TypeError, match=r"\[text\]"):
        encoder("Ann does.")
    with pytest.raises(ValueError, match="at least one"):
        encoder([])


def test_search_finds_the_largest_inner_products():
    torch.manual_seed(0)
    vectors, queries = torch.randn(50, 8), torch.randn(7, 8)
    scores, ids = VectorIndex(vectors).search(queries, 3)
    everything = queries @ vectors.T
    for query in range(7):
        best = sorted(range(50), key=lambda i: -everything[query, i])[:3]
        assert ids[query].tolist() == best
        assert torch.equal(scores[query], everything[query, best])


def test_search_says_what_is_wrong():
    index = VectorIndex(torch.eye(3))
    with pytest.raises(ValueError, match="choose 1 to 3"):
        index.search(torch.eye(3), 4)
    with pytest.raises(ValueError, match="n_queries, 3"):
        index.search(torch.zeros(1, 4), 1)
    with pytest.raises(ValueError, match="n > 0"):
        VectorIndex(torch.zeros(0, 3))


def test_bm25_by_hand():
    # "cat" is in 1 of 2 passages of 2 words each: idf = log(1 + 1.5 / 1.5) = log 2, tf part 1
    ranker = BM25(["the cat", "the dog"])
    assert ranker.scores("cat").tolist() == pytest.approx([numpy.log(2), 0])
    assert ranker.idf("the") == pytest.approx(numpy.log(1 + 0.5 / 2.5))


passages = st.lists(
    st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=9).map(" ".join),
    min_size=1,
    max_size=6,
)


@given(passages, st.lists(st.sampled_from("abcdefgh"), max_size=4))
def test_bm25_is_the_librarys_but_for_its_idf(passages, query):
    # rank_bm25 takes log((n - df + .5) / (df + .5)) and patches negative ones; the rest is equal
    ours, theirs = BM25(passages), BM25Okapi([p.split() for p in passages])
    theirs.idf = {word: ours.idf(word) for word in ours.n_with}
    assert ours.scores(" ".join(query)) == pytest.approx(theirs.get_scores(query))


def test_words_lose_case_and_punctuation():
    assert words("The cat's 2 tins, ÉTÉ.") == ["the", "cat", "s", "2", "tins", "été"]


def test_recall_and_reciprocal_rank_by_hand():
    assert recall_at([1, 2, 5, 11], 1) == 0.25
    assert recall_at([1, 2, 5, 11], 5) == 0.75
    assert mean_reciprocal_rank([1, 2, 4]) == pytest.approx((1 + 1 / 2 + 1 / 4) / 3)
    for wrong in ([], [0, 1]):
        with pytest.raises(ValueError, match="count from 1"):
            recall_at(wrong, 1)


# ------------------------------------------------------------------------ answers with sources

BOOK = {"cat": "Ann feeds the cat.", "dog": "Ben feeds the dog.", "rain": "It rains in May."}


class FirstWord:
    """Points at the first word; the longer the text, the surer."""

    def __call__(self, questions, texts):
        assert len(questions) == len(texts)
        return [Span(t.split()[0], 0, len(t.split()[0]), float(len(t))) for t in texts]


def ask(encoder, question, **options):
    index = VectorIndex(encoder(list(BOOK.values())))
    options = {"threshold": 0.0} | options
    return answer_with_sources(question, BOOK, index, encoder, FirstWord(), **options)


def test_an_answer_names_the_passage_in_which_it_stands(encoder):
    for question, source in [("Who feeds the cat?", "cat"), ("Who feeds the dog?", "dog")]:
        answer = ask(encoder, question)
        assert answer.source == source
        assert BOOK[answer.source][answer.start : answer.end] == answer.text


def test_below_the_threshold_there_is_no_answer_and_no_source(encoder):
    answer = ask(encoder, "Who feeds the cat?", threshold=1000.0)
    assert answer.text is None and answer.source is None
    assert answer.score == len(BOOK["cat"])


def test_the_cosine_counts_with_its_weight(encoder):
    plain, weighed = (ask(encoder, "Does it rain?", k=3, weight=w) for w in (0.0, 1000.0))
    assert plain.source in ("cat", "dog") and weighed.source == "rain"


def test_an_empty_question_or_another_index_is_an_error(encoder):
    with pytest.raises(ValueError, match="empty"):
        ask(encoder, " ")
    with pytest.raises(ValueError, match="2 vectors for 3 passages"):
        index = VectorIndex(encoder(["a", "b"]))
        answer_with_sources("Who?", BOOK, index, encoder, FirstWord(), 0.0)
