"""The checks of chapter 4 tell wrong answers from right ones."""

import itertools
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

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

# ------------------------------------------------------------------ 04.1 attention on paper

wrong("04.1", "not normalised", "sum to 1")([1, 3, 20])
wrong("04.1", "scores as weights", "scores themselves")([0, math.log(3), 4 * math.log(3)])
wrong("04.1", "divided without exponential", "without the exponential")([0, 1, 4])
wrong("04.1", "values swapped", "wrong values")([0.25, 0.75, 0.75 * 8 + 0.25 * 4])
wrong("04.1", "weights swapped", "swapping the weights")([0.75, 0.25, 7])
wrong("04.1", "plain mean of the values", "without their weights")([0.25, 0.75, 6])
wrong("04.1", "uniform weights", "the same weight")([0.5, 0.5, 6])
wrong("04.1", "only the output", "3 numbers are wanted, and you give 1")(5.0)
wrong("04.1", "only the weights", "3 numbers are wanted, and you give 2")(
    torch.tensor([0.25, 0.75])
)
wrong("04.1", "output first", "in this order")([5.0, 0.25, 0.75])
wrong("04.1", "None", "None is no answer")(None)
wrong("04.1", "one of them None", "got a list that holds None")([0.25, None, 5])
wrong("04.1", "not normalised, nested", "sum to 1")(([1, 3], torch.tensor(20)))
wrong("04.1", "words", "got a list that holds a string")(["1/4", "3/4", "5"])
right("04.1", "list")([1 / 4, 3 / 4, 5])
right("04.1", "tensor")(torch.tensor([0.25, 0.75, 5.0]))
right("04.1", "weights as a tensor, then the output")((torch.tensor([0.25, 0.75]), 5.0))
right("04.1", "with names")({"weights": [0.25, 0.75], "output": torch.tensor([5.0])})
right("04.1", "mixed")((*torch.tensor([0.0, math.log(3)]).softmax(0), np.float64(5)))

# ------------------------------------------------------------------ 04.2 softmax by hand


@wrong("04.2", "last dimension always", "always using the last dimension")
def _(scores, dim):
    return torch.softmax(scores, -1)


@wrong("04.2", "first dimension always", "always using the first dimension")
def _(scores, dim):
    return torch.softmax(scores, 0)


@wrong("04.2", "sum over everything", "`dim` is ignored")
def _(scores, dim):
    e = (scores - scores.max()).exp()
    return e / e.sum()


@wrong("04.2", "no maximum", "exp(1000) is inf")
def _(scores, dim):
    e = scores.exp()
    return e / e.sum(dim, keepdim=True)


@wrong("04.2", "no maximum, in double precision", "exp(1000) is inf")
def _(scores, dim):
    e = scores.double().exp()
    return e / e.sum(dim, keepdim=True)


@wrong("04.2", "nan made 0", "exp(1000) is inf")
def _(scores, dim):
    e = scores.exp()
    return (e / e.sum(dim, keepdim=True)).nan_to_num()


@wrong("04.2", "scores clamped")
def _(scores, dim):
    e = scores.clamp(-50, 50).exp()
    return e / e.sum(dim, keepdim=True)


@wrong("04.2", "mean subtracted", "nan")
def _(scores, dim):
    e = (scores - scores.mean(dim, keepdim=True)).exp()
    return e / e.sum(dim, keepdim=True)


@wrong("04.2", "one maximum for all", "each needs its own")
def _(scores, dim):
    e = (scores - scores.max()).exp()
    return e / e.sum(dim, keepdim=True)


@wrong("04.2", "maximum along the last dimension", "in the maximum")
def _(scores, dim):
    e = (scores - scores.amax(-1, keepdim=True)).exp()
    return e / e.sum(dim, keepdim=True)


@wrong("04.2", "maximum along the first dimension", "maximum and sum run along dim=1")
def _(scores, dim):
    e = (scores - scores.amax(0, keepdim=True)).exp()
    return e / e.sum(dim, keepdim=True)


