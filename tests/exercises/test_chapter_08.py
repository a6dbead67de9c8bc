"""The checks of chapter 8 tell wrong answers from right ones."""

import itertools
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from llmcourse.exercises.chapter_08 import gpt2, llama
from llmcourse.exercises.exercise import find
from llmcourse.gpt import GPT, GPTConfig
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

# ------------------------------------------------------------------ 08.1 a GPT on paper

wrong("08.1", "no biases in the projections", "biases of the six projections")([208, 56, 272])
wrong("08.1", "no biases at all", "leaving out all biases")([200, 56, 260])
wrong("08.1", "norms without biases", "giving the norms no biases")([236, 56, 296])
wrong("08.1", "head of its own", "the token table serves twice")([244, 56, 348])
wrong("08.1", "head of its own, no last norm", "and leaving out the last norm")([244, 56, 340])
wrong("08.1", "no last norm", "leaving out the last norm, between")([244, 56, 300])
wrong("08.1", "no norms in the block", "the two norms of the block")([228, 56, 292])
wrong("08.1", "no biases in attention", "the biases of the four attention")([228, 56, 292])
wrong("08.1", "one norm in the block", "counting one norm")([236, 56, 300])
wrong("08.1", "d_ff = d_model", "It is 16 here")([136, 56, 200])
wrong("08.1", "three projections", "output projection of the attention")([224, 56, 288])
wrong("08.1", "no positions", "the table of positions")([244, 40, 292])
wrong("08.1", "last norm twice", "counting the last norm twice")([244, 56, 316])
wrong("08.1", "tables apart", "3 numbers are wanted, and you give 4")([244, 40, 16, 308])
wrong("08.1", "one off", "three whole numbers")([244, 56, 309])
wrong("08.1", "in another order", "block, both tables together, all")([308, 244, 56])
right("08.1", "whole numbers")([244, 56, 308])
right("08.1", "a tensor of floats")(torch.tensor([244.0, 56.0, 308.0]))
right("08.1", "sums in a tuple")((80 + 148 + 16, 40 + 16, 244 + 56 + 8))

# ------------------------------------------------------------------ 08.2 count them


def count(V, P, L, d, biases=13, last=2, tables=1, layers=None):
    return (
        (tables * V + P) * d
        + (L if layers is None else layers) * (12 * d * d + biases * d)
        + (last * d)
    )


wrong("08.2", "head of its own", "giving the head a matrix of its own")(
    lambda V, P, L, d: count(V, P, L, d, tables=2)
)
wrong("08.2", "no last norm", "leaving out the last norm")(
    lambda V, P, L, d: count(V, P, L, d, last=0)
)
wrong("08.2", "last norm without bias", "a gain and no bias")(
    lambda V, P, L, d: count(V, P, L, d, last=1)
)
wrong("08.2", "last norm in each block", "counting the last norm in every block")(
    lambda V, P, L, d: count(V, P, L, d, biases=15, last=0)
)
wrong("08.2", "no biases in projections", "leaving out the biases of the projections")(
    lambda V, P, L, d: count(V, P, L, d, biases=4)
)
wrong("08.2", "no biases at all", "leaving out all biases")(
    lambda V, P, L, d: count(V, P, L, d, biases=2, last=1)
)
wrong("08.2", "no norms in the blocks", "leaving out the two norms of each block")(
    lambda V, P, L, d: count(V, P, L, d, biases=9)
)
wrong("08.2", "one norm in each block", "counting one norm in each block")(
    lambda V, P, L, d: count(V, P, L, d, biases=11)
)
wrong("08.2", "wide layer with a narrow bias", "It has 4 * d")(
    lambda V, P, L, d: count(V, P, L, d, biases=10)
)
wrong("08.2", "queries, keys and values without biases", "of queries, keys and values")(
    lambda V, P, L, d: (V + P) * d + L * (12 * d * d + 10 * d) + 2 * d
)
wrong("08.2", "one block", "counting one block only")(
    lambda V, P, L, d: count(V, P, L, d, layers=1)
)
wrong("08.2", "all times L", "Tables and last norm are there once")(
    lambda V, P, L, d: L * count(V, P, 1, d)
)
wrong("08.2", "positions forgotten", "leaving out the table of positions")(
    lambda V, P, L, d: count(V, 0, L, d)
)
wrong("08.2", "the rule of thumb", "counting the large matrices only")(
    lambda V, P, L, d: 12 * L * d**2 + V * d
)
wrong("08.2", "d_ff = d_model", "taking d_ff = d_model")(
    lambda V, P, L, d: (V + P) * d + L * (6 * d * d + 10 * d) + 2 * d
)
wrong("08.2", "in millions", "the dtype is wrong: got real, expected integer")(
    lambda V, P, L, d: count(V, P, L, d) / 1e6
)
wrong("08.2", "d_model fixed at 768", "exercise 08.1")(lambda V, P, L, d: count(V, P, L, 768))
wrong("08.2", "right for the first model only", "a second block adds 244")(lambda *args: 308)
right("08.2", "a formula")(count)


