"""The checks of chapter 6 tell wrong answers from right ones."""

import cmath
import itertools
import math
import random

import numpy as np
import pytest
import torch

from llmcourse.exercises import chapter_06
from llmcourse.exercises.exercise import find
from llmcourse.exercises.judging import judge
from llmcourse.positions import RotaryPositions, alibi_bias, sinusoidal_positions
from tests.exercises.answers import (
    assert_accepted,
    assert_enough_answers,
    assert_rejected,
    decorators,
    parametrised,
)

WRONG, RIGHT = [], []
wrong, right = decorators(WRONG, RIGHT)
INF = math.inf

# ------------------------------------------------------------------ 06.1 a slow hand on paper

wrong("06.1", "first pair", "taking the first pair")([1, 6])
wrong("06.1", "first pair, not rounded", "taking the first pair")([1, 2 * math.pi])
wrong("06.1", "i numbers dimensions", "i numbers the pairs")([1e-4, 62832])
wrong("06.1", "i / d", "It is 2i / d_model")([0.1, 63])
wrong("06.1", "exponent of the cosine's own", "share one angle")([0.001, 6283])
wrong("06.1", "no 2 pi", "counting up to an angle of 1")([0.01, 100])
wrong("06.1", "half a turn", "counting half a turn")([0.01, 314])
wrong("06.1", "360 degrees by radians", "mixing degrees")([0.01, 36000])
wrong("06.1", "degrees", "in degrees")([math.degrees(0.01), 628])
wrong("06.1", "fraction turned over", "turning the fraction over")([100, 628])
wrong("06.1", "swapped", "the angle comes first")([628, 0.01])
wrong("06.1", "angle only", "2 numbers are wanted, and you give 1")(0.01)
wrong("06.1", "rounded away", "two numbers, in this order")([0, 628])
wrong("06.1", "words", "a string")("0.01 and 628")
wrong("06.1", "None", "None is no answer")(None)
right("06.1", "rounded")([0.01, 628])
right("06.1", "not rounded")((10000 ** (-2 / 4), 200 * math.pi))
right("06.1", "tensor")(torch.tensor([0.01, 628.0]))
right("06.1", "with names")({"angle": 1 / 100, "positions": round(2 * math.pi / 0.01)})

# ------------------------------------------------------------------ 06.2 sinusoids