@wrong("04.2", "no keepdim in the sum", "leaving out keepdim=True in the sum")
def _(scores, dim):
    e = (scores - scores.amax(dim, keepdim=True)).exp()
    return e / e.sum(dim)


@wrong("04.2", "no keepdim anywhere", "leaving out keepdim=True: maximum and sum")
def _(scores, dim):
    e = (scores - scores.amax(dim)).exp()
    return e / e.sum(dim)


@wrong("04.2", "in place", "changes its input `scores` in place")
def _(scores, dim):
    scores -= scores.amax(dim, keepdim=True)
    scores.exp_()
    return scores / scores.sum(dim, keepdim=True)


@wrong("04.2", "logarithm of the softmax")
def _(scores, dim):
    return torch.log_softmax(scores, dim)


@wrong("04.2", "base 2")
def _(scores, dim):
    e = (scores - scores.amax(dim, keepdim=True)).exp2()
    return e / e.sum(dim, keepdim=True)


@wrong("04.2", "shares without exponential")
def _(scores, dim):
    return scores / scores.sum(dim, keepdim=True)


@wrong("04.2", "for vectors and matrices only", "may be negative, and lie between")
def _(scores, dim):
    if scores.dim() > 2:
        return scores
    e = (scores - scores.amax(dim, keepdim=True)).exp()
    return e / e.sum(dim, keepdim=True)


@wrong("04.2", "a millionth added to the denominator", "Add nothing to the denominator")
def _(scores, dim):
    e = (scores - scores.amax(dim, keepdim=True)).exp()
    return e / (e.sum(dim, keepdim=True) + 1e-6)


@wrong("04.2", "a millionth added in double precision", "Add nothing to the denominator")
def _(scores, dim):
    e = (scores.double() - scores.amax(dim, keepdim=True)).exp()
    return e / (e.sum(dim, keepdim=True) + 1e-6)


@wrong("04.2", "max returns two things", "TypeError")
def _(scores, dim):
    e = (scores - scores.max(dim, keepdim=True)).exp()
    return e / e.sum(dim, keepdim=True)


@right("04.2", "maximum subtracted")
def _(scores, dim):
    e = (scores - scores.amax(dim=dim, keepdim=True)).exp()
    return e / e.sum(dim=dim, keepdim=True)


@right("04.2", "log-sum-exp")
def _(scores, dim):
    return (scores - scores.logsumexp(dim, keepdim=True)).exp()


@right("04.2", "numpy")
def _(scores, dim):
    e = np.exp(scores.numpy() - scores.numpy().max(dim, keepdims=True))
    return e / e.sum(dim, keepdims=True)


@right("04.2", "line by line")
def _(scores, dim):
    moved = scores.movedim(dim, -1)
    lines = []
    for line in moved.reshape(-1, moved.shape[-1]).tolist():
        e = [math.exp(score - max(line)) for score in line]
        lines.append([x / sum(e) for x in e])
    return torch.tensor(lines).reshape(moved.shape).movedim(-1, dim)


right("04.2", "PyTorch's own")(torch.softmax)

# ------------------------------------------------------------------ 04.3 attention


@wrong("04.3", "no scale", "leaving the scores unscaled")
def _(query, key, value):
    return torch.softmax(query @ key.mT, -1) @ value


@wrong("04.3", "divided by d_k", "dividing by d_k, not by its square root")
def _(query, key, value):
    return torch.softmax(query @ key.mT / query.shape[-1], -1) @ value


@wrong("04.3", "root of d_v", "width of the values")
def _(query, key, value):
    return torch.softmax(query @ key.mT / math.sqrt(value.shape[-1]), -1) @ value


@wrong("04.3", "root of the number of keys", "number of keys")
def _(query, key, value):
    return torch.softmax(query @ key.mT / math.sqrt(key.shape[-2]), -1) @ value


@wrong("04.3", "root of the number of queries", "number of queries")
def _(query, key, value):
    return torch.softmax(query @ key.mT / math.sqrt(query.shape[-2]), -1) @ value