@right("08.2", "by PyTorch's modules")
def _(vocab_size, context_length, n_layer, d_model):
    d = d_model
    with torch.device("meta"):
        layer = nn.TransformerEncoderLayer(d, 1, 4 * d)
        parts = [nn.Embedding(vocab_size, d), nn.Embedding(context_length, d), nn.LayerNorm(d)]
    size = [sum(p.numel() for p in part.parameters()) for part in [layer, *parts]]
    return n_layer * size[0] + sum(size[1:])


@right("08.2", "numpy integers")
def _(vocab_size, context_length, n_layer, d_model):
    d, total = np.int64(d_model), np.int64(0)
    for _ in range(n_layer):
        total += d * 3 * d + 3 * d + d * d + d + d * 4 * d + 4 * d + 4 * d * d + d + 4 * d
    return total + (vocab_size + context_length) * d + 2 * d


# ------------------------------------------------------------------ 08.3 from Conv1D to Linear


def linear(weight, bias):
    """An nn.Linear with these numbers, copied."""
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.load_state_dict({"weight": weight, "bias": bias})
    return layer


wrong("08.3", "no transpose where it fits", "a square matrix")(
    lambda weight, bias: linear(weight if len(weight) == weight.shape[1] else weight.T, bias)
)
wrong("08.3", "no transpose", "forgetting the transpose")(linear)


@wrong("08.3", "sizes swapped", "forgetting the transpose")
def _(weight, bias):
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.weight.data.copy_(weight)
    layer.bias.data.copy_(bias)
    return layer


@wrong("08.3", "parameter of the matrix as it is", "forgetting the transpose")
def _(weight, bias):
    layer = nn.Linear(*weight.shape)
    layer.weight, layer.bias = nn.Parameter(weight.clone()), nn.Parameter(bias.clone())
    return layer


@wrong("08.3", "no bias", "leaving out the bias")
def _(weight, bias):
    layer = nn.Linear(*weight.shape, bias=False)
    layer.weight.data.copy_(weight.T)
    return layer


@wrong("08.3", "bias not filled in", "y = 2 x + 1")
def _(weight, bias):
    layer = nn.Linear(*weight.shape)
    layer.weight.data.copy_(weight.T)
    return layer


@wrong("08.3", "the caller's memory", "keeping the caller's memory")
def _(weight, bias):
    layer = nn.Linear(*weight.shape)
    layer.weight, layer.bias = nn.Parameter(weight.T), nn.Parameter(bias)
    return layer


@wrong("08.3", "the caller's bias only", "keeping the caller's memory")
def _(weight, bias):
    layer = linear(weight.T, bias)
    layer.bias.data = bias
    return layer


@wrong("08.3", "transposed in place", "'inputs unchanged': False")
def _(weight, bias):
    layer = linear(weight.T, bias)
    weight += 1
    return layer


@wrong("08.3", "fresh layer", "y = 2 x + 1")
def _(weight, bias):
    return nn.Linear(*weight.shape)


@wrong("08.3", "a function", "return an nn.Linear, not a function")
def _(weight, bias):
    return lambda x: x @ weight + bias


@wrong("08.3", "the matrix only", "return an nn.Linear, not a tensor of shape (1, 1)")
def _(weight, bias):
    return weight.T


@wrong("08.3", "built, not returned", "return an nn.Linear, not None")
def _(weight, bias):
    layer = linear(weight.T, bias)
    layer.eval()


@wrong("08.3", "made contiguous, which copies no single column", "must not notice")
def _(weight, bias):
    layer = nn.Linear(*weight.shape)
    layer.weight, layer.bias = nn.Parameter(weight.T.contiguous()), nn.Parameter(bias.clone())
    return layer


