"""The recogniser, its noise and its errors; the sentences and recordings of chapter 21."""

import math
import random

import jiwer
import numpy
import pytest

from llmcourse.speech import (
    RATE,
    Edits,
    Recogniser,
    add_noise,
    edits,
    rate_interval,
    word_error_rate,
    word_errors,
)
from llmcourse.spoken import (
    HOMOPHONES,
    OPEN_HOMOPHONES,
    SENTENCES,
    from_mu_law,
    heard,
    recordings,
    spoken_runs,
    to_mu_law,
    written,
)


@pytest.fixture(scope="module")
def recogniser():
    return Recogniser()


def random_words(draw, longest=9):
    return [draw.choice("abcde") for _ in range(draw.randrange(longest))]


# ---------------------------------------------------------------------------- errors


def test_edits_count_by_hand():
    said = "we had bread and cheese for lunch".split()
    assert edits(said, "we have bread cheese for a lunch today".split()) == Edits(1, 1, 2)
    assert edits([], ["a"]) == Edits(0, 0, 1) and edits(["a"], []) == Edits(0, 1, 0)


def test_edits_are_as_few_as_jiwer_finds_and_add_up():
    draw = random.Random(0)
    for _ in range(300):
        said, wrote = random_words(draw) or ["a"], random_words(draw)
        ours, theirs = edits(said, wrote), jiwer.process_words(" ".join(said), " ".join(wrote))
        assert ours.total == theirs.substitutions + theirs.deletions + theirs.insertions
        assert len(said) - ours.deletions + ours.insertions == len(wrote)


def test_distance_is_a_metric():
    draw = random.Random(1)
    for _ in range(100):
        a, b, c = (random_words(draw) for _ in range(3))
        assert edits(a, b).total == edits(b, a).total
        assert edits(a, c).total <= edits(a, b).total + edits(b, c).total
        assert (edits(a, b).total == 0) == (a == b)


def test_rate_is_pooled_as_in_jiwer():
    said, wrote = ["so be it", "no", "wreck a nice beach"], ["so it", "no no no", ""]
    assert math.isclose(word_error_rate(said, wrote), jiwer.wer(said, wrote))
    assert math.isclose(word_error_rate(said, wrote), 7 / 8)


def test_a_string_is_refused_where_words_are_wanted():
    with pytest.raises(TypeError, match="split"):
        edits("so be it", ["so"])
    with pytest.raises(ValueError, match="one hypothesis for each"):
        word_error_rate(["a"], [])


def test_interval_of_a_rate_holds_it_and_shrinks_with_more_utterances():
    draw = numpy.random.default_rng(0)
    words = draw.integers(4, 12, size=400)
    errors = draw.binomial(words, 0.2)
    (low, high), (few_low, few_high) = (
        rate_interval(errors[:n], words[:n]) for n in (len(words), 40)
    )
    assert low < errors.sum() / words.sum() < high and few_high - few_low > 2 * (high - low)
    assert rate_interval([1, 1, 1], [4, 4, 4]) == (0.25, 0.25)
    with pytest.raises(ValueError, match="one each"):
        rate_interval([1], [2, 3])


# ----------------------------------------------------------------------------- noise


@pytest.mark.parametrize("decibels", [-5, 0, 13, 40])
def test_noise_has_the_power_that_was_asked_for(decibels):
    speech = 0.05 * numpy.sin(numpy.arange(60_000) / 7)
    noise = add_noise(speech, decibels, seed=3) - speech
    ratio = (speech**2).mean() / (noise**2).mean()
    assert abs(10 * math.log10(ratio) - decibels) < 0.1 and abs(noise.mean()) < 0.01


def test_noise_follows_its_seed_and_stays_in_range():
    speech = 0.9 * numpy.sin(numpy.arange(2000) / 7)
    same, other = add_noise(speech, 10, seed=1), add_noise(speech, 10, seed=2)
    assert (same == add_noise(speech, 10, seed=1)).all() and (same != other).any()
    assert abs(same).max() <= 1
    with pytest.raises(ValueError, match="silent"):
        add_noise(numpy.zeros(100), 10)


def test_mu_law_keeps_each_sample_to_a_few_per_cent():
    samples = numpy.concatenate([numpy.linspace(-1, 1, 2001), [1e-3, -2e-3]])
    back = from_mu_law(to_mu_law(samples))
    assert (abs(back - samples) <= 0.023 * abs(samples) + 1e-4).all()
    assert (to_mu_law(back) == to_mu_law(samples)).all()


# ------------------------------------------------------------------------ recogniser


def test_clean_sentences_are_recognised_in_any_order(recogniser):
    sounds = recordings()[:4]
    there = [recogniser.hear(sound.samples) for sound in sounds]
    back = [recogniser.hear(sound.samples) for sound in sounds[::-1]][::-1]
    assert there == back
    assert word_error_rate([sound.text for sound in sounds], there) < 0.15


def test_with_less_weight_on_the_expectation_it_believes_its_ear(recogniser):
    beach = recordings()[21]
    assert beach.text.endswith("wreck a nice beach")
    assert not recogniser.hear(beach.samples).endswith("wreck a nice beach")
    assert Recogniser(weight=4).hear(beach.samples).endswith("wreck a nice beach")