@wrong("04.3", "root of the first dimension")
def _(query, key, value):
    return torch.softmax(query @ key.mT / math.sqrt(key.shape[0]), -1) @ value


@wrong("04.3", "multiplied by the root")
def _(query, key, value):
    return torch.softmax(query @ key.mT * math.sqrt(query.shape[-1]), -1) @ value


@wrong("04.3", "scaled after the softmax")
def _(query, key, value):
    return torch.softmax(query @ key.mT, -1) / math.sqrt(query.shape[-1]) @ value


@wrong("04.3", "softmax over queries", "softmax over the queries")
def _(query, key, value):
    return torch.softmax(query @ key.mT / math.sqrt(query.shape[-1]), -2) @ value


@wrong("04.3", "softmax over dimension 1", "a batch in front")
def _(query, key, value):
    return torch.softmax(query @ key.mT / math.sqrt(query.shape[-1]), 1) @ value


@wrong("04.3", "softmax over dimension 0")
def _(query, key, value):
    return torch.softmax(query @ key.mT / math.sqrt(query.shape[-1]), 0) @ value


@wrong("04.3", "softmax over everything")
def _(query, key, value):
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    return torch.softmax(scores.flatten(), 0).view_as(scores) @ value


@wrong("04.3", ".T on a batch", "a batch in front")
def _(query, key, value):
    return torch.softmax(query @ key.T / math.sqrt(query.shape[-1]), -1) @ value


@wrong("04.3", "transpose(0, 1)", "a batch in front")
def _(query, key, value):
    return torch.softmax(query @ key.transpose(0, 1) / math.sqrt(query.shape[-1]), -1) @ value


@wrong("04.3", "keys for values", "the shape is (1, 4)")
def _(query, key, value):
    if value.shape != key.shape:
        return torch.softmax(query @ key.mT / math.sqrt(query.shape[-1]), -1) @ key
    return torch.softmax(query @ key.mT / math.sqrt(query.shape[-1]), -1) @ value


@wrong("04.3", "softmax of the values too")
def _(query, key, value):
    return torch.softmax(query @ key.mT / math.sqrt(query.shape[-1]) @ value, -1)


@wrong("04.3", "weights without values")
def _(query, key, value):
    return torch.softmax(query @ key.mT / math.sqrt(query.shape[-1]), -1)


@wrong("04.3", "weights beside the output", "return the output only, not a tuple")
def _(query, key, value):
    weights = torch.softmax(query @ key.mT / math.sqrt(query.shape[-1]), -1)
    return weights @ value, weights


@wrong("04.3", "softmax that overflows", "must not overflow")
def _(query, key, value):
    e = (query @ key.mT / math.sqrt(query.shape[-1])).exp()
    return e / e.sum(-1, keepdim=True) @ value


@wrong("04.3", "keys mixed", "mixing the keys")
def _(query, key, value):
    return torch.softmax(query @ key.mT / math.sqrt(query.shape[-1]), -1) @ key


@wrong("04.3", "query matched with values", "with the values, not with the keys")
def _(query, key, value):
    return torch.softmax(query @ value.mT / math.sqrt(query.shape[-1]), -1) @ value


@wrong("04.3", "query and key swapped", "swapping query and key")
def _(query, key, value):
    return torch.softmax(key @ query.mT / math.sqrt(query.shape[-1]), -1) @ value


@wrong("04.3", "no transpose", "a row for each query and a column for each key")
def _(query, key, value):
    return torch.softmax(query @ key / math.sqrt(query.shape[-1]), -1) @ value


@wrong("04.3", "causal mask by hand", "adding a causal mask")
def _(query, key, value):
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    future = torch.ones(scores.shape[-2:]).triu(1).bool()
    return torch.softmax(scores.masked_fill(future, -math.inf), -1) @ value


@wrong("04.3", "causal mask", "adding a causal mask")
def _(query, key, value):
    return F.scaled_dot_product_attention(query, key, value, is_causal=True)


@wrong("04.3", "query scaled in place", "changes its input `query` in place")
def _(query, key, value):
    query /= math.sqrt(query.shape[-1])
    return torch.softmax(query @ key.mT, -1) @ value


