import importlib.util
import math
from pathlib import Path

import numpy
import pytest

from llmcourse.evaluation import bits_per_byte, load_ladder, measure_rung, perplexity

REPOSITORY = Path(__file__).parents[2]


def test_perplexity_of_halves_quarters_and_eighths_is_four():
    assert perplexity([1, 2, 3]) == pytest.approx(4)


def test_perplexity_of_a_uniform_model_is_the_size_of_its_vocabulary():
    assert perplexity([math.log2(50257)] * 7) == pytest.approx(50257)
    assert perplexity([0.0, 0.0]) == 1


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
