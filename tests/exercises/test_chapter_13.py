"""The checks of chapter 13 tell wrong answers from right ones."""

import numpy as np
import torch
import torch.nn.functional as F

from llmcourse.bert import mask_tokens
from llmcourse.exercises.chapter_13 import SAFE, by_batch, masked_by_loop, one_hidden, scored
from tests.exercises.answers import (
    assert_accepted,
    assert_enough_answers,
    assert_rejected,
    decorators,
    parametrised,
)

WRONG, RIGHT = [], []
wrong, right = decorators(WRONG, RIGHT)

# ------------------------------------------------------------------ 13.1 how many of each

wrong("13.1", "special tokens too", "The 100 are never chosen")([240, 30, 30, 300])
wrong("13.1", "kept ones not in the loss", "guessed like the others")([228, 28.5, 28.5, 256.5])
wrong("13.1", "only masks in the loss", "All that are chosen count")([228, 28.5, 28.5, 228])
wrong("13.1", "shares of all", "shares of the 15% that are chosen")([1520, 190, 190, 1900])
wrong("13.1", "all masked", "Only 80% of them")([285, 28.5, 28.5, 285])
wrong("13.1", "loss on everything", "what a causal model does")([228, 28.5, 28.5, 1900])
wrong("13.1", "loss on specials too", "what a causal model does")([228, 28.5, 28.5, 2000])
wrong("13.1", "everything that stays", "Most were never chosen")([228, 28.5, 1643.5, 285])
wrong("13.1", "three numbers", "4 numbers are wanted, and you give 3")([228, 28.5, 28.5])
right("13.1", "expressions")([0.15 * 1900 * share for share in (0.8, 0.1, 0.1, 1)])
right("13.1", "a tensor")(torch.tensor([228, 28.5, 28.5, 285]))

# ------------------------------------------------------------------ 13.2 loss of what was asked


def summed(logits, targets):
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum")


def filled(label):
    return lambda x, t: F.cross_entropy(x.flatten(0, 1), t.masked_fill(t == -100, label).flatten())


wrong("13.2", "mean over all positions", "those that were asked: with 15% of them")(
    lambda x, t: summed(x, t) / t.numel()
)
wrong("13.2", "sum", "giving the sum")(summed)
wrong("13.2", "sum per row", "dividing by the number of rows")(lambda x, t: summed(x, t) / len(t))
wrong("13.2", "gaps are token 0", "counting -100 as token 0")(filled(0))
wrong("13.2", "accuracy", "four equal logits")(
    lambda x, t: 1.0 - (x.argmax(-1) == t)[t != -100].float().mean()
)
wrong("13.2", "no minus", "forgetting the minus sign")(
    lambda x, t: -summed(x, t) / (t != -100).sum()
)
wrong("13.2", "bits", "giving bits")(lambda x, t: summed(x, t) / (t != -100).sum() / np.log(2))
wrong("13.2", "softmax twice", "taking the softmax twice")(
    lambda x, t: summed(x.softmax(-1), t) / (t != -100).sum()
)


@wrong("13.2", "mean of means", "mean of the rows' means")
def _(logits, targets):
    rows = [F.cross_entropy(x, t) for x, t in zip(logits, targets) if (t != -100).any()]
    return sum(rows) / len(rows)


@wrong("13.2", "-100 as an index", "counting -100 as the last token")
def _(logits, targets):
    picked = targets.masked_fill(targets == -100, -1) % logits.shape[-1]
    return F.cross_entropy(logits.flatten(0, 1), picked.flatten())


@wrong("13.2", "a softmax that overflows", "does not overflow")
def _(logits, targets):
    asked = targets != -100
    chances = logits[asked].exp() / logits[asked].exp().sum(-1, keepdim=True)
    return -chances[torch.arange(len(chances)), targets[asked]].log().mean()


@right("13.2", "picked by the mask")
def _(logits, targets):
    asked = targets != -100
    return F.cross_entropy(logits[asked], targets[asked])


