import itertools
import math
from collections import Counter
from fractions import Fraction

import numpy
import pytest
import torch

from llmcourse.ngram import NGramModel

TEXT = "dog bites man . dog sees man . man sees dog .".split()
BOOK = "the cat sat on the mat. the dog sat on the log. a cat and a dog met on the mat. " * 3


@pytest.mark.parametrize("smoothing", ["kneser-ney", "add-k"])
@pytest.mark.parametrize("order", [1, 2, 3, 5])
@pytest.mark.parametrize("tokens", [BOOK, BOOK.encode(), tuple(BOOK.split())], ids=type)
def test_probabilities_sum_to_one_after_any_context(tokens, order, smoothing):
    model = NGramModel(tokens, order, smoothing)
    never_seen = tokens[7:9] + tokens[1:3]
    for context in [tokens[:0], tokens[:1], tokens[3:9], never_seen]:
        assert model.distribution(context).sum() == pytest.approx(1)


def test_add_k_bigram_equals_the_count_by_hand():
    model = NGramModel(TEXT, 2, smoothing="add-k", k=1)
    assert model.probability("bites", ["man"]) == pytest.approx((0 + 1) / (3 + 5))
    assert model.probability("man", ["bites"]) == pytest.approx((1 + 1) / (1 + 5))


def test_without_smoothing_it_is_the_relative_frequency():
    model = NGramModel(TEXT, 2, smoothing="add-k", k=0)
    assert model.probability("sees", ["dog"]) == pytest.approx(1 / 3)
    assert model.probability("bites", ["man"]) == 0
    assert model.bits(("man", "bites"))[1] == math.inf


def kneser_ney_by_the_book(text, order, discount, token, context, top=True):
    """Chen and Goodman 1999, written as the recursion stands there, with fractions."""
    grams = [tuple(text[i : i + order]) for i in range(len(text) - order + 1)]
    if top:
        counts = Counter(grams)
    else:
        longer = {tuple(text[i : i + order + 1]) for i in range(len(text) - order)}
        counts = Counter(gram[1:] for gram in longer)
    shorter = (
        Fraction(1, len(set(text)))
        if order == 1
        else kneser_ney_by_the_book(text, order - 1, discount, token, context[1:], top=False)
    )
    following = {gram[-1]: count for gram, count in counts.items() if gram[:-1] == context}
    total = sum(following.values())
    if not total:
        return shorter
    kept = max(following.get(token, 0) - discount, 0)
    return Fraction(kept) / total + discount * Fraction(len(following), total) * shorter


@pytest.mark.parametrize("order", [1, 2, 3])
def test_kneser_ney_equals_an_independent_recursion_in_fractions(order):
    discount = Fraction(3, 4)
    model = NGramModel(TEXT, order, discount=0.75)
    for *context, token in itertools.product(sorted(set(TEXT)), repeat=order):
        expected = kneser_ney_by_the_book(TEXT, order, discount, token, tuple(context))
        assert model.probability(token, context) == pytest.approx(float(expected))


def test_kneser_ney_prefers_the_word_with_many_neighbours():
    often_but_after_one = ["san", "francisco"] * 20
    after_many = [word for i in range(20) for word in (f"w{i}", "toward")]
    model = NGramModel(often_but_after_one + after_many + ["new"], 2)
    assert model.probability("toward", ["new"]) > 5 * model.probability("francisco", ["new"])


def test_bits_are_minus_log_of_the_probabilities():
    model = NGramModel(BOOK, 3)
    line = "the mat sat."
    by_hand = [-math.log2(model.probability(c, line[:i])) for i, c in enumerate(line)]
    numpy.testing.assert_allclose(model.bits(line), by_hand)


def test_a_byte_that_never_occurred_costs_a_finite_number_of_bits():
    assert numpy.isfinite(NGramModel(BOOK.encode(), 4).bits("狗".encode())).all()


def test_sampling_is_reproducible_and_of_the_kind_of_the_text():
    for tokens in (BOOK, BOOK.encode(), BOOK.split()):
        model = NGramModel(tokens, 3)
        one, two = (model.sample(30, torch.Generator().manual_seed(5)) for _ in range(2))
        assert one == two and len(one) == 30
        assert isinstance(one, tuple if isinstance(tokens, list) else type(tokens))


def test_samples_come_as_often_as_the_model_says():
    model = NGramModel(TEXT, 1)
    sample = Counter(model.sample(20_000, torch.Generator().manual_seed(0)))
    expected = 20_000 * model.distribution()
    observed = numpy.array([sample[word] for word in model.vocabulary])
    chi_square = ((observed - expected) ** 2 / expected).sum()
    assert chi_square < 18.5  # 99.9% quantile for 4 degrees of freedom


def test_a_token_outside_the_vocabulary_says_what_to_do():
    with pytest.raises(ValueError, match=r"'zebra' is not among the 5 tokens.*vocabulary="):
        NGramModel(TEXT, 2).bits(["dog", "zebra"])


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"order": 0}, "shortest n-gram has 1"),
        ({"order": 2, "smoothing": "laplace"}, 'choose "kneser-ney" or "add-k"'),
        ({"order": 2, "smoothing": "add-k", "k": -1}, "choose k >= 0"),
        ({"order": 2, "discount": 1.5}, "choose 0 to 1"),
        ({"order": 99}, "too few for an order of 99"),
    ],
)
def test_bad_arguments_say_what_to_do(arguments, message):
    with pytest.raises(ValueError, match=message):
        NGramModel(TEXT, **arguments)


def test_a_training_text_outside_the_given_vocabulary_is_refused():
    with pytest.raises(ValueError, match=r"'c' is not among the 2 tokens"):
        NGramModel("abcabc", 1, vocabulary="ab")


def test_a_text_of_another_kind_is_refused_for_it_would_match_nothing():
    of_characters, of_words = NGramModel(BOOK, 3), NGramModel(BOOK.split(), 3)
    assert of_words.bits(["the", "cat"]).sum() > 0
    generator = torch.Generator()
    for wrong in (
        lambda: of_characters.probability("a", ["t", "h"]),
        lambda: of_characters.distribution(("t", "h")),
        lambda: of_words.bits("the cat"),
        lambda: of_words.sample(2, generator, prompt="the cat"),
    ):
        with pytest.raises(TypeError, match="but the model has read a (str|tuple): give one"):
            wrong()
    with pytest.raises(ValueError, match="token is 'at': give one; bits measures a whole text"):
        of_characters.probability("at", "c")


def test_sampling_on_after_what_was_never_seen_says_that_nothing_was_counted():
    model = NGramModel("abcab", 2, smoothing="add-k", k=0)
    assert model.sample(4, torch.Generator(), prompt="a") == "bcab"
    with pytest.raises(ValueError, match="nothing was ever seen after ''.*choose k > 0"):
        model.sample(4, torch.Generator())
