"""The checks of chapter 9 tell wrong answers from right ones."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn

from llmcourse.exercises.chapter_09 import LONG, LONG_HELD_OUT, share_by_sorting
from llmcourse.exercises.exercise import find
from llmcourse.training import configure_optimizer, cosine_schedule
from tests.exercises.answers import (
    assert_accepted,
    assert_enough_answers,
    assert_rejected,
    decorators,
    parametrised,
)

WRONG, RIGHT = [], []
wrong, right = decorators(WRONG, RIGHT)
LN2 = math.log(2)

# ------------------------------------------------------------------ 09.1 three units of one loss

wrong("09.1", "times the bytes", "multiplying by the bytes of a token")([12, 8, 2**0.75])
wrong("09.1", "times the bytes, throughout", "multiplying by the bytes")([12, 8, 4096])
wrong("09.1", "nats per byte", "leaving the first number in nats")([0.75 * LN2, 8, 2**0.75])
wrong("09.1", "times ln 2", "A nat is more than a bit")([0.75 * LN2**2, 8, 2**0.75])
wrong("09.1", "all per token", "counting everything per token")([3, 8, 8])
wrong("09.1", "bits per token", "counting the bits per token")([3, 8, 2**0.75])
wrong("09.1", "a quarter of the perplexity", "the perplexity is the fourth root")([0.75, 8, 2])
wrong("09.1", "2 to the nats", "raising 2 to the nats")([0.75, 2 ** (3 * LN2), 2 ** (0.75 * LN2)])
wrong("09.1", "e to the bits", "raising e to the bits.")([0.75, math.exp(3), math.exp(0.75)])
wrong("09.1", "swapped", "swapping the two perplexities")([0.75, 2**0.75, 8])
wrong("09.1", "two numbers", "3 numbers are wanted, and you give 2")([0.75, 8])
wrong("09.1", "rounded to one digit", "the answer has three numbers")([0.8, 8, 1.7])
right("09.1", "expressions")([3 / 4, 2**3, 2 ** (3 / 4)])
right("09.1", "three digits")([0.75, 8.0, 1.68])
right("09.1", "from nats, in a tensor")(
    torch.tensor([3 * LN2 / 4 / LN2, math.exp(3 * LN2), math.exp(3 * LN2 / 4)])
)

# ------------------------------------------------------------------ 09.2 inputs and targets


def batch(shift=1, pick=lambda starts, n: starts, end=0):
    """Windows by slices; targets `shift` later."""

    def get_batch(tokens, starts, n):
        windows = [tokens[s : s + n] for s in pick(starts, n)]
        targets = [tokens[s + shift : s + shift + n + end] for s in pick(starts, n)]
        return torch.stack(windows), torch.stack(targets)

    return get_batch


def gathered(tokens, starts, n):
    return tokens[torch.tensor(starts)[:, None] + torch.arange(n + 1)]


wrong("09.2", "targets are the inputs", "giving the inputs as their own targets")(batch(0))
wrong("09.2", "two later", "the target the second")(batch(2))
wrong("09.2", "last target missing", "whose items differ in shape")(batch(end=-1))
wrong("09.2", "starts in windows", "counting the starts in windows")(
    batch(pick=lambda starts, n: [s * n for s in starts])
)
wrong("09.2", "starts ignored", "starting at 0, 1, 2")(
    batch(pick=lambda starts, n: range(len(starts)))
)
wrong("09.2", "starts sorted", "sorting the windows")(batch(pick=lambda starts, n: sorted(starts)))
wrong("09.2", "first start only", "the shape is (2, 1, 2)")(
    batch(pick=lambda starts, n: starts[:1])
)
wrong("09.2", "starts counted from 1", "whose items differ in shape")(
    batch(pick=lambda starts, n: [s - 1 for s in starts])
)


@wrong("09.2", "one earlier", "this is the token before")
def _(tokens, starts, n):
    windows = gathered(tokens, starts, n)[:, :-1]
    return windows, tokens.roll(1)[torch.tensor(starts)[:, None] + torch.arange(n)]


@wrong("09.2", "rolled round", "rolling each window round")
def _(tokens, starts, n):
    windows = gathered(tokens, starts, n)[:, :-1]
    return windows, windows.roll(-1, dims=1)


@wrong("09.2", "swapped", "swapping inputs and targets")
def _(tokens, starts, n):
    windows = gathered(tokens, starts, n)
    return windows[:, 1:], windows[:, :-1]


@wrong("09.2", "windows in columns", "laying the windows in columns")
def _(tokens, starts, n):
    windows = gathered(tokens, starts, n).T
    return windows[:-1], windows[1:]


@wrong("09.2", "windows in columns where that fits", "a row is a window")
def _(tokens, starts, n):
    windows = gathered(tokens, starts, n)
    turn = (lambda t: t.T) if len(starts) == n > 1 else (lambda t: t)
    return turn(windows[:, :-1]), turn(windows[:, 1:])


@wrong("09.2", "inputs only", "the shape is")
def _(tokens, starts, n):
    return gathered(tokens, starts, n)[:, :-1]


@wrong("09.2", "one-token windows of all", "the shape is")
def _(tokens, starts, n):
    return tokens[:-1], tokens[1:]


@wrong("09.2", "two later, round the end", "shifting by two")
def _(tokens, starts, n):
    later = tokens.roll(-2)
    return batch(0)(tokens, starts, n)[0], batch(0)(later, starts, n)[0]


right("09.2", "slices")(batch())
right("09.2", "one index for all")(
    lambda tokens, starts, n: (
        gathered(tokens, starts, n)[:, :-1],
        gathered(tokens, starts, n)[:, 1:],
    )
)


@right("09.2", "lists of lists")
def _(tokens, starts, n):
    tokens = tokens.tolist()
    inputs = [[tokens[s + i] for i in range(n)] for s in starts]
    return inputs, [[tokens[s + i + 1] for i in range(n)] for s in starts]


@right("09.2", "numpy")
def _(tokens, starts, n):
    place = np.array(starts)[:, None] + np.arange(n)
    return tokens.numpy()[place], tokens.numpy()[place + 1]


# ------------------------------------------------------------------ 09.3 warm-up and cosine


def rate(rise=lambda s, w: (s + 1) / (w + 1), progress=lambda s, n, w: (s - w) / (n - w),
         height=lambda p: (1 + math.cos(math.pi * p)) / 2, last=lambda p: min(1.0, p),
         end=lambda h, peak, low: low + h * (peak - low), until=lambda s, w: s < w):  # fmt: skip
    def learning_rate(step, steps, peak, warmup, minimum):
        if until(step, warmup):
            return peak * rise(step, warmup)
        return end(height(last(progress(step, steps, warmup))), peak, minimum)

    return learning_rate


wrong("09.3", "first step of 0", "starting the warm-up at 0")(rate(rise=lambda s, w: s / w))
wrong("09.3", "peak too early", "divide by warmup + 1")(rate(rise=lambda s, w: (s + 1) / w))
wrong("09.3", "no warm-up", "leaving out the warm-up")(rate(rise=lambda s, w: 1))
wrong("09.3", "cosine from step 0", "measuring the cosine from step 0")(
    rate(progress=lambda s, n, w: s / n)
)
wrong("09.3", "divided by all steps", "dividing by all steps")(
    rate(progress=lambda s, n, w: (s - w) / n)
)
wrong("09.3", "minimum one step early", "one step too early, at step steps - 1")(
    rate(progress=lambda s, n, w: (s - w) / (n - w - 1))
)
wrong("09.3", "rises again", "letting the cosine rise again")(rate(last=lambda p: p))
wrong("09.3", "straight line", "falling in a straight line")(rate(height=lambda p: 1 - p))
wrong("09.3", "quarter cosine", "taking a quarter of a cosine")(
    rate(height=lambda p: math.cos(math.pi / 2 * p))
)
wrong("09.3", "whole cosine", "taking a whole cosine")(
    rate(height=lambda p: (1 + math.cos(2 * math.pi * p)) / 2)
)
wrong("09.3", "degrees", "half way the cosine")(rate(height=lambda p: (1 + math.cos(180 * p)) / 2))
wrong("09.3", "minimum as a floor", "cutting off at the minimum")(
    rate(end=lambda h, peak, low: max(low, h * peak))
)
wrong("09.3", "minimum on top", "adding the minimum on top")(
    rate(end=lambda h, peak, low: low + h * peak)
)
wrong("09.3", "minimum ignored", "ignoring the minimum")(rate(end=lambda h, peak, low: h * peak))
wrong("09.3", "division by 0 without warm-up", "no warm-up: the first step is at the peak")(
    lambda step, steps, peak, warmup, minimum: peak * min(1, step / warmup)
)


@wrong("09.3", "warm-up from the minimum", "It rises from 0")
def _(step, steps, peak, warmup, minimum):
    if step < warmup:
        return minimum + (peak - minimum) * (step + 1) / (warmup + 1)
    return rate()(step, steps, peak, warmup, minimum)


right("09.3", "math.cos")(rate())
right("09.3", "warm-up up to and with its end, which agrees")(rate(until=lambda s, w: s <= w))


@right("09.3", "torch, by the mean of peak and minimum")
def _(step, steps, peak, warmup, minimum):
    angle = torch.tensor((step - warmup) / (steps - warmup)).double().clamp(0, 1) * torch.pi
    fall = (peak + minimum) / 2 + (peak - minimum) / 2 * torch.cos(angle)
    return torch.where(torch.tensor(step < warmup), peak * (step + 1) / (warmup + 1), fall)


right("09.3", "the package's own")(
    lambda step, steps, peak, warmup, minimum: cosine_schedule(step, steps, peak, warmup, minimum)
)

# ------------------------------------------------------------------ 09.4 clip the gradient


def clip_by(norm, enlarge=False):
    def clip(gradients, max_norm):
        factor = max_norm / norm(gradients)
        return [g * (factor if enlarge else min(1.0, factor)) for g in gradients]

    return clip


def joined(gradients):
    return torch.cat([g.flatten() for g in gradients])


wrong("09.4", "enlarged", "scaling to max_norm whatever the norm")(
    clip_by(lambda gs: joined(gs).norm(), enlarge=True)
)
wrong("09.4", "largest number", "measuring by the largest number")(
    clip_by(lambda gs: joined(gs).abs().max())
)
wrong("09.4", "sum of absolute values", "the sum of the absolute values")(
    clip_by(lambda gs: joined(gs).abs().sum())
)
wrong("09.4", "no root", "forgetting the root")(clip_by(lambda gs: joined(gs).square().sum()))
wrong("09.4", "mean of squares", "averaging the squares")(
    clip_by(lambda gs: joined(gs).square().mean().sqrt())
)
wrong("09.4", "norm of the sum", "where those of opposite sign cancel")(
    clip_by(lambda gs: joined(gs).sum().abs())
)
wrong("09.4", "sum of norms", "Squares add up, norms do not")(
    clip_by(lambda gs: sum(g.norm() for g in gs))
)
wrong("09.4", "largest norm", "two tensors are one vector")(
    clip_by(lambda gs: max(g.norm() for g in gs))
)
wrong("09.4", "norm of the first", "two tensors are one vector")(clip_by(lambda gs: gs[0].norm()))
wrong("09.4", "division by 0", "ZeroDivisionError")(clip_by(lambda gs: joined(gs).norm().item()))
wrong("09.4", "each by itself", "clipping each tensor by itself")(
    lambda gs, m: [g * min(1.0, m / (g.norm() + 1e-12)) for g in gs]
)
wrong("09.4", "number by number", "clipping number by number")(
    lambda gs, m: [g.clamp(-m, m) for g in gs]
)
wrong("09.4", "untouched", "returning the gradients as they are")(lambda gs, m: gs)
wrong("09.4", "one long vector", "the shape")(
    lambda gs, m: joined(gs) * min(1.0, m / (joined(gs).norm() + 1e-12))
)
wrong("09.4", "nan for zeros", "got nan")(
    lambda gs, m: [g / joined(gs).norm() * joined(gs).norm().clamp(max=m) for g in gs]
)


@wrong("09.4", "in place", "changes its input `gradients` in place")
def _(gradients, max_norm):
    norm = joined(gradients).norm()
    if norm > max_norm:
        for g in gradients:
            g *= max_norm / norm
    return gradients


right("09.4", "norm of all")(clip_by(lambda gs: joined(gs).norm()))


@right("09.4", "a small number in the denominator, as in PyTorch")
def _(gradients, max_norm):
    norm = torch.stack([g.norm() for g in gradients]).norm()
    factor = (max_norm / (norm + 1e-6)).clamp(max=1.0)
    return [g * factor for g in gradients]


@right("09.4", "PyTorch's own, on copies")
def _(gradients, max_norm):
    copies = [nn.Parameter(g.clone()) for g in gradients]
    for copy, g in zip(copies, gradients):
        copy.grad = g.clone()
    nn.utils.clip_grad_norm_(copies, max_norm)
    return tuple(copy.grad for copy in copies)


@right("09.4", "numpy, double precision")
def _(gradients, max_norm):
    arrays = [g.double().numpy() for g in gradients]
    norm = np.sqrt(sum((a**2).sum() for a in arrays))
    return [a * (max_norm / norm) if norm > max_norm else a for a in arrays]


# ------------------------------------------------------------------ 09.5 what decays


def grouped(decays, chosen=lambda model: [p for p in model.parameters() if p.requires_grad]):
    def groups(model):
        return [p for p in chosen(model) if decays(p)], [p for p in chosen(model) if not decays(p)]

    return groups


def by_name(decays):
    def groups(model):
        named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
        return [p for n, p in named if decays(n)], [p for n, p in named if not decays(n)]

    return groups


def module_by_module(model):
    modules = (module.parameters(recurse=False) for module in model.modules())
    return [p for p in itertools.chain(*modules) if p.requires_grad]


wrong("09.5", "swapped", "swapping the two lists")(grouped(lambda p: p.dim() < 2))
wrong("09.5", "frozen too", "keeping frozen parameters")(
    grouped(lambda p: p.dim() >= 2, lambda model: list(model.parameters()))
)
wrong("09.5", "tied twice", "naming a tied parameter twice")(
    grouped(lambda p: p.dim() >= 2, module_by_module)
)
wrong("09.5", "no bias by name", "going by the name")(by_name(lambda n: "bias" not in n))
wrong("09.5", "weight by name", "going by the name")(by_name(lambda n: n.endswith("weight")))
wrong("09.5", "no bias, no norm, by name", "Names differ from model to model")(
    by_name(lambda n: "bias" not in n and "norm" not in n)
)
wrong("09.5", "two axes only", "letting only two axes decay")(grouped(lambda p: p.dim() == 2))
wrong("09.5", "vectors too", "letting vectors decay")(grouped(lambda p: p.dim() >= 1))
wrong("09.5", "everything", "letting everything decay")(grouped(lambda p: True))
wrong("09.5", "matrices of linear layers only", "the table of an embedding")(
    grouped(lambda p: p.dim() >= 2 and len(p) != 5)
)
wrong("09.5", "own parameters only", "the table of an embedding")(
    grouped(lambda p: p.dim() >= 2, lambda model: list(model.parameters(recurse=False)))
)
wrong("09.5", "copies", "no parameter of the model")(
    grouped(
        lambda p: p.dim() >= 2,
        lambda model: [p.detach().clone() for p in model.parameters() if p.requires_grad],
    )
)
wrong("09.5", "names", "no parameter of the model")(
    lambda model: (
        [n for n, p in model.named_parameters() if p.dim() >= 2],
        [n for n, p in model.named_parameters() if p.dim() < 2],
    )
)
wrong("09.5", "one list", "return two lists of parameters")(
    lambda model: [p for p in model.parameters() if p.dim() >= 2]
)
wrong("09.5", "groups of an optimiser", "return two lists of parameters")(
    lambda model: configure_optimizer(model, 1e-3).param_groups
)
right("09.5", "number of axes")(grouped(lambda p: p.dim() >= 2))
right("09.5", "module by module, each once")(
    grouped(lambda p: len(p.shape) > 1, lambda m: dict.fromkeys(module_by_module(m)))
)
right("09.5", "taken from the package's optimiser")(
    lambda model: tuple(g["params"] for g in configure_optimizer(model, 1e-3).param_groups)
)


@right("09.5", "sets of parameters, in a list")
def _(model):
    decayed, rest = set(), set()
    for p in model.parameters():
        if p.requires_grad:
            (decayed if p.ndim > 1 else rest).add(p)
    return [decayed, rest]


# ------------------------------------------------------------------ 09.6 pack documents


def in_rows(stream, length, n=None):
    n = len(stream) // length if n is None else n
    return torch.tensor(stream[: n * length], dtype=torch.long).view(n, length)


def stream_of(documents, end_token, before=False):
    return [
        token
        for document in documents
        for token in ([end_token, *document] if before else [*document, end_token])
    ]


wrong("09.6", "end token between only", "leaving out the end token of the last")(
    lambda d, n, e: in_rows(stream_of(d, e)[:-1], n)
)
wrong("09.6", "last row forgotten when it is full", "stops one row early")(
    lambda d, n, e: torch.tensor(
        [stream_of(d, e)[i : i + n] for i in range(0, len(stream_of(d, e)) - n, n)],
        dtype=torch.long,
    ).view(-1, n)
)
wrong("09.6", "no end token", "leaving out the end tokens")(
    lambda d, n, e: in_rows(list(itertools.chain(*d)), n)
)
wrong("09.6", "end token before", "putting the end token before each document")(
    lambda d, n, e: in_rows(stream_of(d, e, before=True), n)
)
wrong("09.6", "end token at the front as well", "at the front as well")(
    lambda d, n, e: in_rows([e, *stream_of(d, e)], n)
)
wrong("09.6", "empty documents skipped", "skipping empty documents")(
    lambda d, n, e: in_rows(stream_of([x for x in d if x], e), n)
)
wrong("09.6", "last full row dropped", "dropping the last row")(
    lambda d, n, e: in_rows(stream_of(d, e), n, max(0, len(stream_of(d, e)) // n - 1))
)
wrong("09.6", "one token kept for targets", "the shape is (0, 3), and should be (1, 3)")(
    lambda d, n, e: in_rows(stream_of(d, e), n, max(0, (len(stream_of(d, e)) - 1) // n))
)
right("09.6", "as many rows as there are")(
    lambda d, n, e: torch.tensor(
        stream_of(d, e)[: len(stream_of(d, e)) // n * n], dtype=torch.long
    ).view(-1, n)
)
wrong("09.6", "a list of rows", "the shape is (0,), and should be (0, 4)")(
    lambda d, n, e: in_rows(stream_of(d, e), n).tolist()
)
wrong("09.6", "one row", "the shape is")(lambda d, n, e: torch.tensor(stream_of(d, e)))
wrong("09.6", "columns", "2 of 4 differ")(
    lambda d, n, e: in_rows(stream_of(d, e), n).flatten().view(n, -1).T
)


@wrong("09.6", "a row for each document", "starting each document in a row of its own")
def _(documents, length, end_token):
    rows = []
    for document in documents:
        tokens = [*document, end_token]
        tokens += [end_token] * (-len(tokens) % length)
        rows += [tokens[i : i + length] for i in range(0, len(tokens), length)]
    return torch.tensor(rows, dtype=torch.long).view(-1, length)


@wrong("09.6", "last row padded", "padding the last row")
def _(documents, length, end_token):
    stream = stream_of(documents, end_token)
    return in_rows(stream + [end_token] * (-len(stream) % length), length)


@wrong("09.6", "rest of each document dropped", "dropping the rest of each")
def _(documents, length, end_token):
    rows = [in_rows([*document, end_token], length) for document in documents]
    return torch.cat(rows) if rows else torch.zeros(0, length, dtype=torch.long)


@wrong("09.6", "documents extended in place", "changes its input `documents` in place")
def _(documents, length, end_token):
    for document in documents:
        document.append(end_token)
    return in_rows(list(itertools.chain(*documents)), length)


right("09.6", "one list, cut")(lambda d, n, e: in_rows(stream_of(d, e), n))


@right("09.6", "rows filled one token at a time")
def _(documents, length, end_token):
    rows, row = [], []
    for document in documents:
        for token in [*document, end_token]:
            row.append(token)
            if len(row) == length:
                rows.append(row)
                row = []
    return torch.tensor(rows, dtype=torch.int64).reshape(len(rows), length)


@right("09.6", "numpy")
def _(documents, length, end_token):
    parts = [np.array([*document, end_token], dtype=np.int64) for document in documents]
    stream = np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)
    n = len(stream) // length
    return stream[: n * length].reshape(n, length)


# ------------------------------------------------------------------ 09.7 contaminated?


def all_windows(tokens, n):
    return [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]


def share(known, asked):
    return sum(window in known for window in asked) / len(asked) if asked else 0.0


def contamination(windows=all_windows, asked=list, size=lambda n: n):
    return lambda train, held_out, n: share(
        set(windows(train, size(n))), asked(windows(held_out, size(n)))
    )


wrong("09.7", "held-out windows in a set", "counting each held-out window once")(
    contamination(asked=set)
)
wrong("09.7", "n - 1 tokens", "taking windows of n - 1 tokens")(
    contamination(size=lambda n: max(1, n - 1))
)
wrong("09.7", "n + 1 tokens", "taking windows of n + 1 tokens")(contamination(size=lambda n: n + 1))
wrong("09.7", "last window missing", "the last window of both texts")(
    contamination(windows=lambda tokens, n: all_windows(tokens[:-1], n))
)
wrong("09.7", "last held-out window missing", "leaving out the last window:")(
    lambda t, h, n: contamination()(t, h[:-1], n)
)
wrong("09.7", "last training window missing", "the last window of the training text")(
    lambda t, h, n: contamination()(t[:-1], h, n)
)
wrong("09.7", "pieces instead of windows", "t tokens have t - n + 1 windows")(
    contamination(windows=lambda tokens, n: all_windows(tokens, n)[::n])
)
wrong("09.7", "held-out text in pieces", "cutting the held-out text into pieces")(
    lambda t, h, n: share(set(all_windows(t, n)), all_windows(h, n)[::n])
)
wrong("09.7", "order ignored", "ignoring the order")(
    contamination(windows=lambda tokens, n: [tuple(sorted(w)) for w in all_windows(tokens, n)])
)
wrong("09.7", "texts swapped", "swapping the texts")(lambda t, h, n: contamination()(h, t, n))
wrong("09.7", "digits in a row", "1 and 23 become 12 and 3")(
    contamination(windows=lambda tokens, n: ["".join(map(str, w)) for w in all_windows(tokens, n)])
)
wrong("09.7", "divided by tokens", "dividing by the number of tokens")(
    lambda t, h, n: contamination()(t, h, n) * len(all_windows(h, n)) / max(1, len(h))
)
wrong("09.7", "short windows at the end", "the only window")(
    contamination(windows=lambda tokens, n: [tuple(tokens[i : i + n]) for i in range(len(tokens))])
)
wrong("09.7", "no window, no answer", "ZeroDivisionError")(
    lambda t, h, n: (
        len([w for w in all_windows(h, n) if w in set(all_windows(t, n))]) / len(all_windows(h, n))
        if len(t) < 100
        else contamination()(t, h, n)
    )
)
wrong("09.7", "looked up in a list", "It ran out of time")(
    lambda t, h, n: share(all_windows(t, n), all_windows(h, n))
)
wrong("09.7", "windows crossing from one text to the other", "is not (1, 2)")(
    lambda t, h, n: contamination()(t + h, h, n)
)


@wrong("09.7", "tokens covered", "counting tokens that lie in a known window")
def _(train, held_out, n):
    known, covered = set(all_windows(train, n)), set()
    for i, window in enumerate(all_windows(held_out, n)):
        if window in known:
            covered.update(range(i, i + n))
    return len(covered) / len(held_out) if held_out else 0.0


right("09.7", "a set of tuples")(contamination())
right("09.7", "strings with separators")(
    contamination(windows=lambda tokens, n: [" ".join(map(str, w)) for w in all_windows(tokens, n)])
)


@right("09.7", "zip of shifted lists, counted")
def _(train, held_out, n):
    known = set(zip(*(train[i:] for i in range(n))))
    hits = total = 0
    for window in zip(*(held_out[i:] for i in range(n))):
        hits, total = hits + (window in known), total + 1
    return hits / total if total else 0


@right("09.7", "bytes of numpy windows")
def _(train, held_out, n):
    def windows(tokens):
        array = np.array(tokens, dtype=np.int64)
        return [array[i : i + n].tobytes() for i in range(len(array) - n + 1)]

    known, asked = set(windows(train)), windows(held_out)
    return float(np.mean([window in known for window in asked])) if asked else 0.0


# ------------------------------------------------------------------


@parametrised(WRONG)
def test_wrong_answer_is_rejected(given):
    assert_rejected(given)


@parametrised(RIGHT)
def test_right_answer_is_accepted(given):
    assert_accepted(given)


@pytest.mark.parametrize("step", range(0, 14))
def test_learning_rate_is_that_of_the_trainer(step):
    exercise = find("09.3")
    for warmup, minimum in ((0, 0.0), (4, 0.2)):
        expected = cosine_schedule(step, 10, 1.0, warmup, minimum)
        assert exercise.reference(step, 10, 1.0, warmup, minimum) == pytest.approx(expected)


def test_share_of_the_long_text_is_what_was_put_in():
    case = find("09.7").cases[-1]
    assert share_by_sorting(LONG, LONG_HELD_OUT, 8) == pytest.approx(case.expected, abs=1e-9)


def test_every_exercise_has_enough_answers():
    assert_enough_answers(9, WRONG, RIGHT)
