import math

import numpy
import pytest
import torch
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding, apply_rotary_pos_emb

from llmcourse.positions import (
    LearnedPositions,
    RotaryPositions,
    alibi_bias,
    sinusoidal_positions,
)


def random_queries(seed=0, time=9, head_dim=16):
    return torch.randn(2, 3, time, head_dim, generator=torch.Generator().manual_seed(seed))


# ---------------------------------------------------------------------------- sinusoids


@pytest.mark.parametrize(("time", "d_model"), [(1, 2), (10, 6), (200, 64)])
def test_sinusoids_follow_the_formula(time, d_model):
    expected = numpy.zeros((time, d_model))
    for t in range(time):
        for i in range(d_model // 2):
            angle = t / 10000 ** (2 * i / d_model)
            expected[t, 2 * i], expected[t, 2 * i + 1] = math.sin(angle), math.cos(angle)
    table = sinusoidal_positions(time, d_model)
    torch.testing.assert_close(table, torch.tensor(expected).float(), atol=2e-5, rtol=0)


def test_a_sinusoid_turns_by_the_same_matrix_at_every_position():
    """Section 3.5 of the paper: for a fixed offset, PE(t + offset) is linear in PE(t)."""
    table = sinusoidal_positions(100, 8).double()
    turn = torch.linalg.lstsq(table[:50], table[7:57]).solution
    torch.testing.assert_close(table[40:90] @ turn, table[47:97], atol=1e-4, rtol=0)


def test_an_odd_width_has_no_sinusoids():
    with pytest.raises(ValueError, match="d_model is 5.*make it even"):
        sinusoidal_positions(3, 5)


# ---------------------------------------------------------------------------- learned


def test_learned_positions_are_rows_of_a_table():
    positions = LearnedPositions(10, 4)
    at = torch.tensor([[3, 0], [9, 9]])
    assert torch.equal(positions(at), positions.weight[at])


# ---------------------------------------------------------------------------- rotary


@pytest.mark.parametrize("theta", [10000.0, 100000.0])
@pytest.mark.parametrize("start", [0, 1000])
def test_the_half_split_layout_equals_hugging_face(theta, start):
    x = random_queries().requires_grad_()
    positions = torch.arange(start, start + 9)
    rope = {"rope_type": "default", "rope_theta": theta}
    config = LlamaConfig(hidden_size=48, num_attention_heads=3, rope_parameters=rope)
    cos, sin = LlamaRotaryEmbedding(config)(x, positions[None])
    expected, _ = apply_rotary_pos_emb(x, x, cos, sin)
    output = RotaryPositions(16, theta)(x, positions)
    torch.testing.assert_close(output, expected, atol=1e-6, rtol=1e-6)
    weight = torch.linspace(-1, 1, x.numel()).view_as(x)
    (ours,) = torch.autograd.grad((output * weight).sum(), x)
    (theirs,) = torch.autograd.grad((expected * weight).sum(), x)
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-6)


def test_the_interleaved_layout_multiplies_complex_numbers():
    """Equation 13 of the paper: the pair (2i, 2i + 1), as a complex number, times e^(i t theta)."""
    x = random_queries()
    pairs = torch.view_as_complex(x.double().unflatten(-1, (8, 2)).contiguous())
    frequencies = 10000.0 ** (-torch.arange(0, 16, 2, dtype=torch.float64) / 16)
    turn = torch.polar(torch.ones(9, 8).double(), torch.outer(torch.arange(9), frequencies))
    expected = torch.view_as_real(pairs * turn).flatten(-2).float()
    output = RotaryPositions(16, interleaved=True)(x)
    torch.testing.assert_close(output, expected, atol=1e-6, rtol=1e-6)


def test_a_permutation_maps_one_layout_to_the_other():
    x = random_queries()
    order = torch.arange(16).view(8, 2).T.flatten()  # 0, 2, 4, ..., 1, 3, 5, ...
    half_split, interleaved = RotaryPositions(16), RotaryPositions(16, interleaved=True)
    torch.testing.assert_close(half_split(x[..., order]), interleaved(x)[..., order])


@pytest.mark.parametrize("interleaved", [False, True])
def test_rotary_scores_depend_on_the_distance_only(interleaved):
    rotary = RotaryPositions(16, interleaved=interleaved)
    query, key = random_queries(1), random_queries(2)
    positions = torch.arange(9)
    near = rotary(query, positions) @ rotary(key, positions).transpose(-2, -1)
    far = rotary(query, positions + 500) @ rotary(key, positions + 500).transpose(-2, -1)
    torch.testing.assert_close(near, far, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(rotary(query).norm(dim=-1), query.norm(dim=-1))


@pytest.mark.parametrize("interleaved", [False, True])
def test_every_sequence_may_have_its_own_positions(interleaved):
    rotary, x = RotaryPositions(16, interleaved=interleaved), random_queries()
    positions = torch.stack((torch.arange(9), torch.arange(9) + 5))
    output = rotary(x, positions)
    for row in range(2):
        torch.testing.assert_close(output[row : row + 1], rotary(x[row : row + 1], positions[row]))
    assert not torch.allclose(output[1], rotary(x)[1])


def test_rotary_keeps_bfloat16_and_computes_angles_in_float32():
    x = random_queries()
    late = torch.arange(8000, 8009)
    output = RotaryPositions(16).bfloat16()(x.bfloat16(), late)
    assert output.dtype == torch.bfloat16
    torch.testing.assert_close(output.float(), RotaryPositions(16)(x, late), atol=0.05, rtol=0.02)


def test_an_odd_head_has_no_rotary_positions():
    with pytest.raises(ValueError, match="head_dim is 5.*d_model / n_head is even"):
        RotaryPositions(5)


# ---------------------------------------------------------------------------- ALiBi


@pytest.mark.parametrize(
    ("n_head", "slopes"),
    [
        (1, [2**-8]),
        (8, [1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32, 1 / 64, 1 / 128, 1 / 256]),
        (16, [2 ** (-0.5 * i) for i in range(1, 17)]),
        # Not a power of two: those of 4 heads, then the first and third of 8.
        (6, [1 / 4, 1 / 16, 1 / 64, 1 / 256, 1 / 2, 1 / 8]),
    ],
)
def test_alibi_slopes_are_those_of_the_paper(n_head, slopes):
    bias = alibi_bias(n_head, 2)
    torch.testing.assert_close(-bias[:, 1, 0], torch.tensor(slopes))
    assert (bias[:, 1, 1] == 0).all()


def test_alibi_falls_linearly_with_distance():
    expected = -torch.tensor([[0, 1, 2, 3], [1, 0, 1, 2], [2, 1, 0, 1], [3, 2, 1, 0]]) / 16
    torch.testing.assert_close(alibi_bias(2, 4)[0], expected)


def test_alibi_of_the_last_queries_is_the_end_of_the_full_one():
    torch.testing.assert_close(alibi_bias(3, 2, 6), alibi_bias(3, 6)[:, 4:])


@pytest.mark.parametrize(
    "make", [lambda d: sinusoidal_positions(4, 6, d), lambda d: alibi_bias(3, 4, 5, d)]
)
def test_tables_are_made_on_the_device_that_asks(make):
    assert make("meta").device.type == "meta"
