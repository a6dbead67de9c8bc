"""The checks of chapter 3 tell wrong answers from right ones."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from llmcourse.exercises.chapter_03 import MANY_WORDS, cosines
from llmcourse.exercises.exercise import find
from llmcourse.exercises.judging import judge
from tests.exercises.answers import (
    assert_accepted,
    assert_enough_answers,
    assert_rejected,
    decorators,
    parametrised,
)

WRONG, RIGHT = [], []
wrong, right = decorators(WRONG, RIGHT)

# ------------------------------------------------------------------ 03.1 a gradient on paper

LN2, LN5 = math.log(2), math.log(5)
wrong("03.1", "softmax", "stopping at the softmax")([1 / 8, 2 / 8, 5 / 8])
wrong("03.1", "sign", "turning the sign")([-1 / 8, 6 / 8, -5 / 8])
wrong("03.1", "first token", "subtracting at the first")([-7 / 8, 2 / 8, 5 / 8])
wrong("03.1", "third token", "subtracting at the third")([1 / 8, 2 / 8, -3 / 8])
wrong("03.1", "divided by three", "dividing by 3")([1 / 24, -6 / 24, 5 / 24])
wrong("03.1", "logits minus one-hot", "the logits themselves")([0, LN2 - 1, LN5])
shares = [0, LN2 / (LN2 + LN5) - 1, LN5 / (LN2 + LN5)]
wrong("03.1", "shares of the logits", "without the exponential")(shares)
wrong("03.1", "by the probability", "differentiating by the probability")([0, -4, 0])
wrong("03.1", "target only", "The other two")([0, -0.75, 0])
wrong("03.1", "bits", "in bits")([0.125 / LN2, -0.75 / LN2, 0.625 / LN2])
wrong("03.1", "not normalised", "sum to 1")([1, 1, 5])
wrong("03.1", "signs lost", "which sum to 0")([1 / 8, 6 / 8, 5 / 8])
wrong("03.1", "the loss", "3 numbers are wanted, and you give 1")(math.log(4))
wrong("03.1", "None", "None is no answer")(None)
wrong("03.1", "words", "3 numbers are wanted, got a string")("1/8, -6/8, 5/8")
right("03.1", "list")([1 / 8, -6 / 8, 5 / 8])
right("03.1", "tensor of one row")(torch.tensor([[0.125, -0.75, 0.625]]))
right("03.1", "fractions")((Fraction(1, 8), Fraction(-3, 4), Fraction(5, 8)))
right("03.1", "rounded to two places")([0.125, -0.75, 0.63])

# ------------------------------------------------------------------ 03.2 cross-entropy by hand


def at(values, targets):
    return values[torch.arange(len(targets)), targets]


@wrong("03.2", "logarithm of a naive softmax", "exp(1000) is inf")
def _(logits, targets):
    e = logits.exp()
    return -at(e / e.sum(1, keepdim=True), targets).log().mean()


@wrong("03.2", "naive log-sum-exp", "exp(1000) is inf")
def _(logits, targets):
    return (logits.exp().sum(1).log() - at(logits, targets)).mean()


@wrong("03.2", "naive, in double precision", "exp(1000) is inf")
def _(logits, targets):
    logits = logits.double()
    return (logits.exp().sum(1).log() - at(logits, targets)).mean()


@wrong("03.2", "logarithm of the softmax", "too small for a float")
def _(logits, targets):
    return -at(logits.softmax(1), targets).log().mean()


@wrong("03.2", "logarithm of the softmax, maximum subtracted", "too small for a float")
def _(logits, targets):
    e = (logits - logits.amax(1, keepdim=True)).exp()
    return -at(e / e.sum(1, keepdim=True), targets).log().mean()


@wrong("03.2", "a little added to the probability", "too small for a float")
def _(logits, targets):
    return -(at(logits.softmax(1), targets) + 1e-9).log().mean()


@wrong("03.2", "probability clamped", "Clamp nothing")
def _(logits, targets):
    return -at(logits.softmax(1), targets).clamp_min(1e-12).log().mean()


@wrong("03.2", "logits clamped", "Clamp nothing")
def _(logits, targets):
    logits = logits.clamp(-80, 80)
    return (logits.exp().sum(1).log() - at(logits, targets)).mean()


@wrong("03.2", "one maximum for all", "each needs its own")
def _(logits, targets):
    logits = logits - logits.max()
    return (logits.exp().sum(1).log() - at(logits, targets)).mean()


@wrong("03.2", "first logit subtracted", "exp(1000) is inf")
def _(logits, targets):
    logits = logits - logits[:, :1]
    return (logits.exp().sum(1).log() - at(logits, targets)).mean()


@wrong("03.2", "mean subtracted", "exp(1000) is inf")
def _(logits, targets):
    logits = logits - logits.mean(1, keepdim=True)
    return (logits.exp().sum(1).log() - at(logits, targets)).mean()


@wrong("03.2", "sum", "adding up the losses")
def _(logits, targets):
    return (logits.logsumexp(1) - at(logits, targets)).sum()


@wrong("03.2", "base 2", "measuring in bits")
def _(logits, targets):
    return (logits.logsumexp(1) - at(logits, targets)).mean() / math.log(2)


@wrong("03.2", "powers of 2", "In bits it would be 1")
def _(logits, targets):
    return (logits.exp2().sum(1).log2() - at(logits, targets)).mean()


@wrong("03.2", "no mean", "returning the loss of each row")
def _(logits, targets):
    return logits.logsumexp(1) - at(logits, targets)


@wrong("03.2", "a vector of one", "the shape is (1,)")
def _(logits, targets):
    return (logits.logsumexp(1) - at(logits, targets)).mean()[None]


@wrong("03.2", "mean over all logits", "dividing by the number of logits")
def _(logits, targets):
    return -(F.one_hot(targets, logits.shape[1]) * logits.log_softmax(1)).mean()


@wrong("03.2", "no minus", "a surprise is positive")
def _(logits, targets):
    return at(logits.log_softmax(1), targets).mean()


@wrong("03.2", "softmax over the examples", "taking the softmax over the examples")
def _(logits, targets):
    return -at(logits.log_softmax(0), targets).mean()


@wrong("03.2", "all targets for every row", "pairing each row with all targets")
def _(logits, targets):
    return -logits.log_softmax(1)[:, targets].mean()


@wrong("03.2", "rows of the targets")
def _(logits, targets):
    return (logits.logsumexp(1) - logits[targets, range(len(targets))]).mean()


@wrong("03.2", "no softmax", "leaving out the softmax")
def _(logits, targets):
    return -at(logits, targets).mean()


@wrong("03.2", "softmax twice", "taking the softmax twice")
def _(logits, targets):
    return -at(logits.softmax(1).log_softmax(1), targets).mean()


@wrong("03.2", "no logarithm", "leaving out the logarithm")
def _(logits, targets):
    return at(logits.softmax(1), targets).mean()


@wrong("03.2", "mean of the probabilities, then the logarithm")
def _(logits, targets):
    return -at(logits.softmax(1), targets).mean().log()


@wrong("03.2", "no keepdim")
def _(logits, targets):
    logits = logits - logits.amax(1)
    return (logits.exp().sum(1).log() - at(logits, targets)).mean()


@wrong("03.2", "first row only", "each row has its own softmax")
def _(logits, targets):
    return logits[0].logsumexp(0) - logits[0, targets[0]]


@wrong("03.2", "a batch of one only", "RuntimeError")
def _(logits, targets):
    return logits.logsumexp(1).item() - logits[0, targets].item()


@wrong("03.2", "best token for the target")
def _(logits, targets):
    return (logits.logsumexp(1) - logits.amax(1)).mean()


@wrong("03.2", "entropy")
def _(logits, targets):
    return torch.distributions.Categorical(logits=logits).entropy().mean()


@wrong("03.2", "a millionth in the sum", "add nothing to a probability")
def _(logits, targets):
    shifted = logits - logits.amax(1, keepdim=True)
    return ((shifted.exp().sum(1) + 1e-6).log() - at(shifted, targets)).mean()


@wrong("03.2", "in place", "changes its input `logits` in place")
def _(logits, targets):
    logits -= logits.amax(1, keepdim=True)
    return (logits.exp().sum(1).log() - at(logits, targets)).mean()


@right("03.2", "log-sum-exp")
def _(logits, targets):
    return (logits.logsumexp(1) - logits.gather(1, targets[:, None])[:, 0]).mean()


@right("03.2", "maximum subtracted")
def _(logits, targets):
    shifted = logits - logits.amax(1, keepdim=True)
    return (shifted.exp().sum(1).log() - at(shifted, targets)).mean()


@right("03.2", "one-hot")
def _(logits, targets):
    return -(F.one_hot(targets, logits.shape[1]) * logits.log_softmax(-1)).sum(1).mean()


@right("03.2", "loop in Python")
def _(logits, targets):
    total = 0
    for row, target in zip(logits.tolist(), targets.tolist()):
        total += max(row) - row[target] + math.log(sum(math.exp(x - max(row)) for x in row))
    return total / len(targets)


@right("03.2", "numpy")
def _(logits, targets):
    return np.mean(np.logaddexp.reduce(logits.numpy(), axis=1) - at(logits, targets).numpy())


right("03.2", "PyTorch's own")(F.cross_entropy)

# ------------------------------------------------------------------ 03.3 its gradient


def p_minus_y(logits, targets):
    return logits.softmax(1) - F.one_hot(targets, logits.shape[1])


@wrong("03.3", "gradient of the sum", "leaving out the division by the batch")
def _(logits, targets):
    return p_minus_y(logits, targets)


@wrong("03.3", "sign", "turning the sign")
def _(logits, targets):
    return -p_minus_y(logits, targets) / len(logits)


@wrong("03.3", "divided by the vocabulary", "dividing by the size of the vocabulary")
def _(logits, targets):
    return p_minus_y(logits, targets) / logits.shape[1]


@wrong("03.3", "divided by all", "dividing by the vocabulary as well")
def _(logits, targets):
    return p_minus_y(logits, targets) / logits.numel()


@wrong("03.3", "softmax alone", "stopping at the softmax")
def _(logits, targets):
    return logits.softmax(1) / len(logits)


@wrong("03.3", "one-hot divided, softmax not", "each row carries one half")
def _(logits, targets):
    return logits.softmax(1) - F.one_hot(targets, logits.shape[1]) / len(logits)


@wrong("03.3", "softmax over the examples", "over the examples, dimension 0")
def _(logits, targets):
    return (logits.softmax(0) - F.one_hot(targets, logits.shape[1])) / len(logits)


@wrong("03.3", "bits", "measuring the loss in bits")
def _(logits, targets):
    return p_minus_y(logits, targets) / len(logits) / math.log(2)


@wrong("03.3", "one-hot turned", "turning the one-hot matrix")
def _(logits, targets):
    return (logits.softmax(1) - F.one_hot(targets, logits.shape[1]).T) / len(logits)


@wrong("03.3", "one-hot without a number of classes", "RuntimeError")
def _(logits, targets):
    return (logits.softmax(1) - F.one_hot(targets)) / len(logits)


@wrong("03.3", "all targets in every row", "subtracting every target in every row")
def _(logits, targets):
    gradient = logits.softmax(1)
    gradient[:, targets] -= 1
    return gradient / len(logits)


@wrong("03.3", "whole rows")
def _(logits, targets):
    gradient = logits.softmax(1)
    gradient[targets] -= 1
    return gradient / len(logits)


@wrong("03.3", "logits minus one-hot", "the logits themselves")
def _(logits, targets):
    return (logits - F.one_hot(targets, logits.shape[1])) / len(logits)


@wrong("03.3", "naive softmax", "exp(1000) is inf")
def _(logits, targets):
    p = logits.exp() / logits.exp().sum(1, keepdim=True)
    return (p - F.one_hot(targets, logits.shape[1])) / len(logits)


@wrong("03.3", "one maximum for all", "each row needs its own maximum")
def _(logits, targets):
    e = (logits - logits.max()).exp()
    return (e / e.sum(1, keepdim=True) - F.one_hot(targets, logits.shape[1])) / len(logits)


@wrong("03.3", "kept in integers", "Difference")
def _(logits, targets):
    gradient = F.one_hot(targets, logits.shape[1])
    gradient[:] = p_minus_y(logits, targets) / len(logits)
    return gradient


@wrong("03.3", "whole rows of probability 1 only")
def _(logits, targets):
    guess = F.one_hot(logits.argmax(1), logits.shape[1])
    return (guess - F.one_hot(targets, logits.shape[1])) / len(logits)


@wrong("03.3", "target only")
def _(logits, targets):
    y = F.one_hot(targets, logits.shape[1])
    return y * (logits.softmax(1) - 1) / len(logits)


@wrong("03.3", "with the softmax's own slope", "softmax minus one-hot")
def _(logits, targets):
    p = logits.softmax(1)
    return p_minus_y(logits, targets) * p * (1 - p) / len(logits)


@wrong("03.3", "a step downhill")
def _(logits, targets):
    return logits - p_minus_y(logits, targets) / len(logits)


@wrong("03.3", "autograd of the sum", "leaving out the division by the batch")
def _(logits, targets):
    logits = logits.clone().requires_grad_()
    F.cross_entropy(logits, targets, reduction="sum").backward()
    return logits.grad


@wrong("03.3", "autograd that returns nothing", "None")
def _(logits, targets):
    logits = logits.clone().requires_grad_()
    return F.cross_entropy(logits, targets).backward()


@wrong("03.3", "mean over the batch", "the shape is (3,), and should be (1, 3)")
def _(logits, targets):
    return p_minus_y(logits, targets).mean(0)


@wrong("03.3", "finite differences that are too coarse")
def _(logits, targets):
    gradient = torch.zeros_like(logits)
    for place in np.ndindex(*logits.shape):
        step = torch.zeros_like(logits)
        step[place] = 0.1
        gradient[place] = (
            F.cross_entropy(logits + step, targets) - F.cross_entropy(logits, targets)
        ) / 0.1
    return gradient


@wrong("03.3", "in place", "changes its input `logits` in place")
def _(logits, targets):
    logits.copy_(logits.softmax(1))
    logits[range(len(targets)), targets] -= 1
    return logits / len(logits)


@right("03.3", "softmax minus one-hot")
def _(logits, targets):
    return (torch.softmax(logits, 1) - F.one_hot(targets, logits.shape[1])) / len(targets)


@right("03.3", "one subtracted in a copy")
def _(logits, targets):
    gradient = torch.softmax(logits, dim=-1)
    gradient[torch.arange(len(targets)), targets] -= 1
    return gradient / logits.shape[0]


@right("03.3", "autograd, leaving .grad on the input")
def _(logits, targets):
    logits.requires_grad_()
    F.cross_entropy(logits, targets).backward()
    return logits.grad


@right("03.3", "torch.func")
def _(logits, targets):
    return torch.func.grad(F.cross_entropy)(logits, targets)


@right("03.3", "numpy, row by row")
def _(logits, targets):
    rows = []
    for row, target in zip(logits.numpy(), targets.numpy()):
        e = np.exp(row - row.max())
        rows.append((e / e.sum() - np.eye(len(row))[target]) / len(logits))
    return np.stack(rows)


@right("03.3", "finite differences in double precision")
def _(logits, targets):
    logits, h = logits.double(), 1e-4
    gradient = torch.zeros_like(logits)
    for place in np.ndindex(*logits.shape):
        step = torch.zeros_like(logits)
        step[place] = h
        up, down = (F.cross_entropy(logits + sign * step, targets) for sign in (1, -1))
        gradient[place] = (up - down) / (2 * h)
    return gradient


# ------------------------------------------------------------------ 03.4 windows and targets


@wrong("03.4", "last token of the window", "the last token of the window as its target")
def _(ids, context):
    inputs = ids.unfold(0, context, 1)[:-1]
    return inputs, inputs[:, -1]


@wrong("03.4", "last window lost", "losing the last window")
def _(ids, context):
    places = range(len(ids) - context - 1)
    inputs = [ids[i : i + context] for i in places]
    inputs = torch.stack(inputs) if inputs else ids.new_zeros(0, context)
    return inputs, torch.stack([ids[i + context] for i in places]) if places else ids[:0]


@wrong("03.4", "last window lost, and nothing to stack", "RuntimeError")
def _(ids, context):
    places = range(len(ids) - context - 1)
    return torch.stack([ids[i : i + context] for i in places]), ids[context:-1]


@wrong("03.4", "a window more than targets", "the shape is (2, 1), and should be (1, 1)")
def _(ids, context):
    return ids.unfold(0, context, 1), ids[context:]


@wrong("03.4", "running over the end", "running over the end")
def _(ids, context):
    inputs = torch.stack([ids.roll(-i)[:context] for i in range(len(ids))])
    return inputs, ids.roll(-context)


@wrong("03.4", "only the targets run over the end")
def _(ids, context):
    return ids.unfold(0, context, 1), ids.roll(-context)[: len(ids) - context + 1]


@wrong("03.4", "next window as target", "returning the next window as the target")
def _(ids, context):
    both = ids.unfold(0, context, 1)
    return both[:-1], both[1:]


@wrong("03.4", "next token after the first", "the second token of the window")
def _(ids, context):
    return ids.unfold(0, context, 1)[:-1], ids[1 : len(ids) - context + 1]


@wrong("03.4", "first token of the window", "the first token of the window")
def _(ids, context):
    return ids.unfold(0, context, 1)[:-1], ids[:-context]


@wrong("03.4", "token before the window")
def _(ids, context):
    return ids.unfold(0, context, 1)[1:], ids[:-context]


@wrong("03.4", "token after the next")
def _(ids, context):
    return ids.unfold(0, context, 1)[:-1], torch.cat([ids[context + 1 :], ids[:1]])


@wrong("03.4", "turned", "turning the inputs")
def _(ids, context):
    n = len(ids) - context
    return torch.stack([ids[i : i + n] for i in range(context)]), ids[context:]


@wrong("03.4", "backwards", "reading the windows backwards")
def _(ids, context):
    return ids.unfold(0, context, 1)[:-1].flip(1), ids[context:]


@wrong("03.4", "side by side", "stepping on by a whole window")
def _(ids, context):
    places = range(0, len(ids) - context, context)
    return torch.stack([ids[i : i + context] for i in places]), ids[context::context]


@wrong("03.4", "reshaped")
def _(ids, context):
    n = len(ids) // context * context
    return ids[:n].reshape(-1, context), ids[context:]


@wrong("03.4", "floats", "the dtype is wrong: got real")
def _(ids, context):
    inputs = torch.zeros(len(ids) - context, context)
    for i in range(len(inputs)):
        inputs[i] = ids[i : i + context]
    return inputs, ids[context:]


@wrong("03.4", "bytes for ids", "longer text")
def _(ids, context):
    return ids.unfold(0, context, 1)[:-1].to(torch.uint8), ids[context:].to(torch.uint8)


@wrong("03.4", "places for ids")
def _(ids, context):
    return torch.arange(len(ids)).unfold(0, context, 1)[:-1], torch.arange(context, len(ids))


@wrong("03.4", "target kept in the window", "the shape is (1, 2), and should be (1, 1)")
def _(ids, context):
    return ids.unfold(0, context + 1, 1), ids[context:]


@wrong("03.4", "targets in a column", "the shape is (1, 1), and should be (1,)")
def _(ids, context):
    return ids.unfold(0, context, 1)[:-1], ids[context:, None]


@wrong("03.4", "inputs only", "expected a tuple, got a tensor")
def _(ids, context):
    return ids.unfold(0, context, 1)[:-1]


@wrong("03.4", "targets first")
def _(ids, context):
    return ids[context:], ids.unfold(0, context, 1)[:-1]


@wrong("03.4", "pairs of window and target")
def _(ids, context):
    return [(ids[i : i + context], ids[i + context]) for i in range(len(ids) - context)]


@wrong("03.4", "empty windows for a context of 1")
def _(ids, context):
    places = range(len(ids) - context)
    return torch.stack([ids[i : i + context - 1] for i in places]), ids[context:]


@wrong("03.4", "windows without repeats", "may repeat")
def _(ids, context):
    both = dict.fromkeys(map(tuple, ids.unfold(0, context + 1, 1).tolist()))
    return [window[:-1] for window in both], [window[-1] for window in both]


@wrong("03.4", "ids marked in place", "changes its input `ids` in place")
def _(ids, context):
    inputs, targets = ids.unfold(0, context, 1)[:-1].clone(), ids[context:].clone()
    ids[-1] = -1
    return inputs, targets


@right("03.4", "unfold")
def _(ids, context):
    return ids.unfold(0, context, 1)[:-1], ids[context:]


@right("03.4", "stack in a loop, as a list")
def _(ids, context):
    places = range(len(ids) - context)
    return [torch.stack([ids[i : i + context] for i in places]), ids[context:]]


@right("03.4", "indices")
def _(ids, context):
    places = torch.arange(len(ids) - context)[:, None] + torch.arange(context + 1)
    both = ids[places]
    return both[:, :-1], both[:, -1]


@right("03.4", "lists")
def _(ids, context):
    ids = ids.tolist()
    n = len(ids) - context
    return [ids[i : i + context] for i in range(n)], [ids[i + context] for i in range(n)]


@right("03.4", "numpy")
def _(ids, context):
    both = np.lib.stride_tricks.sliding_window_view(ids.numpy(), context + 1)
    return both[:, :-1], both[:, -1].astype(np.int32)


# ------------------------------------------------------------------ 03.5 nearest neighbours


@wrong("03.5", "dot product", "ranking by the dot product")
def _(embedding, word, k):
    scores = embedding @ embedding[word]
    scores[word] = -math.inf
    return scores.topk(k).indices.tolist()


@wrong("03.5", "dot product divided by the word's length", "ranking by the dot product")
def _(embedding, word, k):
    scores = embedding @ embedding[word] / embedding[word].norm()
    scores[word] = -math.inf
    return scores.topk(k).indices.tolist()


@wrong("03.5", "distance", "ranking by distance")
def _(embedding, word, k):
    distances = torch.cdist(embedding, embedding[word][None])[:, 0]
    distances[word] = math.inf
    return distances.topk(k, largest=False).indices.tolist()


@wrong("03.5", "largest distance", "the farthest first")
def _(embedding, word, k):
    distances = torch.cdist(embedding, embedding[word][None])[:, 0]
    distances[word] = -math.inf
    return distances.topk(k).indices.tolist()


@wrong("03.5", "the word itself", "counting the word itself")
def _(embedding, word, k):
    return F.cosine_similarity(embedding, embedding[word], dim=-1).topk(k).indices.tolist()


@wrong("03.5", "the word itself, and k more", "counting the word itself")
def _(embedding, word, k):
    return F.cosine_similarity(embedding, embedding[word], dim=-1).topk(k + 1).indices.tolist()


@wrong("03.5", "first dropped", "dropping whoever comes first")
def _(embedding, word, k):
    scores = F.cosine_similarity(embedding, embedding[word], dim=-1)
    return scores.topk(k + 1).indices[1:].tolist()


@wrong("03.5", "first dropped, stable sort", "dropping whoever comes first")
def _(embedding, word, k):
    scores = F.cosine_similarity(embedding, embedding[word], dim=-1)
    return scores.argsort(descending=True, stable=True)[1 : k + 1].tolist()


@wrong("03.5", "last dropped, the other way round")
def _(embedding, word, k):
    scores = F.cosine_similarity(embedding, embedding[word], dim=-1)
    return scores.argsort(stable=True)[:-1].flip(0)[:k].tolist()


@wrong("03.5", "all with a cosine of 1 left out", "leave out the word by its id")
def _(embedding, word, k):
    scores = F.cosine_similarity(embedding, embedding[word], dim=-1)
    scores[scores > 1 - 1e-6] = -2
    return scores.topk(k).indices.tolist()


@wrong("03.5", "all equal rows left out", "leave out the word by its id")
def _(embedding, word, k):
    scores = F.cosine_similarity(embedding, embedding[word], dim=-1)
    scores[(embedding == embedding[word]).all(1)] = -math.inf
    return scores.topk(k).indices.tolist()


@wrong("03.5", "nearest last", "nearest comes first")
def _(embedding, word, k):
    scores = F.cosine_similarity(embedding, embedding[word], dim=-1)
    scores[word] = -math.inf
    return scores.argsort()[-k:].tolist()


@wrong("03.5", "farthest", "sorting the wrong way")
def _(embedding, word, k):
    scores = F.cosine_similarity(embedding, embedding[word], dim=-1)
    scores[word] = math.inf
    return scores.argsort()[:k].tolist()


@wrong("03.5", "sign lost", "leaving out the sign")
def _(embedding, word, k):
    scores = F.cosine_similarity(embedding, embedding[word], dim=-1).abs()
    scores[word] = -math.inf
    return scores.topk(k).indices.tolist()


@wrong("03.5", "word set to 0", "more than a negative one")
def _(embedding, word, k):
    scores = F.cosine_similarity(embedding, embedding[word], dim=-1)
    scores[word] = 0
    return scores.topk(k).indices.tolist()


@wrong("03.5", "word set to -1", "the word itself not at all")
def _(embedding, word, k):
    scores = F.cosine_similarity(embedding, embedding[word], dim=-1)
    scores[word] = -1
    return scores.argsort(descending=True, stable=True)[:k].tolist()


@wrong("03.5", "lengths of the columns", "wrong axis")
def _(embedding, word, k):
    unit = embedding / embedding.norm(dim=0)
    scores = unit @ unit[word]
    scores[word] = -math.inf
    return scores.topk(k).indices.tolist()


@wrong("03.5", "no keepdim")
def _(embedding, word, k):
    unit = embedding / embedding.norm(dim=1)
    scores = unit @ unit[word]
    scores[word] = -math.inf
    return scores.topk(k).indices.tolist()


@wrong("03.5", "length of the whole matrix")
def _(embedding, word, k):
    scores = embedding @ embedding[word] / embedding.norm() / embedding[word].norm()
    scores[word] = -math.inf
    return scores.topk(k).indices.tolist()


@wrong("03.5", "lengths not rooted", "nearest")
def _(embedding, word, k):
    scores = embedding @ embedding[word] / embedding.square().sum(1)
    scores[word] = -math.inf
    return scores.topk(k).indices.tolist()


@wrong("03.5", "sum of numbers for the length")
def _(embedding, word, k):
    scores = embedding @ embedding[word] / embedding.abs().sum(1)
    scores[word] = -math.inf
    return scores.topk(k).indices.tolist()


@wrong("03.5", "in the order of ids", "sorting by id")
def _(embedding, word, k):
    scores = F.cosine_similarity(embedding, embedding[word], dim=-1)
    scores[word] = -math.inf
    return sorted(scores.topk(k).indices.tolist())


@wrong("03.5", "row taken out, ids not put right")
def _(embedding, word, k):
    others = torch.cat([embedding[:word], embedding[word + 1 :]])
    return F.cosine_similarity(others, embedding[word], dim=-1).topk(k).indices.tolist()


@wrong("03.5", "cosines", "The ids are wanted")
def _(embedding, word, k):
    scores = F.cosine_similarity(embedding, embedding[word], dim=-1)
    scores[word] = -math.inf
    return scores.topk(k).values.tolist()


@wrong("03.5", "one id, not a list", "the shape is ()")
def _(embedding, word, k):
    scores = F.cosine_similarity(embedding, embedding[word], dim=-1)
    scores[word] = -math.inf
    return scores.argmax()


@wrong("03.5", "rows", "Difference")
def _(embedding, word, k):
    scores = F.cosine_similarity(embedding, embedding[word], dim=-1)
    scores[word] = -math.inf
    return embedding[scores.topk(k).indices]


@wrong("03.5", "in place", "changes its input `embedding` in place")
def _(embedding, word, k):
    embedding /= embedding.norm(dim=1, keepdim=True)
    scores = embedding @ embedding[word]
    scores[word] = -math.inf
    return scores.topk(k).indices.tolist()


@right("03.5", "cosine_similarity and topk")
def _(embedding, word, k):
    scores = F.cosine_similarity(embedding, embedding[word][None])
    scores[word] = -math.inf
    return scores.topk(k).indices.tolist()


@right("03.5", "unit vectors, as a tensor")
def _(embedding, word, k):
    unit = F.normalize(embedding, dim=1)
    order = (unit @ unit[word]).argsort(descending=True)
    return order[order != word][:k]


@right("03.5", "distance of unit vectors, in numpy")
def _(embedding, word, k):
    unit = embedding.numpy() / np.linalg.norm(embedding.numpy(), axis=1, keepdims=True)
    distances = np.linalg.norm(unit - unit[word], axis=1)
    distances[word] = np.inf
    return np.argsort(distances)[:k]


@right("03.5", "loop in Python")
def _(embedding, word, k):
    rows = embedding.tolist()

    def cosine(i):
        dot = sum(a * b for a, b in zip(rows[i], rows[word]))
        return dot / math.sqrt(sum(a * a for a in rows[i]))

    return sorted((i for i in range(len(rows)) if i != word), key=cosine)[::-1][:k]


@right("03.5", "row taken out, ids put right, in double precision")
def _(embedding, word, k):
    embedding = embedding.double()
    others = torch.cat([embedding[:word], embedding[word + 1 :]])
    found = F.cosine_similarity(others, embedding[word], dim=-1).topk(k).indices
    return [i + 1 if i >= word else i for i in found.tolist()]


# ------------------------------------------------------------------ 03.6 momentum


@wrong("03.6", "moving average", "taking 1 - momentum of the gradient")
def _(gradient, start, learning_rate, momentum, steps):
    x, velocity, path = start, torch.zeros_like(start), [start]
    for _ in range(steps):
        velocity = momentum * velocity + (1 - momentum) * gradient(x)
        x = x - learning_rate * velocity
        path.append(x)
    return torch.stack(path)


@wrong("03.6", "gradient ahead", "taking the gradient ahead")
def _(gradient, start, learning_rate, momentum, steps):
    x, velocity, path = start, torch.zeros_like(start), [start]
    for _ in range(steps):
        velocity = momentum * velocity + gradient(x - learning_rate * momentum * velocity)
        x = x - learning_rate * velocity
        path.append(x)
    return torch.stack(path)


@wrong("03.6", "Nesterov, as in PyTorch", "with the gradient once more")
def _(gradient, start, learning_rate, momentum, steps):
    x, velocity, path = start, torch.zeros_like(start), [start]
    for _ in range(steps):
        slope = gradient(x)
        velocity = momentum * velocity + slope
        x = x - learning_rate * (slope + momentum * velocity)
        path.append(x)
    return torch.stack(path)


@wrong("03.6", "gradient at the start", "each step halves")
def _(gradient, start, learning_rate, momentum, steps):
    x, velocity, path = start, torch.zeros_like(start), [start]
    for _ in range(steps):
        velocity = momentum * velocity + gradient(start)
        x = x - learning_rate * velocity
        path.append(x)
    return torch.stack(path)


@wrong("03.6", "moved before the velocity is new")
def _(gradient, start, learning_rate, momentum, steps):
    x, velocity, path = start, torch.zeros_like(start), [start]
    for _ in range(steps):
        x = x - learning_rate * velocity
        velocity = momentum * velocity + gradient(x)
        path.append(x)
    return torch.stack(path)


@wrong("03.6", "velocity not kept", "leaving out the momentum")
def _(gradient, start, learning_rate, momentum, steps):
    x, path = start, [start]
    for _ in range(steps):
        velocity = torch.zeros_like(start)
        velocity = momentum * velocity + gradient(x)
        x = x - learning_rate * velocity
        path.append(x)
    return torch.stack(path)


@wrong("03.6", "one velocity for all coordinates", "each coordinate has its own velocity")
def _(gradient, start, learning_rate, momentum, steps):
    x, velocity, path = start, 0.0, [start]
    for _ in range(steps):
        velocity = momentum * velocity + gradient(x).norm() * gradient(x)[0].sign()
        x = x - learning_rate * velocity
        path.append(x)
    return torch.stack(path)


@wrong("03.6", "momentum to the gradient", "leaving out")
def _(gradient, start, learning_rate, momentum, steps):
    x, path = start, [start]
    for _ in range(steps):
        x = x - learning_rate * gradient(x)
        path.append(x)
    return torch.stack(path)


@wrong("03.6", "momentum for 1 - momentum")
def _(gradient, start, learning_rate, momentum, steps):
    x, velocity, path = start, torch.zeros_like(start), [start]
    for _ in range(steps):
        velocity = (1 - momentum) * velocity + gradient(x)
        x = x - learning_rate * velocity
        path.append(x)
    return torch.stack(path)


@wrong("03.6", "velocity minus gradient", "going uphill")
def _(gradient, start, learning_rate, momentum, steps):
    x, velocity, path = start, torch.zeros_like(start), [start]
    for _ in range(steps):
        velocity = momentum * velocity - gradient(x)
        x = x - learning_rate * velocity
        path.append(x)
    return torch.stack(path)


@wrong("03.6", "learning rate twice")
def _(gradient, start, learning_rate, momentum, steps):
    x, velocity, path = start, torch.zeros_like(start), [start]
    for _ in range(steps):
        velocity = momentum * velocity + learning_rate * gradient(x)
        x = x - learning_rate * velocity
        path.append(x)
    return torch.stack(path)


@wrong("03.6", "learning rate on the gradient only, not on the momentum's share")
def _(gradient, start, learning_rate, momentum, steps):
    x, velocity, path = start, torch.zeros_like(start), [start]
    for _ in range(steps):
        velocity = momentum * velocity + gradient(x)
        x = x - learning_rate * gradient(x) - momentum * velocity
        path.append(x)
    return torch.stack(path)


@wrong("03.6", "no start", "leaving out the start")
def _(gradient, start, learning_rate, momentum, steps):
    x, velocity, path = start, torch.zeros_like(start), []
    for _ in range(steps):
        velocity = momentum * velocity + gradient(x)
        x = x - learning_rate * velocity
        path.append(x)
    return torch.stack(path) if path else start[:0].reshape(0, len(start))


@wrong("03.6", "a step less", "leaving out the last point")
def _(gradient, start, learning_rate, momentum, steps):
    x, velocity, path = start, torch.zeros_like(start), [start]
    for _ in range(steps - 1):
        velocity = momentum * velocity + gradient(x)
        x = x - learning_rate * velocity
        path.append(x)
    return torch.stack(path[:steps]) if steps else start[None][:0]


@wrong("03.6", "a step too many", "the shape is (3, 1), and should be (2, 1)")
def _(gradient, start, learning_rate, momentum, steps):
    x, velocity, path = start, torch.zeros_like(start), [start]
    for _ in range(steps + 1):
        velocity = momentum * velocity + gradient(x)
        x = x - learning_rate * velocity
        path.append(x)
    return torch.stack(path)


@wrong("03.6", "last point", "returning the last point")
def _(gradient, start, learning_rate, momentum, steps):
    x, velocity = start, torch.zeros_like(start)
    for _ in range(steps):
        velocity = momentum * velocity + gradient(x)
        x = x - learning_rate * velocity
    return x


@wrong("03.6", "the same tensor again and again", "putting one tensor into the path")
def _(gradient, start, learning_rate, momentum, steps):
    x, velocity = start.clone(), torch.zeros_like(start)
    path = [x]
    for _ in range(steps):
        velocity = momentum * velocity + gradient(x)
        x -= learning_rate * velocity
        path.append(x)
    return torch.stack(path)


@wrong("03.6", "start changed in place", "changes its input `start` in place")
def _(gradient, start, learning_rate, momentum, steps):
    x, velocity, path = start, torch.zeros_like(start), [start.clone()]
    for _ in range(steps):
        velocity = momentum * velocity + gradient(x)
        x -= learning_rate * velocity
        path.append(x.clone())
    return torch.stack(path)


@wrong("03.6", "for one coordinate only", "[[1.0, -2.0]]")
def _(gradient, start, learning_rate, momentum, steps):
    x, velocity, path = start, 0, [start[0].item()]
    for _ in range(steps):
        velocity = momentum * velocity + gradient(x)
        x = x - learning_rate * velocity
        path.append(x[0].item())
    return torch.tensor(path)[:, None]


@wrong("03.6", "no steps, no path", "the path is the start alone")
def _(gradient, start, learning_rate, momentum, steps):
    x, velocity = start, torch.zeros_like(start)
    path = start[None]
    for _ in range(steps):
        velocity = momentum * velocity + gradient(x)
        x = x - learning_rate * velocity
        path = torch.cat([path, x[None]])
    return path if steps else start


@wrong("03.6", "gradient clipped", "clip nothing")
def _(gradient, start, learning_rate, momentum, steps):
    x, velocity, path = start, torch.zeros_like(start), [start]
    for _ in range(steps):
        velocity = momentum * velocity + gradient(x).clamp(-20, 20)
        x = x - learning_rate * velocity
        path.append(x)
    return torch.stack(path)


@wrong("03.6", "stopping where it is flat")
def _(gradient, start, learning_rate, momentum, steps):
    x, velocity, path = start, torch.zeros_like(start), [start]
    for _ in range(steps):
        if gradient(x).norm() >= 0.05:
            velocity = momentum * velocity + gradient(x)
            x = x - learning_rate * velocity
        path.append(x)
    return torch.stack(path)


@wrong("03.6", "Adam's first moment with its correction")
def _(gradient, start, learning_rate, momentum, steps):
    x, velocity, path = start, torch.zeros_like(start), [start]
    for step in range(1, steps + 1):
        velocity = momentum * velocity + (1 - momentum) * gradient(x)
        x = x - learning_rate * velocity / (1 - momentum**step)
        path.append(x)
    return torch.stack(path)


@right("03.6", "stack")
def _(gradient, start, learning_rate, momentum, steps):
    x, velocity, path = start, torch.zeros_like(start), [start]
    for _ in range(steps):
        velocity = momentum * velocity + gradient(x)
        x = x - learning_rate * velocity
        path.append(x)
    return torch.stack(path)


@right("03.6", "rows of a tensor, in place")
def _(gradient, start, learning_rate, momentum, steps):
    path = torch.empty(steps + 1, len(start))
    path[0] = start
    velocity = torch.zeros_like(start)
    for i in range(steps):
        velocity.mul_(momentum).add_(gradient(path[i]))
        path[i + 1] = path[i] - learning_rate * velocity
    return path


@right("03.6", "torch.optim.SGD")
def _(gradient, start, learning_rate, momentum, steps):
    x = torch.nn.Parameter(start.clone())
    optimizer = torch.optim.SGD([x], lr=learning_rate, momentum=momentum)
    path = [x.detach().clone()]
    for _ in range(steps):
        x.grad = gradient(x.detach())
        optimizer.step()
        path.append(x.detach().clone())
    return torch.stack(path)


@right("03.6", "heavy ball: the last difference of places, as a list of lists")
def _(gradient, start, learning_rate, momentum, steps):
    path = [start.double()]
    for i in range(steps):
        last = path[-1] - path[-2] if i else 0
        path.append(path[-1] - learning_rate * gradient(path[-1]) + momentum * last)
    return [x.tolist() for x in path]


@right("03.6", "learning rate within the velocity, as a list of tensors")
def _(gradient, start, learning_rate, momentum, steps):
    path, velocity = [start], 0
    for _ in range(steps):
        velocity = momentum * velocity - learning_rate * gradient(path[-1])
        path.append(path[-1] + velocity)
    return path


# ------------------------------------------------------------------ 03.7 AdamW, one step


def adamw(
    weight, gradient, first, second, step, learning_rate, beta1, beta2, epsilon, weight_decay
):
    first = beta1 * first + (1 - beta1) * gradient
    second = beta2 * second + (1 - beta2) * gradient**2
    m = first / (1 - beta1**step)
    v = second / (1 - beta2**step)
    weight = weight * (1 - learning_rate * weight_decay)
    return weight - learning_rate * m / (v.sqrt() + epsilon), first, second


def moments(gradient, first, second, beta1, beta2):
    return beta1 * first + (1 - beta1) * gradient, beta2 * second + (1 - beta2) * gradient**2


@wrong("03.7", "epsilon inside the root", "putting epsilon inside the root")
def _(weight, gradient, first, second, step, rate, beta1, beta2, epsilon, decay):
    first, second = moments(gradient, first, second, beta1, beta2)
    m, v = first / (1 - beta1**step), second / (1 - beta2**step)
    weight = weight * (1 - rate * decay) - rate * m / (v + epsilon).sqrt()
    return weight, first, second


@wrong("03.7", "epsilon before the correction", "corrected second moment")
def _(weight, gradient, first, second, step, rate, beta1, beta2, epsilon, decay):
    first, second = moments(gradient, first, second, beta1, beta2)
    rate_now = rate * math.sqrt(1 - beta2**step) / (1 - beta1**step)
    weight = weight * (1 - rate * decay) - rate_now * first / (second.sqrt() + epsilon)
    return weight, first, second


@wrong("03.7", "no epsilon")
def _(weight, gradient, first, second, step, rate, beta1, beta2, epsilon, decay):
    first, second = moments(gradient, first, second, beta1, beta2)
    m, v = first / (1 - beta1**step), second / (1 - beta2**step)
    return weight * (1 - rate * decay) - rate * m / v.sqrt(), first, second


@wrong("03.7", "epsilon of one's own")
def _(weight, gradient, first, second, step, rate, beta1, beta2, epsilon, decay):
    return adamw(weight, gradient, first, second, step, rate, beta1, beta2, 1e-8, decay)


@wrong("03.7", "no correction", "leaving out the bias correction")
def _(weight, gradient, first, second, step, rate, beta1, beta2, epsilon, decay):
    m, v = moments(gradient, first, second, beta1, beta2)
    return weight * (1 - rate * decay) - rate * m / (v.sqrt() + epsilon), m, v


@wrong("03.7", "only the first corrected", "the new weight is wrong")
def _(weight, gradient, first, second, step, rate, beta1, beta2, epsilon, decay):
    m, v = moments(gradient, first, second, beta1, beta2)
    change = m / (1 - beta1**step) / (v.sqrt() + epsilon)
    return weight * (1 - rate * decay) - rate * change, m, v


@wrong("03.7", "only the second corrected", "the new weight is wrong")
def _(weight, gradient, first, second, step, rate, beta1, beta2, epsilon, decay):
    m, v = moments(gradient, first, second, beta1, beta2)
    change = m / ((v / (1 - beta2**step)).sqrt() + epsilon)
    return weight * (1 - rate * decay) - rate * change, m, v


@wrong("03.7", "steps counted from 0", "counting steps from 0")
def _(weight, gradient, first, second, step, rate, beta1, beta2, epsilon, decay):
    return adamw(weight, gradient, first, second, step - 1, rate, beta1, beta2, epsilon, decay)


@wrong("03.7", "steps counted from 0, corrected by one too many", "one step too many")
def _(weight, gradient, first, second, step, rate, beta1, beta2, epsilon, decay):
    return adamw(weight, gradient, first, second, step + 1, rate, beta1, beta2, epsilon, decay)


@wrong("03.7", "correction of the first step for ever", "1 - beta**step")
def _(weight, gradient, first, second, step, rate, beta1, beta2, epsilon, decay):
    return adamw(weight, gradient, first, second, 1, rate, beta1, beta2, epsilon, decay)


@wrong("03.7", "beta * step for beta ** step", "1 - beta**step")
def _(weight, gradient, first, second, step, rate, beta1, beta2, epsilon, decay):
    first, second = moments(gradient, first, second, beta1, beta2)
    m, v = first / (1 - beta1 * step), second / abs(1 - beta2 * step)
    return weight * (1 - rate * decay) - rate * m / (v.sqrt() + epsilon), first, second


@wrong("03.7", "decay in the gradient", "adding the decay to the gradient")
def _(weight, gradient, first, second, step, rate, beta1, beta2, epsilon, decay):
    gradient = gradient + decay * weight
    return adamw(weight, gradient, first, second, step, rate, beta1, beta2, epsilon, 0)


@wrong("03.7", "decay divided by the root", "the new weight is wrong")
def _(weight, gradient, first, second, step, rate, beta1, beta2, epsilon, decay):
    first, second = moments(gradient, first, second, beta1, beta2)
    m, v = first / (1 - beta1**step), second / (1 - beta2**step)
    return weight - rate * (m + decay * weight) / (v.sqrt() + epsilon), first, second


@wrong("03.7", "decay without learning rate", "leaving the learning rate out of the decay")
def _(weight, gradient, first, second, step, rate, beta1, beta2, epsilon, decay):
    weight = weight * (1 - decay)
    return adamw(weight, gradient, first, second, step, rate, beta1, beta2, epsilon, 0)


@wrong("03.7", "decay after the step", "shrinking the new weight")
def _(weight, gradient, first, second, step, rate, beta1, beta2, epsilon, decay):
    weight, first, second = adamw(
        weight, gradient, first, second, step, rate, beta1, beta2, epsilon, 0
    )
    return weight * (1 - rate * decay), first, second


@wrong("03.7", "decay towards larger weights")
def _(weight, gradient, first, second, step, rate, beta1, beta2, epsilon, decay):
    return adamw(weight, gradient, first, second, step, rate, beta1, beta2, epsilon, -decay)


@wrong("03.7", "no decay", "leaving out the decay")
def _(weight, gradient, first, second, step, rate, beta1, beta2, epsilon, decay):
    return adamw(weight, gradient, first, second, step, rate, beta1, beta2, epsilon, 0)


@wrong("03.7", "corrected moments returned", "returning the corrected moments")
def _(weight, gradient, first, second, step, rate, beta1, beta2, epsilon, decay):
    weight, first, second = adamw(
        weight, gradient, first, second, step, rate, beta1, beta2, epsilon, decay
    )
    return weight, first / (1 - beta1**step), second / (1 - beta2**step)


@wrong("03.7", "old moments returned", "the new first moment is wrong")
def _(weight, gradient, first, second, step, *rest):
    return adamw(weight, gradient, first, second, step, *rest)[0], first, second


@wrong("03.7", "old moments used")
def _(weight, gradient, first, second, step, rate, beta1, beta2, epsilon, decay):
    new = moments(gradient, first, second, beta1, beta2)
    m, v = first / (1 - beta1**step), second / (1 - beta2**step)
    return weight * (1 - rate * decay) - rate * m / (v.sqrt() + epsilon), *new


@wrong("03.7", "gradient not squared")
def _(weight, gradient, first, second, step, rate, beta1, beta2, epsilon, decay):
    first = beta1 * first + (1 - beta1) * gradient
    second = beta2 * second + (1 - beta2) * gradient
    m, v = first / (1 - beta1**step), second / (1 - beta2**step)
    return weight * (1 - rate * decay) - rate * m / (v.sqrt() + epsilon), first, second


@wrong("03.7", "square of the first moment")
def _(weight, gradient, first, second, step, rate, beta1, beta2, epsilon, decay):
    first = beta1 * first + (1 - beta1) * gradient
    second = beta2 * second + (1 - beta2) * first**2
    m, v = first / (1 - beta1**step), second / (1 - beta2**step)
    return weight * (1 - rate * decay) - rate * m / (v.sqrt() + epsilon), first, second


@wrong("03.7", "betas swapped", "swapping beta1 and beta2")
def _(weight, gradient, first, second, step, rate, beta1, beta2, epsilon, decay):
    return adamw(weight, gradient, first, second, step, rate, beta2, beta1, epsilon, decay)


@wrong("03.7", "beta and 1 - beta swapped", "the new first moment is wrong")
def _(weight, gradient, first, second, step, rate, beta1, beta2, epsilon, decay):
    return adamw(weight, gradient, first, second, step, rate, 1 - beta1, 1 - beta2, epsilon, decay)


@wrong("03.7", "whole gradient added, as in momentum", "the new first moment is wrong")
def _(weight, gradient, first, second, step, rate, beta1, beta2, epsilon, decay):
    first, second = beta1 * first + gradient, beta2 * second + gradient**2
    m, v = first / (1 - beta1**step), second / (1 - beta2**step)
    return weight * (1 - rate * decay) - rate * m / (v.sqrt() + epsilon), first, second


@wrong("03.7", "uphill", "going uphill")
def _(weight, gradient, first, second, step, rate, beta1, beta2, epsilon, decay):
    return adamw(weight, gradient, first, second, step, -rate, beta1, beta2, epsilon, -decay)


@wrong("03.7", "no root", "the new weight is wrong")
def _(weight, gradient, first, second, step, rate, beta1, beta2, epsilon, decay):
    first, second = moments(gradient, first, second, beta1, beta2)
    m, v = first / (1 - beta1**step), second / (1 - beta2**step)
    return weight * (1 - rate * decay) - rate * m / (v + epsilon), first, second


@wrong("03.7", "norm of the whole gradient", "each weight has its own")
def _(weight, gradient, first, second, step, rate, beta1, beta2, epsilon, decay):
    first = beta1 * first + (1 - beta1) * gradient
    second = beta2 * second + (1 - beta2) * gradient.square().mean()
    m, v = first / (1 - beta1**step), second / (1 - beta2**step)
    return weight * (1 - rate * decay) - rate * m / (v.sqrt() + epsilon), first, second


@wrong("03.7", "the weight alone", "three tensors are wanted")
def _(*args):
    return adamw(*args)[0]


@wrong("03.7", "moments first", "returning the weight last")
def _(*args):
    weight, first, second = adamw(*args)
    return first, second, weight


@wrong("03.7", "second moment before the first", "before the first")
def _(*args):
    weight, first, second = adamw(*args)
    return weight, second, first


@wrong("03.7", "moments forgotten", "three tensors are wanted")
def _(*args):
    return adamw(*args)[0], None, None


@wrong("03.7", "nothing returned", "None cannot be used here")
def _(weight, *args):
    weight = adamw(weight, *args)[0]


@wrong("03.7", "moments in place", "changes its input `first` in place")
def _(weight, gradient, first, second, step, rate, beta1, beta2, epsilon, decay):
    first.mul_(beta1).add_(gradient, alpha=1 - beta1)
    second.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
    m, v = first / (1 - beta1**step), second / (1 - beta2**step)
    return weight * (1 - rate * decay) - rate * m / (v.sqrt() + epsilon), first, second


@wrong("03.7", "weight in place", "changes its input `weight` in place")
def _(weight, *args):
    new, first, second = adamw(weight, *args)
    weight.copy_(new)
    return weight, first, second


right("03.7", "as in the paper")(adamw)


@right("03.7", "torch.optim.AdamW in single precision, as a list")
def _(weight, gradient, first, second, step, rate, beta1, beta2, epsilon, decay):
    x = torch.nn.Parameter(weight.clone())
    optimizer = torch.optim.AdamW([x], rate, (beta1, beta2), epsilon, decay)
    x.grad = gradient
    first, second = first.clone(), second.clone()
    optimizer.state[x].update(step=torch.tensor(step - 1.0), exp_avg=first, exp_avg_sq=second)
    optimizer.step()
    return [x.detach(), first, second]


@right("03.7", "numpy, number by number")
def _(weight, gradient, first, second, step, rate, beta1, beta2, epsilon, decay):
    new = np.zeros((3, *weight.shape))
    for i in np.ndindex(*weight.shape):
        w, g, m, v = (part[i].item() for part in (weight, gradient, first, second))
        m, v = m + (1 - beta1) * (g - m), v + (1 - beta2) * (g * g - v)
        ratio = m / (1 - beta1**step) / (math.sqrt(v / (1 - beta2**step)) + epsilon)
        new[:, *i] = w - rate * decay * w - rate * ratio, m, v
    return tuple(new)


@right("03.7", "correction in the learning rate and in epsilon, stacked")
def _(weight, gradient, first, second, step, rate, beta1, beta2, epsilon, decay):
    first = torch.lerp(gradient, first, beta1)
    second = torch.lerp(gradient**2, second, beta2)
    root = math.sqrt(1 - beta2**step)
    change = first / (second.sqrt() + epsilon * root) * root / (1 - beta1**step)
    return torch.stack([weight - rate * (change + decay * weight), first, second])


# ------------------------------------------------------------------


@parametrised(WRONG)
def test_wrong_answer_is_rejected(given):
    assert_rejected(given)


@parametrised(RIGHT)
def test_right_answer_is_accepted(given):
    assert_accepted(given)


def test_every_exercise_has_enough_answers():
    assert_enough_answers(3, WRONG, RIGHT)


def test_neighbours_are_so_far_apart_that_rounding_cannot_swap_them():
    for case in find("03.5").cases:
        embedding, word, k = case.args
        values = cosines(embedding.double(), word)
        values[word] = -math.inf
        best = values.sort(descending=True).values[: k + 1]
        gaps = (best[:-1] - best[1:])[: min(k, len(embedding) - 2)]
        assert (gaps > 3e-4).all(), gaps


def test_large_vocabulary_has_other_neighbours_by_dot_product_and_distance():
    unit = F.normalize(MANY_WORDS, dim=1)
    word = find("03.5").cases[-1].args[1]
    by_cosine, by_dot = ((m @ unit[word]).topk(8).indices.tolist() for m in (unit, MANY_WORDS))
    by_distance = (MANY_WORDS - MANY_WORDS[word]).norm(dim=1).topk(8, largest=False).indices
    assert by_cosine != by_dot and by_cosine != by_distance.tolist()


@pytest.mark.parametrize("given", [a for a in RIGHT if a.id == "03.7"], ids=lambda a: a.name)
def test_adamw_goes_on_step_by_step(given):
    """Ten steps by each right answer arrive where torch.optim.AdamW does."""
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(4, generator=generator)
    parameter = torch.nn.Parameter(weight.clone())
    optimizer = torch.optim.AdamW([parameter], 0.1, (0.8, 0.9), 1e-6, 0.2)
    first = second = torch.zeros(4)
    for step in range(1, 11):
        gradient = torch.randn(4, generator=generator)
        parameter.grad = gradient.clone()
        optimizer.step()
        state = weight, gradient, first, second
        new = given.answer(*state, step, 0.1, 0.8, 0.9, 1e-6, 0.2)
        weight, first, second = (torch.as_tensor(part).float() for part in new)
    assert torch.allclose(weight, parameter.detach(), atol=1e-5)


def test_paths_of_03_6_can_tell_momentum_from_none():
    for case in itertools.islice(find("03.6").cases, 3, None):
        gradient, start, rate, momentum, steps = case.args
        if momentum:
            path = find("03.6").reference(*case.args)
            plain = find("03.6").reference(gradient, start, rate, 0.0, steps)
            assert steps == 1 or (path - plain).abs().max() > 0.1


def test_stub_is_not_attempted():
    def windows(ids, context): ...

    assert "not attempted" in judge(find("03.4"), windows).message
