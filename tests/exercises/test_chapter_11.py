"""The checks of chapter 11 tell wrong answers from right ones."""

from fractions import Fraction

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from llmcourse.exercises.exercise import find
from tests.exercises.answers import (
    assert_accepted,
    assert_enough_answers,
    assert_rejected,
    decorators,
    parametrised,
)

WRONG, RIGHT = [], []
wrong, right = decorators(WRONG, RIGHT)

# ------------------------------------------------------------------ 11.1 who said it, on paper

wrong("11.1", "cat minus dog", "taking cat minus dog")([2, 1, -2, 2])
wrong("11.1", "shares of dog", "in the logit of dog alone")([2, 1, 2, -1])
wrong("11.1", "shares of cat", "in the logit of cat")([2, 1, 0, 1])
wrong("11.1", "coordinates added", "adding the two coordinates")([2, 1, 2, 0])
wrong("11.1", "a sign lost", "losing a sign")([2, 1, 2, 2])
wrong("11.1", "dog first", "swapping the two logits")([1, 2, 2, -2])
wrong("11.1", "no embedding", "leaving the embedding out")([1, 1, 2, -2])
wrong("11.1", "embedding alone", "the embedding alone")([1, 0, 2, -2])
wrong("11.1", "two numbers", "4 numbers are wanted, and you give 2")([2, 1])
wrong("11.1", "probabilities", "the answer has four numbers")([0.731, 0.269, 2, -2])
right("11.1", "whole numbers")([2, 1, 2, -2])
right("11.1", "fractions")([Fraction(2), Fraction(1), Fraction(2), Fraction(-2)])
right("11.1", "logits and shares")((torch.tensor([2.0, 1.0]), {"head": 2, "feed-forward": -2.0}))

# ------------------------------------------------------------------ 11.2 logit lens


def normed(stream, gain, epsilon):
    return stream / (stream.square().mean(-1, keepdim=True) + epsilon).sqrt() * gain


wrong("11.2", "no norm", "leaving out the norm.")(lambda x, g, U, e: x @ U.T)
wrong("11.2", "gain without the norm", "only a part of it")(lambda x, g, U, e: (x * g) @ U.T)
wrong("11.2", "no gain", "leaving out the gain")(lambda x, g, U, e: normed(x, 1, e) @ U.T)
wrong("11.2", "not transposed", "")(lambda x, g, U, e: normed(x, g, e) @ U)
wrong("11.2", "sum of squares", "taking the sum of the squares")(
    lambda x, g, U, e: x / (x.square().sum(-1, keepdim=True) + e).sqrt() * g @ U.T
)
wrong("11.2", "F.normalize", "the mean of the squares is 9")(
    lambda x, g, U, e: F.normalize(x, dim=-1) * g @ U.T
)
wrong("11.2", "mean over the first axis", "")(
    lambda x, g, U, e: (
        x / (x.square().mean(0 if x.ndim > 1 else -1, keepdim=True) + e).sqrt() * g @ U.T
    )
)
wrong("11.2", "mean over everything", "normalising all tokens together")(
    lambda x, g, U, e: x / (x.square().mean() + e).sqrt() * g @ U.T
)
wrong("11.2", "layer norm", "taking off the mean")(
    lambda x, g, U, e: F.layer_norm(x, g.shape, g, None, e) @ U.T
)
wrong("11.2", "standard deviation", "the mean of the squares is 9")(
    lambda x, g, U, e: x / (x.std(-1, keepdim=True) + e) * g @ U.T
)
wrong("11.2", "epsilon after the root", "adding epsilon after the root")(
    lambda x, g, U, e: x / (x.square().mean(-1, keepdim=True).sqrt() + e) * g @ U.T
)
wrong("11.2", "no epsilon", "leaving out epsilon")(lambda x, g, U, e: normed(x, g, 0.0) @ U.T)
wrong("11.2", "fixed epsilon", "epsilon is added under the root")(
    lambda x, g, U, e: normed(x, g, 1e-5) @ U.T
)
wrong("11.2", "no root", "leaving out the root")(
    lambda x, g, U, e: x / (x.square().mean(-1, keepdim=True) + e) * g @ U.T
)
wrong("11.2", "probabilities", "returning probabilities")(
    lambda x, g, U, e: (normed(x, g, e) @ U.T).softmax(-1)
)
wrong("11.2", "norm after the unembedding", "")(
    lambda x, g, U, e: F.rms_norm(x * g @ U.T, U.shape[:1], None, e)
)
wrong("11.2", "the last token only", "")(
    lambda x, g, U, e: normed(x, g, e).reshape(-1, len(g))[-1] @ U.T
)
wrong("11.2", "the mean without keepdim", "so a wrong axis raises nothing")(
    lambda x, g, U, e: x / (x.square().mean(-1) + e).sqrt() * g @ U.T
)