@right("13.2", "a loop in python")
def _(logits, targets):
    losses = []
    for row, wanted in zip(logits.double(), targets.tolist()):
        for scores, token in zip(row, wanted):
            if token >= 0:
                losses.append((torch.logsumexp(scores, 0) - scores[token]).item())
    return sum(losses) / len(losses)


# ------------------------------------------------------------------ 13.3 hide some tokens


def hiding(
    low=0.8, high=0.9, chosen=None, inputs=torch.clone, truth=lambda tokens, inputs: tokens,
    asked=None,
):  # fmt: skip
    def hide(tokens, draw, random_tokens, mask_token, special, rate):
        before = tokens.clone()
        special = torch.tensor(special, dtype=torch.long)
        picked = (draw < rate) & ~torch.isin(tokens, special)
        if chosen is not None:
            picked = chosen(draw, rate, torch.isin(tokens, special))
        hidden = inputs(tokens)
        middle = picked & (draw >= low * rate) & (draw < high * rate)
        hidden[middle] = random_tokens[middle]
        hidden[picked & (draw < low * rate)] = mask_token
        where = picked if asked is None else asked(picked, hidden, before, mask_token)
        return hidden, truth(before, hidden).masked_fill(~where, -100)

    return hide


wrong("13.3", "targets everywhere", "asking for every token")(
    hiding(asked=lambda picked, *_: torch.ones_like(picked))
)
wrong("13.3", "targets are the inputs", "asking for what the model reads")(
    hiding(truth=lambda tokens, inputs: inputs)
)
wrong("13.3", "changed ones only", "asking only for tokens that were changed")(
    hiding(asked=lambda picked, hidden, before, mask: hidden != before)
)
wrong("13.3", "masked ones only", "a draw between 0.8 and 0.9 times the rate")(
    hiding(asked=lambda picked, hidden, before, mask: picked & (hidden == mask))
)
wrong("13.3", "special ones too", "hiding special tokens")(
    hiding(chosen=lambda draw, rate, special: draw < rate)
)
wrong("13.3", "always the mask", "over all that are chosen")(hiding(low=1.0))
wrong("13.3", "none stays", "letting no chosen token stay")(hiding(high=1.0))
wrong("13.3", "no random tokens", "replacing none by a random token")(hiding(high=0.8))
wrong("13.3", "shares swapped", "swapping the shares")(hiding(low=0.1))
wrong("13.3", "in place", "in place")(hiding(inputs=lambda tokens: tokens))
wrong("13.3", "more than the rate", "the first draw is below")(
    hiding(chosen=lambda draw, rate, special: (draw > rate) & ~special)
)
wrong("13.3", "returned the wrong way round", "swapping inputs and targets")(
    lambda *a: hiding()(*a)[::-1]
)
wrong("13.3", "inputs only", "")(lambda *a: hiding()(*a)[0])


@wrong("13.3", "shares of all", "shares of those that are chosen")
def _(tokens, draw, random_tokens, mask_token, special, rate):
    return hiding()(tokens, draw, random_tokens, mask_token, special, 1.0)


right("13.3", "boolean masks")(hiding())


@right("13.3", "torch.where")
def _(tokens, draw, random_tokens, mask_token, special, rate):
    spared = torch.zeros_like(tokens, dtype=torch.bool)
    for token in special:
        spared |= tokens == token
    draw = torch.where(spared, 1.0, draw)
    hidden = torch.where(draw < 0.9 * rate, random_tokens, tokens)
    hidden = torch.where(draw < 0.8 * rate, mask_token, hidden)
    return hidden, torch.where(draw < rate, tokens, -100)


# ------------------------------------------------------------------ 13.4 padding

BIG = -1e9


def zeroed(vectors, mask):
    return vectors.masked_fill(~mask[:, :, None], 0.0)