def test_list_is_sorted_without_repeats_and_expectations_are_trigrams(recogniser):
    sound = recordings()[0]
    answers = recogniser.hear_list(add_noise(sound.samples, 25, 0), n=15)
    scores = [answer.score for answer in answers]
    assert scores == sorted(scores, reverse=True) and len(set(a.words for a in answers)) == 15
    assert all(answer.expected == recogniser.expected(answer.words) for answer in answers)
    assert recogniser.expected("the dog") < recogniser.expected("the") < 0


def test_the_ear_prefers_what_was_said(recogniser):
    speech, beach = recordings()[20:22]
    for sound, other in ((speech, beach), (beach, speech)):
        own = recogniser.ear(sound.samples, sound.text)
        assert own > recogniser.ear(sound.samples, other.text) + 10


def test_words_that_sound_alike_share_their_phones(recogniser):
    for _, one, other in HOMOPHONES + OPEN_HOMOPHONES:
        assert recogniser.sounds(one) == recogniser.sounds(other), (one, other)
    assert recogniser.sounds("pear") != recogniser.sounds("bear")


def test_unusable_input_is_refused_in_words(recogniser):
    with pytest.raises(ValueError, match="a tenth of a second"):
        recogniser.hear(numpy.zeros(10))
    with pytest.raises(ValueError, match="32,768"):
        recogniser.hear(numpy.full(RATE, 2000.0))
    with pytest.raises(ValueError, match="not in the dictionary"):
        recogniser.ear(recordings()[0].samples, "the qwxz")
    with pytest.raises(ValueError, match="at least one word"):
        recogniser.expected(" ")


# ------------------------------------------------------------------------------ data


def test_sentences_are_distinct_and_of_known_words(recogniser):
    dev, test = SENTENCES["dev"], SENTENCES["test"]
    assert (len(dev), len(test)) == (40, 80) and len(set(dev + test)) == 120
    assert all(5 <= len(text.split()) <= 12 for text in dev + test)
    recogniser.sounds(" ".join(dev + test))


def test_each_word_of_a_settled_pair_is_right_once():
    rights = [right for _, right, _ in HOMOPHONES]
    pairs = [frozenset(pair) for _, *pair in HOMOPHONES]
    assert len(HOMOPHONES) == 40 and len(set(rights)) == 40
    assert all(pairs.count(pair) == 2 for pair in pairs)
    texts = {sentence for sentence, *_ in HOMOPHONES + OPEN_HOMOPHONES}
    assert len(texts) == 54 and all(text.count("{}") == 1 for text in texts)


def test_recordings_are_those_of_the_card():
    sounds = recordings()
    assert [sound.text for sound in sounds[:20]] == list(SENTENCES["test"][:20])
    assert len(sounds) == 24 and sounds[22].text == sounds[23].text
    assert all(1 < len(sound.samples) / RATE < 5 for sound in sounds)
    assert all(0.05 < abs(sound.samples).max() <= 1 for sound in sounds)


def test_lists_hold_every_sentence_once_and_no_test_item_in_dev():
    for kind, dev, test in (("today", 40, 80), ("1611", 16, 32)):
        rows = heard(kind)
        parts = {part: [row.text for row in rows if row.part == part] for part in ("dev", "test")}
        assert (len(parts["dev"]), len(parts["test"])) == (dev, test)
        assert not set(parts["dev"]) & set(parts["test"])
        assert len({row.text for row in rows}) == len(rows)
        assert sum(row.voice == "rms" for row in rows) == len(rows) / 2
        assert all(1 <= len(row.guesses) <= 20 for row in rows)
    assert {row.text for row in heard("today")} == set(SENTENCES["dev"] + SENTENCES["test"])
    with pytest.raises(ValueError, match="'today' or '1611'"):
        heard("now")


def test_old_lines_stand_in_the_held_out_text_and_not_in_the_training_text():
    import re

    from llmcourse.corpora import load_corpus

    def plain(text):
        return " ".join(re.sub(r"[^a-z']", " ", text.lower()).split())

    train, passages = load_corpus("king-james").split()
    train, held_out = plain(train), plain(" ".join(passages))
    texts = {row.text for row in heard("1611")}
    assert all(text in held_out for text in texts)
    assert sum(text in train for text in texts) <= 4, "only stock phrases may occur in both"


def test_errors_at_each_noise_are_within_a_sentence():
    rows = spoken_runs()["noise"]
    assert len(rows) == 7 * 20
    assert all(0 <= row["errors"] <= 2 * len(row["text"].split()) for row in rows)
    assert all(row["text"] in SENTENCES["test"] for row in rows)


def test_stored_first_answers_come_out_again(recogniser):
    rows = [row for row in heard("today") if row.part == "test"][:8:2]
    for i, (row, sound) in enumerate(zip(rows, recordings()[:8:2])):
        now = recogniser.hear(add_noise(sound.samples, 28, 40 + 2 * i))
        assert sound.text == row.text
        assert abs(word_errors(row.text, now) - word_errors(row.text, row.first)) <= 2


def test_words_are_written_with_capital_stop_and_i():
    assert written("i know that i'm late") == "I know that I'm late."
    assert written("it is") == "It is."
