"""Lenient on container and precision, strict on shape and numbers; values shown in few words."""

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import torch

from llmcourse.exercises.comparing import difference
from llmcourse.exercises.showing import show


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        (0.25, torch.tensor(0.25)),
        (0.25, np.float32(0.25)),
        (0.25, Fraction(1, 4)),
        (0.25, Decimal("0.25")),
        (4.0, 4),
        (2, np.int64(2)),
        (2, torch.tensor(2)),
        (1 / 3, 0.33333),
        (math.inf, torch.tensor(math.inf)),
        (math.nan, math.nan),
        (True, np.True_),
        (True, torch.tensor(True)),
        (torch.tensor([1.0, 2.0]), [1, 2]),
        (torch.tensor([1.0, 2.0]), (torch.tensor(1.0), 2.0)),
        (torch.tensor([1.0, 2.0]), np.array([1.0, 2.0], dtype=np.float16)),
        (torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.0], dtype=torch.bfloat16)),
        (torch.tensor([1.0]), torch.tensor([1.0], requires_grad=True)),
        ([[1.0, 2.0]], torch.tensor([[1.0, 2.0]])),
        ([], ()),
        (["a", "b"], ("a", "b")),
        ({"a": [1.0]}, {"a": torch.tensor([1.0])}),
        ([("a", 1.0)], [["a", np.float64(1)]]),
        ({1, 2}, {2, 1}),
        ("text", "text"),
        (None, None),
    ],
)
def test_equal_in_another_container_or_precision(expected, got):
    assert difference(expected, got) is None


@pytest.mark.parametrize(
    ("expected", "got", "says"),
    [
        (1.0, 1.001, "got / expected = 1.001"),
        (1.0, [1.0], "the shape is (1,), and should be ()"),
        (torch.ones(2, 3), torch.ones(3, 2), "the shape is (3, 2), and should be (2, 3)"),
        (torch.ones(2), torch.ones(1, 2), "the shape is (1, 2), and should be (2,)"),
        ([1.0, 2.0], [[1.0], [2.0, 3.0]], "got a list"),
        (1, 1.0, "the dtype is wrong: got real, expected integer"),
        (1.0, 1j, "the dtype is wrong: got complex, expected real"),
        (True, 1.0, "the dtype is wrong"),
        (True, "True", "got a string"),
        (True, False, "not equal"),
        (1, 2, "not equal"),
        (torch.tensor([1.0, 2.0, 3.0]), [1.0, 2.5, 9.0], "2 of 3 differ, the first at [1]"),
        (torch.ones(2, 2), torch.tensor([[1.0, math.nan], [1.0, 1.0]]), "got nan at [0, 1]"),
        (torch.ones(2), torch.tensor([math.inf, 1.0]), "got inf at [0] (1 of 2"),
        (math.inf, 10.0, "not equal"),
        (math.inf, -math.inf, "got inf"),
        (0.0, 1e-3, "not equal"),
        (1, math.nan, "got nan"),
        ({"a": 1}, {"b": 1}, "1 keys are missing, such as 'a'"),
        ({"a": 1}, {"a": 2}, "under the key 'a'"),
        (["a", "b"], ["a"], "the length is 1, and should be 2"),
        (["a", "b"], ["a", "c"], "at index 1, expected 'b', got 'c'"),
        ("text", b"text", "got a bytes"),
        ("text", "Text", "not equal"),
        ({1, 2}, [1, 2], "got a list"),
        (None, 0, "got an int"),
        (1.0, None, "you return None"),
        (torch.ones(2), (torch.ones(2), torch.ones(2, 2)), "return the output only, not a tuple"),
        (torch.ones(2), (torch.ones(2), torch.ones(2)), "return the output only, not a tuple"),
        (1.0, (1.0, "a"), "return the number only, not a tuple"),
        ([1.0, 2.0], [1.0, "2"], "got a list that holds a string"),
        ([1.0, 2.0], [[1.0], [2.0, 3.0]], "got a list whose items differ in shape"),
    ],
)
def test_difference_is_named(expected, got, says):
    assert says in difference(expected, got)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.5, "0.5"),
        (1 / 3, "0.333333"),
        (0.99999995, "0.99999995"),
        (4, "4"),
        (True, "True"),
        ("狗", "'狗'"),
        ([1, "a", None], "[1, 'a', None]"),
        ((1,), "(1,)"),
        ({"a": 1.0}, "{'a': 1.0}"),
        ([0.1] * 10_000, "[0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, ... 10,000 in all]"),
        (torch.tensor([0.25, 1 / 3]), "tensor [0.2500, 0.3333]"),
        (torch.tensor([1e-8, 1e9, -math.inf]), "tensor [1e-08, 1e+09, -inf]"),
        (torch.tensor([1, 2]), "tensor [1, 2]"),
        (torch.tensor([True]), "tensor [True]"),
        (torch.tensor(0.5), "tensor 0.5000"),
        (np.array([0.5]), "array [0.5000]"),
        (np.float32(0.5), "0.5"),
        (torch.zeros(0, 3), "tensor of shape (0, 3)\n[]"),
        (torch.eye(2), "tensor of shape (2, 2)\n[[1.0000, 0.0000],\n [0.0000, 1.0000]]"),
        (
            torch.zeros(2, 3, 4),
            f"tensor of shape (2, 3, 4), starting {'0.0000, ' * 6}...",
        ),
        (math.sqrt, "sqrt"),
        (show, "show"),
        (torch.nn.Linear(1, 1), "a Linear"),
        (torch.nn.Linear, "the class Linear"),
    ],
)
def test_value_is_shown_in_few_words(value, text):
    assert show(value) == text