@wrong("11.2", "in place", "changes its input `stream` in place")
def _(stream, gain, unembedding, epsilon):
    stream /= (stream.square().mean(-1, keepdim=True) + epsilon).sqrt()
    return stream * gain @ unembedding.T


@right("11.2", "step by step")
def _(stream, gain, unembedding, epsilon):
    return normed(stream, gain, epsilon) @ unembedding.T


@right("11.2", "PyTorch's functions")
def _(stream, gain, unembedding, epsilon):
    return F.linear(F.rms_norm(stream, gain.shape, gain, epsilon), unembedding)


@right("11.2", "einsum, in double precision")
def _(stream, gain, unembedding, epsilon):
    x = stream.double()
    size = (torch.einsum("...d,...d->...", x, x) / len(gain) + epsilon).rsqrt()
    return torch.einsum("...d,vd,d,...->...v", x, unembedding.double(), gain.double(), size)


@right("11.2", "loops in numpy")
def _(stream, gain, unembedding, epsilon):
    x, gain, unembedding = stream.numpy(), gain.numpy(), unembedding.numpy()
    rows = x.reshape(-1, len(gain))
    logits = np.zeros((len(rows), len(unembedding)))
    for i, row in enumerate(rows):
        size = np.sqrt((row**2).mean() + epsilon)
        for v, weights in enumerate(unembedding):
            logits[i, v] = (row / size * gain * weights).sum()
    return logits.reshape(*x.shape[:-1], -1)


# ------------------------------------------------------------------ 11.3 an induction score


def weights_at(weights, period, offset, start=0):
    t = torch.arange(period + start, 2 * period)
    return weights[:, t, t - period + offset].mean(-1)


wrong("11.3", "same token", "that is the same token")(lambda w, p: weights_at(w, p, 0))
wrong("11.3", "token before", "looking at the token before")(
    lambda w, p: induction(w, p, lambda t: t - p - 1)
)
wrong("11.3", "two further on", "")(lambda w, p: induction(w, p, lambda t: t - p + 2))
wrong("11.3", "key and query swapped", "swapping query and key")(
    lambda w, p: weights_at(w.mT, p, 1)
)
wrong("11.3", "the whole diagonal", "taking the whole diagonal")(
    lambda w, p: w.diagonal(1 - p, -2, -1).mean(-1)
)
wrong("11.3", "last query left out", "")(lambda w, p: w.diagonal(1 - p, -2, -1)[:, 1:-1].mean(-1))
wrong("11.3", "mean over heads", "averaging over the heads too")(
    lambda w, p: weights_at(w, p, 1).mean()
)
wrong("11.3", "divided by all positions", "dividing by all positions")(
    lambda w, p: weights_at(w, p, 1) / 2
)
wrong("11.3", "a sum", "leaving the sum undivided")(lambda w, p: weights_at(w, p, 1) * p)
wrong("11.3", "first head", "returning the first head only")(lambda w, p: weights_at(w, p, 1)[:1])
wrong("11.3", "largest weight", "")(
    lambda w, p: w[:, p:].argmax(-1).eq(torch.arange(1, p + 1)).float().mean(-1)
)
wrong("11.3", "mean over the block", "")(lambda w, p: w[:, p:, 1 : p + 1].mean((1, 2)))
wrong("11.3", "first axis is the query", "")(
    lambda w, p: torch.stack([w[t % len(w), :, t - p + 1] for t in range(p, 2 * p)]).mean(0)
)


def induction(w, p, key):
    total = torch.zeros(len(w))
    for t in range(p, 2 * p):
        total += w[:, t, min(key(t), 2 * p - 1)]
    return total / p


@right("11.3", "two lists of places")
def _(weights, period):
    return weights_at(weights, period, 1)


@right("11.3", "a diagonal without its first")
def _(weights, period):
    return weights.diagonal(1 - period, -2, -1)[:, 1:].mean(-1)


@right("11.3", "the diagonal of a block")
def _(weights, period):
    block = weights[:, period:, 1 : period + 1]
    return block.diagonal(dim1=1, dim2=2).mean(-1)