@wrong("08.3", "reshaped, not transposed", "x @ W.T")
def _(weight, bias):
    return linear(weight.reshape(weight.shape[::-1]), bias)


right("08.3", "load_state_dict")(lambda weight, bias: linear(weight.T, bias))


@right("08.3", "copy_ without gradients")
def _(weight, bias):
    layer = nn.Linear(weight.size(0), weight.size(1))
    with torch.no_grad():
        layer.weight.copy_(weight.t())
        layer.bias.copy_(bias)
    return layer


@right("08.3", "new parameters")
def _(weight, bias):
    layer = nn.Linear(*weight.shape)
    layer.weight = nn.Parameter(weight.T.clone())
    layer.bias = nn.Parameter(bias.detach().clone(), requires_grad=False)
    return layer


@right("08.3", "number by number")
def _(weight, bias):
    layer = nn.Linear(*weight.shape)
    for i in range(weight.shape[0]):
        for j in range(weight.shape[1]):
            layer.weight.data[j, i] = weight[i, j].item()
    layer.bias.data[:] = bias
    return layer


# ------------------------------------------------------------------ 08.4 across the batch


def others_changed(tokens, i, vocab_size, where=slice(None), others=slice(None)):
    changed = tokens.clone()
    step = torch.randint(1, vocab_size, tokens.shape)
    changed[others, where] = ((tokens + step) % vocab_size)[others, where]
    changed[i] = tokens[i]
    return changed


def detector(rows=lambda n: range(n), where=slice(None), seen=slice(None), others=slice(None),
             same=lambda a, b: torch.allclose(a, b, atol=1e-5)):  # fmt: skip
    """The right one, unless told what to leave out."""

    def mixes_batch(model, tokens):
        before = model(tokens)
        for i in rows(len(tokens)):
            changed = others_changed(tokens, i, before.shape[-1], where, others)
            if not same(model(changed)[i, seen], before[i, seen]):
                return True
        return False

    return mixes_batch


wrong("08.4", "last logits only", "only the logits at the first position")(
    detector(seen=slice(-1, None))
)
wrong("08.4", "first logits only", "only the logits at the last position")(
    detector(seen=slice(0, 1))
)
wrong("08.4", "last token changed", "only the first token of the others")(
    detector(where=slice(-1, None))
)
wrong("08.4", "first token changed", "only the last token of the others")(
    detector(where=slice(0, 1))
)
wrong("08.4", "only the first sequence watched", "only the third sequence reads")(
    detector(rows=lambda n: [0])
)
wrong("08.4", "only the last sequence watched", "only the first sequence reads")(
    detector(rows=lambda n: [n - 1])
)
wrong("08.4", "only the last sequence changed", "only the third sequence reads")(
    detector(others=slice(-1, None))
)
wrong("08.4", "only the first sequence changed", "only the first sequence reads")(
    detector(others=slice(0, 1))
)
wrong("08.4", "equal to the last bit", "by rounding only")(detector(same=torch.equal))
wrong("08.4", "a wide tolerance", "a faint trace")(
    detector(same=lambda a, b: torch.allclose(a, b, atol=0.1))
)
wrong("08.4", "most likely ids compared", "attention along the wrong axis")(
    detector(same=lambda a, b: torch.equal(a.argmax(-1), b.argmax(-1)))
)
wrong("08.4", "first logit not compared", "one logit only depends")(
    detector(same=lambda a, b: torch.allclose(a[..., 1:], b[..., 1:], atol=1e-5))
)
wrong("08.4", "always", "answering True whatever the model")(lambda model, tokens: True)
wrong("08.4", "never", "answering False whatever the model")(lambda model, tokens: False)


@wrong("08.4", "leaks in time", "within a sequence: that is another error")
def _(model, tokens):
    before = model(tokens)
    for t in range(1, tokens.shape[1]):
        changed = tokens.clone()
        changed[:, t] = (changed[:, t] + 1) % before.shape[-1]
        if not torch.allclose(model(changed)[:, :t], before[:, :t], atol=1e-5):
            return True
    return detector()(model, tokens)


