import math
import re

import pytest
import torch

from llmcourse.languages import MarkovLanguage, StoryGrammar


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
    for wrong in (-1, 3):
        with pytest.raises(ValueError, match=f"symbols from .*{wrong}.*those from 0 to 2"):
            language.bits(torch.tensor([0, 1, wrong, 2]))


TOSS = {"story": {"<coin> and <coin>": 3, "nothing": 1}, "coin": {"heads": 1, "tails": 1}}


def every_story(grammar, name="story"):
    """All texts of a name with their probabilities, by writing out every choice."""
    for p, pieces in grammar.rules[name]:
        told = [("", p)]
        for i, piece in enumerate(pieces):
            texts = list(every_story(grammar, piece)) if i % 2 else [(piece, 1.0)]
            told = [(before + text, q * r) for before, q in told for text, r in texts]
        yield from told


def test_entropy_of_a_grammar_equals_the_sum_over_all_its_stories():
    stories = list(every_story(StoryGrammar(TOSS)))
    assert len(stories) == 5 and sum(p for _, p in stories) == pytest.approx(1)
    by_hand = 0.75 * math.log2(4 / 3) + 0.25 * 2 + 0.75 * 2  # which rule, then two fair coins
    assert -sum(p * math.log2(p) for _, p in stories) == pytest.approx(by_hand)
    assert StoryGrammar(TOSS).entropy() == pytest.approx(by_hand)


def test_entropy_rate_is_entropy_over_the_mean_length_of_a_line():
    stories = list(every_story(StoryGrammar(TOSS)))
    length = sum(p * len(text + "\n") for text, p in stories)
    grammar = StoryGrammar(TOSS)
    assert grammar.entropy_rate() == pytest.approx(grammar.entropy() / length)


def test_bits_are_the_probability_of_a_story():
    stories = list(every_story(StoryGrammar(TOSS)))
    bits = StoryGrammar(TOSS).bits("\n".join(text for text, _ in stories))
    torch.testing.assert_close(2**-bits, torch.tensor([p for _, p in stories]).double())


def test_a_story_that_can_be_told_in_two_ways_has_both_probabilities():
    grammar = StoryGrammar({"story": {"<a>b": 1, "a<b>": 3}, "a": {"a": 1}, "b": {"b": 1, "c": 1}})
    assert 2 ** -grammar.bits("ab").item() == pytest.approx(1 / 4 + 3 / 4 / 2)


def test_what_the_grammar_never_says_is_infinitely_surprising():
    bits = StoryGrammar().bits("Once upon a time.\n" + StoryGrammar().sample(1, seeded())[:-2])
    assert bits.tolist() == [math.inf, math.inf]


def test_tiny_stories_cost_their_own_grammar_its_entropy():
    grammar = StoryGrammar()
    bits = grammar.bits(grammar.sample(500, seeded(6)))
    assert bits.mean().item() == pytest.approx(grammar.entropy(), abs=0.4)  # 3 standard errors


def test_no_tiny_story_can_be_told_in_two_ways():
    """Then entropy counts stories: with odds of 1 everywhere, bits count the ways to tell one."""
    grammar = StoryGrammar()
    text = grammar.sample(100, seeded(7))
    grammar.rules = {
        name: [(1.0, pieces) for _, pieces in texts] for name, texts in grammar.rules.items()
    }
    assert (grammar.bits(text) == 0).all()


def test_tiny_stories_use_few_words_and_rarely_repeat():
    stories = StoryGrammar().sample(2000, seeded(8)).splitlines()
    assert len(set(re.findall(r"[a-z]+", " ".join(stories).lower()))) < 150
    assert len(set(stories)) > 1950


def test_hero_and_thing_stay_the_same_through_a_tiny_story():
    for story in StoryGrammar().sample(300, seeded(9)).splitlines():
        assert len(set(re.findall("Ada|Ben|Mia|Noa|Sam|Tom", story))) == 2
        assert len(set(re.findall(r"ball|boat|doll|drum|\bhat|kite", story))) == 1


def test_the_mean_length_of_tiny_stories_is_as_computed():
    grammar = StoryGrammar()
    length = len(grammar.sample(5000, seeded(10))) / 5000
    assert length == pytest.approx(grammar.entropy() / grammar.entropy_rate(), rel=0.01)


def test_rules_are_chosen_as_often_as_their_weights_say():
    text = StoryGrammar(TOSS).sample(20_000, seeded(11))
    assert text.count("nothing") / 20_000 == pytest.approx(0.25, abs=0.015)
    assert text.count("heads") / text.count("tails") == pytest.approx(1, abs=0.05)


def test_sampling_stories_is_reproducible():
    assert StoryGrammar().sample(5, seeded(1)) == StoryGrammar().sample(5, seeded(1))
    assert StoryGrammar().sample(5, seeded(1)) != StoryGrammar().sample(5, seeded(2))
    assert StoryGrammar().sample(0, seeded()) == ""


def test_bad_grammars_say_what_is_wrong():
    with pytest.raises(ValueError, match='no rule "story"'):
        StoryGrammar({"tale": {"one": 1}})
    with pytest.raises(ValueError, match="'story' uses <cat>, which has no rule"):
        StoryGrammar({"story": {"a <cat>": 1}})
    with pytest.raises(ValueError, match="'very' leads back to itself"):
        StoryGrammar({"story": {"<very>": 1}, "very": {"very <very>": 1, "big": 1}})
    with pytest.raises(ValueError, match="positive weight"):
        StoryGrammar({"story": {"one": 0}})
    with pytest.raises(ValueError, match="n is -2"):
        StoryGrammar().sample(-2, seeded())
