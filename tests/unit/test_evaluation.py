import importlib.util
import math
from pathlib import Path

import numpy
import pytest
import torch

from llmcourse.evaluation import (
    accuracy,
    bits_per_byte,
    calibration,
    interval,
    load_ladder,
    measure_rung,
    perplexity,
    proportion_interval,
    token_bits,
)
from llmcourse.gpt import GPT, GPTConfig

REPOSITORY = Path(__file__).parents[2]


def test_perplexity_of_halves_quarters_and_eighths_is_four():
    assert perplexity([1, 2, 3]) == pytest.approx(4)


def test_perplexity_of_a_uniform_model_is_the_size_of_its_vocabulary():
    assert perplexity([math.log2(50257)] * 7) == pytest.approx(50257)
    assert perplexity([0.0, 0.0]) == 1


def test_surprises_may_be_a_tensor():
    bits = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    assert perplexity(bits) == pytest.approx(4)
    assert bits_per_byte(bits, "abc") == pytest.approx(2)


def test_perplexity_with_an_impossible_token_is_infinite():
    assert perplexity([1.0, math.inf]) == math.inf


def test_bits_per_byte_counts_bytes_not_characters():
    assert bits_per_byte([6.0, 12.0], "狗咬") == pytest.approx(18 / 6)


def test_nothing_to_measure_is_an_error():
    with pytest.raises(ValueError, match="bits is empty"):
        perplexity([])
    with pytest.raises(ValueError, match="text is empty"):
        bits_per_byte([], "")
    with pytest.raises(ValueError, match="at least two passages"):
        measure_rung("one", "01", [10.0], [5])


def small_gpt() -> GPT:
    torch.manual_seed(0)
    config = GPTConfig(vocab_size=11, context_length=6, n_layer=2, n_head=2, d_model=16)
    model = GPT(config)
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.4)  # far from uniform
    return model


@pytest.mark.parametrize("stride", [1, 2, 3, 4, 6, None])
@pytest.mark.parametrize("n_tokens", [1, 2, 6, 7, 8, 13, 25])
def test_each_token_is_judged_once_with_the_context_that_the_stride_leaves(n_tokens, stride):
    model = small_gpt()
    tokens = torch.randint(11, (n_tokens,), generator=torch.Generator().manual_seed(1)).tolist()
    step = stride or 3
    expected = [math.log2(11)]
    for t in range(1, n_tokens):
        # the first window that reaches far enough to judge token t
        start = max(0, math.ceil((t - 6) / step)) * step
        logits = model(torch.tensor([tokens[start:t]])).logits[0, -1]
        expected.append(-logits.log_softmax(-1)[tokens[t]].item() / math.log(2))
    assert token_bits(model, tokens, stride) == pytest.approx(expected, abs=1e-4)
    assert model.training


def test_token_bits_of_a_model_that_knows_nothing_are_those_of_a_die():
    model = small_gpt()
    torch.nn.init.zeros_(model.token_embedding.weight)  # tied, so all logits are 0
    assert token_bits(model, torch.arange(10)) == pytest.approx([math.log2(11)] * 10)


def test_token_bits_say_what_is_wrong():
    with pytest.raises(ValueError, match="stride is 7: choose 1 to the model's context_length, 6"):
        token_bits(small_gpt(), [1, 2], stride=7)
    with pytest.raises(ValueError, match="at least one id"):
        token_bits(small_gpt(), [])


def test_interval_encloses_the_mean_and_covers_as_often_as_it_says():
    random, covered = numpy.random.default_rng(0), 0
    for trial in range(200):
        bits = random.normal(200, 30, size=25)
        rung = measure_rung("normal", "01", bits, [100] * 25, seed=trial)
        assert rung.low <= rung.bits_per_byte <= rung.high
        covered += rung.low <= 2.0 <= rung.high
    assert 0.87 <= covered / 200 <= 0.99  # 95% in theory; a bootstrap of 25 covers slightly less