@wrong("08.4", "the changed sequence compared too", "answering True")
def _(model, tokens):
    before = model(tokens)
    changed = others_changed(tokens, 0, before.shape[-1])
    return not torch.allclose(model(changed), before, atol=1e-5)


@wrong("08.4", "each sequence by itself", "all sequences are the same here")
def _(model, tokens):
    together = model(tokens)
    alone = torch.cat([model(row[None]) for row in tokens])
    return not torch.allclose(alone, together, atol=1e-5)


@wrong("08.4", "sequences reordered", "the mean is taken over the batch")
def _(model, tokens):
    return not torch.allclose(model(tokens.flip(0)).flip(0), model(tokens), atol=1e-5) or (
        not torch.allclose(model(tokens.roll(1, 0)).roll(-1, 0), model(tokens), atol=1e-5)
    )


@wrong("08.4", "zeros put in", "all sequences are the same here")
def _(model, tokens):
    before = model(tokens)
    for i in range(len(tokens)):
        changed = torch.zeros_like(tokens)
        changed[i] = tokens[i]
        if not torch.allclose(model(changed)[i], before[i], atol=1e-5):
            return True
    return False


@wrong("08.4", "ids that do not exist", "index 7 is out of bounds")
def _(model, tokens):
    before = model(tokens)
    for i in range(len(tokens)):
        changed = tokens + 1
        changed[i] = tokens[i]
        if not torch.allclose(model(changed)[i], before[i], atol=1e-5):
            return True
    return False


@wrong("08.4", "ids mirrored, which leaves the middle one", "in the middle of the vocabulary")
def _(model, tokens):
    before = model(tokens)
    for i in range(len(tokens)):
        changed = before.shape[-1] - 1 - tokens
        changed[i] = tokens[i]
        if not torch.allclose(model(changed)[i], before[i], atol=1e-5):
            return True
    return False


@wrong("08.4", "tokens changed in place", "changes its input `tokens` in place")
def _(model, tokens):
    before, kept = model(tokens), tokens.clone()
    for i in range(len(tokens)):
        tokens[:] = others_changed(kept, i, before.shape[-1])
        if not torch.allclose(model(tokens)[i], before[i], atol=1e-5):
            return True
    return False


@wrong("08.4", "turned round", "compare those of the sequence that you left alone")
def _(model, tokens):
    return not detector()(model, tokens)


right("08.4", "others changed at once")(detector())


@right("08.4", "all others, one after the other, by one")
def _(model, tokens):
    before = model(tokens)
    for i, j in itertools.permutations(range(len(tokens)), 2):
        changed = tokens.clone()
        changed[j] = (changed[j] + 1) % before.shape[-1]
        if (model(changed)[i] - before[i]).abs().max() > 1e-4:
            return True
    return False


@right("08.4", "one changed, the others watched, in numpy")
def _(model, tokens):
    before = model(tokens).double().numpy()
    for j in range(len(tokens)):
        changed = tokens.numpy().copy()
        changed[j] = before.shape[-1] - 1 - changed[j]
        changed[j][changed[j] == tokens[j].numpy()] = 0
        after = model(torch.from_numpy(changed)).double().numpy()
        if np.abs(np.delete(after - before, j, axis=0)).max(initial=0) > 1e-4:
            return True
    return False


@right("08.4", "each sequence in strange company")
def _(model, tokens):
    n = len(tokens)
    vocab_size = model(tokens).shape[-1]
    before = model(tokens)
    return bool(n > 1) and any(
        not torch.allclose(
            model(torch.where(torch.arange(n)[:, None] == i, tokens, (tokens + k) % vocab_size))[i],
            before[i],
            atol=1e-4,
        )
        for i in range(n)
        for k in range(1, vocab_size)
    )


# ------------------------------------------------------------------ 08.5 grouped queries


def grouped(share=lambda t, n: t.repeat_interleave(n, 1), scale=None, shift=0, dim=-1, fill=-INF):
    def grouped_attention(query, key, value):
        n = query.shape[1] // key.shape[1]
        key, value = share(key, n), share(value, n)
        scores = query @ key.mT / (scale(query) if scale else math.sqrt(query.shape[-1]))
        blocked = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1 + shift)
        return scores.masked_fill(blocked, fill).softmax(dim) @ value

    return grouped_attention


