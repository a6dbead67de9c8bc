import math

import pytest
import torch

from llmcourse.languages import MarkovLanguage


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_entropy_rate_of_two_states_equals_the_closed_form():
    a, b = 0.1, 0.4  # P(leave state 0), P(leave state 1); stationary: b / (a + b), a / (a + b)
    language = MarkovLanguage([[1 - a, a], [b, 1 - b]])

    def entropy(p):
        return -p * math.log2(p) - (1 - p) * math.log2(1 - p)

    expected = (b * entropy(a) + a * entropy(b)) / (a + b)
    assert language.entropy_rate() == pytest.approx(expected)


def test_entropy_rate_of_independent_symbols_is_their_entropy():
    row = torch.tensor([0.5, 0.25, 0.125, 0.125])
    assert MarkovLanguage(row.expand(4, 4)).entropy_rate() == pytest.approx(1.75)
    assert MarkovLanguage(row.expand(4, 4, 4)).entropy_rate() == pytest.approx(1.75)


def test_a_periodic_language_has_a_stationary_distribution_and_no_surprise():
    language = MarkovLanguage([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    torch.testing.assert_close(language.stationary(), torch.full((3,), 1 / 3, dtype=torch.float64))
    assert language.entropy_rate() == 0


@pytest.mark.parametrize("order", [1, 2, 3])
def test_stationary_distribution_does_not_change_by_one_more_symbol(order):
    language = MarkovLanguage.random(4, order, seeded())
    pi = language.stationary()
    torch.testing.assert_close((pi[..., None] * language.transition).sum(0), pi)
    assert pi.sum() == pytest.approx(1)


@pytest.mark.parametrize("order", [1, 2])
def test_a_long_text_costs_its_own_language_the_entropy_rate(order):
    language = MarkovLanguage.random(6, order, seeded(1))
    bits = language.bits(language.sample(200_000, seeded(2)))
    assert bits.mean().item() == pytest.approx(language.entropy_rate(), abs=0.01)


def test_symbols_follow_contexts_as_often_as_the_table_says():
    language = MarkovLanguage.random(3, 1, seeded(3))
    text = language.sample(100_000, seeded(4))
    pairs = torch.zeros(3, 3, dtype=torch.float64)
    pairs.index_put_((text[:-1], text[1:]), torch.ones(len(text) - 1).double(), accumulate=True)
    measured = pairs / pairs.sum(1, keepdim=True)
    torch.testing.assert_close(measured, language.transition, atol=0.02, rtol=0)


def test_impossible_symbols_never_come():
    language = MarkovLanguage([[0.0, 1.0], [0.5, 0.5]])
    text = language.sample(10_000, seeded(5))
    assert not ((text[:-1] == 0) & (text[1:] == 0)).any()


def test_sampling_is_reproducible():
    language = MarkovLanguage.random(5, 2, seeded())
    assert torch.equal(language.sample(50, seeded(1)), language.sample(50, seeded(1)))


def test_bad_tables_and_lengths_say_what_is_wrong():
    with pytest.raises(ValueError, match="one axis of the size of the vocabulary"):
        MarkovLanguage(torch.ones(2, 3) / 3)
    with pytest.raises(ValueError, match="do not sum to 1"):
        MarkovLanguage([[0.5, 0.6], [0.5, 0.5]])
    with pytest.raises(ValueError, match="negative"):
        MarkovLanguage([[1.5, -0.5], [0.5, 0.5]])
    language = MarkovLanguage.random(3, 2, seeded())
    with pytest.raises(ValueError, match="length is -1"):
        language.sample(-1, seeded())
    with pytest.raises(ValueError, match="no symbol is left"):
        language.bits(torch.tensor([0, 1]))
