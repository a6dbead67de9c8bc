"""The checks of chapter 5 tell wrong answers from right ones."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.nn import MultiheadAttention

from llmcourse.exercises.chapter_05 import GeneratorOfBlocks, depends_on_later_tokens
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
INF = math.inf

# ------------------------------------------------------------------ 05.1 a masked row on paper

wrong("05.1", "no mask", "leaving the third token in.")([2 / 8, 1 / 8, 5 / 8, 1])
wrong("05.1", "no mask, and the sum", "in the three weights")([2 / 8, 1 / 8, 5 / 8, 3 / 8])
wrong("05.1", "zeroed after the softmax", "after the softmax, for the three weights too")(
    [2 / 8, 1 / 8, 0, 3 / 8]
)
wrong("05.1", "sum of the right row", "that of the wrong one")([2 / 3, 1 / 3, 0, 1])
wrong("05.1", "what is lost", "Asked is what is left")([2 / 3, 1 / 3, 0, 5 / 8])
wrong("05.1", "exponentials", "leaving out the divisions")([2, 1, 0, 3])
wrong("05.1", "sum of exponentials", "not the weights")([2 / 3, 1 / 3, 0, 3])
wrong("05.1", "score set to 0", "the future still gets a share")([2 / 4, 1 / 4, 1 / 4, 3 / 8])
wrong("05.1", "itself hidden", "hiding the token from itself")([1, 0, 0, 2 / 8])
wrong("05.1", "past hidden", "turning the mask round")([0, 1 / 6, 5 / 6, 6 / 8])
wrong("05.1", "mask inverted", "what is to be hidden is kept")([0, 0, 1, 5 / 8])
wrong("05.1", "weights swapped", "the answer has four numbers")([1 / 3, 2 / 3, 0, 3 / 8])
wrong("05.1", "sum first", "the answer has four numbers")([3 / 8, 2 / 3, 1 / 3, 0])
wrong("05.1", "three numbers", "4 numbers are wanted, and you give 3")([2 / 3, 1 / 3, 0])
wrong("05.1", "-inf for the hidden weight", "got inf")([2 / 3, 1 / 3, -INF, 3 / 8])
wrong("05.1", "rounded to one digit", "the answer has four numbers")([0.7, 0.3, 0, 0.4])
wrong("05.1", "None", "None is no answer")(None)
right("05.1", "fractions")([Fraction(2, 3), Fraction(1, 3), 0, Fraction(3, 8)])
right("05.1", "three digits")([0.667, 0.333, 0, 0.375])
right("05.1", "a row and a number")(
    (torch.tensor([math.log(2), 0, -INF]).softmax(0), torch.tensor(3 / 8))
)
right("05.1", "numpy")(np.array([2 / 3, 1 / 3, 0, 3 / 8], dtype=np.float32))

# ------------------------------------------------------------------ 05.2 the staircase


@wrong("05.2", "triu", "keeping the upper triangle")
def _(n_query, n_key):
    return torch.ones(n_query, n_key, dtype=torch.bool).triu()


@wrong("05.2", "triu with the offset", "keeping the upper triangle")
def _(n_query, n_key):
    return torch.ones(n_query, n_key, dtype=torch.bool).triu(n_key - n_query)


@wrong("05.2", "True means blocked", "turning the mask over")
def _(n_query, n_key):
    return torch.ones(n_query, n_key, dtype=torch.bool).triu(n_key - n_query + 1)


@wrong("05.2", "no diagonal", "leaving out the diagonal")
def _(n_query, n_key):
    return torch.ones(n_query, n_key, dtype=torch.bool).tril(n_key - n_query - 1)


@wrong("05.2", "no offset", "counting the queries from position 0")
def _(n_query, n_key):
    return torch.ones(n_query, n_key, dtype=torch.bool).tril()


@wrong("05.2", "offset the wrong way", "shifting the diagonal the wrong way")
def _(n_query, n_key):
    return torch.ones(n_query, n_key, dtype=torch.bool).tril(n_query - n_key)


@wrong("05.2", "one step too many", "the first token sees only itself")
def _(n_query, n_key):
    return torch.ones(n_query, n_key, dtype=torch.bool).tril(n_key - n_query + 1)


@wrong("05.2", "float", "got real, expected True or False")
def _(n_query, n_key):
    return torch.ones(n_query, n_key).tril(n_key - n_query)


@wrong("05.2", "int", "got integer, expected True or False")
def _(n_query, n_key):
    return torch.ones(n_query, n_key, dtype=torch.int).tril(n_key - n_query)


@wrong("05.2", "0 and -inf", "got real, expected True or False")
def _(n_query, n_key):
    return torch.full((n_query, n_key), -INF).triu(n_key - n_query + 1)


@wrong("05.2", "square only", "the shape is (3, 3), and should be (1, 3)")
def _(n_query, n_key):
    return torch.ones(n_key, n_key, dtype=torch.bool).tril()


@wrong("05.2", "first rows of the square", "counting the queries from position 0")
def _(n_query, n_key):
    return torch.ones(n_key, n_key, dtype=torch.bool).tril()[:n_query]


@wrong("05.2", "keys by queries", "swapping rows and columns")
def _(n_query, n_key):
    return torch.ones(n_key, n_query, dtype=torch.bool).tril(n_key - n_query)


@wrong("05.2", "everything", "letting every query see every key")
def _(n_query, n_key):
    return torch.ones(n_query, n_key, dtype=torch.bool)


@wrong("05.2", "right for one query or a square", "the first of them sees two keys")
def _(n_query, n_key):
    mask = torch.ones(n_query, n_key, dtype=torch.bool)
    return mask if n_query == 1 else mask.tril()


@wrong("05.2", "batch and head in front", "the shape is (1, 1, 1, 1)")
def _(n_query, n_key):
    return torch.ones(1, 1, n_query, n_key, dtype=torch.bool).tril(n_key - n_query)


@wrong("05.2", "built, not returned", "you return None")
def _(n_query, n_key):
    torch.ones(n_query, n_key, dtype=torch.bool).tril_(n_key - n_query)
    print()


@right("05.2", "tril")
def _(n_query, n_key):
    return torch.ones(n_query, n_key, dtype=torch.bool).tril(n_key - n_query)


@right("05.2", "positions compared")
def _(n_query, n_key):
    key = torch.arange(n_key)
    return key <= key[-n_query:, None]


@right("05.2", "last rows of the square, in numpy")
def _(n_query, n_key):
    return np.tril(np.ones((n_key, n_key), dtype=bool))[-n_query:]


@right("05.2", "a loop")
def _(n_query, n_key):
    mask = torch.zeros(n_query, n_key, dtype=torch.bool)
    for i in range(n_query):
        mask[i, : n_key - n_query + i + 1] = True
    return mask


# ------------------------------------------------------------------ 05.3 cut into heads


@wrong("05.3", "view to the shape", "using a view or reshape alone")
def _(x, n_head):
    batch, time, d_model = x.shape
    return x.reshape(batch, n_head, time, d_model // n_head)


@wrong("05.3", "view, written with view", "using a view or reshape alone")
def _(x, n_head):
    return x.view(x.shape[0], n_head, x.shape[1], -1)


@wrong("05.3", "sequence cut", "one token: its first two numbers")
def _(x, n_head):
    batch, time, d_model = x.shape
    return x.reshape(batch, n_head, time // n_head, d_model)


@wrong("05.3", "sequence cut by chunk", "cutting the sequence")
def _(x, n_head):
    return torch.stack(x.chunk(n_head, dim=1), dim=1)


@wrong("05.3", "interleaved features", "every n_head-th feature")
def _(x, n_head):
    batch, time, d_model = x.shape
    return x.view(batch, time, d_model // n_head, n_head).permute(0, 3, 1, 2)


@wrong("05.3", "interleaved features, by slices", "every n_head-th feature")
def _(x, n_head):
    return torch.stack([x[..., i::n_head] for i in range(n_head)], dim=1)


@wrong("05.3", "no transpose", "leaving out the transpose")
def _(x, n_head):
    return x.view(*x.shape[:2], n_head, -1)


@wrong("05.3", "time and head_dim swapped", "swapping time and head_dim")
def _(x, n_head):
    return x.view(*x.shape[:2], n_head, -1).permute(0, 2, 3, 1)


@wrong("05.3", "wrong axes transposed", "one token: its first two")
def _(x, n_head):
    return x.view(*x.shape[:2], n_head, -1).transpose(2, 3)


@wrong("05.3", "heads before the batch", "putting the heads before the batch")
def _(x, n_head):
    return torch.stack(x.chunk(n_head, dim=-1))


@wrong("05.3", "a tuple of chunks", "the shape is (2, 1, 1, 2)")
def _(x, n_head):
    return x.chunk(n_head, dim=-1)


@wrong("05.3", "one text only", "the batch stays in front")
def _(x, n_head):
    return x[0].view(x.shape[1], n_head, -1).transpose(0, 1)[None]


@wrong("05.3", "n_head taken for head_dim", "one token")
def _(x, n_head):
    return x.flip(-1).view(*x.shape[:2], -1, n_head).transpose(1, 2)


@wrong("05.3", "n_head and head_dim confused, which 2 heads of 2 hide", "a single head has all")
def _(x, n_head):
    return x.view(*x.shape[:2], -1, n_head).transpose(1, 2)


@wrong("05.3", "two heads always", "a single head has all features")
def _(x, n_head):
    return torch.stack(x.chunk(2, dim=-1), dim=1)


@wrong("05.3", "numbers of a fixed width", "a single head has all features")
def _(x, n_head):
    return torch.stack(x.split(2, dim=-1), dim=1)


@wrong("05.3", "scaled in place", "changes its input `x` in place")
def _(x, n_head):
    x += 1
    x -= 0.5
    return torch.stack(x.chunk(n_head, -1), 1) - 0.5


@wrong("05.3", "built, not returned", "you return None")
def _(x, n_head):
    heads = x.view(*x.shape[:2], n_head, -1)
    heads = heads.transpose(1, 2)


@right("05.3", "view and transpose")
def _(x, n_head):
    batch, time, d_model = x.shape
    return x.view(batch, time, n_head, d_model // n_head).transpose(1, 2)


@right("05.3", "chunks stacked")
def _(x, n_head):
    return torch.stack(x.chunk(n_head, dim=-1), dim=1)


@right("05.3", "unflatten and movedim")
def _(x, n_head):
    return x.unflatten(-1, (n_head, -1)).movedim(2, 1)


@right("05.3", "a loop over heads, in numpy")
def _(x, n_head):
    batch, time, d_model = x.shape
    width = d_model // n_head
    out = np.zeros((batch, n_head, time, width))
    for h in range(n_head):
        out[:, h] = x.numpy()[:, :, h * width : (h + 1) * width]
    return out


# ------------------------------------------------------------------ 05.4 causal and padded


def causal(time):
    return torch.ones(time, time, dtype=torch.bool).tril()


def real(lengths, time):
    return torch.arange(time) < lengths[:, None]


@wrong("05.4", "True means blocked", "turning the mask over")
def _(lengths, time):
    return ~(causal(time) & real(lengths, time)[:, None, None])


@wrong("05.4", "or", "joining the two rules by `or`")
def _(lengths, time):
    return causal(time) | real(lengths, time)[:, None, None, :]


@wrong("05.4", "query rows", "masking the rows of the padding. Its columns")
def _(lengths, time):
    return causal(time) & real(lengths, time)[:, None, :, None]


@wrong("05.4", "rows and columns", "becomes nan in the softmax")
def _(lengths, time):
    keep = real(lengths, time)
    return causal(time) & keep[:, None, :, None] & keep[:, None, None, :]


@wrong("05.4", "no axis for the heads", "leaving out the axis of the heads")
def _(lengths, time):
    return causal(time) & real(lengths, time)[:, None, :]


@wrong("05.4", "one too many", "letting the first padding through")
def _(lengths, time):
    keep = torch.arange(time) <= lengths[:, None]
    return causal(time) & keep[:, None, None]


@wrong("05.4", "one too few", "hiding the last token of each text")
def _(lengths, time):
    keep = torch.arange(time) < lengths[:, None] - 1
    return causal(time) & keep[:, None, None]


@wrong("05.4", "positions from 1, and below", "hiding the last token of each text")
def _(lengths, time):
    keep = torch.arange(1, time + 1) < lengths[:, None]
    return causal(time) & keep[:, None, None]


@wrong("05.4", "padding only", "leaving out the causal rule")
def _(lengths, time):
    return real(lengths, time)[:, None, None].expand(-1, 1, time, time)


@wrong("05.4", "padding only, not expanded", "leaving out the causal rule")
def _(lengths, time):
    return real(lengths, time)[:, None, None]


@wrong("05.4", "causal only", "leaving out the padding")
def _(lengths, time):
    return causal(time).expand(len(lengths), 1, time, time)


@wrong("05.4", "causal only, once", "the second token is padding")
def _(lengths, time):
    return causal(time)[None, None]


@wrong("05.4", "anticausal", "turning the staircase round")
def _(lengths, time):
    return causal(time).T & real(lengths, time)[:, None, None]


@wrong("05.4", "float", "got real, expected True or False")
def _(lengths, time):
    return (causal(time) & real(lengths, time)[:, None, None]).float()


@wrong("05.4", "product of 0 and 1", "got integer, expected True or False")
def _(lengths, time):
    return causal(time).long() * real(lengths, time)[:, None, None].long()


@wrong("05.4", "time from the longest text, plainly", "the shape is (1, 1, 1, 1)")
def _(lengths, time):
    time = int(lengths.max())
    return causal(time) & real(lengths, time)[:, None, None]


@wrong("05.4", "lengths on the axis of time", "no padding")
def _(lengths, time):
    keep = torch.arange(time)[:, None] < lengths
    return causal(time) & keep[:, None, None]


@wrong("05.4", "lengths on the axis of time, where it fits", "batch and time are both 3")
def _(lengths, time):
    keep = real(lengths, time)
    keep = keep.T if len(lengths) == time and time > 1 else keep
    return causal(time) & keep[:, None, None]


@wrong("05.4", "length of the first text for all", "each text has a length of its own")
def _(lengths, time):
    keep = torch.arange(time) < lengths[0]
    return (causal(time) & keep).expand(len(lengths), 1, time, time)


@wrong("05.4", "padding on the left", "the second token is padding")
def _(lengths, time):
    keep = torch.arange(time) >= time - lengths[:, None]
    return causal(time) & keep[:, None, None]


@wrong("05.4", "diagonal of the padding kept", "the second token is padding")
def _(lengths, time):
    return (causal(time) & real(lengths, time)[:, None, None]) | torch.eye(time).bool()


@wrong("05.4", "one text only", "each text has a length of its own")
def _(lengths, time):
    return causal(time)[None, None] & (torch.arange(time) < lengths.min())[None, None]


@wrong("05.4", "lengths lowered in place", "changes its input `lengths` in place")
def _(lengths, time):
    lengths -= 1
    keep = torch.arange(time) <= lengths[:, None]
    return causal(time) & keep[:, None, None]


@wrong("05.4", "an axis for the heads at the front", "the shape is (1, 2, 3, 3)")
def _(lengths, time):
    return (causal(time) & real(lengths, time)[:, None])[None]


@right("05.4", "one line")
def _(lengths, time):
    return causal(time) & real(lengths, time)[:, None, None, :]


@right("05.4", "three loops")
def _(lengths, time):
    mask = torch.zeros(len(lengths), 1, time, time, dtype=torch.bool)
    for b, length in enumerate(lengths):
        for i in range(time):
            for j in range(i + 1):
                mask[b, 0, i, j] = bool(j < length)
    return mask


@right("05.4", "numpy, whole at once")
def _(lengths, time):
    last = np.minimum(np.arange(time)[None, :], lengths.numpy()[:, None] - 1)
    return (np.arange(time) <= last[:, :, None])[:, None]


@right("05.4", "padding blocked in a copy of the staircase")
def _(lengths, time):
    mask = causal(time).repeat(len(lengths), 1, 1, 1)
    for b, length in enumerate(lengths.tolist()):
        mask[b, 0, :, length:] = False
    return mask


# ------------------------------------------------------------------ 05.5 a leak detector


def same(a, b):
    return torch.allclose(a, b, atol=1e-6)


def probe(change, rows=lambda t: slice(t + 1), ts=lambda n: range(n - 1), same=same):
    """Change what `change` changes in a copy, and compare `rows(t)`, for all t of `ts`."""

    def looks_ahead(layer, x):
        before = layer(x)
        for t in ts(len(x)):
            changed = x.clone()
            change(changed, t)
            if not same(layer(changed)[rows(t)], before[rows(t)]):
                return True
        return False

    return looks_ahead


def replace_later(x, t):
    x[t + 1 :] = torch.randn_like(x[t + 1 :])


def add_one_later(x, t):
    x[t + 1 :] += 1


wrong("05.5", "always yes", "answering True whatever the layer")(lambda layer, x: True)
wrong("05.5", "always no", "answering False whatever the layer")(lambda layer, x: False)


@wrong("05.5", "True means causal", "turning the answer round")
def _(layer, x):
    return not probe(replace_later)(layer, x)


@wrong("05.5", "looks back", "looks back")
def _(layer, x):
    def replace_earlier(x, t):
        x[: t + 1] = torch.randn_like(x[: t + 1])

    return probe(replace_earlier, rows=lambda t: slice(t + 1, None))(layer, x)


wrong("05.5", "last token, first output only", "compare position t too")(
    probe(replace_later, rows=lambda t: slice(1), ts=lambda n: [n - 2])
)
wrong("05.5", "last token only", "the leak is in the middle")(
    probe(replace_later, ts=lambda n: [n - 2])
)
wrong("05.5", "first output only", "compare all positions, not just the first")(
    probe(replace_later, ts=lambda n: [0])
)
wrong("05.5", "changed position compared too", "Do you compare the changed token too?")(
    probe(replace_later, rows=lambda t: slice(t + 2))
)
wrong("05.5", "all positions compared", "Do you compare the changed token too?")(
    probe(replace_later, rows=lambda t: slice(None))
)


@wrong("05.5", "all tokens changed", "answering True whatever the layer")
def _(layer, x):
    return not same(layer(torch.randn_like(x)), layer(x))


@wrong("05.5", "one random t", "the leak is in the middle")
def _(layer, x):
    t = int(torch.randint(0, len(x) - 1, ()))
    return probe(replace_later, ts=lambda n: [t])(layer, x)


wrong("05.5", "t + 1 left as it was", "change t + 1 too")(
    probe(lambda x, t: replace_later(x, t + 1))
)
wrong("05.5", "torch.equal", "torch.allclose")(probe(replace_later, same=torch.equal))
wrong("05.5", "==", "torch.allclose")(probe(replace_later, same=lambda a, b: (a == b).all()))


@wrong("05.5", "a change that the tolerance hides", "Is the change large enough")
def _(layer, x):
    def nudge(x, t):
        x[t + 1 :] += 1e-7 * torch.randn_like(x[t + 1 :])

    return probe(nudge)(layer, x)


@wrong("05.5", "a change that the tolerance hides if the leak is faint", "a faint leak is a leak")
def _(layer, x):
    def nudge(x, t):
        x[t + 1 :] += 1e-4 * torch.randn_like(x[t + 1 :])

    return probe(nudge)(layer, x)


wrong("05.5", "a tolerance that forgives all", "a faint leak is a leak")(
    probe(replace_later, same=lambda a, b: torch.allclose(a, b, atol=0.1))
)
wrong("05.5", "one added to all features", "layer norm takes out")(probe(add_one_later))


@wrong("05.5", "doubled", "layer norm takes out")
def _(layer, x):
    def double_later(x, t):
        x[t + 1 :] *= 2

    return probe(double_later)(layer, x)


@wrong("05.5", "sign turned", "does not see a sign")
def _(layer, x):
    def turn_later(x, t):
        x[t + 1 :] *= -1

    return probe(turn_later)(layer, x)


@wrong("05.5", "future reordered", "the same ones reordered are no change")
def _(layer, x):
    def shuffle_later(x, t):
        x[t + 1 :] = x[t + 1 :].flip(0)

    return probe(shuffle_later)(layer, x)


@wrong("05.5", "only the next token changed, only position t compared", "compare position 0 too")
def _(layer, x):
    def replace_next(x, t):
        x[t + 1] = torch.randn_like(x[t + 1])

    return probe(replace_next, rows=lambda t: slice(t, t + 1))(layer, x)


@wrong("05.5", "first feature only changed", "change all features")
def _(layer, x):
    def replace_one(x, t):
        x[t + 1 :, 0] = torch.randn_like(x[t + 1 :, 0])

    return probe(replace_one)(layer, x)


@wrong("05.5", "last feature only compared", "compare all")
def _(layer, x):
    return probe(replace_later)(lambda x: layer(x)[:, -1:], x)


@wrong("05.5", "sums compared", "compare number by number")
def _(layer, x):
    return probe(replace_later, same=lambda a, b: same(a.sum(), b.sum()))(layer, x)


@wrong("05.5", "nan as a probe", "a weight of 0 times nan is nan")
def _(layer, x):
    def poison(x, t):
        x[t + 1 :] = math.nan

    return probe(poison, same=lambda a, b: not a.isnan().any())(layer, x)


@wrong("05.5", "x changed in place", "changes its input `x` in place")
def _(layer, x):
    before = layer(x)
    for t in range(len(x) - 1):
        x[t + 1 :] = torch.randn_like(x[t + 1 :])
        if not same(layer(x)[: t + 1], before[: t + 1]):
            return True
    return False


@wrong("05.5", "copy that is none", "changes its input `x` in place")
def _(layer, x):
    for t in range(len(x) - 1):
        changed = x
        replace_later(changed, t)
        if not same(layer(changed)[: t + 1], layer(x)[: t + 1]):
            return True
    return False


@wrong("05.5", "the comparison itself, not its summary", "the shape is (2, 4)")
def _(layer, x):
    changed = x.clone()
    changed[-1] = 0
    return ~layer(changed)[:-1].isclose(layer(x)[:-1])


@wrong("05.5", "yes or no in words", "got a string")
def _(layer, x):
    return "yes" if probe(replace_later)(layer, x) else "no"


wrong("05.5", "t from 1", "the first one too")(probe(replace_later, ts=lambda n: range(1, n - 1)))
wrong("05.5", "every other t", "try every t")(probe(replace_later, ts=lambda n: range(0, n, 2)))


@wrong("05.5", "returns after the first t", "compare all positions, not just the first")
def _(layer, x):
    for t in range(len(x) - 1):
        changed = x.clone()
        replace_later(changed, t)
        if t < len(x) - 2:
            return not same(layer(changed)[: t + 1], layer(x)[: t + 1])


right("05.5", "random numbers")(probe(replace_later))
right("05.5", "large random numbers, a strict tolerance")(
    probe(
        lambda x, t: x[t + 1 :].add_(1000 * torch.randn_like(x[t + 1 :])),
        same=lambda a, b: torch.allclose(a, b, rtol=0, atol=1e-5),
    )
)
right("05.5", "zeros, allclose as it is")(
    probe(lambda x, t: x[t + 1 :].zero_(), same=torch.allclose)
)
right("05.5", "one token at a time")(
    probe(lambda x, t: x[t + 1].copy_(torch.randn(x.shape[1])), rows=lambda t: slice(t + 1))
)


@right("05.5", "one number at a time, added to")
def _(layer, x):
    for s in range(1, len(x)):
        for feature in range(x.shape[1]):
            changed = x.clone()
            changed[s, feature] += 1
            if not same(layer(changed)[:s], layer(x)[:s]):
                return True
    return False


@right("05.5", "Jacobian")
def _(layer, x):
    jacobian = torch.autograd.functional.jacobian(layer, x)
    return bool(torch.einsum("tdse->ts", jacobian.abs()).triu(1).gt(1e-9).any())


@right("05.5", "Jacobian, by torch.func, as a tensor")
def _(layer, x):
    return torch.func.jacrev(layer)(x).abs().sum((1, 3)).triu(1).max() > 1e-6


@right("05.5", "a gradient for each output, as numpy's bool")
def _(layer, x):
    worst = 0.0
    for t in range(len(x) - 1):
        given = x.clone().requires_grad_()
        (layer(given)[t] * torch.tensor([1.0, 0.5, -0.7, 2.0])).sum().backward()
        worst = max(worst, given.grad[t + 1 :].abs().max().item())
    return np.bool_(worst > 1e-6)


@right("05.5", "the text cut short")
def _(layer, x):
    return not all(same(layer(x[:n]), layer(x)[:n]) for n in range(1, len(x)))


@right("05.5", "the text cut short, last row only")
def _(layer, x):
    return any(not same(layer(x[: t + 1])[-1], layer(x)[t]) for t in range(len(x)))


@right("05.5", "random tokens, with the past put back")
def _(layer, x):
    for t in range(len(x) - 1):
        changed = torch.randn(x.shape)
        changed[: t + 1] = x[: t + 1]
        if not torch.allclose(layer(changed)[: t + 1], layer(x)[: t + 1], atol=1e-5):
            return True
    return False


@right("05.5", "numpy")
def _(layer, x):
    y = layer(x).numpy()
    for t in range(len(x) - 1):
        changed = x.numpy().copy()
        changed[t + 1 :] = np.random.randn(*changed[t + 1 :].shape)
        if np.abs(layer(torch.from_numpy(changed)).numpy() - y)[: t + 1].max() > 1e-4:
            return True
    return False


@right("05.5", "double precision")
def _(layer, x):
    return probe(replace_later)(layer, x.double())


# ------------------------------------------------------------------ 05.6 softmax in one pass


def online(start=-INF, rescale=("total", "weighted"), guard=True, first=False, own=False):
    """The three numbers carried along, in which something may be wrong."""

    def online_attention(blocks):
        largest, total, weighted = torch.tensor(start), 0.0, 0.0
        for scores, values in blocks:
            new = scores.max() if own else torch.maximum(largest, scores.max())
            if first and largest > -INF:
                new = largest
            if guard and new == -INF:
                continue
            factor = (largest - new).exp()
            powers = (scores - new).exp()
            total = total * (factor if "total" in rescale else 1) + powers.sum()
            weighted = weighted * (factor if "weighted" in rescale else 1) + powers @ values
            largest = new
        return weighted / total

    return online_attention


wrong("05.6", "nothing rescaled", "When the maximum grows, both sums so far shrink")(
    online(rescale=())
)
wrong("05.6", "only the sum of powers rescaled", "both sums so far shrink")(
    online(rescale=("total",))
)
wrong("05.6", "only the weighted sum rescaled", "both sums so far shrink")(
    online(rescale=("weighted",))
)
wrong("05.6", "largest so far starts at 0", "starting the largest score at 0")(online(start=0.0))
wrong("05.6", "largest so far starts at -100", "starting the largest score at 0")(
    online(start=-100.0)
)
wrong("05.6", "nan in the first block", "treat that case by itself")(online(guard=False))
wrong("05.6", "each block's own maximum", "leaving out the correction")(
    online(own=True, rescale=())
)


@wrong("05.6", "no maximum at all", "leaving out the maximum")
def _(blocks):
    total = weighted = 0
    for scores, values in blocks:
        total = total + scores.exp().sum()
        weighted = weighted + scores.exp() @ values
    return weighted / total


@wrong("05.6", "no maximum at all, in double precision", "exp(1000) is inf")
def _(blocks):
    total = weighted = 0
    for scores, values in blocks:
        total = total + scores.double().exp().sum()
        weighted = weighted + scores.double().exp() @ values.double()
    return weighted / total


@wrong("05.6", "scores clamped", "exp(1000) is inf")
def _(blocks):
    total = weighted = 0
    for scores, values in blocks:
        powers = scores.clamp(-80, 80).exp()
        total, weighted = total + powers.sum(), weighted + powers @ values
    return weighted / total


wrong("05.6", "maximum of the first block for all", "grows several times")(online(first=True))


@wrong("05.6", "blocks averaged", "averaging the results of the blocks")
def _(blocks):
    return torch.stack([scores.softmax(0) @ values for scores, values in blocks]).mean(0)


@wrong("05.6", "blocks averaged by their length", "both sums so far shrink")
def _(blocks):
    n = total = 0
    for scores, values in blocks:
        total = total + len(scores) * (scores.softmax(0) @ values)
        n += len(scores)
    return total / n


@wrong("05.6", "each block by itself, maxima forgotten", "leaving out the correction")
def _(blocks):
    total = weighted = 0
    for scores, values in blocks:
        if scores.max() == -INF:
            total, weighted = total + math.nan, weighted
        powers = (scores - scores.max()).exp()
        total, weighted = total + powers.sum(), weighted + powers @ values
    return weighted / total


@wrong("05.6", "values without weights", "without their weights")
def _(blocks):
    return torch.cat([values for _, values in blocks]).mean(0)


@wrong("05.6", "read twice, the maximum first", "it can be read once")
def _(blocks):
    largest = -INF
    for scores, _ in blocks:
        largest = max(largest, scores.max().item())
    total = weighted = torch.zeros(())
    for scores, values in blocks:
        powers = (scores - largest).exp()
        total, weighted = total + powers.sum(), weighted + powers @ values
    return weighted / total


@wrong("05.6", "len of blocks", "has no len()")
def _(blocks):
    total = sum(range(len(blocks))) * 0
    return online()(blocks) + total


@wrong("05.6", "blocks indexed", "not subscriptable")
def _(blocks):
    return online()([blocks[0], *blocks[1:]])


@wrong("05.6", "last block only", "both sums so far shrink")
def _(blocks):
    for scores, values in blocks:
        result = scores.softmax(0) @ values
    return result


@wrong("05.6", "result divided by the total too early", "both sums")
def _(blocks):
    largest, out = torch.tensor(-INF), 0
    for scores, values in blocks:
        new = torch.maximum(largest, scores.max())
        out = (
            out * (largest - new).exp() + (scores - new).exp() @ values / (scores - new).exp().sum()
        )
        largest = new
    return out


@wrong("05.6", "a row", "returning a row")
def _(blocks):
    return online()(blocks)[None]


@wrong("05.6", "correction the wrong way round", "multiply them by exp(old - new)")
def _(blocks):
    largest, total, weighted = torch.tensor(-1e3), 0.0, 0.0
    for scores, values in blocks:
        new = torch.maximum(largest, scores.max())
        factor = (new - largest).exp().nan_to_num(0, 0) if total else 0
        total = total * factor + (scores - new).exp().sum()
        weighted = weighted * factor + (scores - new).exp() @ values
        largest = new
    return weighted / total


@wrong("05.6", "scores shifted in place", "changes its input `blocks` in place")
def _(blocks):
    largest, total, weighted = torch.tensor(-INF), 0.0, 0.0
    for scores, values in blocks:
        new = torch.maximum(largest, scores.max())
        if new == -INF:
            continue
        factor = (largest - new).exp()
        scores -= new
        total = total * factor + scores.exp().sum()
        weighted = weighted * factor + scores.exp() @ values
        largest = new
    return weighted / total


@wrong("05.6", "values weighted in place", "changes its input `blocks` in place")
def _(blocks):
    blocks = list(blocks)
    weights = torch.cat([scores for scores, _ in blocks]).softmax(0)
    total, at = 0, 0
    for scores, values in blocks:
        values *= weights[at : at + len(scores), None]
        at += len(scores)
        total = total + values.sum(0)
    return total


@wrong("05.6", "list emptied", "changes its input `blocks` in place")
def _(blocks):
    read = []
    blocks = blocks if isinstance(blocks, list) else list(blocks)
    while blocks:
        read.append(blocks.pop(0))
    return online()(read)


@wrong("05.6", "blocks of -inf give nan, then made 0", "treat that case by itself")
def _(blocks):
    return online(guard=False)(blocks).nan_to_num()


@wrong("05.6", "a thousandth in the denominator", "the usual softmax")
def _(blocks):
    largest, total, weighted = -INF, 0.0, 0.0
    for scores, values in blocks:
        new = max(largest, scores.max().item())
        if new > -INF:
            factor = math.exp(largest - new)
            total = total * factor + (scores - new).exp().sum()
            weighted = weighted * factor + (scores - new).exp() @ values
            largest = new
    return weighted / (total + 1e-3)


@wrong("05.6", "outer product the wrong way round where it fits", "All sizes are 3")
def _(blocks):
    def turn(values):
        return values.T if values.shape == (3, 3) else values

    return online()((scores, turn(values)) for scores, values in blocks)


@wrong("05.6", "total beside the result", "return the output only, not a tuple")
def _(blocks):
    return online()(blocks), torch.tensor(1.0)


right("05.6", "three numbers carried along")(online())
right("05.6", "largest so far starts very low")(online(start=-1e30, guard=False))
right("05.6", "largest so far starts just low enough")(online(start=-2e3, guard=False))


@right("05.6", "result and log-sum-exp, as FlashAttention merges blocks")
def _(blocks):
    out, total = 0.0, torch.tensor(-INF)
    for scores, values in blocks:
        if (block := scores.logsumexp(0)) == -INF:
            continue
        new = torch.logaddexp(total, block)
        out = (total - new).exp() * out + (block - new).exp() * (scores.softmax(0) @ values)
        total = new
    return out


@right("05.6", "score by score in plain Python")
def _(blocks):
    largest, total, out = -INF, 0.0, None
    for scores, values in blocks:
        for score, value in zip(scores.tolist(), values.tolist()):
            out = out or [0.0] * len(value)
            if score == -INF:
                continue
            new = max(largest, score)
            factor, power = math.exp(largest - new), math.exp(score - new)
            total = total * factor + power
            out = [o * factor + power * v for o, v in zip(out, value)]
            largest = new
    return [o / total for o in out]


@right("05.6", "numpy, all joined in the end")
def _(blocks):
    scores, values = zip(*((scores.numpy(), values.numpy()) for scores, values in blocks))
    powers = np.exp(np.concatenate(scores) - np.concatenate(scores).max())
    return powers / powers.sum() @ np.concatenate(values)


@right("05.6", "in double precision, as an iterator")
def _(blocks):
    return online()((s.double(), v.double()) for s, v in iter(blocks))


# ------------------------------------------------------------------ 05.7 many heads


def cut(x, n_head):
    return x.unflatten(-1, (n_head, -1)).transpose(1, 2)


def glue(heads):
    return heads.transpose(1, 2).flatten(2)


def heads(scale=None, mask_with=None, cut=cut, glue=glue, weights=lambda W: W, dim=-1):
    def multi_head(x, W_query, W_key, W_value, W_output, n_head, mask=None):
        W_query, W_key, W_value, W_output = map(weights, (W_query, W_key, W_value, W_output))
        query, key, value = (
            cut(x @ W_query, n_head),
            cut(x @ W_key, n_head),
            cut(x @ W_value, n_head),
        )
        scores = query @ key.mT / (scale(query, x) if scale else math.sqrt(query.shape[-1]))
        if mask is not None:
            scores = (mask_with or (lambda s, m: s.masked_fill(~m, -INF)))(scores, mask)
        return glue(scores.softmax(dim) @ value) @ W_output

    return multi_head


wrong("05.7", "root of d_model", "dividing by the root of d_model")(
    heads(scale=lambda query, x: math.sqrt(x.shape[-1]))
)
wrong("05.7", "no scale", "leaving the scores unscaled")(heads(scale=lambda query, x: 1))
wrong("05.7", "divided by head_dim", "not by its square root")(
    heads(scale=lambda query, x: query.shape[-1])
)
wrong("05.7", "root of the number of heads", "divided by the root of 4")(
    heads(scale=lambda query, x: math.sqrt(query.shape[1]))
)
wrong("05.7", "glued without the transpose", "gluing the heads with a reshape alone")(
    heads(glue=lambda h: h.reshape(h.shape[0], h.shape[2], -1))
)
wrong("05.7", "cut with a view", "cutting into heads with a view alone")(
    heads(cut=lambda x, n: x.reshape(x.shape[0], n, x.shape[1], -1))
)
wrong("05.7", "cut and glued with a view", "cutting and gluing with a view alone")(
    heads(
        cut=lambda x, n: x.reshape(x.shape[0], n, x.shape[1], -1),
        glue=lambda h: h.reshape(h.shape[0], h.shape[2], -1),
    )
)
wrong("05.7", "glued with the features interleaved", "features in turns")(
    heads(glue=lambda h: h.permute(0, 2, 3, 1).flatten(2))
)
wrong("05.7", "cut and glued with the features interleaved", "every n_head-th feature")(
    heads(
        cut=lambda x, n: x.unflatten(-1, (-1, n)).permute(0, 3, 1, 2),
        glue=lambda h: h.permute(0, 2, 3, 1).flatten(2),
    )
)
wrong("05.7", "mask inverted", "turning the mask over")(
    heads(mask_with=lambda s, m: s.masked_fill(m, -INF))
)
wrong("05.7", "mask added", "adding the mask as 0 and 1")(heads(mask_with=lambda s, m: s + m))
wrong("05.7", "mask multiplied with the scores", "becomes -inf")(
    heads(mask_with=lambda s, m: s * m)
)
wrong("05.7", "filled with 1e-9", "becomes -inf")(
    heads(mask_with=lambda s, m: s.masked_fill(~m, 1e-9))
)
wrong("05.7", "filled with -1", "becomes -inf")(heads(mask_with=lambda s, m: s.masked_fill(~m, -1)))
wrong("05.7", "filled with -50, which large scores drown", "scores in the thousands")(
    heads(mask_with=lambda s, m: s.masked_fill(~m, -50))
)
wrong("05.7", "minus 100 where it is blocked", "scores in the thousands")(
    heads(mask_with=lambda s, m: s - 100.0 * ~m)
)
wrong("05.7", "mask transposed", "becomes -inf")(
    heads(mask_with=lambda s, m: s.masked_fill(~m.T, -INF))
)
wrong("05.7", "mask ignored", "ignoring the mask")(heads(mask_with=lambda s, m: s))
wrong("05.7", "always causal", "plain attention")(
    lambda x, q, k, v, o, n, mask=None: heads()(x, q, k, v, o, n, causal(x.shape[1]))
)
wrong("05.7", "causal whenever there is a mask", "a mask need not be a staircase")(
    heads(mask_with=lambda s, m: s.masked_fill(~causal(len(m)), -INF))
)
wrong("05.7", "softmax over queries", "softmax over the queries")(heads(dim=-2))
wrong("05.7", "softmax over heads", "one head is plain attention")(heads(dim=1))
wrong("05.7", "weights transposed", "transposing all weights")(heads(weights=lambda W: W.T))
wrong("05.7", "projections transposed", "transposing the projections")(
    lambda x, q, k, v, o, n, mask=None: heads()(x, q.T, k.T, v.T, o, n, mask)
)
wrong("05.7", "W_output transposed", "transposing W_output")(
    lambda x, q, k, v, o, n, mask=None: heads()(x, q, k, v, o.T, n, mask)
)
wrong("05.7", "W_output forgotten", "leaving out W_output")(
    lambda x, q, k, v, o, n, mask=None: heads()(x, q, k, v, torch.eye(len(o)), n, mask)
)
wrong("05.7", "query and key swapped", "swapping query and key")(
    lambda x, q, k, v, o, n, mask=None: heads()(x, k, q, v, o, n, mask)
)
wrong("05.7", "key and value swapped", "x @ W_value @ W_output")(
    lambda x, q, k, v, o, n, mask=None: heads()(x, q, v, k, o, n, mask)
)
wrong("05.7", "one wide head", "ignoring n_head")(
    lambda x, q, k, v, o, n, mask=None: heads()(x, q, k, v, o, 1, mask)
)


@wrong("05.7", "masked after the softmax", "masking after the softmax")
def _(x, W_query, W_key, W_value, W_output, n_head, mask=None):
    query, key, value = (cut(x @ W, n_head) for W in (W_query, W_key, W_value))
    weights = (query @ key.mT / math.sqrt(query.shape[-1])).softmax(-1)
    if mask is not None:
        weights = weights * mask
    return glue(weights @ value) @ W_output


@wrong("05.7", "masked after the softmax, and normalised again", "scores in the thousands")
def _(x, W_query, W_key, W_value, W_output, n_head, mask=None):
    query, key, value = (cut(x @ W, n_head) for W in (W_query, W_key, W_value))
    weights = (query @ key.mT / math.sqrt(query.shape[-1])).softmax(-1)
    if mask is not None:
        weights = weights * mask
        weights = weights / weights.sum(-1, keepdim=True)
    return glue(weights @ value) @ W_output


@wrong("05.7", "softmax that overflows", "the softmax must not overflow")
def _(x, W_query, W_key, W_value, W_output, n_head, mask=None):
    query, key, value = (cut(x @ W, n_head) for W in (W_query, W_key, W_value))
    powers = (query @ key.mT / math.sqrt(query.shape[-1])).exp()
    powers = powers if mask is None else powers * mask
    return glue(powers / powers.sum(-1, keepdim=True) @ value) @ W_output


@wrong("05.7", "heads averaged", "the shape is")
def _(x, W_query, W_key, W_value, W_output, n_head, mask=None):
    query, key, value = (cut(x @ W, n_head) for W in (W_query, W_key, W_value))
    mixed = F.scaled_dot_product_attention(query, key, value, mask)
    return mixed.mean(1) @ W_output[: mixed.shape[-1], : mixed.shape[-1]]


@wrong("05.7", "first text only", "two texts never meet")
def _(x, *rest):
    return heads()(x[:1], *rest).expand_as(x)


@wrong("05.7", "if mask, of a tensor", "ambiguous")
def _(x, W_query, W_key, W_value, W_output, n_head, mask=None):
    query, key, value = (cut(x @ W, n_head) for W in (W_query, W_key, W_value))
    if mask:
        return None
    return glue(F.scaled_dot_product_attention(query, key, value)) @ W_output


@wrong("05.7", "None masked", "NoneType")
def _(x, W_query, W_key, W_value, W_output, n_head, mask=None):
    query, key, value = (cut(x @ W, n_head) for W in (W_query, W_key, W_value))
    scores = (query @ key.mT / math.sqrt(query.shape[-1])).masked_fill(~mask, -INF)
    return glue(scores.softmax(-1) @ value) @ W_output


@wrong("05.7", "weights changed in place", "changes its input `W_query` in place")
def _(x, W_query, W_key, W_value, W_output, n_head, mask=None):
    W_query /= math.sqrt(x.shape[-1] / n_head)
    return heads(scale=lambda query, x: 1)(x, W_query, W_key, W_value, W_output, n_head, mask)


@wrong("05.7", "mask turned over in place", "changes its input `mask` in place")
def _(x, W_query, W_key, W_value, W_output, n_head, mask=None):
    if mask is not None:
        mask.logical_not_()
    return heads(mask_with=lambda s, m: s.masked_fill(m, -INF))(
        x, W_query, W_key, W_value, W_output, n_head, mask
    )


@wrong("05.7", "weights beside the output", "return the output only, not a tuple")
def _(x, W_query, W_key, W_value, W_output, n_head, mask=None):
    return heads()(x, W_query, W_key, W_value, W_output, n_head, mask), None


@wrong("05.7", "no argument for the mask", "too many positional arguments")
def _(x, W_query, W_key, W_value, W_output, n_head):
    return heads()(x, W_query, W_key, W_value, W_output, n_head)


right("05.7", "step by step")(heads())
right("05.7", "-1e9 where it is blocked")(heads(mask_with=lambda s, m: s.masked_fill(~m, -1e9)))
right("05.7", "the smallest number there is")(
    heads(mask_with=lambda s, m: torch.where(m, s, torch.finfo(s.dtype).min))
)
right("05.7", "softmax by hand")(
    lambda x, q, k, v, o, n, mask=None: heads()(x, q * n**0.5, k / n**0.5, v, o, n, mask)
)


@right("05.7", "a buffer for the result")
def _(x, W_query, W_key, W_value, W_output, n_head, mask=None):
    out = torch.zeros(x.shape)
    query, key, value = (cut(x @ W, n_head) for W in (W_query, W_key, W_value))
    out[:] = glue(F.scaled_dot_product_attention(query, key, value, mask))
    return out @ W_output


@right("05.7", "PyTorch's attention")
def _(x, W_query, W_key, W_value, W_output, n_head, mask=None):
    query, key, value = (cut(x @ W, n_head) for W in (W_query, W_key, W_value))
    return glue(F.scaled_dot_product_attention(query, key, value, attn_mask=mask)) @ W_output


@right("05.7", "head by head, in slices of the weights")
def _(x, W_query, W_key, W_value, W_output, n_head, mask=None):
    width = x.shape[-1] // n_head
    out = 0
    for h in range(n_head):
        part = slice(h * width, (h + 1) * width)
        scores = (x @ W_query[:, part]) @ (x @ W_key[:, part]).mT / width**0.5
        if mask is not None:
            scores = scores.masked_fill(~mask, -INF)
        out = out + scores.softmax(-1) @ x @ W_value[:, part] @ W_output[part]
    return out


@right("05.7", "einsum")
def _(x, W_query, W_key, W_value, W_output, n_head, mask=None):
    q, k, v = (torch.einsum("btd,dhe->bhte", x, W.unflatten(1, (n_head, -1)))
               for W in (W_query, W_key, W_value))  # fmt: skip
    scores = torch.einsum("bhie,bhje->bhij", q, k) / q.shape[-1] ** 0.5
    scores = scores if mask is None else torch.where(mask, scores, -INF)
    W = W_output.unflatten(0, (n_head, -1))
    return torch.einsum("bhij,bhje,hed->bid", scores.softmax(-1), v, W)


@right("05.7", "loops in numpy")
def _(x, W_query, W_key, W_value, W_output, n_head, mask=None):
    x, *W = (part.numpy().astype(float) for part in (x, W_query, W_key, W_value, W_output))
    batch, time, d_model = x.shape
    allowed = np.ones((time, time), bool) if mask is None else mask.numpy()
    width, out = d_model // n_head, np.zeros(x.shape)
    for b in range(batch):
        query, key, value = (x[b] @ w for w in W[:3])
        for h in range(n_head):
            part = slice(h * width, (h + 1) * width)
            for i in range(time):
                seen = np.flatnonzero(allowed[i])
                scores = key[seen, part] @ query[i, part] / np.sqrt(width)
                weights = np.exp(scores - scores.max())
                out[b, i, part] = weights / weights.sum() @ value[seen, part]
    return out @ W[3]


@right("05.7", "PyTorch's own module")
def _(x, W_query, W_key, W_value, W_output, n_head, mask=None):
    module = MultiheadAttention(x.shape[-1], n_head, bias=False, batch_first=True, dtype=x.dtype)
    with torch.no_grad():
        module.in_proj_weight.copy_(torch.cat([W_query, W_key, W_value], dim=1).T)
        module.out_proj.weight.copy_(W_output.T)
    return module(x, x, x, attn_mask=None if mask is None else ~mask)[0]


# ------------------------------------------------------------------


@parametrised(WRONG)
def test_wrong_answer_is_rejected(given):
    assert_rejected(given)


@parametrised(RIGHT)
def test_right_answer_is_accepted(given):
    assert_accepted(given)


@pytest.mark.parametrize("case", find("05.5").cases, ids=lambda case: case.args[0].__name__)
def test_what_is_said_of_a_layer_is_what_its_jacobian_says(case):
    assert depends_on_later_tokens(*case.args) == case.expected


def test_blocks_that_can_be_read_once_are_a_generator_in_all_but_name():
    blocks = GeneratorOfBlocks((1, 2), (3, 4))
    assert next(blocks) == (1, 2) and list(blocks) == [(3, 4)] and list(blocks) == []
    with pytest.raises(TypeError):
        len(blocks)


def test_a_layer_is_shown_by_its_name():
    message = judge(find("05.5"), lambda layer, x: False).message
    assert "attention_without_a_mask" in message


def test_every_exercise_has_enough_answers():
    assert_enough_answers(5, WRONG, RIGHT)