@right("04.3", "three lines")
def _(query, key, value):
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
    weights = torch.softmax(scores, dim=-1)
    return weights @ value


@right("04.3", "einsum, both sides scaled")
def _(query, key, value):
    root = key.shape[-1] ** -0.25
    scores = torch.einsum("...id,...jd->...ij", query * root, key * root)
    return torch.einsum("...ij,...jd->...id", scores.softmax(-1), value)


@right("04.3", "numpy, query by query")
def _(query, key, value):
    output = np.empty((*query.shape[:-1], value.shape[-1]))
    for place in np.ndindex(*query.shape[:-1]):
        scores = key[place[:-1]].numpy() @ query[place].numpy() / np.sqrt(query.shape[-1])
        weights = np.exp(scores - scores.max())
        output[place] = weights / weights.sum() @ value[place[:-1]].numpy()
    return output


right("04.3", "PyTorch's own")(F.scaled_dot_product_attention)

# ------------------------------------------------------------------ 04.4 a query to order


def score_for(n, weight):
    return math.log(weight * (n - 1) / (1 - weight))


@wrong("04.4", "the key itself", "taking the key itself")
def _(keys, position, weight):
    return keys[position]


@wrong("04.4", "key times weight")
def _(keys, position, weight):
    return keys[position] * weight * math.sqrt(keys.shape[1])


@wrong("04.4", "no root of d", "square root of d")
def _(keys, position, weight):
    return keys[position] * score_for(len(keys), weight) * math.sqrt(2)


@wrong("04.4", "no root at all", "leaving out the square root of d")
def _(keys, position, weight):
    return keys[position] * score_for(len(keys), weight)


@wrong("04.4", "divided by the root", "the query must undo it")
def _(keys, position, weight):
    return keys[position] * score_for(len(keys), weight) / math.sqrt(keys.shape[1])


@wrong("04.4", "one rival only", "leaving out the n - 1 rivals")
def _(keys, position, weight):
    return keys[position] * math.log(weight / (1 - weight)) * math.sqrt(keys.shape[1])


@wrong("04.4", "rivals divided, not multiplied", "where they multiply")
def _(keys, position, weight):
    score = math.log(weight / (1 - weight) / (len(keys) - 1))
    return keys[position] * score * math.sqrt(keys.shape[1])


@wrong("04.4", "wrong sign", "turning the sign")
def _(keys, position, weight):
    return -keys[position] * score_for(len(keys), weight) * math.sqrt(keys.shape[1])


@wrong("04.4", "no logarithm", "has to follow from `weight`")
def _(keys, position, weight):
    return keys[position] * weight / (1 - weight) * math.sqrt(keys.shape[1]) / 3


@wrong("04.4", "ten times the key", "a fixed factor will not do")
def _(keys, position, weight):
    return 10 * keys[position] * math.sqrt(keys.shape[1]) * 0.9


@wrong("04.4", "a hundred times the key", "a fixed factor will not do")
def _(keys, position, weight):
    return 100 * keys[position]


@wrong("04.4", "a thousand times the key", "gets the share 1, and should get exactly 0.5")
def _(keys, position, weight):
    return 1000 * keys[position]


@wrong("04.4", "a fixed factor for each case by size", "exactly 0.9")
def _(keys, position, weight):
    return 0 * keys[0] if weight == 0.5 else 1000 * keys[position]


@wrong("04.4", "a little longer, for safety", "gets the share 0.5025")
def _(keys, position, weight):
    return keys[position] * (score_for(len(keys), weight) + 0.01) * math.sqrt(keys.shape[1])


@wrong("04.4", "doubled until it is enough", "a fixed factor will not do")
def _(keys, position, weight):
    query = keys[position]
    while torch.softmax(query @ keys.T / keys.shape[1] ** 0.5, -1)[position] < weight:
        query = 2 * query
    return query


@wrong("04.4", "odds turned over", "turning the odds over")
def _(keys, position, weight):
    score = math.log((1 - weight) / weight * (len(keys) - 1))
    return keys[position] * score * math.sqrt(keys.shape[1])