wrong("13.4", "plain mean", "the mean over padding too")(lambda v, m: v.mean(1))
wrong("13.4", "divided by the length", "dividing by the padded length")(
    lambda v, m: zeroed(v, m).mean(1)
)
wrong("13.4", "sum", "giving the sum")(lambda v, m: zeroed(v, m).sum(1))
wrong("13.4", "divided by all", "all texts together")(lambda v, m: zeroed(v, m).sum(1) / m.sum())
wrong("13.4", "the padding's mean", "got nan")(
    lambda v, m: zeroed(v, ~m).sum(1) / (~m).sum(1)[:, None]
)
wrong("13.4", "over the batch", "averaging over the texts")(
    lambda v, m: zeroed(v, m).sum(0) / m.sum(0)[:, None]
)
wrong("13.4", "first token", "taking the first token")(lambda v, m: v[:, 0])
wrong("13.4", "last position", "taking the last position")(lambda v, m: v[:, -1])
wrong("13.4", "maximum", "taking the maximum")(
    lambda v, m: v.masked_fill(~m[:, :, None], BIG).amax(1)
)
wrong("13.4", "multiplied by the mask", "0 times nan is nan")(
    lambda v, m: (v * m[:, :, None]).sum(1) / m.sum(1)[:, None]
)
wrong("13.4", "all texts in one", "a row for each text")(
    lambda v, m: (
        v[m].mean(0, keepdim=True) if len(v) > 2 else zeroed(v, m).sum(1) / m.sum(1)[:, None]
    )
)
wrong("13.4", "in place", "in place")(
    lambda v, m: v.masked_fill_(~m[:, :, None], 0.0).sum(1) / m.sum(1)[:, None]
)


@wrong("13.4", "the first n positions", "padding may stand on the left")
def _(vectors, mask):
    return torch.stack([v[: m.sum()].mean(0) for v, m in zip(vectors, mask)])


right("13.4", "filled with zeros")(lambda v, m: zeroed(v, m).sum(1) / m.sum(1, keepdim=True))
right("13.4", "a loop")(lambda v, m: torch.stack([x[k].mean(0) for x, k in zip(v, m)]))
right("13.4", "nanmean")(lambda v, m: v.masked_fill(~m[:, :, None], torch.nan).nanmean(1))

# ------------------------------------------------------------------ 13.5 half and half


def causal(time):
    return torch.ones(time, time, dtype=torch.bool).tril()


def first(time, n):
    return torch.arange(time) < n


wrong("13.5", "columns are queries", "swapping rows and columns")(
    lambda t, n: (causal(t) | first(t, n)).T
)
wrong("13.5", "forbidden marked", "marking what is forbidden")(
    lambda t, n: ~(causal(t) | first(t, n))
)
wrong("13.5", "causal", "leaving out the prefix")(lambda t, n: causal(t))
wrong("13.5", "everybody", "letting everybody see everybody")(
    lambda t, n: torch.ones(t, t, dtype=torch.bool)
)
wrong("13.5", "prefix too long", "one token too long")(
    lambda t, n: causal(t) | (torch.arange(t) <= n)
)
wrong("13.5", "prefix too short", "one token too short")(lambda t, n: causal(t) | first(t, n - 1))
wrong("13.5", "prefix sees all", "letting the prefix see what comes after")(
    lambda t, n: causal(t) | first(t, n)[:, None]
)
wrong("13.5", "rest sees all", "tokens after the prefix see ahead")(
    lambda t, n: causal(t) | first(t, n) | ~first(t, n)[:, None]
)
wrong("13.5", "two islands", "hiding the prefix from the tokens after it")(
    lambda t, n: (causal(t) | first(t, n)) & (first(t, n) == first(t, n)[:, None])
)
wrong("13.5", "not itself", "letting no token see itself")(
    lambda t, n: (causal(t) | first(t, n)) & ~torch.eye(t, dtype=torch.bool)
)
wrong("13.5", "prefix at the end", "last tokens for the prefix")(
    lambda t, n: causal(t) | first(t, t - n)
)
wrong("13.5", "scores", "the dtype is wrong")(
    lambda t, n: torch.zeros(t, t).masked_fill(~(causal(t) | first(t, n)), -torch.inf)
)
right("13.5", "a triangle and a stripe")(lambda t, n: causal(t) | first(t, n))


@right("13.5", "written into")
def _(time, n_prefix):
    mask = np.tril(np.ones((time, time), dtype=bool))
    mask[:, :n_prefix] = True
    return mask