def table(exponents=None, positions=None, base=10000.0, halves=False, swap=False, scale=1.0):
    """Sinusoids in which something may be wrong; `exponents(i, d)` of the pairs i."""

    def sinusoids(n_positions, d_model):
        i = torch.arange(d_model // 2)
        powers = base ** (exponents(i, d_model) if exponents else 2 * i / d_model)
        position = torch.arange(n_positions) if positions is None else positions(n_positions)
        angles = scale * position[:, None] / powers
        parts = [angles.sin(), angles.cos()]
        if swap:
            parts.reverse()
        return torch.cat(parts, 1) if halves else torch.stack(parts, 2).flatten(1)

    return sinusoids


wrong("06.2", "i doubled", "doubling i")(table(lambda i, d: 4 * i / d))
wrong("06.2", "i / d", "using the exponent i / d_model")(table(lambda i, d: i / d))
wrong("06.2", "i / (d / 2 - 1), as tensor2tensor has it", "the second pair turns by 1 / 10000")(
    table(lambda i, d: i / max(d / 2 - 1, 1))
)
wrong("06.2", "minus in the exponent", "0.01 per position")(table(lambda i, d: -2 * i / d))
wrong("06.2", "exponents of d / 2", "doubling i")(table(lambda i, d: 2 * i / (d / 2)))
wrong("06.2", "pairs from 1", "counting pairs from 1")(table(lambda i, d: 2 * (i + 1) / d))
wrong("06.2", "halves", "putting all sines first")(table(halves=True))
wrong("06.2", "cosine first", "putting the cosine before the sine")(table(swap=True))
wrong("06.2", "cosines, then sines", "the sine comes first")(table(swap=True, halves=True))
wrong("06.2", "positions from 1", "counting positions from 1")(
    table(positions=lambda n: torch.arange(1, n + 1))
)
wrong("06.2", "positions backwards", "1 radian per position")(
    table(positions=lambda n: torch.arange(n).flip(0))
)
wrong("06.2", "positions between 0 and 1", "pair i turns by")(
    table(positions=lambda n: torch.linspace(0, 1, n))
)
wrong("06.2", "base 1000", "using the base 1000")(table(base=1000.0))
wrong("06.2", "base e", "0.01 per position")(table(base=math.e))
wrong("06.2", "times 2 pi", "putting in a factor of 2 pi")(table(scale=2 * math.pi))


@wrong("06.2", "i numbers dimensions", "letting i number the dimensions")
def _(n_positions, d_model):
    i = torch.arange(d_model)
    angles = torch.arange(n_positions)[:, None] / 10000 ** (2 * i / d_model)
    return torch.where(i % 2 == 0, angles.sin(), angles.cos())


@wrong("06.2", "an exponent for each dimension", "giving the cosine an exponent of its own")
def _(n_positions, d_model):
    i = torch.arange(d_model)
    angles = torch.arange(n_positions)[:, None] / 10000 ** (i / d_model)
    return torch.where(i % 2 == 0, angles.sin(), angles.cos())


@wrong("06.2", "position in the exponent", "where i belongs")
def _(n_positions, d_model):
    out = torch.zeros(n_positions, d_model)
    for pos in range(n_positions):
        out[pos, 0::2] = math.sin(pos / 10000 ** (2 * pos / d_model))
        out[pos, 1::2] = math.cos(pos / 10000 ** (2 * pos / d_model))
    return out


@wrong("06.2", "dimensions from 1", "sine comes first")
def _(n_positions, d_model):
    out = torch.zeros(n_positions, d_model)
    for pos in range(n_positions):
        for j in range(1, d_model + 1):
            angle = pos / 10000 ** (2 * (j // 2) / d_model)
            out[pos, j - 1] = math.cos(angle) if j % 2 else math.sin(angle)
    return out


@wrong("06.2", "on its side", "laying the table on its side")
def _(n_positions, d_model):
    return sinusoidal_positions(n_positions, d_model).T


@wrong("06.2", "on its side, where it fits", "both are 8 here")
def _(n_positions, d_model):
    out = sinusoidal_positions(n_positions, d_model)
    return out.T if n_positions == d_model > 2 else out


@wrong("06.2", "sines only", "the cosine 1")
def _(n_positions, d_model):
    i = torch.arange(d_model) // 2
    return (torch.arange(n_positions)[:, None] / 10000 ** (2 * i / d_model)).sin()


@wrong("06.2", "angles without sine", "the cosine 1")
def _(n_positions, d_model):
    i = torch.arange(d_model) // 2
    return torch.arange(n_positions)[:, None] / 10000 ** (2 * i / d_model)


@wrong("06.2", "cut off at 512 positions", "a slow pair comes round")
def _(n_positions, d_model):
    return table(positions=lambda n: torch.arange(n).clamp(max=511))(n_positions, d_model)


@wrong("06.2", "a batch in front", "the shape is (1, 1, 2)")
def _(n_positions, d_model):
    return sinusoidal_positions(n_positions, d_model)[None]


@wrong("06.2", "whole numbers", "1 radian per position")
def _(n_positions, d_model):
    return sinusoidal_positions(n_positions, d_model).long()


@wrong("06.2", "powers of whole numbers", "Integers to negative integer powers")
def _(n_positions, d_model):
    i = np.arange(d_model // 2)
    angles = np.arange(n_positions)[:, None] * 10000 ** (-2 * i // d_model)
    return np.stack([np.sin(angles), np.cos(angles)], 2).reshape(n_positions, d_model)


@wrong("06.2", "filled, not returned", "you return None")
def _(n_positions, d_model):
    out = torch.zeros(n_positions, d_model)
    out[:, 1::2] = 1


right("06.2", "stacked")(table())
right("06.2", "the package's")(sinusoidal_positions)


@right("06.2", "slices, by exponential and logarithm")
def _(n_positions, d_model):
    out = torch.zeros(n_positions, d_model)
    speed = torch.exp(torch.arange(0, d_model, 2) * (-math.log(10000.0) / d_model))
    out[:, 0::2] = torch.sin(torch.arange(n_positions)[:, None] * speed)
    out[:, 1::2] = torch.cos(torch.arange(n_positions)[:, None] * speed)
    return out


@right("06.2", "two loops")
def _(n_positions, d_model):
    out = []
    for position in range(n_positions):
        out.append([])
        for i in range(d_model // 2):
            angle = position / 10000 ** (2 * i / d_model)
            out[-1] += [math.sin(angle), math.cos(angle)]
    return out


@right("06.2", "complex numbers in numpy")
def _(n_positions, d_model):
    speed = 10000 ** (-np.arange(0, d_model, 2) / d_model)
    z = np.exp(1j * np.outer(np.arange(n_positions), speed))
    return np.stack([z.imag, z.real], -1).reshape(n_positions, d_model)


@right("06.2", "cosine as a sine ahead")
def _(n_positions, d_model):
    j = torch.arange(d_model)
    angles = torch.arange(n_positions)[:, None] / 10000 ** ((j - j % 2) / d_model)
    return (angles + math.pi / 2 * (j % 2)).sin()


# ------------------------------------------------------------------ 06.3 shift by turning


def turning(sign=1, speed=lambda d: 10000.0 ** (-torch.arange(0, d, 2) / d), halves=False):
    def shifted(encoding, k):
        angles = sign * k * speed(encoding.shape[1])
        if halves:
            s, c = encoding.chunk(2, dim=1)
        else:
            s, c = encoding[:, 0::2], encoding[:, 1::2]
        new = (s * angles.cos() + c * angles.sin(), c * angles.cos() - s * angles.sin())
        return torch.cat(new, 1) if halves else torch.stack(new, 2).flatten(1)

    return shifted


wrong("06.3", "backwards", "turning the other way")(turning(sign=-1))
wrong("06.3", "one angle for all", "turning all pairs by the same angle")(
    turning(speed=lambda d: torch.ones(d // 2))
)
wrong("06.3", "halves", "pairing column i with")(turning(halves=True))
wrong("06.3", "i doubled", "doubling i")(
    turning(speed=lambda d: 10000.0 ** (-2 * torch.arange(0, d, 2) / d))
)
wrong("06.3", "i / d", "using the exponent i / d_model")(
    turning(speed=lambda d: 10000.0 ** (-torch.arange(d // 2) / d))
)
wrong("06.3", "no minus in the exponent", "each pair turns by an angle of its own")(
    turning(speed=lambda d: 10000.0 ** (torch.arange(0, d, 2) / d))
)
wrong("06.3", "rolled up", "rolling the rows")(lambda encoding, k: encoding.roll(-k, 0))
wrong("06.3", "rolled down", "rolling the rows")(lambda encoding, k: encoding.roll(k, 0))


@wrong("06.3", "positions 0, 1, 2", "taking the rows for positions 0, 1, 2")
def _(encoding, k):
    n, d = encoding.shape
    angles = torch.arange(k, n + k)[:, None] * 10000.0 ** (-torch.arange(0, d, 2) / d)
    return torch.stack([angles.sin(), angles.cos()], 2).flatten(1)


@wrong("06.3", "code of k added", "adding the code of k")
def _(encoding, k):
    angles = k * 10000.0 ** (-torch.arange(0, encoding.shape[1], 2) / encoding.shape[1])
    return encoding + torch.stack([angles.sin(), angles.cos()], 1).flatten()


@wrong("06.3", "new sines used for the new cosines", "need the old ones")
def _(encoding, k):
    out = encoding.clone()
    angles = k * 10000.0 ** (-torch.arange(0, encoding.shape[1], 2) / encoding.shape[1])
    out[:, 0::2] = out[:, 0::2] * angles.cos() + out[:, 1::2] * angles.sin()
    out[:, 1::2] = out[:, 1::2] * angles.cos() - out[:, 0::2] * angles.sin()
    return out


@wrong("06.3", "turned in place", "changes its input `encoding` in place")
def _(encoding, k):
    encoding[:] = turning()(encoding, k)
    return encoding


@wrong("06.3", "plus for minus", "Mind the signs")
def _(encoding, k):
    angles = k * 10000.0 ** (-torch.arange(0, encoding.shape[1], 2) / encoding.shape[1])
    s, c = encoding[:, 0::2], encoding[:, 1::2]
    new = s * angles.cos() + c * angles.sin(), c * angles.cos() + s * angles.sin()
    return torch.stack(new, 2).flatten(1)


@wrong(
    "06.3", "position read off the fastest pair, which has forgotten the turns", "angle of its own"
)
def _(encoding, k):
    n, d = encoding.shape
    position = torch.atan2(encoding[:, 0], encoding[:, 1]) + k
    angles = position[:, None] * 10000.0 ** (-torch.arange(0, d, 2) / d)
    return torch.stack([angles.sin(), angles.cos()], 2).flatten(1)


@wrong("06.3", "size of k only", "a negative k goes back")
def _(encoding, k):
    return turning()(encoding, abs(k))


@wrong("06.3", "first row only", "each is turned by itself")
def _(encoding, k):
    return turning()(encoding[:1], k).expand_as(encoding)


@wrong("06.3", "an angle for each row, where it fits", "an angle goes with a pair")
def _(encoding, k):
    n, d = encoding.shape
    if n != d // 2:
        return turning()(encoding, k)
    angles = (k * 10000.0 ** (-torch.arange(0, d, 2) / d))[:, None]
    s, c = encoding[:, 0::2], encoding[:, 1::2]
    new = s * angles.cos() + c * angles.sin(), c * angles.cos() - s * angles.sin()
    return torch.stack(new, 2).flatten(1)


@wrong("06.3", "one pair only", "each pair turns")
def _(encoding, k):
    out = encoding.clone()
    out[:, :2] = turning()(encoding[:, :2], k)
    return out


@wrong("06.3", "each pair by the next one's angle", "one step on")
def _(encoding, k):
    return turning(speed=lambda d: 10000.0 ** (-torch.arange(2, d + 2, 2) / d))(encoding, k)


@wrong("06.3", "columns halved in the result", "columns 0 and 1, 2 and 3")
def _(encoding, k):
    out = turning()(encoding, k)
    return torch.cat([out[:, 0::2], out[:, 1::2]], 1)


right("06.3", "sums of angles")(turning())


@right("06.3", "the angle read off each pair")
def _(encoding, k):
    d = encoding.shape[1]
    angles = torch.atan2(encoding[:, 0::2], encoding[:, 1::2])
    angles = angles + k * 10000.0 ** (-torch.arange(0, d, 2) / d)
    return torch.stack([angles.sin(), angles.cos()], 2).flatten(1)


@right("06.3", "one matrix of blocks")
def _(encoding, k):
    blocks = []
    for i in range(encoding.shape[1] // 2):
        w = k * 10000 ** (-2 * i / encoding.shape[1])
        blocks.append(torch.tensor([[math.cos(w), -math.sin(w)], [math.sin(w), math.cos(w)]]))
    return encoding @ torch.block_diag(*blocks)


@right("06.3", "number by number, as complex numbers")
def _(encoding, k):
    out = []
    for row in encoding.tolist():
        out.append([])
        for i in range(len(row) // 2):
            z = complex(row[2 * i + 1], row[2 * i]) * cmath.exp(
                1j * k / 10000 ** (2 * i / len(row))
            )
            out[-1] += [z.imag, z.real]
    return out


@right("06.3", "numpy, in a copy")
def _(encoding, k):
    old, d = encoding.numpy(), encoding.shape[1]
    turn = k / np.power(10000, np.arange(0, d, 2) / d)
    new = old.copy()
    new[:, 0::2] = old[:, 0::2] * np.cos(turn) + old[:, 1::2] * np.sin(turn)
    new[:, 1::2] = old[:, 1::2] * np.cos(turn) - old[:, 0::2] * np.sin(turn)
    return new


@right("06.3", "the row of a table that is nearest")
def _(encoding, k):
    table = sinusoidal_positions(400, encoding.shape[1])
    if encoding.shape[1] == 2:  # one pair says nothing of the turns, and needs to say nothing
        table = table[:100]
    position = torch.cdist(encoding, table).argmin(1)
    later = [math.floor(p) + k for p in position.tolist()]
    return chapter_06.codes_at(later, encoding.shape[1])


# ------------------------------------------------------------------ 06.4 rotary


def rotary(
    speed=lambda d: 10000.0 ** (-torch.arange(0, d, 2) / d),
    sign=1,
    at=lambda x, positions: positions,
    cut=lambda x: x.chunk(2, dim=-1),
    join=lambda a, b: torch.cat([a, b], dim=-1),
    reach=lambda angles: angles,
):
    def rotate(x, positions):
        angles = reach(sign * at(x, positions)[:, None] * speed(x.shape[-1]))
        cos, sin = angles.cos(), angles.sin()
        a, b = cut(x)
        return join(a * cos - b * sin, a * sin + b * cos)

    return rotate


def even_and_odd(x):
    return x[..., 0::2], x[..., 1::2]


def in_turns(a, b):
    return torch.stack([a, b], dim=-1).flatten(-2)


wrong("06.4", "positions ignored", "never looking at `positions`")(
    rotary(at=lambda x, positions: torch.arange(x.shape[-2]))
)
wrong("06.4", "only the first position looked at", "nor be in order")(
    rotary(at=lambda x, positions: positions[0] + torch.arange(x.shape[-2]))
)
wrong("06.4", "interleaved", "using the interleaved layout")(
    rotary(cut=even_and_odd, join=in_turns)
)
wrong("06.4", "cut interleaved, joined in halves", "Cut as you join")(rotary(cut=even_and_odd))
wrong("06.4", "cut in halves, joined interleaved", "Join as you cut")(rotary(join=in_turns))
wrong("06.4", "the other way", "turning the other way")(rotary(sign=-1))
wrong("06.4", "i / head_dim", "using the exponent i / head_dim")(
    rotary(speed=lambda d: 10000.0 ** (-torch.arange(d // 2) / d))
)
wrong("06.4", "i doubled", "doubling i")(
    rotary(speed=lambda d: 10000.0 ** (-2 * torch.arange(0, d, 2) / d))
)
wrong("06.4", "one angle for all", "by the same angle")(rotary(speed=lambda d: torch.ones(d // 2)))
wrong("06.4", "no minus in the exponent", "turns by 1 / 10000")(
    rotary(speed=lambda d: 10000.0 ** (torch.arange(0, d, 2) / d))
)
wrong("06.4", "base 1000", "turns by 1 / 10000")(
    rotary(speed=lambda d: 1000.0 ** (-torch.arange(0, d, 2) / d))
)
wrong("06.4", "halves joined the wrong way", "(1, 0) becomes")(
    rotary(join=lambda a, b: torch.cat([b, a], dim=-1))
)
wrong("06.4", "head_dim of the other axis", "0.01 per position")(
    lambda x, positions: rotary(speed=lambda d: 10000.0 ** (-torch.arange(0, d, 2) / x.shape[2]))(
        x, positions
    )
)


@wrong("06.4", "no minus", "leaving out the minus")
def _(x, positions):
    angles = positions[:, None] * 10000.0 ** (-torch.arange(0, x.shape[-1], 2) / x.shape[-1])
    cos, sin = torch.cat([angles, angles], -1).cos(), torch.cat([angles, angles], -1).sin()
    return x * cos + x.roll(x.shape[-1] // 2, -1) * sin


@wrong("06.4", "rotate_half of neighbours", "half-split: feature 0")
def _(x, positions):
    angles = positions[:, None] * 10000.0 ** (-torch.arange(0, x.shape[-1], 2) / x.shape[-1])
    angles = torch.cat([angles, angles], -1)
    a, b = even_and_odd(x)
    return x * angles.cos() + in_turns(-b, a) * angles.sin()


@wrong("06.4", "angles on the axis of the heads, where it fits", "all 4 here")
def _(x, positions):
    batch, n_head, time, width = x.shape
    if n_head == time > 1:
        return rotary(reach=lambda angles: angles[:, None])(x, positions)
    return rotary()(x, positions)


@wrong("06.4", "angles on the axis of the batch, where it fits", "all 4 here")
def _(x, positions):
    if x.shape[0] == x.shape[2] > 1:
        return rotary(reach=lambda angles: angles[:, None, None])(x, positions)
    return rotary()(x, positions)


@wrong("06.4", "first text for all", "every text and every head")
def _(x, positions):
    return rotary()(x[:1], positions).expand_as(x)


@wrong("06.4", "one head only", "every text and every head")
def _(x, positions):
    out = x.clone()
    out[:, 0] = rotary()(x[:, 0], positions)
    return out


@wrong("06.4", "sinusoids added", "Rotary positions turn")
def _(x, positions):
    return x + chapter_06.codes_at(positions.tolist(), x.shape[-1])


@wrong("06.4", "a table of as many rows as tokens", "IndexError")
def _(x, positions):
    table = torch.arange(x.shape[-2])[:, None] * 10000.0 ** (
        -torch.arange(0, x.shape[-1], 2) / x.shape[-1]
    )
    return rotary(at=lambda x, p: p)(x, table[positions][:, 0].round().long())


@wrong("06.4", "a table of 2048 rows", "IndexError")
def _(x, positions):
    table = torch.arange(2048)
    return rotary(at=lambda x, positions: table[positions])(x, positions)


@wrong("06.4", "positions below 0 counted from the end", "below 0 too")
def _(x, positions):
    table = torch.arange(4096)
    return rotary(at=lambda x, positions: table[positions])(x, positions)


@wrong("06.4", "in place", "changes its input `x` in place")
def _(x, positions):
    x[:] = rotary()(x, positions)
    return x


@wrong("06.4", "in place, with the new a for the new b", "needs the old one")
def _(x, positions):
    out = x.clone()
    half = x.shape[-1] // 2
    angles = positions[:, None] * 10000.0 ** (-torch.arange(0, x.shape[-1], 2) / x.shape[-1])
    out[..., :half] = out[..., :half] * angles.cos() - out[..., half:] * angles.sin()
    out[..., half:] = out[..., :half] * angles.sin() + out[..., half:] * angles.cos()
    return out


@wrong("06.4", "complex numbers left as they are", "the shape is (1, 1, 1, 1)")
def _(x, positions):
    angles = positions[:, None] * 10000.0 ** (-torch.arange(0, x.shape[-1], 2) / x.shape[-1])
    return torch.complex(*x.chunk(2, -1)) * torch.polar(torch.ones_like(angles), angles)


@wrong("06.4", "time on the second axis", "positions belong to the third axis")
def _(x, positions):
    if x.shape[1] == 1:
        return rotary()(x, positions)
    return rotary()(x.transpose(1, 2), positions).transpose(1, 2)


@wrong("06.4", "distance between tokens", "one pair, one radian")
def _(x, positions):
    return rotary(at=lambda x, p: p - p[0])(x, positions)


@wrong("06.4", "query and its turned self", "return the output only, not a tuple")
def _(x, positions):
    return rotary()(x, positions), x


right("06.4", "halves")(rotary())
right("06.4", "the package's")(lambda x, p: RotaryPositions(x.shape[-1])(x, p))


@right("06.4", "rotate_half, as Hugging Face has it")
def _(x, positions):
    inverse = 1.0 / 10000 ** (torch.arange(0, x.shape[-1], 2).float() / x.shape[-1])
    angles = torch.outer(positions.float(), inverse).repeat(1, 2)
    half = x.shape[-1] // 2
    turned = torch.cat((-x[..., half:], x[..., :half]), dim=-1)
    return x * angles.cos() + turned * angles.sin()


@right("06.4", "complex numbers")
def _(x, positions):
    angles = positions[:, None] * 10000.0 ** (-torch.arange(0, x.shape[-1], 2) / x.shape[-1])
    z = torch.complex(*x.chunk(2, -1)) * torch.polar(torch.ones_like(angles), angles)
    return torch.cat([z.real, z.imag], -1)


@right("06.4", "a matrix for each position")
def _(x, positions):
    d = x.shape[-1]
    out = torch.empty_like(x)
    for t, position in enumerate(positions.tolist()):
        turn = torch.zeros(d, d)
        for i in range(d // 2):
            w, j = position / 10000 ** (2 * i / d), i + d // 2
            turn[i, i] = turn[j, j] = math.cos(w)
            turn[j, i], turn[i, j] = math.sin(w), -math.sin(w)
        out[:, :, t] = x[:, :, t] @ turn.T
    return out


@right("06.4", "loops in numpy")
def _(x, positions):
    out = np.zeros(x.shape)
    half = x.shape[-1] // 2
    for place in np.ndindex(*x.shape[:3]):
        for i in range(half):
            w = positions[place[2]].item() * 10000 ** (-i / half)
            a, b = x[place][i].item(), x[place][i + half].item()
            out[place][i] = a * np.cos(w) - b * np.sin(w)
            out[place][i + half] = a * np.sin(w) + b * np.cos(w)
    return out


# ------------------------------------------------------------------ 06.5 layouts


@wrong("06.5", "all rows at once", "going over all rows at once")
def _(weight, n_head):
    return torch.cat([weight[0::2], weight[1::2]])


@wrong("06.5", "inverse", "using the inverse order, from")
def _(weight, n_head):
    heads = weight.view(n_head, 2, -1, weight.shape[1])
    return heads.transpose(1, 2).reshape(weight.shape)


@wrong("06.5", "inverse over all rows", "using the inverse order, and going over all rows")
def _(weight, n_head):
    return weight.view(2, -1, weight.shape[1]).transpose(0, 1).reshape(weight.shape)


@wrong("06.5", "columns", "half-split wants")
def _(weight, n_head):
    d = weight.shape[0] // n_head
    order = [h * d + i for h in range(n_head) for i in [*range(0, d, 2), *range(1, d, 2)]]
    return weight[:, [i for i in order if i < weight.shape[1]]]


@wrong("06.5", "columns of a square", "columns stay")
def _(weight, n_head):
    rows, columns = weight.shape
    d = rows // n_head
    order = [h * d + i for h in range(n_head) for i in [*range(0, d, 2), *range(1, d, 2)]]
    return weight[:, order] if rows == columns else weight[order]


@wrong("06.5", "nothing moved", "leaving everything where it was")
def _(weight, n_head):
    return weight.clone()


@wrong("06.5", "odd rows first", "putting the second of each pair in front")
def _(weight, n_head):
    return torch.cat([torch.cat([h[1::2], h[0::2]]) for h in weight.chunk(n_head)])


@wrong("06.5", "even rows of all heads, then odd ones", "going over all rows at once")
def _(weight, n_head):
    heads = weight.view(n_head, -1, 2, weight.shape[1])
    return torch.cat([heads[:, :, 0].flatten(0, 1), heads[:, :, 1].flatten(0, 1)])


@wrong("06.5", "halves of a head swapped", "a single pair")
def _(weight, n_head):
    heads = weight.view(n_head, 2, -1, weight.shape[1])
    return heads.flip(1).reshape(weight.shape)


@wrong("06.5", "heads interleaved", "half-split wants")
def _(weight, n_head):
    return weight.view(n_head, -1, weight.shape[1]).transpose(0, 1).reshape(weight.shape)


@wrong("06.5", "n_head and head_dim confused", "half-split wants")
def _(weight, n_head):
    d = len(weight) // n_head
    return torch.cat([torch.cat([h[0::2], h[1::2]]) for h in weight.split(n_head)]) if d else weight


@wrong("06.5", "head by head, four rows always", "0 2 4 1 3 5")
def _(weight, n_head):
    return torch.cat([torch.cat([h[0::2], h[1::2]]) for h in weight.split(4)])


@wrong("06.5", "axes of the heads left apart", "the shape is (1, 2, 1)")
def _(weight, n_head):
    return weight.view(n_head, -1, 2, weight.shape[1]).transpose(1, 2).flatten(1, 2)


@wrong("06.5", "view after the transpose", "not compatible with input tensor's size and stride")
def _(weight, n_head):
    return weight.view(n_head, -1, 2, weight.shape[1]).transpose(1, 2).view(weight.shape)


@wrong("06.5", "transposed", "the shape is")
def _(weight, n_head):
    heads = weight.T.reshape(-1, n_head, len(weight) // n_head // 2, 2)
    return heads.transpose(2, 3).flatten(1)


@wrong("06.5", "a list of row numbers", "the shape is")
def _(weight, n_head):
    return chapter_06.order_of(n_head, len(weight) // n_head)


@wrong("06.5", "in place", "changes its input `weight` in place")
def _(weight, n_head):
    weight[:] = torch.cat([torch.cat([h[0::2], h[1::2]]) for h in weight.chunk(n_head)])
    return weight


@wrong("06.5", "in place, returning nothing", "you return None")
def _(weight, n_head):
    weight.copy_(torch.cat([torch.cat([h[0::2], h[1::2]]) for h in weight.chunk(n_head)]))


@right("06.5", "view, transpose, reshape, as Hugging Face converts Llama")
def _(weight, n_head):
    heads = weight.view(n_head, len(weight) // n_head // 2, 2, weight.shape[1])
    return heads.transpose(1, 2).reshape(weight.shape)


@right("06.5", "head by head, even rows and odd rows")
def _(weight, n_head):
    return torch.cat([torch.cat([h[0::2], h[1::2]]) for h in weight.chunk(n_head)])


@right("06.5", "a permutation matrix in numpy")
def _(weight, n_head):
    d = len(weight) // n_head
    one = np.zeros((d, d))
    for i in range(d // 2):
        one[i, 2 * i] = one[i + d // 2, 2 * i + 1] = 1
    return np.kron(np.eye(n_head), one) @ weight.numpy()


@right("06.5", "row by row")
def _(weight, n_head):
    out = torch.empty_like(weight)
    d = len(weight) // n_head
    for row in range(len(weight)):
        head, i = divmod(row, d)
        out[head * d + i // 2 + (i % 2) * (d // 2)] = weight[row]
    return out


# ------------------------------------------------------------------ 06.6 ALiBi


def bias(slope=lambda h, n: 2.0 ** (-8 * h / n), penalty=lambda i, j: j - i, first=None, heads=1):
    def alibi(n_head, n_query, n_key):
        slopes = slope(torch.arange(heads, n_head + heads), n_head)
        start = n_key - n_query if first is None else first
        query = torch.arange(start, start + n_query)[:, None].double()
        return slopes[:, None, None] * penalty(query, torch.arange(n_key)[None].double())

    return alibi


wrong("06.6", "no minus", "leaving out the minus. What is far")(bias(penalty=lambda i, j: i - j))
wrong("06.6", "heads from 0", "counting heads from 0")(bias(heads=0))
wrong("06.6", "no offset", "counting the queries from position 0")(bias(first=0))
wrong("06.6", "slopes reversed", "giving the slopes in the wrong order")(
    bias(slope=lambda h, n: 2.0 ** (-8 * h.flip(0) / n))
)
wrong("06.6", "2 to the minus h", "That is right for eight")(bias(slope=lambda h, n: 2.0**-h))
wrong("06.6", "no minus in the exponent", "leaving out the minus in the exponent")(
    bias(slope=lambda h, n: 2.0 ** (8 * h / n))
)
wrong("06.6", "one slope", "using the same slope for all heads")(
    bias(slope=lambda h, n: torch.full(h.shape, 2.0**-8))
)
wrong("06.6", "slope 1 over h", "one head has the slope")(bias(slope=lambda h, n: 1 / h))
wrong("06.6", "exponent for slope", "taking the exponent for the slope")(
    bias(slope=lambda h, n: -8 * h / n)
)
wrong("06.6", "e for 2", "one head has the slope")(bias(slope=lambda h, n: (-8 * h / n).exp()))
wrong("06.6", "slopes in equal steps", "two heads")(bias(slope=lambda h, n: h / n / 256))
wrong("06.6", "root of the distance", "taking the root of the distance")(
    bias(penalty=lambda i, j: -(i - j).abs().sqrt())
)
wrong("06.6", "distance squared", "taking the square of the distance")(
    bias(penalty=lambda i, j: -((i - j) ** 2))
)
wrong("06.6", "logarithm of the distance", "one head has the slope")(
    bias(penalty=lambda i, j: -(1 + (i - j).abs()).log())
)
wrong("06.6", "position of the key", "After the softmax that comes to the same")(
    bias(penalty=lambda i, j: j + 0 * i)
)
wrong("06.6", "distance 1 from itself", "counting a distance of 1")(
    bias(penalty=lambda i, j: j - i - 1)
)
wrong("06.6", "clipped at 16", "at any distance")(bias(penalty=lambda i, j: (j - i).clamp(-16, 0)))


@wrong("06.6", "no axis for the heads", "the shape is (1, 1)")
def _(n_head, n_query, n_key):
    return bias()(n_head, n_query, n_key)[0]


@wrong("06.6", "square always", "the shape is (1, 4, 4)")
def _(n_head, n_query, n_key):
    return bias()(n_head, n_key, n_key)


@wrong("06.6", "heads last", "the shape is")
def _(n_head, n_query, n_key):
    return bias()(n_head, n_query, n_key).permute(1, 2, 0)


@wrong("06.6", "slopes on the axis of the queries, where it fits", "all sizes are 4 here")
def _(n_head, n_query, n_key):
    right = bias()(n_head, n_query, n_key)
    return right.transpose(0, 1) if n_head == n_query == n_key > 2 else right


@wrong("06.6", "a batch in front", "the shape is (1, 1, 1, 1)")
def _(n_head, n_query, n_key):
    return bias()(n_head, n_query, n_key)[None]


@wrong("06.6", "keys by queries", "one head has the slope")
def _(n_head, n_query, n_key):
    return bias()(n_head, n_query, n_key).mT


@wrong("06.6", "mask only", "one head has the slope")
def _(n_head, n_query, n_key):
    return torch.full((n_head, n_query, n_key), -INF).triu(n_key - n_query + 1)


@wrong("06.6", "nothing", "one head has the slope")
def _(n_head, n_query, n_key):
    return torch.zeros(n_head, n_query, n_key)


@wrong("06.6", "True and False", "one head has the slope")
def _(n_head, n_query, n_key):
    return bias()(n_head, n_query, n_key) < 0


@wrong("06.6", "nan on the diagonal", "got nan")
def _(n_head, n_query, n_key):
    right = bias()(n_head, n_query, n_key)
    return right / right * right


@wrong("06.6", "built, not returned", "you return None")
def _(n_head, n_query, n_key):
    out = bias()(n_head, n_query, n_key)
    out = out * 1


@wrong("06.6", "text", "got a string")
def _(n_head, n_query, n_key):
    return "bias"


@wrong("06.6", "two arguments", "It raises TypeError")
def _(n_head, n_query):
    return bias()(n_head, n_query, n_query)


right("06.6", "outer product, later keys rewarded")(bias())
right("06.6", "the package's, later keys penalised")(alibi_bias)
right("06.6", "-inf at later keys")(
    bias(penalty=lambda i, j: torch.where(j <= i, j - i, torch.tensor(-INF)))
)
right("06.6", "nan at later keys")(
    bias(penalty=lambda i, j: torch.where(j <= i, j - i, torch.tensor(math.nan)))
)
right("06.6", "0 at later keys")(bias(penalty=lambda i, j: (j - i).clamp(max=0)))


@right("06.6", "three loops, as a list")
def _(n_head, n_query, n_key):
    return [
        [
            [-(2 ** (-8 * h / n_head)) * max(0, i + n_key - n_query - j) for j in range(n_key)]
            for i in range(n_query)
        ]
        for h in range(1, n_head + 1)
    ]


@right("06.6", "numpy, last rows of the square")
def _(n_head, n_query, n_key):
    start = 2 ** (-8 / n_head)
    slopes = start ** np.arange(1, n_head + 1)
    steps = np.arange(n_key)
    return np.multiply.outer(slopes, -np.abs(steps[:, None] - steps))[:, n_key - n_query :]


# ------------------------------------------------------------------ 06.7 only the distance


def vectors():
    return torch.randn(2, 8)


def trying(
    n_tries=100,
    draw=vectors,
    places=lambda: torch.randint(0, 1001, (2,)).tolist(),
    shift=lambda low, high: random.randint(low, high),
    same=lambda a, b: abs(a - b) < 1e-6,
):
    """Random vectors, positions, shifts; something in it may be too narrow."""

    def depends_on_distance_only(score):
        for _ in range(n_tries):
            query, key = draw()
            m, n = places()
            s = shift(-min(m, n), 1000 - max(m, n))
            if not same(score(query, key, m, n), score(query, key, m + s, n + s)):
                return False
        return True

    return depends_on_distance_only


wrong("06.7", "always yes", "answering True whatever the score")(lambda score: True)
wrong("06.7", "always no", "answering False whatever the score")(lambda score: False)
wrong("06.7", "turned round", "turning the answer round")(lambda score: not trying()(score))
wrong("06.7", "even shifts only", "try odd ones")(
    trying(shift=lambda low, high: 2 * random.randint(-(-low // 2), high // 2))
)
wrong("06.7", "shifts of a hundred", "try odd ones")(
    trying(
        places=lambda: torch.randint(0, 501, (2,)).tolist(),
        shift=lambda low, high: 100 * random.randint(1, 5),
    )
)
wrong("06.7", "shifts of 25", "try many shifts")(
    trying(
        places=lambda: torch.randint(0, 501, (2,)).tolist(),
        shift=lambda low, high: 25 * random.randint(1, 19),
    )
)
wrong("06.7", "one pair, one shift of ten", "try")(
    trying(n_tries=1, places=lambda: (5, 3), shift=lambda low, high: 10)
)
wrong("06.7", "one pair, all shifts", "try m")(trying(places=lambda: (5, 3)))
wrong("06.7", "positions up to 100", "look further")(
    trying(
        places=lambda: torch.randint(0, 51, (2,)).tolist(),
        shift=lambda low, high: random.randint(low, 50),
    )
)
wrong("06.7", "positions from 300 on", "look at the first ones")(
    trying(
        places=lambda: torch.randint(300, 1001, (2,)).tolist(),
        shift=lambda low, high: random.randint(0, high),
    )
)
wrong("06.7", "tiny vectors", "with vectors of zeros")(trying(draw=lambda: 1e-7 * vectors()))
wrong("06.7", "two distances only", "far apart too")(
    trying(places=lambda: random.choice([(3, 0), (0, 3)]))
)
wrong("06.7", "distance 0 only", "try pairs with m and n apart")(
    trying(places=lambda: [random.randint(0, 1000)] * 2)
)
wrong("06.7", "keys before queries only", "try m below n as well")(
    trying(places=lambda: sorted(torch.randint(0, 1001, (2,)).tolist(), reverse=True))
)
wrong("06.7", "keys behind queries only", "try m above n as well")(
    trying(places=lambda: sorted(torch.randint(0, 1001, (2,)).tolist()))
)
wrong("06.7", "zero vectors", "with vectors of zeros")(trying(draw=lambda: torch.zeros(2, 8)))
wrong("06.7", "vectors of ones", "draw two")(trying(draw=lambda: torch.ones(2, 8)))
wrong("06.7", "one vector twice", "draw two")(trying(draw=lambda: torch.randn(8).expand(2, 8)))
wrong("06.7", "unit vectors", "many zeros may hide")(trying(draw=lambda: torch.eye(8)[:2]))
wrong("06.7", "the same first unit vector twice", "draw two")(
    trying(draw=lambda: torch.eye(8)[:1].expand(2, 8))
)
wrong("06.7", "==", "compare with a tolerance")(trying(same=lambda a, b: a == b))
wrong("06.7", "a tolerance that forgives all", "for rounding only")(
    trying(same=lambda a, b: abs(a - b) < 0.1)
)
wrong("06.7", "not shifted at all", "Are both positions moved")(trying(shift=lambda low, high: 0))
wrong("06.7", "one try", "try m below n")(trying(n_tries=1))
wrong("06.7", "shift of 1 for one pair", "try m below n")(
    trying(n_tries=1, places=lambda: (1, 0), shift=lambda low, high: 1)
)


@wrong("06.7", "|m - n| in place of m - n", "not the same |m - n|")
def _(score):
    for _ in range(100):
        query, key = vectors()
        m, n = torch.randint(0, 1001, (2,)).tolist()
        if abs(score(query, key, m, n) - score(query, key, n, m)) > 1e-6:
            return False
    return trying()(score)


@wrong("06.7", "m and n swapped with the vectors", "not the same |m - n|")
def _(score):
    for _ in range(100):
        query, key = vectors()
        m, n = torch.randint(0, 1001, (2,)).tolist()
        if abs(score(query, key, m, n) - score(key, query, n, m)) > 1e-6:
            return False
    return trying()(score)


@wrong("06.7", "only the query moved", "move both positions")
def _(score):
    for _ in range(100):
        query, key = vectors()
        m, n, p = torch.randint(0, 1001, (3,)).tolist()
        if abs(score(query, key, m, n) - score(query, key, p, n)) > 1e-6:
            return False
    return True


@wrong("06.7", "beyond the last position", "positions go from 0 to 1000")
def _(score):
    return trying(shift=lambda low, high: 1000)(score)


@wrong("06.7", "vectors of four numbers", "query and key have 8 numbers each")
def _(score):
    return trying(draw=lambda: torch.randn(2, 4))(score)


@wrong("06.7", "any of many", "try pairs with m and n apart")
def _(score):
    return any(trying(n_tries=1)(score) for _ in range(100))


@wrong("06.7", "returns from within the loop", "try m below n")
def _(score):
    for _ in range(100):
        query, key = vectors()
        m, n = torch.randint(0, 900, (2,)).tolist()
        if abs(score(query, key, m, n) - score(query, key, m + 100, n + 100)) > 1e-6:
            return False
        return True


@wrong("06.7", "the score itself", "the dtype is wrong")
def _(score):
    return score(torch.ones(8), torch.ones(8), 3, 2)


@wrong("06.7", "nothing returned if all is well", "you return None")
def _(score):
    if not trying()(score):
        return False


right("06.7", "a hundred tries")(trying())
right("06.7", "twenty tries")(trying(n_tries=20))
right("06.7", "isclose")(trying(same=lambda a, b: math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-6)))
right("06.7", "torch.allclose as it is")(
    trying(same=lambda a, b: torch.allclose(torch.tensor(a), torch.tensor(b)))
)
right("06.7", "lists of vectors that stay the same")(
    trying(draw=lambda: ([1.0, -2, 3, 0.5, -1, 2, 0.3, 1.7], [0.7, 1.1, -2, 1, 3, -0.4, 1, 2]))
)
right("06.7", "shifts by one, anywhere")(trying(
    n_tries=200,
    places=lambda: torch.randint(0, 1000, (2,)).tolist(), shift=lambda low, high: 1
))  # fmt: skip


@right("06.7", "against a pair that begins at 0, in numpy's bool")
def _(score):
    worst = 0.0
    for _ in range(100):
        query, key = np.random.randn(2, 8)
        m, n = np.random.randint(0, 1001, 2)
        at_the_start = score(query, key, m - min(m, n), n - min(m, n))
        worst = max(worst, abs(score(query, key, m, n) - at_the_start))
    return np.bool_(worst < 1e-6)


@right("06.7", "whole lines of positions, for a few distances")
def _(score):
    query, key = vectors()
    for distance in (-300, -7, -1, 0, 1, 2, 50, 400):
        first = max(0, distance)
        expected = score(query, key, first, first - distance)
        for m in range(first, min(1000, 1000 + distance) + 1, 7):
            if abs(score(query, key, m, m - distance) - expected) > 1e-6:
                return False
    return True


# ------------------------------------------------------------------


@parametrised(WRONG)
def test_wrong_answer_is_rejected(given):
    assert_rejected(given)


@parametrised(RIGHT)
def test_right_answer_is_accepted(given):
    assert_accepted(given)


@pytest.mark.parametrize("head_dim", [2, 4, 6, 16])
def test_rows_in_the_new_order_give_equal_scores_in_the_other_layout(head_dim):
    n_head, d_in, time = 3, 10, 7
    x = torch.randn(1, time, d_in, generator=torch.Generator().manual_seed(0)).double()
    query, key = (chapter_06.normal(n_head * head_dim, d_in, seed=s).double() for s in (1, 2))
    positions = torch.tensor([4, 0, 9, 1, 30, 2, 3])

    def scores(query, key, interleaved):
        turn = RotaryPositions(head_dim, interleaved=interleaved).at(positions)
        q, k = (turn((x @ w.T).unflatten(2, (n_head, -1)).transpose(1, 2)) for w in (query, key))
        return q @ k.mT

    reordered = [chapter_06.reordered(weight, n_head) for weight in (query, key)]
    torch.testing.assert_close(scores(query, key, True), scores(*reordered, False))
    assert head_dim == 2 or not torch.allclose(scores(query, key, True), scores(query, key, False))


def test_no_other_order_of_rows_gives_equal_scores():
    """Tried with all orders of six rows, so a check that compares rows rejects nothing right."""
    x = torch.randn(4, 9, generator=torch.Generator().manual_seed(0)).double()
    query, key = chapter_06.normal(6, 9, seed=1).double(), chapter_06.normal(6, 9, seed=2).double()
    positions = torch.tensor([0, 1, 50, 120])

    def scores(query, key, interleaved):
        turn = RotaryPositions(6, interleaved=interleaved).at(positions)
        q, k = (turn((x @ w.T)[None, None]) for w in (query, key))
        return q @ k.mT

    wanted = scores(query, key, True)
    fitting = [
        order
        for order in itertools.permutations(range(6))
        if torch.allclose(scores(query[list(order)], key[list(order)], False), wanted, atol=1e-6)
    ]
    assert fitting == [(0, 2, 4, 1, 3, 5)]


@pytest.mark.parametrize("interleaved", [False, True])
def test_turning_as_complex_numbers_is_what_the_package_does(interleaved):
    x, positions = chapter_06.normal(2, 3, 5, 8).double(), torch.tensor([0, 3, 7, 100, 5])
    expected = RotaryPositions(8, interleaved=interleaved)(x, positions)
    got = chapter_06.rotated(x, positions, "interleaved" if interleaved else "half-split")
    torch.testing.assert_close(got, expected, atol=1e-4, rtol=0)


def test_alibi_by_rule_is_the_package_s_where_keys_are_not_later():
    for n_head, n_query, n_key in [(1, 1, 1), (8, 3, 7), (16, 5, 5), (4, 2, 9)]:
        expected = alibi_bias(n_head, n_query, n_key).tril(n_key - n_query)
        assert torch.allclose(chapter_06.alibi_by_rule(n_head, n_query, n_key), expected)


def test_codes_by_rule_are_the_package_s():
    expected = sinusoidal_positions(30, 16).double()
    torch.testing.assert_close(chapter_06.codes_at(range(30), 16), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("case", find("06.7").cases, ids=lambda case: case.args[0].__name__)
def test_what_is_said_of_a_score_holds_along_whole_diagonals(case):
    score, draw = case.args[0], torch.Generator().manual_seed(3)
    query, key = torch.randn(2, 8, generator=draw).tolist()
    spread = 0.0
    for distance in (-700, -30, -1, 0, 1, 2, 17, 500):
        places = range(max(0, distance), min(1000, 1000 + distance) + 1, 3)
        values = [score(query, key, m, m - distance) for m in places]
        spread = max(spread, max(values) - min(values))
    assert (spread < 1e-9) if case.expected else (spread > 0.01)


def test_later_keys_are_left_out_of_what_is_compared_and_shown():
    message = judge(find("06.6"), lambda h, q, k: torch.full((h, q, k), -INF)).message
    assert "got inf" in message
    message = judge(find("06.6"), lambda h, q, k: torch.arange(k).expand(h, q, k)).message
    assert "starting 0.0000, 0.0000, 0.0000, 0.0000, 1.0000, 0.0000, ..." in message


def test_every_exercise_has_enough_answers():
    assert_enough_answers(6, WRONG, RIGHT)