@wrong("04.4", "n rivals", "there are n - 1")
def _(keys, position, weight):
    score = math.log(weight / (1 - weight) * len(keys))
    return keys[position] * score * math.sqrt(keys.shape[1])


@wrong("04.4", "neither rivals nor root", "leaving out both")
def _(keys, position, weight):
    return keys[position] * math.log(weight / (1 - weight))


@wrong("04.4", "times d", "multiplying by d, not by its square root")
def _(keys, position, weight):
    return keys[position] * score_for(len(keys), weight) * keys.shape[1]


@wrong("04.4", "odds for log-odds", "leaving out the logarithm")
def _(keys, position, weight):
    odds = weight / (1 - weight) * (len(keys) - 1)
    return keys[position] * odds * math.sqrt(keys.shape[1])


@wrong("04.4", "root of n for the root of d", "must be that much longer")
def _(keys, position, weight):
    return keys[position] * score_for(len(keys), weight) * math.sqrt(len(keys))


@wrong("04.4", "infinitely long", "inf or nan")
def _(keys, position, weight):
    return keys[position] * math.inf


@wrong("04.4", "so long that it overflows", "some of its numbers are inf or nan")
def _(keys, position, weight):
    return keys[position] * 1e39


@wrong("04.4", "a row, not a vector", "one query, as wide as a key")
def _(keys, position, weight):
    query = keys[position] * score_for(len(keys), weight) * math.sqrt(keys.shape[1])
    return query[None, :]


@wrong("04.4", "the weights", "its shape should be (2,)")
def _(keys, position, weight):
    return torch.ones(len(keys) + 1) / len(keys)


@wrong("04.4", "the score", "a float cannot be used here (its shape should be (2,)")
def _(keys, position, weight):
    return score_for(len(keys), weight)


@wrong("04.4", "text", "real numbers")
def _(keys, position, weight):
    return "keys[position]"


@wrong("04.4", "the other keys pushed away, too little")
def _(keys, position, weight):
    return 2 * keys[position] - keys.sum(0)


@wrong("04.4", "key scaled in place", "changes its input `keys` in place")
def _(keys, position, weight):
    keys[position] *= score_for(len(keys), weight) * math.sqrt(keys.shape[1])
    return keys[position]


@right("04.4", "solved for the score")
def _(keys, position, weight):
    n, d = keys.shape
    return keys[position] * math.log(weight * (n - 1) / (1 - weight)) * math.sqrt(d)


@right("04.4", "halved between too short and too long, in single precision")
def _(keys, position, weight):
    low, high = -1000.0, 1000.0
    for _ in range(60):
        query = (low + high) / 2 * keys[position]
        if torch.softmax(query @ keys.T / keys.shape[1] ** 0.5, -1)[position] < weight:
            low = (low + high) / 2
        else:
            high = (low + high) / 2
    return query


@right("04.4", "with a component that no key sees, and one that all see alike")
def _(keys, position, weight):
    noise = torch.linspace(-3, 3, keys.shape[1])
    unseen = noise - noise @ keys.T @ keys
    query = keys[position] * score_for(len(keys), weight) * math.sqrt(keys.shape[1])
    return query + unseen + 2 * keys.sum(0)


@right("04.4", "by the logarithms of the shares, as a list")
def _(keys, position, weight):
    n, d = keys.shape
    shares = torch.full((n,), (1 - weight) / (n - 1))
    shares[position] = weight
    return (shares.log() @ keys * math.sqrt(d)).tolist()


@right("04.4", "numpy, away from all others")
def _(keys, position, weight):
    n, d = keys.shape
    scores = np.full(n, -math.log(weight * (n - 1) / (1 - weight)))
    scores[position] = 0
    return scores @ keys.numpy() * d**0.5


# ------------------------------------------------------------------ 04.5 softmax backwards


@wrong("04.5", "diagonal only", "keeping only the diagonal")
def _(weights, grad_weights):
    return weights * (1 - weights) * grad_weights