# ------------------------------------------------------------------ 13.6 pseudo-log-likelihood

wrong("13.6", "nothing hidden", "hiding nothing")(
    lambda m, t, k: torch.log_softmax(m(t[None])[0].double(), -1)[torch.arange(len(t)), t].sum()
)
wrong("13.6", "all hidden", "hiding all tokens at once")(
    lambda m, t, k: torch.log_softmax(m(torch.full_like(t, k)[None])[0].double(), -1)[
        torch.arange(len(t)), t
    ].sum()
)
wrong("13.6", "the right half hidden", "a causal model would see no more")(
    lambda m, t, k: scored(m, t, lambda t, i: torch.where(torch.arange(len(t)) >= i, k, t))
)
wrong("13.6", "equal tokens hidden", "hiding every token that is the same")(
    lambda m, t, k: scored(m, t, lambda t, i: torch.where(t == t[i], k, t))
)
wrong("13.6", "mean", "giving the mean")(lambda m, t, k: by_batch(m, t, k) / len(t))
wrong("13.6", "loss", "giving the loss")(lambda m, t, k: -by_batch(m, t, k))
wrong("13.6", "bits", "giving bits")(lambda m, t, k: by_batch(m, t, k) / np.log(2))
wrong("13.6", "probabilities added", "adding probabilities")(
    lambda m, t, k: scored(m, t, one_hidden(k), lambda p: p.exp().sum())
)
wrong("13.6", "product", "return its logarithm")(
    lambda m, t, k: scored(m, t, one_hidden(k), lambda p: p.sum().exp())
)
wrong("13.6", "read one to the left", "one place to the left")(
    lambda m, t, k: (
        by_batch(m, t, k) if len(t) == 1 else scored(m, t, one_hidden(k), read=lambda i: i - 1)
    )
)


@wrong("13.6", "masks that stay", "not taking the mask away again")
def _(model, tokens, mask_token):
    hidden, total = tokens.clone(), 0.0
    for i in range(len(tokens)):
        hidden[i] = mask_token
        total += torch.log_softmax(model(hidden[None])[0, i].double(), -1)[tokens[i]].item()
    return total


@wrong("13.6", "in place", "in place")
def _(model, tokens, mask_token):
    total = 0.0
    for i, token in enumerate(tokens.tolist()):
        tokens[i] = mask_token
        total += torch.log_softmax(model(tokens[None])[0, i].double(), -1)[token].item()
        if i + 1 < len(tokens):
            tokens[i] = token
    return total


@wrong("13.6", "logits added", "adding logits")
def _(model, tokens, mask_token):
    rows = tokens.repeat(len(tokens), 1).fill_diagonal_(mask_token)
    places = torch.arange(len(tokens))
    return model(rows)[places, places, tokens].sum()


right("13.6", "one batch")(by_batch)
right("13.6", "one after the other")(lambda m, t, k: scored(m, t, one_hidden(k)))


@right("13.6", "fresh copies")
def _(model, tokens, mask_token):
    total = 0.0
    for i in range(len(tokens)):
        hidden = tokens.clone()
        hidden[i] = mask_token
        total += model(hidden[None])[0, i].log_softmax(-1)[tokens[i]]
    return total


# ------------------------------------------------------------------ 13.7 spans


def corrupting(sentinel=lambda s, n: s[n], hidden=lambda x: [], end=lambda s, n: [s[n]], per=1):
    def corrupt(tokens, spans, sentinels):
        inputs, targets, at = [], [], 0
        for n, (start, length) in enumerate(spans):
            mark, piece = sentinel(sentinels, n), tokens[start : start + length]
            inputs += tokens[at:start] + [mark] * (per or length) + hidden(piece)
            targets += [mark, *piece]
            at = start + length
        return inputs + tokens[at:], targets + end(sentinels, len(spans))

    return corrupt