def ladder_script():
    path = REPOSITORY / "benchmarks" / "ladder.py"
    spec = importlib.util.spec_from_file_location("ladder", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_ladder_file_holds_one_rung_for_each_model_of_the_script():
    assert {rung.name for rung in load_ladder()} == {name for name, *_ in ladder_script().MODELS}


@pytest.mark.parametrize("name", ["uniform bytes", "unigram", "bigram", "Kneser-Ney, 5 bytes"])
def test_cheap_rungs_are_what_measuring_gives(name):
    measured = ladder_script().measure(name)
    recorded = next(rung for rung in load_ladder() if rung.name == name)
    for field in ("bits_per_byte", "low", "high"):
        assert getattr(measured, field) == pytest.approx(getattr(recorded, field), abs=1e-6)


def test_accuracy_is_the_share_of_equal_labels():
    assert accuracy([1, 0, 2, 2], [1, 1, 2, 0]) == 0.5
    assert accuracy(["good", "bad"], ["good", "bad"]) == 1
    assert accuracy(numpy.zeros(4), numpy.array([0, 0, 0, 1])) == 0.75


def test_calibration_equals_a_table_by_hand():
    # two bins: 0.2 and 0.4, of which one is right; 0.9, 0.8 and 1.0, of which two are
    measured = calibration([0.2, 0.9, 0.4, 0.8, 1.0], [False, True, True, False, True], n_bins=2)
    assert measured.confidence == pytest.approx([0.3, 0.9])
    assert measured.accuracy == pytest.approx([1 / 2, 2 / 3])
    assert list(measured.count) == [2, 3]
    assert measured.error == pytest.approx(2 / 5 * 0.2 + 3 / 5 * (0.9 - 2 / 3))


def test_a_model_that_is_right_as_often_as_it_says_is_calibrated():
    random = numpy.random.default_rng(0)
    confidence = random.uniform(size=100_000)
    assert calibration(confidence, random.uniform(size=100_000) < confidence).error < 0.01
    assert calibration(confidence, numpy.ones(100_000)).error == pytest.approx(0.5, abs=0.01)


def test_confidences_on_the_edge_of_a_bin_belong_to_the_lower_one():
    assert list(calibration([0.0, 0.5, 0.51, 1.0], [0, 1, 1, 1], n_bins=2).count) == [2, 2]


def test_predictions_without_labels_are_an_error():
    with pytest.raises(ValueError, match="2 predictions for 3 labels"):
        accuracy([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="at least one label"):
        accuracy([], [])
    with pytest.raises(ValueError, match="1 confidences for 2 answers"):
        calibration([0.5], [True, False])
    with pytest.raises(ValueError, match="probabilities, not logits"):
        calibration([0.5, 3.2], [True, False])
    with pytest.raises(ValueError, match="probabilities, not logits"):
        calibration([0.5, math.nan], [True, False])
    with pytest.raises(ValueError, match="n_bins is 0"):
        calibration([0.5], [True], n_bins=0)


def test_an_interval_of_a_mean_is_that_of_the_normal_distribution_when_items_are_many():
    values = numpy.random.default_rng(3).normal(5, 2, 4000)
    half = 1.96 * values.std() / math.sqrt(len(values))
    expected = values.mean() - half, values.mean() + half
    assert interval(values) == pytest.approx(expected, abs=0.006)


def test_an_interval_covers_the_truth_about_95_times_of_100():
    rng = numpy.random.default_rng(0)
    intervals = [interval(rng.exponential(1, 60)) for _ in range(300)]
    assert 0.90 <= numpy.mean([low < 1 < high for low, high in intervals]) <= 0.98


def test_items_that_agree_leave_no_doubt_and_one_item_is_no_sample():
    assert interval([2.0, 2.0, 2.0]) == (2.0, 2.0)
    with pytest.raises(ValueError, match="at least two"):
        interval([1.0])


def test_proportion_interval_is_the_published_one():
    # Brown, Cai and DasGupta, 2001: Wilson's interval solves |p - x/n| = z sqrt(p (1 - p) / n)
    for successes, n in ((8, 10), (1, 30), (15, 30), (299, 300)):
        for p in proportion_interval(successes, n):
            distance = abs(p - successes / n)
            assert distance == pytest.approx(1.959964 * math.sqrt(p * (1 - p) / n), rel=1e-6)


def test_none_right_or_all_right_is_not_taken_for_certain():
    low, high = proportion_interval(0, 10)
    assert low == 0 and high == pytest.approx(0.2775, abs=1e-4)
    assert proportion_interval(10, 10) == pytest.approx((1 - high, 1))
    for wrong in ((-1, 5), (6, 5), (0, 0)):
        with pytest.raises(ValueError, match="successes of"):
            proportion_interval(*wrong)