@wrong("04.5", "no sum", "leaving out the sum")
def _(weights, grad_weights):
    return weights * grad_weights


@wrong("04.5", "wrong sign", "turning the sign")
def _(weights, grad_weights):
    return weights * ((weights * grad_weights).sum(-1, keepdim=True) - grad_weights)


@wrong("04.5", "plus for minus")
def _(weights, grad_weights):
    return weights * (grad_weights + (weights * grad_weights).sum(-1, keepdim=True))


@wrong("04.5", "sum over the first dimension", "summing over the first dimension")
def _(weights, grad_weights):
    return weights * (grad_weights - (weights * grad_weights).sum(0))


@wrong("04.5", "sum over the first dimension, kept", "summing over the first dimension")
def _(weights, grad_weights):
    return weights * (grad_weights - (weights * grad_weights).sum(0, keepdim=True))


@wrong("04.5", "sum over everything")
def _(weights, grad_weights):
    return weights * (grad_weights - (weights * grad_weights).sum())


@wrong("04.5", "no keepdim", "with keepdim=True")
def _(weights, grad_weights):
    return weights * (grad_weights - (weights * grad_weights).sum(-1))


@wrong("04.5", "no keepdim, and happy when it broadcasts", "missing keepdim=True")
def _(weights, grad_weights):
    total = (weights * grad_weights).sum(-1)
    if weights.dim() == 2 and weights.shape[0] == weights.shape[1]:
        return weights * (grad_weights - total)
    return weights * (grad_weights - total[..., None])


@wrong("04.5", "gradients summed without weights", "without weighing")
def _(weights, grad_weights):
    return weights * (grad_weights - grad_weights.sum(-1, keepdim=True))


@wrong("04.5", "mean for sum")
def _(weights, grad_weights):
    return weights * (grad_weights - (weights * grad_weights).mean(-1, keepdim=True))


@wrong("04.5", "no factor in front", "factor `weights` in front")
def _(weights, grad_weights):
    return grad_weights - (weights * grad_weights).sum(-1, keepdim=True)


@wrong("04.5", "softmax taken again")
def _(weights, grad_weights):
    w = weights.softmax(-1)
    return w * (grad_weights - (w * grad_weights).sum(-1, keepdim=True))


@wrong("04.5", "one vector only", "RuntimeError")
def _(weights, grad_weights):
    return (torch.diag(weights) - torch.outer(weights, weights)) @ grad_weights


@wrong("04.5", "gradient centred in place", "changes its input `grad_weights` in place")
def _(weights, grad_weights):
    grad_weights -= (weights * grad_weights).sum(-1, keepdim=True)
    return weights * grad_weights


@wrong("04.5", "nan at weight 0", "nan")
def _(weights, grad_weights):
    scores = weights.log()
    return weights * (grad_weights - (weights * grad_weights).sum(-1, keepdim=True)) + 0 * scores


@right("04.5", "one line")
def _(weights, grad_weights):
    return weights * (grad_weights - (weights * grad_weights).sum(dim=-1, keepdim=True))


@right("04.5", "the whole Jacobian")
def _(weights, grad_weights):
    jacobian = torch.diag_embed(weights) - weights[..., :, None] * weights[..., None, :]
    return torch.einsum("...ij,...i->...j", jacobian, grad_weights)


@right("04.5", "autograd")
def _(weights, grad_weights):
    scores = weights.log().requires_grad_()
    scores.softmax(-1).backward(grad_weights)
    return scores.grad


@right("04.5", "loops in numpy")
def _(weights, grad_weights):
    w, g = weights.numpy(), grad_weights.numpy()
    out = np.zeros_like(w)
    for row in np.ndindex(*w.shape[:-1]):
        for i in range(w.shape[-1]):
            for j in range(w.shape[-1]):
                out[row][j] += g[row][i] * w[row][i] * ((i == j) - w[row][j])
    return out


# ------------------------------------------------------------------ 04.6 permutation equivariance


def same(a, b):
    return torch.allclose(a, b, atol=1e-6)