@right("11.3", "a loop, in a list")
def _(weights, period):
    return [
        sum(float(head[t, t - period + 1]) for t in range(period, 2 * period)) / period
        for head in weights
    ]


# ------------------------------------------------------------------ 11.4 take a head out


def columns(h, head_dim):
    return slice(h * head_dim, (h + 1) * head_dim)


@wrong("11.4", "rows", "setting rows to 0")
def _(W_output, heads, head_dim):
    W = W_output.clone()
    for h in heads:
        W[columns(h % (len(W) // head_dim), head_dim)] = 0
    return W


@wrong("11.4", "in place", "changes its input `W_output` in place")
def _(W_output, heads, head_dim):
    for h in heads:
        W_output[:, columns(h, head_dim)] = 0
    return W_output


@wrong("11.4", "in place, by a view", "changes its input `W_output` in place")
def _(W_output, heads, head_dim):
    W_output.view(len(W_output), -1, head_dim)[:, heads] = 0
    return W_output


@wrong("11.4", "a slice for a negative number", "-1 is the last head")
def _(W_output, heads, head_dim):
    W = W_output.clone()
    for h in heads:
        W[:, columns(h, head_dim)] = 0
    return W


@wrong("11.4", "kept, the others out", "keeping the named heads")
def _(W_output, heads, head_dim):
    W = torch.zeros_like(W_output).unflatten(1, (-1, head_dim))
    W[:, heads] = W_output.unflatten(1, (-1, head_dim))[:, heads]
    return W.flatten(1)


@wrong("11.4", "one column for each head", "one column per head")
def _(W_output, heads, head_dim):
    W = W_output.clone()
    W[:, heads] = 0
    return W


@wrong("11.4", "features in turns", "head 1 has columns 2 and 3")
def _(W_output, heads, head_dim):
    W = W_output.clone()
    W.view(len(W), head_dim, -1)[:, :, heads] = 0
    return W


@wrong("11.4", "counted from 1", "")
def _(W_output, heads, head_dim):
    W = W_output.clone()
    W.view(len(W), -1, head_dim)[:, [h - 1 for h in heads]] = 0
    return W


@wrong("11.4", "first named only", "the first of the named heads only")
def _(W_output, heads, head_dim):
    W = W_output.clone()
    W.view(len(W), -1, head_dim)[:, heads[:1]] = 0
    return W


@wrong("11.4", "returns in the loop", "no head is named")
def _(W_output, heads, head_dim):
    W = W_output.clone()
    W.view(len(W), -1, head_dim)[:, heads] = 0
    for _ in heads:
        return W


@wrong("11.4", "square only", "need not be square")
def _(W_output, heads, head_dim):
    W = W_output.clone()
    W.view(len(W), len(W) // head_dim, head_dim)[:, heads] = 0
    return W


@wrong("11.4", "cut off", "")
def _(W_output, heads, head_dim):
    n_head = W_output.shape[1] // head_dim
    kept = [h for h in range(n_head) if h not in heads and h - n_head not in heads]
    return W_output.unflatten(1, (-1, head_dim))[:, kept].flatten(1)


@wrong("11.4", "filled with the mean", "column 0 goes")
def _(W_output, heads, head_dim):
    W = W_output.clone()
    W.view(len(W), -1, head_dim)[:, heads] = W_output.mean()
    return W


@right("11.4", "a view with an axis for the heads")
def _(W_output, heads, head_dim):
    W = W_output.clone()
    W.view(len(W), -1, head_dim)[:, heads] = 0
    return W


@right("11.4", "slices, negative numbers made positive")
def _(W_output, heads, head_dim):
    W = W_output.clone()
    for h in heads:
        W[:, columns(h % (W.shape[1] // head_dim), head_dim)] = 0
    return W


@right("11.4", "numpy, a mask")
def _(W_output, heads, head_dim):
    keep = np.ones(W_output.shape[1] // head_dim)
    keep[heads] = 0
    return W_output.numpy() * np.repeat(keep, head_dim)


# ------------------------------------------------------------------ 11.5 rollout


def roll(heads=lambda layer: layer.mean(0), mix=lambda m: (m + torch.eye(len(m))) / 2, step=None):
    def rollout(attention):
        total = torch.eye(attention.shape[-1])
        for layer in attention:
            total = (step or (lambda old, new: new @ old))(total, mix(heads(layer)))
        return total

    return rollout


wrong("11.5", "wrong order", "multiplying in the wrong order")(
    roll(step=lambda old, new: old @ new)
)
wrong("11.5", "no identity", "leaving out the identity")(roll(mix=lambda m: m))
wrong("11.5", "not halved", "adding the identity without halving")(
    roll(mix=lambda m: m + torch.eye(len(m)))
)
wrong("11.5", "normalised in the end only, by the largest", "")(
    lambda a: (r := roll(mix=lambda m: m + torch.eye(len(m)))(a)) / r.max()
)
wrong("11.5", "heads added", "adding up the heads")(roll(heads=lambda layer: layer.sum(0)))
wrong("11.5", "largest head", "taking the largest head")(roll(heads=lambda layer: layer.amax(0)))
wrong("11.5", "number by number", "multiplying number by number")(
    lambda a: ((a.mean(1) + torch.eye(a.shape[-1])) / 2).prod(0)
)
wrong("11.5", "transposed", "rows are queries")(lambda a: roll()(a.mT))
wrong("11.5", "the result transposed", "")(lambda a: roll()(a).T)
wrong("11.5", "layers and heads swapped", "")(lambda a: roll()(a.transpose(0, 1)))
wrong("11.5", "last layer", "using the last layer only")(lambda a: roll()(a[-1:]))
wrong("11.5", "first layer", "using the first layer only")(lambda a: roll()(a[:1]))
wrong("11.5", "first head", "two heads: their mean")(roll(heads=lambda layer: layer[0]))
wrong("11.5", "mean of the layers", "")(lambda a: (a.mean((0, 1)) + torch.eye(a.shape[-1])) / 2)
wrong("11.5", "identity once", "")(
    lambda a: (roll(mix=lambda m: m)(a) + torch.eye(a.shape[-1])) / 2
)
wrong("11.5", "last row only", "")(lambda a: roll()(a)[-1])


@wrong("11.5", "in place", "changes its input `attention` in place")
def _(attention):
    attention += torch.eye(attention.shape[-1])
    attention /= 2
    return roll(mix=lambda m: m)(attention)


right("11.5", "a loop from the identity")(roll())
right("11.5", "rows divided by their sum")(
    roll(mix=lambda m: (m + torch.eye(len(m))) / (m + torch.eye(len(m))).sum(-1, keepdim=True))
)


@right("11.5", "one product of all")
def _(attention):
    mixed = list((attention.double().mean(1) + torch.eye(attention.shape[-1])) / 2)
    return torch.linalg.multi_dot(mixed[::-1]) if len(mixed) > 1 else mixed[0]


@right("11.5", "numpy, each layer as an average")
def _(attention):
    total = np.eye(attention.shape[-1])
    for layer in attention.numpy():
        total = 0.5 * total + 0.5 * np.einsum("hij,jk->ik", layer, total) / len(layer)
    return total


# ------------------------------------------------------------------ 11.6 a probe and its control


def with_ones(x):
    return torch.cat([x, torch.ones(len(x), 1)], dim=1)


def fitted(x, labels, penalty=1.0):
    identity = torch.eye(x.shape[1])
    return torch.linalg.solve(x.T @ x + penalty * identity, x.T @ (2.0 * labels - 1))


def share(x, w, labels):
    return ((x @ w > 0) == (labels == 1)).float().mean().item()


def two_probes(ones=with_ones, fit=fitted, measure=share, difference=lambda a, b: a - b):
    def selectivity(train_x, train_y, test_x, test_y, train_control, test_control):
        train_x, test_x = ones(train_x), ones(test_x)
        task = measure(test_x, fit(train_x, train_y), test_y)
        control = measure(test_x, fit(train_x, train_control), test_control)
        return task, control, difference(task, control)

    return selectivity


wrong("11.6", "tested on train", "testing on what the probe was fitted to")(
    lambda x, y, test_x, test_y, c, test_c: two_probes()(x, y, x, y, c, c)
)
wrong("11.6", "no ones", "leaving out the column of ones")(two_probes(ones=lambda x: x))
wrong("11.6", "0 and 1", "fitting to 0 and 1")(two_probes(fit=lambda x, y: fitted(x, (y + 1) / 2)))
wrong("11.6", "one probe for both", "The control has a probe of its own")(
    lambda x, y, test_x, test_y, c, test_c: (
        a := share(with_ones(test_x), fitted(with_ones(x), y), test_y),
        b := share(with_ones(test_x), fitted(with_ones(x), y), test_c),
        a - b,
    )
)
wrong("11.6", "control less task", "taking control less task")(
    two_probes(difference=lambda a, b: b - a)
)
wrong("11.6", "absolute difference", "without the penalty nothing could be solved")(
    two_probes(difference=lambda a, b: abs(a - b))
)
wrong("11.6", "no penalty", "")(two_probes(fit=lambda x, y: fitted(x, y, penalty=0.0)))
wrong("11.6", "pseudo-inverse", "")(
    two_probes(fit=lambda x, y: torch.linalg.pinv(x) @ (2.0 * y - 1))
)
wrong("11.6", "fitted on test", "")(
    lambda x, y, test_x, test_y, c, test_c: two_probes()(
        test_x, test_y, test_x, test_y, test_c, test_c
    )
)
wrong("11.6", "control tested on the task", "")(
    lambda x, y, test_x, test_y, c, test_c: two_probes()(x, y, test_x, test_y, c, test_y)
)
wrong("11.6", "control left out", "leaving the control out")(
    lambda x, y, test_x, test_y, c, test_c: two_probes()(x, y, test_x, test_y, y, test_y)
)
wrong("11.6", "errors", "positive x means 1")(
    two_probes(measure=lambda x, w, labels: 1 - share(x, w, labels))
)
wrong("11.6", "percent", "positive x means 1")(
    two_probes(measure=lambda x, w, y: 100 * share(x, w, y))
)
wrong("11.6", "counts", "positive x means 1")(
    two_probes(measure=lambda x, w, labels: share(x, w, labels) * len(x))
)
wrong("11.6", "the difference only", "")(lambda *args: two_probes()(*args)[2])
wrong("11.6", "labels as they are, integers", "")(
    two_probes(fit=lambda x, y: torch.linalg.solve(x.T @ x, x.T @ (2 * y - 1)))
)

right("11.6", "the formula")(two_probes())


@right("11.6", "two columns of labels at once")
def _(train_x, train_y, test_x, test_y, train_control, test_control):
    x, test = (F.pad(part, (0, 1), value=1.0).double() for part in (train_x, test_x))
    labels = torch.stack([train_y, train_control], dim=1).double() * 2 - 1
    w = torch.linalg.inv(x.T @ x + torch.eye(x.shape[1])) @ x.T @ labels
    right = (test @ w > 0).long() == torch.stack([test_y, test_control], dim=1)
    task, control = right.double().mean(0)
    return torch.stack([task, control, task - control])


@right("11.6", "numpy, labels by where, signs compared")
def _(train_x, train_y, test_x, test_y, train_control, test_control):
    def accuracy(labels, asked):
        x = np.column_stack([train_x.numpy().astype(float), np.ones(len(train_x))])
        w = np.linalg.solve(x.T @ x + np.eye(x.shape[1]), x.T @ np.where(labels, 1, -1))
        scores = np.column_stack([test_x.numpy(), np.ones(len(test_x))]) @ w
        return np.mean(np.sign(scores) == np.where(asked, 1, -1))

    task = accuracy(train_y.numpy(), test_y.numpy())
    control = accuracy(train_control.numpy(), test_control.numpy())
    return [task, control, task - control]


# ------------------------------------------------------------------ 11.7 patch


def patched(blocks, corrupted, clean, layer, position):
    for block in blocks[:layer]:
        corrupted, clean = block(corrupted), block(clean)
    corrupted = corrupted.clone()
    corrupted[position] = clean[position]
    for block in blocks[layer:]:
        corrupted = block(corrupted)
    return corrupted


def run(blocks, stream):
    for block in blocks:
        stream = block(stream)
    return stream


wrong("11.7", "clean run patched", "patching the clean run with the corrupted one")(
    lambda b, x, y, layer, t: patched(b, y, x, layer, t)
)
wrong("11.7", "one block late", "one block too late")(
    lambda b, x, y, layer, t: patched(b, x, y, layer + 1, t) if layer < len(b) else run(b, x)
)
wrong("11.7", "one block early", "")(
    lambda b, x, y, layer, t: patched(b, x, y, max(layer - 1, 0), t)
)
wrong("11.7", "all positions", "patching every position")(
    lambda b, x, y, layer, t: run(b[layer:], run(b[:layer], y))
)
wrong("11.7", "input patched", "whatever the layer")(
    lambda b, x, y, layer, t: patched(b, x, y, 0, t)
)
wrong("11.7", "final stream patched", "before the first block")(
    lambda b, x, y, layer, t: (
        patched([lambda s: run(b, s)], x, y, 1, t) if len(b) > 1 or layer else run(b, x)
    )
)
wrong("11.7", "corrupted as it was", "the one that goes on")(lambda b, x, y, layer, t: run(b, x))
wrong("11.7", "clean as it was", "")(lambda b, x, y, layer, t: run(b, y))
wrong("11.7", "the row only", "the shape is (1,)")(
    lambda b, x, y, layer, t: patched(b, x, y, layer, t)[t]
)
wrong("11.7", "all of one feature", "")(
    lambda b, x, y, layer, t: patched(b, x.T, y.T, layer, min(t, x.shape[1] - 1)).T
)
wrong("11.7", "all up to the position", "")(
    lambda b, x, y, layer, t: patched(b, x, y, layer, slice(t + 1))
)
wrong("11.7", "all from the position on", "")(
    lambda b, x, y, layer, t: patched(b, x, y, layer, slice(t, None))
)


@wrong("11.7", "raw clean input", "putting in the clean input")
def _(blocks, corrupted, clean, layer, position):
    stream = run(blocks[:layer], corrupted).clone()
    stream[position] = clean[position]
    return run(blocks[layer:], stream)


@wrong("11.7", "patched inside the loop, so never after the last", "after the last")
def _(blocks, corrupted, clean, layer, position):
    for i, block in enumerate(blocks):
        if i == layer:
            corrupted = corrupted.clone()
            corrupted[position] = clean[position]
        corrupted, clean = block(corrupted), block(clean)
    return corrupted


@wrong("11.7", "patched after each block from there on", "")
def _(blocks, corrupted, clean, layer, position):
    for i in range(len(blocks) + 1):
        if i >= layer:
            corrupted = corrupted.clone()
            corrupted[position] = clean[position]
        if i < len(blocks):
            corrupted, clean = blocks[i](corrupted), blocks[i](clean)
    return corrupted


@wrong("11.7", "in place at layer 0", "changes its input `corrupted` in place")
def _(blocks, corrupted, clean, layer, position):
    stream = run(blocks[:layer], corrupted)
    stream[position] = run(blocks[:layer], clean)[position]
    return run(blocks[layer:], stream)


@wrong("11.7", "the result of the clean run put in", "")
def _(blocks, corrupted, clean, layer, position):
    stream = run(blocks[:layer], corrupted).clone()
    stream[position] = run(blocks, clean)[position]
    return run(blocks[layer:], stream)


@right("11.7", "both in step, then one alone")
def _(blocks, corrupted, clean, layer, position):
    return patched(blocks, corrupted, clean, layer, position)


@right("11.7", "all streams of the clean run kept first, where")
def _(blocks, corrupted, clean, layer, position):
    kept = [clean]
    for block in blocks:
        kept.append(block(kept[-1]))
    here = torch.arange(len(clean))[:, None] == position
    stream = corrupted
    for i in range(len(blocks) + 1):
        if i == layer:
            stream = torch.where(here, kept[i], stream)
        stream = blocks[i](stream) if i < len(blocks) else stream
    return stream


@right("11.7", "recursion and cat, in double precision")
def _(blocks, corrupted, clean, layer, position):
    corrupted, clean = corrupted.double(), clean.double()
    if layer > 0:
        return patched(blocks[1:], blocks[0](corrupted), blocks[0](clean), layer - 1, position)
    rows = [corrupted[:position], clean[position : position + 1], corrupted[position + 1 :]]
    return run(blocks, torch.cat(rows))


# ------------------------------------------------------------------


@parametrised(WRONG)
def test_wrong_answer_is_rejected(given):
    assert_rejected(given)


@parametrised(RIGHT)
def test_right_answer_is_accepted(given):
    assert_accepted(given)


@pytest.mark.parametrize("case", find("11.6").cases[2:], ids=lambda case: len(case.args[0]))
def test_no_score_of_a_probe_is_decided_by_rounding(case):
    train_x, train_y, test_x, _, train_control, _ = case.args
    x = with_ones(train_x).double()
    for labels in (train_y, train_control):
        w = torch.linalg.solve(x.T @ x + torch.eye(x.shape[1]), x.T @ (2.0 * labels - 1).double())
        assert (with_ones(test_x).double() @ w).abs().min() > 1e-4


def test_every_exercise_has_enough_answers():
    assert_enough_answers(11, WRONG, RIGHT)