wrong("08.5", "repeat", "repeat_interleave, not repeat")(
    grouped(share=lambda t, n: t.repeat(1, n, 1, 1))
)
wrong("08.5", "repeat, by cat", "repeat_interleave, not repeat")(
    grouped(share=lambda t, n: torch.cat([t] * n, dim=1))
)
wrong("08.5", "interleaved along time", "share the only key and value head")(
    grouped(share=lambda t, n: t.repeat_interleave(n, 2).reshape(t.shape[0], -1, *t.shape[2:]))
)
wrong("08.5", "interleaved without an axis", "share the only key and value head")(
    grouped(share=lambda t, n: t.repeat_interleave(n).view(t.shape[0], -1, *t.shape[2:]))
)
wrong("08.5", "one key head for all", "the first key head")(
    grouped(share=lambda t, n: t[:, :1].expand(-1, n * t.shape[1], -1, -1))
)
wrong("08.5", "not shared at all", "It raises RuntimeError")(grouped(share=lambda t, n: t))
wrong("08.5", "no mask", "leaving out the causal mask")(grouped(shift=1000))
wrong("08.5", "one step ahead", "letting a token see the one after it")(grouped(shift=1))
wrong("08.5", "itself hidden", "one token sees itself")(grouped(shift=-1))
wrong("08.5", "no scale", "leaving the scores unscaled")(grouped(scale=lambda q: 1))
wrong("08.5", "divided by head_dim", "not by its root")(grouped(scale=lambda q: q.shape[-1]))
wrong("08.5", "root of n_head * head_dim", "share the only key")(
    grouped(scale=lambda q: math.sqrt(q.shape[1] * q.shape[-1]))
)
wrong("08.5", "softmax over queries", "the future at -inf")(grouped(dim=-2))
wrong("08.5", "filled with -50", "scores in the thousands")(grouped(fill=-50.0))
wrong("08.5", "filled with 0", "the future at -inf")(grouped(fill=0.0))
wrong("08.5", "first sequence only", "a wrong axis raises nothing")(
    lambda q, k, v: grouped()(q[:1], k[:1], v[:1]).expand_as(q)
)
wrong("08.5", "groups averaged", "the shape is (1, 1, 3, 4), and should be (1, 2, 3, 4)")(
    lambda q, k, v: grouped()(q.unflatten(1, (k.shape[1], -1)).mean(2), k, v)
)
wrong("08.5", "merged with the features", "the shape is")(
    lambda q, k, v: grouped()(q, k, v).transpose(1, 2).flatten(2)
)


@wrong("08.5", "softmax that overflows", "the softmax must not overflow")
def _(query, key, value):
    n = query.shape[1] // key.shape[1]
    powers = (query @ key.repeat_interleave(n, 1).mT / query.shape[-1] ** 0.5).exp().tril()
    return powers / powers.sum(-1, keepdim=True) @ value.repeat_interleave(n, 1)


@wrong("08.5", "query scaled in place", "changes its input `query` in place")
def _(query, key, value):
    query /= math.sqrt(query.shape[-1])
    return grouped(scale=lambda q: 1)(query, key, value)


right("08.5", "repeat_interleave")(grouped())
right("08.5", "expanded and flattened")(
    grouped(share=lambda t, n: t[:, :, None].expand(-1, -1, n, -1, -1).flatten(1, 2))
)


@right("08.5", "groups as an axis, einsum, double precision")
def _(query, key, value):
    q = query.double().unflatten(1, (key.shape[1], -1))
    scores = torch.einsum("bgntd,bgsd->bgnts", q, key.double()) / query.shape[-1] ** 0.5
    future = torch.ones(scores.shape[-2:]).triu(1).bool()
    weights = scores.masked_fill(future, -INF).softmax(-1)
    return torch.einsum("bgnts,bgsd->bgntd", weights, value.double()).flatten(1, 2)


@right("08.5", "PyTorch's attention")
def _(query, key, value):
    n = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(n, 1), value.repeat_interleave(n, 1)
    return F.scaled_dot_product_attention(query, key, value, is_causal=True)