wrong("04.6", "always yes", "answering True whatever the layer")(lambda layer, x: True)
wrong("04.6", "always no", "answering False whatever the layer")(lambda layer, x: False)


@wrong("04.6", "invariance", "tests invariance")
def _(layer, x):
    p = torch.randperm(len(x))
    return same(layer(x[p]), layer(x))


@wrong("04.6", "output permuted, input not", "tests invariance")
def _(layer, x):
    p = torch.randperm(len(x))
    return same(layer(x), layer(x)[p])


@wrong("04.6", "permuted back the wrong way")
def _(layer, x):
    for p in itertools.permutations(range(3)):
        p = torch.tensor([*p, *range(3, len(x))])
        if not same(layer(x[p])[p], layer(x)):
            return False
    return True


@wrong("04.6", "reversed order only", "more than one permutation")
def _(layer, x):
    return same(layer(x.flip(0)), layer(x).flip(0))


@wrong("04.6", "rolled by one only", "more than one permutation")
def _(layer, x):
    return same(layer(x.roll(1, 0)), layer(x).roll(1, 0))


@wrong("04.6", "all rolls", "rolling")
def _(layer, x):
    return all(same(layer(x.roll(i, 0)), layer(x).roll(i, 0)) for i in range(len(x)))


@wrong("04.6", "reversed order and all rolls", "rolling and with the reversed order")
def _(layer, x):
    orders = [torch.arange(len(x)).roll(i) for i in range(len(x))]
    orders += [order.flip(0) for order in orders]
    return all(same(layer(x[p]), layer(x)[p]) for p in orders)


@wrong("04.6", "reversed order and first two swapped", "swaps at both ends")
def _(layer, x):
    orders = [torch.arange(len(x)).flip(0), torch.tensor([1, 0, *range(2, len(x))])]
    return all(same(layer(x[p]), layer(x)[p]) for p in orders)


@wrong("04.6", "first two swapped only", "swapping the first two")
def _(layer, x):
    p = torch.tensor([1, 0, *range(2, len(x))])
    return same(layer(x[p]), layer(x)[p])


@wrong("04.6", "last two swapped only", "try more permutations")
def _(layer, x):
    p = torch.tensor([*range(len(x) - 2), len(x) - 1, len(x) - 2])
    return same(layer(x[p]), layer(x)[p])


@wrong("04.6", "one random permutation", "draw several")
def _(layer, x):
    p = torch.randperm(len(x))
    return same(layer(x[p]), layer(x)[p])


@wrong("04.6", "one random permutation, Python's", "draw several")
def _(layer, x):
    import random

    p = random.sample(range(len(x)), len(x))
    return same(layer(x[p]), layer(x)[p])


@wrong("04.6", "one fixed seed that draws no shuffle", "draw several")
def _(layer, x):
    seed = 0
    while torch.randperm(3, generator=torch.Generator().manual_seed(seed)).tolist() != [0, 1, 2]:
        seed += 1
    p = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    return same(layer(x[p]), layer(x)[p])


@wrong("04.6", "any of twenty", "draw several")
def _(layer, x):
    shuffles = [torch.randperm(len(x)) for _ in range(20)]
    return any(same(layer(x[p]), layer(x)[p]) for p in shuffles)


@wrong("04.6", "features permuted", "shuffling the features, dimension 1")
def _(layer, x):
    for _ in range(20):
        p = torch.randperm(x.shape[1])
        if not same(layer(x[:, p]), layer(x)[:, p]):
            return False
    return True


@wrong("04.6", "features permuted, when it is a network", "tokens are rows")
def _(layer, x):
    for _ in range(20):
        p = torch.randperm(x.shape[1])
        q = torch.randperm(x.shape[0])
        if not same(layer(x[q][:, p]), layer(x)[q][:, p]):
            return False
    return True


@wrong("04.6", "floats compared with ==", "torch.allclose")
def _(layer, x):
    for _ in range(20):
        p = torch.randperm(len(x))
        if not (layer(x[p]) == layer(x)[p]).all():
            return False
    return True