wrong("13.7", "no last sentinel", "leaving out the last sentinel")(corrupting(end=lambda s, n: []))
wrong("13.7", "one sentinel for all", "using one sentinel for all")(
    corrupting(sentinel=lambda s, n: s[0], end=lambda s, n: [s[0]])
)
wrong("13.7", "a sentinel per token", "A span has one, however long")(corrupting(per=0))
wrong("13.7", "nothing hidden", "leaving the hidden tokens in the input")(
    corrupting(hidden=lambda piece: piece)
)
wrong("13.7", "swapped", "swapping inputs and targets")(lambda *a: corrupting()(*a)[::-1])
wrong("13.7", "whole text as target", "the whole text as the target")(
    lambda t, p, s: (corrupting()(t, p, s)[0], t)
)
wrong("13.7", "targets without sentinels", "sentinels out of the targets")(
    lambda t, p, s: (corrupting()(t, p, s)[0], [x for a, n in p for x in t[a : a + n]])
)
wrong("13.7", "input without sentinels", "sentinels out of the input")(
    lambda t, p, s: ([x for x in corrupting()(t, p, s)[0] if x not in s], corrupting()(t, p, s)[1])
)
wrong("13.7", "spans as ends", "reading a span as (start, end)")(
    lambda t, p, s: corrupting()(t, [(a, max(0, b - a)) for a, b in p], s)
)
wrong("13.7", "a token too many", "a token too many")(
    lambda t, p, s: corrupting()(t, [(a, n + 1) for a, n in p], s)
)
wrong("13.7", "rest forgotten", "one span of one token")(
    lambda t, p, s: corrupting()(t[: p[-1][0] + p[-1][1]], p, s) if p else (t, [s[0]])
)
wrong("13.7", "no span, no target", "no span: the text")(
    lambda t, p, s: corrupting()(t, p, s) if p else (t, [])
)


@wrong("13.7", "places not shifted", "one that has become shorter")
def _(tokens, spans, sentinels):
    inputs, targets = list(tokens), []
    for n, (start, length) in enumerate(spans):
        targets += [sentinels[n], *tokens[start : start + length]]
        inputs[start : start + length] = [sentinels[n]]
    return inputs, [*targets, sentinels[len(spans)]]


@wrong("13.7", "in place", "in place")
def _(tokens, spans, sentinels):
    targets = []
    for n, (start, length) in enumerate(spans):
        targets += [sentinels[n], *tokens[start : start + length]]
    for n, (start, length) in reversed(list(enumerate(spans))):
        tokens[start : start + length] = [sentinels[n]]
    return tokens, [*targets, sentinels[len(spans)]]


right("13.7", "copied piece by piece")(corrupting())


@right("13.7", "the last span first")
def _(tokens, spans, sentinels):
    inputs, targets = list(tokens), [sentinels[len(spans)]]
    for n, (start, length) in reversed(list(enumerate(spans))):
        targets = [sentinels[n], *inputs[start : start + length], *targets]
        inputs[start : start + length] = [sentinels[n]]
    return inputs, targets


# ------------------------------------------------------------------


@parametrised(WRONG)
def test_wrong_answer_is_rejected(given):
    assert_rejected(given)


@parametrised(RIGHT)
def test_right_answer_is_accepted(given):
    assert_accepted(given)


def test_hiding_by_hand_is_what_the_package_does():
    """Given the same random numbers, that is; none of the exercise's lies on an edge."""
    tokens = torch.randint(3, 50, (8, 40), generator=torch.Generator().manual_seed(0))
    inputs, targets = mask_tokens(tokens, 49, 50, [7], torch.Generator().manual_seed(5), rate=0.3)
    generator = torch.Generator().manual_seed(5)
    draw = torch.rand(tokens.shape, generator=generator)
    random_tokens = torch.randint_like(tokens, 50, generator=generator)
    expected = masked_by_loop(tokens, draw, random_tokens, 49, [7], 0.3)
    assert torch.equal(inputs, expected[0]) and torch.equal(targets, expected[1])
    edges = torch.tensor([0.12, 0.135, 0.15])
    assert (SAFE[:, None] - edges).abs().min() > 1e-3


def test_every_exercise_has_enough_answers():
    assert_enough_answers(13, WRONG, RIGHT)