@right("08.5", "loops in numpy")
def _(query, key, value):
    query, key, value = (t.numpy().astype(float) for t in (query, key, value))
    out, group = np.zeros(query.shape), query.shape[1] // key.shape[1]
    for b, h, t in np.ndindex(query.shape[:3]):
        k, v = key[b, h // group, : t + 1], value[b, h // group, : t + 1]
        scores = k @ query[b, h, t] / np.sqrt(query.shape[-1])
        weights = np.exp(scores - scores.max())
        out[b, h, t] = weights / weights.sum() @ v
    return out


# ------------------------------------------------------------------ 08.6 logits by hand


def gpt(
    attend=None, norm=None, gelu=F.gelu, where="pre", skip=(), stream="new", positions=None,
    head=None, embed=lambda w: w["token_embedding"],
):  # fmt: skip
    """The right one, written with PyTorch's functions, unless told what to do otherwise."""

    def gpt_logits(tokens, w):
        def normed(x, name):
            if name in skip:
                return x
            own = norm or (lambda x, gain, bias: F.layer_norm(x, x.shape[-1:], gain, bias))
            return own(x, w[f"{name}.gain"], w[f"{name}.bias"])

        def attention(x):
            qkv = [(x @ w[f"W_{name}"])[None] for name in ("query", "key", "value")]
            mix = attend or (lambda *qkv: F.scaled_dot_product_attention(*qkv, is_causal=True))
            return mix(*qkv)[0] @ w["W_output"]

        def feed(x):
            return gelu(x @ w["W_up"] + w["b_up"]) @ w["W_down"] + w["b_down"]

        at = positions(tokens) if positions else torch.arange(len(tokens))
        x = embed(w)[tokens] + w["positions"][at]
        if where == "post":
            x = normed(x + attention(x), "norm_1")
            x = normed(x + feed(x), "norm_2")
        elif where == "copy":
            x = normed(x, "norm_1")
            x = normed(x + attention(x), "norm_2")
            x = x + feed(x)
        else:
            old, x = x, x + attention(normed(x, "norm_1"))
            x = x + feed(normed(old if stream == "old" else x, "norm_2"))
        x = normed(x, "norm")
        return head(x, w) if head else x @ w["token_embedding"].T

    return gpt_logits


def scaled(scale, causal=True):
    return lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=causal, scale=scale)


def norm_with(eps=1e-5, correction=0, outside=0.0, gain=True, bias=True, dim=-1):
    def norm(x, g, b):
        variance = x.var(dim, keepdim=True, correction=correction)
        x = (x - x.mean(dim, keepdim=True)) / ((variance + eps).sqrt() + outside)
        return x * (g if gain else 1) + (b if bias else 0)

    return norm