@wrong("04.6", "torch.equal", "torch.allclose")
def _(layer, x):
    shuffles = [torch.randperm(len(x)) for _ in range(20)]
    return all(torch.equal(layer(x[p]), layer(x)[p]) for p in shuffles)


@wrong("04.6", "a tolerance that forgives all", "for rounding only")
def _(layer, x):
    shuffles = [torch.randperm(len(x)) for _ in range(20)]
    return all(torch.allclose(layer(x[p]), layer(x)[p], atol=0.1) for p in shuffles)


@wrong("04.6", "sums compared")
def _(layer, x):
    shuffles = [torch.randperm(len(x)) for _ in range(20)]
    return all(same(layer(x[p]).sum(0), layer(x).sum(0)) for p in shuffles)


@wrong("04.6", "rows compared in any order", "this layer is invariant")
def _(layer, x):
    shuffles = [torch.randperm(len(x)) for _ in range(20)]
    return all(same(layer(x[p]).sort(0).values, layer(x).sort(0).values) for p in shuffles)


@wrong("04.6", "first token only")
def _(layer, x):
    shuffles = [torch.randperm(len(x)) for _ in range(20)]
    return all(same(layer(x[p])[0], layer(x)[0]) for p in shuffles)


@wrong("04.6", "the comparison itself, not its summary", "the shape is (3, 4)")
def _(layer, x):
    p = torch.tensor([1, 2, 0, *range(3, len(x))])
    return layer(x[p]).isclose(layer(x)[p])


@wrong("04.6", "shuffles x itself", "changes its input `x` in place")
def _(layer, x):
    before = layer(x)
    for _ in range(20):
        p = torch.randperm(len(x))
        x.copy_(x[p])
        before = before[p]
        if not same(layer(x), before):
            return False
    return True


@right("04.6", "twenty draws")
def _(layer, x):
    for _ in range(20):
        p = torch.randperm(len(x))
        if not torch.allclose(layer(x[p]), layer(x)[p], atol=1e-6):
            return False
    return True


@right("04.6", "allclose with its own tolerances")
def _(layer, x):
    shuffles = [torch.randperm(len(x)) for _ in range(30)]
    return all(torch.allclose(layer(x)[p], layer(x[p])) for p in shuffles)


@right("04.6", "every permutation there is")
def _(layer, x):
    y = layer(x)
    return all(same(layer(x[list(p)]), y[list(p)]) for p in itertools.permutations(range(len(x))))


@right("04.6", "first two swapped and rolled by one, which give all orders")
def _(layer, x):
    orders = [torch.arange(len(x)).roll(1), torch.tensor([1, 0, *range(2, len(x))])]
    return all(same(layer(x[p]), layer(x)[p]) for p in orders)


@right("04.6", "every swap of neighbours, as matrices, in numpy's bool")
def _(layer, x):
    worst = 0.0
    for i in range(len(x) - 1):
        swap = torch.eye(len(x))
        swap[[i, i + 1]] = swap[[i + 1, i]]
        worst = max(worst, (layer(swap @ x) - swap @ layer(x)).abs().max().item())
    return np.bool_(worst < 1e-5)


# ------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:The use of `x.T`")
@parametrised(WRONG)
def test_wrong_answer_is_rejected(given):
    assert_rejected(given)


@parametrised(RIGHT)
def test_right_answer_is_accepted(given):
    assert_accepted(given)


def test_wrong_shape_is_not_blamed_on_the_sign_or_the_softmax():
    for given in WRONG:
        if given.name in ("a row, not a vector", "weights beside the output"):
            assert "What to look at" not in judge(find(given.id), given.answer).message


@pytest.mark.parametrize(
    "guess", [lambda layer, x: True, next(a.answer for a in WRONG if a.name == "features permuted")]
)
def test_answer_that_never_shuffles_rows_is_not_told_of_chance(guess):
    message = judge(find("04.6"), guess).message
    assert "cumulative_sum" in message and "(6, 16)" in message and "once in six" not in message


def test_every_exercise_has_enough_answers():
    assert_enough_answers(4, WRONG, RIGHT)
