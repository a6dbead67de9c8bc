"""Small facts that the page of errata states: what a line of Python can show, it shows here."""

import ast
import inspect
import math
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import torch
from matplotlib import mathtext
from torch import nn

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "book" / "errata.md").read_text(encoding="utf-8")


def entry(key: str) -> str:
    """The text of one entry of the page, on one line."""
    (text,) = re.findall(rf"^```\{{erratum\}} {key}\n(.+?)^```$", PAGE, re.M | re.S)
    return " ".join(text.split())


def test_e01_a_waveform_is_no_list_of_ids():
    with pytest.raises(RuntimeError, match="scalar types: Long, Int"):
        nn.Embedding(10, 4)(torch.rand(16))


def test_e11_e90_the_library_has_no_gpt3():
    from transformers import CONFIG_MAPPING

    assert "gpt2" in CONFIG_MAPPING
    assert not [name for name in CONFIG_MAPPING if re.fullmatch(r"(openai-)?gpt-?3", name)]


def test_e19_one_section_number_comes_twice():
    numbers = [int(n) for n in re.findall(r"\d", entry("E19").split(".")[0])]
    assert numbers == [1, 2, 3, 4, 4, 5, 6, 7, 8]


def test_e20_there_is_no_argument_num_layers():
    with pytest.raises(TypeError, match="unexpected keyword argument 'num_layers'"):
        nn.Transformer(d_model=8, nhead=2, num_layers=1)


def test_e22_three_dots_are_an_object():
    assert type(...).__name__ == "ellipsis"


def test_e30_a_variable_called_input_hides_the_function():
    with pytest.raises(TypeError, match="not callable"):
        exec("input = ...\ninput()", {})


def test_e32_twenty_tokens_for_each_parameter_of_gpt3():
    assert 20 * 175e9 == pytest.approx(3.5e12)


def test_e35_an_exponential_overflows_at_89_and_softmax_does_not():
    scores = torch.tensor([89.0, 90.0])
    assert torch.isinf(scores.exp()).all()
    assert torch.softmax(scores, dim=0).sum().item() == pytest.approx(1)


def test_e36_a_model_that_knows_nothing_has_the_size_of_its_vocabulary_as_perplexity():
    surprise = -math.log(1 / 50_257)
    assert math.exp(surprise) == pytest.approx(50_257)


@pytest.mark.parametrize("line", ["!pip install transformers", "import .transformers"])
def test_e38_e60_python_does_not_read_an_exclamation_mark_or_a_leading_dot(line):
    with pytest.raises(SyntaxError):
        ast.parse(line)


def test_e40_a_bracket_becomes_part_of_the_host():
    host = urlsplit("https://huggingface.co%EF%BC%89").netloc
    assert host in entry("E40")
    assert not re.fullmatch(r"[a-z0-9.-]+", host)


def test_e52_the_fourth_place_is_the_number_of_decoder_layers():
    bound = inspect.signature(nn.Transformer).bind(32, 4, 2, 0.1)
    assert bound.arguments["num_decoder_layers"] == 0.1
    silent = nn.Transformer(32, 4, 2, 0)
    assert len(silent.decoder.layers) == 0


def test_e65_the_pieces_of_one_chinese_word():
    from llmcourse.tokenizers import gpt2_tokenizer

    assert [len(gpt2_tokenizer().encode(letter)) for letter in "人工智能"] == [1, 2, 3, 2]


def test_e71_ten_features_do_not_divide_among_three_heads():
    with pytest.raises(AssertionError, match="divisible by num_heads"):
        nn.MultiheadAttention(10, 3)


def test_e75_a_strict_reader_refuses_an_empty_denominator():
    parser = mathtext.MathTextParser("path")
    parser.parse(r"$\theta - \alpha \nabla_\theta J(\theta)$")
    with pytest.raises(ValueError, match="Expected"):
        parser.parse(r"$\frac{\nabla \theta J(\theta)}{}$")


def test_e81_softmax_of_one_number_is_one():
    scores = torch.randn(4, 4)
    alone = torch.softmax(scores[..., None], dim=-1)[..., 0]
    assert torch.equal(scores * alone, scores)


def test_e87_three_of_four_positions_are_the_same_in_16_bits():
    places = torch.arange(1, 5, dtype=torch.float64)
    angles = places / 10_000 ** (2 * places / 2)
    rows = torch.stack([angles.sin(), angles.cos()], dim=1).half()
    assert len(rows.unique(dim=0)) == 2


def test_e107_names_that_begin_with_tf_cannot_be_imported():
    with pytest.raises(ImportError, match="TFGPT2LMHeadModel"):
        exec("from transformers import TFGPT2LMHeadModel", {})


@pytest.mark.parametrize(
    ("number", "year", "month"),
    [("1706.03762", 2017, 6), ("1810.04805", 2018, 10), ("2005.14165", 2020, 5)],
)
def test_e109_a_number_begins_with_year_and_month(number, year, month):
    assert (2000 + int(number[:2]), int(number[2:4])) == (year, month)


def test_e116_the_page_shows_such_marks_as_code_only():
    for path in (ROOT / "book").glob("*.md"):
        text = re.sub(r"^```.*$", "", path.read_text(encoding="utf-8"), flags=re.M)
        prose = re.sub(r"`[^`]*`", "", text)
        assert "<|" not in prose, path.name


def test_every_entry_says_something():
    for key in re.findall(r"^```\{erratum\} (\S+)$", PAGE, re.M):
        assert 10 <= len(entry(key).split()) <= 90, key