wrong("08.6", "no mask", "leaving out the causal mask")(gpt(attend=scaled(None, causal=False)))
wrong("08.6", "no scale", "leaving the scores unscaled")(gpt(attend=scaled(1.0)))
wrong("08.6", "no last norm", "leaving out the last norm")(gpt(skip=["norm"]))
wrong("08.6", "no norm_1", "leaving out norm_1")(gpt(skip=["norm_1"]))
wrong("08.6", "no norm_2", "leaving out norm_2")(gpt(skip=["norm_2"]))
wrong("08.6", "no norms", "leaving out all three norms")(gpt(skip=["norm_1", "norm_2", "norm"]))
wrong("08.6", "post-norm", "normalising after each sum")(gpt(where="post"))
wrong("08.6", "added to the normalised copy", "adding to the normalised copy")(gpt(where="copy"))
wrong("08.6", "parallel sublayers", "the stream from before the attention")(gpt(stream="old"))
wrong("08.6", "GELU by tanh", "the tanh formula of GELU")(
    gpt(gelu=lambda x: F.gelu(x, approximate="tanh"))
)
wrong("08.6", "no GELU", "leaving out the GELU")(gpt(gelu=lambda x: x))
wrong("08.6", "ReLU", "bends by GELU")(gpt(gelu=F.relu))
wrong("08.6", "unbiased variance", "dividing by d - 1")(gpt(norm=norm_with(correction=1)))
wrong("08.6", "no epsilon", "leaving out the epsilon")(gpt(norm=norm_with(eps=0)))
wrong("08.6", "epsilon outside the root", "under the root")(
    gpt(norm=norm_with(eps=0, outside=1e-5))
)
wrong("08.6", "epsilon of 1e-6", "1e-5 is added to the variance")(gpt(norm=norm_with(eps=1e-6)))
wrong("08.6", "norm without a gain", "one token, and a block that adds nothing")(
    gpt(norm=norm_with(gain=False))
)
wrong("08.6", "norm without gain and bias", "leaving out the gains and biases")(
    gpt(norm=norm_with(gain=False, bias=False))
)
wrong("08.6", "norm over time", "one token, and a block that adds nothing")(
    gpt(norm=norm_with(dim=0))
)
wrong("08.6", "positions by token id", "the first token gets the first row")(
    gpt(positions=lambda tokens: tokens.clamp(max=0) if len(tokens) == 1 else tokens)
)
wrong("08.6", "first position for all", "the second the second")(
    gpt(positions=lambda tokens: torch.zeros_like(tokens))
)
wrong("08.6", "head not transposed", "It raises RuntimeError")(
    gpt(head=lambda x, w: x @ w["token_embedding"])
)
wrong("08.6", "head not transposed where it fits", "a matrix the wrong way round")(
    gpt(
        head=lambda x, w: (
            x
            @ (
                w["token_embedding"].T
                if w["token_embedding"].shape != (4, 4)
                else w["token_embedding"]
            )
        )
    )  # fmt: skip
)
wrong("08.6", "probabilities", "one token, and a block that adds nothing")(
    gpt(head=lambda x, w: (x @ w["token_embedding"].T).softmax(-1))
)
wrong("08.6", "last position only", "the shape is")(
    gpt(head=lambda x, w: x[-1] @ w["token_embedding"].T)
)
wrong("08.6", "a batch axis", "the shape is (1, 1, 4)")(lambda t, w: gpt()(t, w)[None])
wrong("08.6", "transposed projections", "transposing the projections")(
    lambda t, w: gpt()(t, w | {f"W_{n}": w[f"W_{n}"].T for n in ("query", "key", "value")})
)
wrong("08.6", "no output projection", "leaving out W_output")(
    lambda t, w: gpt()(t, w | {"W_output": torch.eye(len(w["W_output"]))})
)
wrong("08.6", "embeddings times the root of d", "token table and position added")(
    gpt(embed=lambda w: w["token_embedding"] * math.sqrt(len(w["b_down"])))
)
wrong("08.6", "no positions", "leaving out the positions")(
    lambda t, w: gpt()(t, w | {"positions": 0 * w["positions"]})
)


@wrong("08.6", "table changed in place", "changes its input `weights` in place")
def _(tokens, weights):
    weights["positions"] += 1
    weights["positions"] -= 1
    weights["positions"] *= 1.5
    return gpt()(tokens, weights | {"positions": weights["positions"] / 1.5})


right("08.6", "PyTorch's functions")(gpt())
right("08.6", "norms and scale by hand")(gpt(norm=norm_with(), gelu=lambda x: F.gelu(x)))
right("08.6", "double precision")(
    lambda tokens, weights: gpt()(tokens, {name: w.double() for name, w in weights.items()})
)


@right("08.6", "token by token, in numpy")
def _(tokens, weights):
    w = {name: tensor.numpy().astype(float) for name, tensor in weights.items()}

    def norm(x, name):
        x = x - x.mean()
        return x / np.sqrt((x * x).mean() + 1e-5) * w[f"{name}.gain"] + w[f"{name}.bias"]

    keys, values, logits = [], [], []
    for t, token in enumerate(tokens.tolist()):
        x = w["token_embedding"][token] + w["positions"][t]
        h = norm(x, "norm_1")
        keys.append(h @ w["W_key"])
        values.append(h @ w["W_value"])
        scores = np.array(keys) @ (h @ w["W_query"]) / np.sqrt(len(x))
        power = np.exp(scores - scores.max())
        x = x + power / power.sum() @ np.array(values) @ w["W_output"]
        u = norm(x, "norm_2") @ w["W_up"] + w["b_up"]
        bent = u * (1 + np.array([math.erf(z / math.sqrt(2)) for z in u])) / 2
        x = x + bent @ w["W_down"] + w["b_down"]
        logits.append(w["token_embedding"] @ norm(x, "norm"))
    return np.array(logits)


# ------------------------------------------------------------------ 08.7 a Llama's parameters


def llama_count(V, L, h, k, d, f, kv=None, up=3, norms=2, last=1, tables=1, square=2, pairs=2):
    kv = k * (d // h) if kv is None else kv(d, h, k)
    block = square * d * d + pairs * d * kv + up * d * f + norms * d
    return tables * V * d + L * block + last * d


def llama_wrong(name, says, **mistake):
    wrong("08.7", name, says)(
        lambda V, L, h, k, d, f: llama_count(V, L, h, k, d, f, **mistake)
    )  # fmt: skip


llama_wrong("head of its own", "giving the head a matrix of its own", tables=2)
llama_wrong("all heads for keys", "as many heads as queries", kv=lambda d, h, k: d)
llama_wrong("no gate", "SwiGLU has a gate as well", up=2)
llama_wrong("no last norm", "leaving out the last norm", last=0)
llama_wrong("no norms in the blocks", "the two norms of each block", norms=0)
llama_wrong("one norm in each block", "counting one norm", norms=1)
llama_wrong("no norms", "leaving out the norms", norms=0, last=0)
llama_wrong("norms with biases", "An RMS norm has none", norms=4, last=2)
llama_wrong("no output projection", "output projection of the attention", square=1)
llama_wrong("narrow output", "It goes from d_model to d_model", square=1, pairs=3)
llama_wrong("keys and values in one", "Each has its own", pairs=1)
llama_wrong("key heads of one number", "It has head_dim of them", kv=lambda d, h, k: k)
llama_wrong(
    "queries divided by key heads", "however the 4 numbers are cut", kv=lambda d, h, k: d // k
)
wrong("08.7", "GPT-2's", "three of 4 by 6")(
    lambda V, L, h, k, d, f: V * d + L * (12 * d * d + 13 * d) + 2 * d
)
wrong("08.7", "one block", "a second block adds 144")(
    lambda V, L, h, k, d, f: llama_count(V, 1, h, k, d, f)
)
wrong("08.7", "a float", "got real, expected integer")(
    lambda V, L, h, k, d, f: llama_count(V, L, h, k, d, f) * 1.0
)
right("08.7", "a formula")(llama_count)


@right("08.7", "by modules")
def _(vocab_size, n_layer, n_head, n_kv_head, d_model, d_ff):
    narrow = d_model * n_kv_head // n_head
    shapes = [(d_model, d_model)] * 2 + [(d_model, narrow)] * 2 + [(d_model, d_ff)] * 3
    with torch.device("meta"):
        matrices = [nn.Linear(*shape, bias=False) for shape in shapes]
        block = nn.ModuleList([*matrices, nn.RMSNorm(d_model), nn.RMSNorm(d_model)])
    size = sum(p.numel() for p in block.parameters())
    return vocab_size * d_model + n_layer * size + d_model


# ------------------------------------------------------------------


@parametrised(WRONG)
def test_wrong_answer_is_rejected(given):
    assert_rejected(given)


@parametrised(RIGHT)
def test_right_answer_is_accepted(given):
    assert_accepted(given)


@pytest.mark.parametrize("case", find("08.4").cases, ids=lambda case: case.args[0].__name__)
def test_what_is_said_of_a_model_is_what_all_changes_of_one_token_say(case):
    model, tokens = case.args
    before, moved = model(tokens), False
    for j, t in np.ndindex(*tokens.shape):
        for token in range(before.shape[-1]):
            changed = tokens.clone()
            changed[j, t] = token
            others = torch.arange(len(tokens)) != j
            moved |= bool(((model(changed) - before)[others].abs() > 1e-4).any())
    assert moved == case.expected


@pytest.mark.parametrize("shape", [(10, 4, 1, 4), (11, 7, 3, 5)])
def test_parameters_of_gpt2_are_those_of_our_gpt(shape):
    names = ("vocab_size", "context_length", "n_layer", "d_model")
    model = GPT(GPTConfig(**dict(zip(names, shape)), n_head=1))
    assert gpt2(*shape) == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("shape", [(10, 2, 2, 1, 4, 6), (7, 3, 6, 2, 24, 32)])
def test_parameters_of_llama_are_those_of_our_gpt(shape):
    names = ("vocab_size", "n_layer", "n_head", "n_kv_head", "d_model", "d_ff")
    kind = {"norm": "rms", "position": "rope", "activation": "swiglu", "bias": False}
    model = GPT(GPTConfig(**dict(zip(names, shape)), **kind, context_length=8))
    assert llama(*shape) == sum(p.numel() for p in model.parameters())


def test_every_exercise_has_enough_answers():
    assert_enough_answers(8, WRONG, RIGHT)
