"""The checks of chapter 10 tell wrong answers from right ones."""

import itertools
import math
from collections import Counter
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from llmcourse.exercises.chapter_10 import nucleus_by_loop
from llmcourse.exercises.exercise import find
from llmcourse.generation import beam_search, filter_logits
from tests.exercises.answers import (
    assert_accepted,
    assert_enough_answers,
    assert_rejected,
    decorators,
    parametrised,
)

WRONG, RIGHT = [], []
wrong, right = decorators(WRONG, RIGHT)

# ------------------------------------------------------------------ 10.1 three tokens, by hand

wrong("10.1", "times the temperature", "multiplying by the temperature")(
    [4 / 7, 2 / (1 + 2**0.5 + 2), 2 / 3, 1 / 3]
)
wrong("10.1", "never divided again", "after tokens have been struck out")(
    [4 / 7, 16 / 21, 4 / 7, 2 / 7]
)
wrong("10.1", "nucleus not divided", "after the nucleus")([4 / 7, 16 / 21, 4 / 7, 1 / 3])
wrong("10.1", "top-k not divided", "after top-k")([4 / 7, 16 / 21, 2 / 3, 2 / 7])
wrong("10.1", "b left out", "leaving out the token that crosses p")([4 / 7, 16 / 21, 1, 1 / 3])
wrong("10.1", "a kept", "The second likeliest")([4 / 7, 16 / 21, 4 / 5, 1 / 3])
wrong("10.1", "c for b", "asked is P(b)")([4 / 7, 16 / 21, 2 / 3, 2 / 3])
wrong("10.1", "logits as shares", "the logits themselves")([2 / 3, 2 / 3, 2 / 3, 1 / 3])
wrong("10.1", "not divided at all", "leaving out the divisions")([4, 16, 4, 2])
wrong("10.1", "three numbers", "4 numbers are wanted, and you give 3")([4 / 7, 16 / 21, 2 / 3])
wrong("10.1", "one digit", "the answer has four numbers")([0.6, 0.8, 0.7, 0.3])
right("10.1", "fractions")([Fraction(4, 7), Fraction(16, 21), Fraction(2, 3), Fraction(1, 3)])
right("10.1", "three digits")([0.571, 0.762, 0.667, 0.333])
right("10.1", "numpy")(np.array([4 / 7, 16 / 21, 2 / 3, 1 / 3]))

# ------------------------------------------------------------------ 10.2 temperature


def likeliest(logits):
    return F.one_hot(logits.argmax(-1), logits.shape[-1]).to(logits)


@wrong("10.2", "divides by 0", "everything on the likeliest")
def _(logits, temperature):
    return (logits / temperature).softmax(-1)


@wrong("10.2", "multiplies", "multiplying by the temperature")
def _(logits, temperature):
    return (logits * temperature).softmax(-1)


@wrong("10.2", "a tiny number for 0", "in place of 0")
def _(logits, temperature):
    return (logits / max(temperature, 1e-6)).softmax(-1)


@wrong("10.2", "0 for no temperature", "taking temperature 0 for 1")
def _(logits, temperature):
    return (logits / (temperature or 1)).softmax(-1)


@wrong("10.2", "ignores it", "leaving out the temperature")
def _(logits, temperature):
    return logits.softmax(-1)


@wrong("10.2", "exponentials that overflow", "exp(100,000) is inf")
def _(logits, temperature):
    if temperature == 0:
        return likeliest(logits)
    powers = (logits / temperature).exp()
    return powers / powers.sum(-1, keepdim=True)


@wrong("10.2", "powers of probabilities that vanish", "a power of a small probability is 0")
def _(logits, temperature):
    if temperature == 0:
        return likeliest(logits)
    powers = logits.softmax(-1) ** (1 / temperature)
    return powers / powers.sum(-1, keepdim=True)


@wrong("10.2", "the largest of all rows subtracted", "Subtract the largest of each row first")
def _(logits, temperature):
    if temperature == 0:
        return likeliest(logits)
    powers = ((logits - logits.max()) / temperature).exp()
    return powers / powers.sum(-1, keepdim=True)


@wrong("10.2", "first axis", "over the first axis")
def _(logits, temperature):
    if temperature == 0:
        return F.one_hot(logits.argmax(0), len(logits)).movedim(-1, 0).float()
    return (logits / temperature).softmax(0)


@wrong("10.2", "one row only at 0", "a likeliest token of its own")
def _(logits, temperature):
    if temperature > 0:
        return (logits / temperature).softmax(-1)
    out = torch.zeros_like(logits)
    out.view(-1)[logits.argmax()] = 1
    return out


@wrong("10.2", "shared among equals", "Equal logits then share")
def _(logits, temperature):
    if temperature > 0:
        return (logits / temperature).softmax(-1)
    top = (logits == logits.amax(-1, keepdim=True)).float()
    return top / top.sum(-1, keepdim=True)


@wrong("10.2", "the last of equals", "the first of them gets everything")
def _(logits, temperature):
    if temperature > 0:
        return (logits / temperature).softmax(-1)
    return likeliest(logits.flip(-1)).flip(-1)


@wrong("10.2", "two axes only", "any number of axes in front")
def _(logits, temperature):
    if temperature == 0:
        return likeliest(logits)
    return (logits / temperature).softmax(min(logits.ndim - 1, 1))


@wrong("10.2", "the id", "everything on the likeliest")
def _(logits, temperature):
    return (logits / temperature).softmax(-1) if temperature else logits.argmax(-1)


@wrong("10.2", "log-probabilities", "temperature 1 is the softmax")
def _(logits, temperature):
    return (logits / temperature).log_softmax(-1)


@wrong("10.2", "in place", "changes its input `logits` in place")
def _(logits, temperature):
    if temperature == 0:
        return likeliest(logits)
    logits /= temperature
    return logits.softmax(-1)


@right("10.2", "one_hot and softmax")
def _(logits, temperature):
    return (logits / temperature).softmax(-1) if temperature > 0 else likeliest(logits)


@right("10.2", "zeros and scatter")
def _(logits, temperature):
    if temperature == 0:
        return torch.zeros_like(logits).scatter(-1, logits.argmax(-1, keepdim=True), 1.0)
    return torch.softmax(logits / temperature, dim=-1)


@right("10.2", "numpy")
def _(logits, temperature):
    logits = logits.numpy().astype(float)
    if temperature == 0:
        return np.eye(logits.shape[-1])[logits.argmax(-1)]
    powers = np.exp((logits - logits.max(-1, keepdims=True)) / temperature)
    return powers / powers.sum(-1, keepdims=True)


@right("10.2", "row by row")
def _(logits, temperature):
    out = torch.zeros(logits.shape)
    for place in itertools.product(*map(range, logits.shape[:-1])):
        row = logits[place].tolist()
        largest = max(row)
        if temperature == 0:
            out[place][row.index(largest)] = 1
        else:
            powers = [math.exp((one - largest) / temperature) for one in row]
            out[place] = torch.tensor([power / sum(powers) for power in powers])
    return out


# ------------------------------------------------------------------ 10.3 nucleus


def restored(ordered, order):
    return torch.zeros_like(ordered).scatter(0, order, ordered)


@wrong("10.3", "the crossing token dropped", "the likeliest alone has 0.75, which is enough")
def _(probabilities, p):
    ordered, order = probabilities.sort(descending=True)
    kept = restored(ordered * (ordered.cumsum(0) <= p), order)
    return kept / kept.sum()


@wrong(
    "10.3",
    "the crossing token dropped, unless it is the first",
    "dropping the token that crosses p",
)
def _(probabilities, p):
    ordered, order = probabilities.sort(descending=True)
    keep = ordered.cumsum(0) <= p
    keep[0] = True
    kept = restored(ordered * keep, order)
    return kept / kept.sum()


@wrong("10.3", "one too many at the edge", "at least p is enough")
def _(probabilities, p):
    ordered, order = probabilities.sort(descending=True)
    kept = restored(ordered * (ordered.cumsum(0) - ordered <= p), order)
    return kept / kept.sum()


@wrong("10.3", "not divided", "not dividing by the sum")
def _(probabilities, p):
    ordered, order = probabilities.sort(descending=True)
    return restored(ordered * (ordered.cumsum(0) - ordered < p), order)


@wrong("10.3", "in the order given", "Begin with the likeliest")
def _(probabilities, p):
    kept = probabilities * (probabilities.cumsum(0) - probabilities < p)
    return kept / kept.sum()


@wrong("10.3", "left sorted", "leaving the numbers sorted")
def _(probabilities, p):
    ordered = probabilities.sort(descending=True).values
    kept = ordered * (ordered.cumsum(0) - ordered < p)
    return kept / kept.sum()


@wrong("10.3", "put back by order instead of its inverse", "so 0.125 is in too")
def _(probabilities, p):
    ordered, order = probabilities.sort(descending=True)
    kept = (ordered * (ordered.cumsum(0) - ordered < p))[order]
    return kept / kept.sum()


@wrong("10.3", "from the least likely", "which is enough")
def _(probabilities, p):
    ordered, order = probabilities.sort()
    kept = restored(ordered * (ordered.cumsum(0) - ordered < p), order)
    return kept / kept.sum()


@wrong("10.3", "a threshold for each", "whose own probability is at least p")
def _(probabilities, p):
    kept = probabilities * (probabilities >= p)
    return kept / kept.sum()


@wrong("10.3", "softmax again", "using a softmax")
def _(probabilities, p):
    ordered, order = probabilities.sort(descending=True)
    return restored(ordered * (ordered.cumsum(0) - ordered < p), order).softmax(0)


@wrong("10.3", "empty for a small p", "the likeliest token still stays")
def _(probabilities, p):
    ordered, order = probabilities.sort(descending=True)
    n = 0 if p < 0.1 else int((ordered.cumsum(0) < p).sum()) + 1
    ordered[n:] = 0
    return restored(ordered, order) / ordered.sum()


@wrong("10.3", "first place where p is reached, by argmax", "never reaches 1")
def _(probabilities, p):
    ordered, order = probabilities.sort(descending=True)
    last = int((ordered.cumsum(0) >= p).int().argmax())
    ordered[last + 1 :] = 0
    return restored(ordered, order) / ordered.sum()


@wrong("10.3", "sorted in place", "changes its input `probabilities` in place")
def _(probabilities, p):
    ordered, order = probabilities.sort(descending=True)
    probabilities[order[ordered.cumsum(0) - ordered >= p]] = 0
    return probabilities / probabilities.sum()


@wrong("10.3", "the kept ones only", "the shape is (1,)")
def _(probabilities, p):
    kept = torch.tensor([one for one in nucleus_by_loop(probabilities, p) if one])
    return kept


@right("10.3", "sort and scatter")
def _(probabilities, p):
    ordered, order = probabilities.sort(descending=True)
    kept = restored(ordered * (ordered.cumsum(0) - ordered < p), order)
    return kept / kept.sum()


@right("10.3", "how many, by a count")
def _(probabilities, p):
    order = probabilities.argsort(descending=True)
    n = int((probabilities[order].cumsum(0) < p).sum()) + 1
    kept = torch.zeros_like(probabilities)
    kept[order[:n]] = probabilities[order[:n]]
    return kept / kept.sum()


@right("10.3", "numpy, in double precision")
def _(probabilities, p):
    given = probabilities.numpy().astype(float)
    order = np.argsort(-given)
    keep = order[: np.searchsorted(np.cumsum(given[order]), p) + 1]
    out = np.zeros(len(given))
    out[keep] = given[keep] / given[keep].sum()
    return out


@right("10.3", "a loop over the largest left")
def _(probabilities, p):
    left, kept, total = probabilities.clone(), torch.zeros_like(probabilities), 0.0
    for _ in range(len(left)):
        best = int(left.argmax())
        kept[best] = probabilities[best]
        left[best] = -1
        total += float(probabilities[best])
        if total >= p:
            break
    return kept / total


# ------------------------------------------------------------------ 10.4 greedy, with a stop


def decode(next_logits, ids, max_new_tokens, stop):
    for _ in range(max_new_tokens):
        ids.append(int(next_logits(ids).argmax()))
        if ids[-1] == stop:
            break
    return ids


@wrong("10.4", "prompt changed", "changes its input `prompt` in place")
def _(next_logits, prompt, max_new_tokens, stop):
    return decode(next_logits, prompt, max_new_tokens, stop)


@wrong("10.4", "prompt changed by +=", "changes its input `prompt` in place")
def _(next_logits, prompt, max_new_tokens, stop):
    ids = prompt
    for _ in range(max_new_tokens):
        new = int(next_logits(ids).argmax())
        ids += [new]
        if new == stop:
            return ids
    return ids


@wrong("10.4", "no stop", "running on after the stop")
def _(next_logits, prompt, max_new_tokens, stop):
    return decode(next_logits, list(prompt), max_new_tokens, None)


@wrong("10.4", "stop left out", "leaving out the stop")
def _(next_logits, prompt, max_new_tokens, stop):
    ids = list(prompt)
    for _ in range(max_new_tokens):
        new = int(next_logits(ids).argmax())
        if new == stop:
            break
        ids.append(new)
    return ids


@wrong("10.4", "while the stop is not in the text", "ending as soon as the stop stands anywhere")
def _(next_logits, prompt, max_new_tokens, stop):
    ids = list(prompt)
    while stop not in ids and len(ids) < len(prompt) + max_new_tokens:
        ids.append(int(next_logits(ids).argmax()))
    return ids


@wrong("10.4", "while the last is not the stop", "the prompt ends with the stop")
def _(next_logits, prompt, max_new_tokens, stop):
    ids = list(prompt)
    while ids[-1] != stop and len(ids) < len(prompt) + max_new_tokens:
        ids.append(int(next_logits(ids).argmax()))
    return ids


@wrong("10.4", "cut at the first stop in the end", "the stop stands in the prompt")
def _(next_logits, prompt, max_new_tokens, stop):
    ids = decode(next_logits, list(prompt), max_new_tokens, None)
    return ids[: ids.index(stop) + 1] if stop in ids else ids


@wrong("10.4", "if stop", "counts it as False")
def _(next_logits, prompt, max_new_tokens, stop):
    return decode(next_logits, list(prompt), max_new_tokens, stop or None)


@wrong("10.4", "new tokens only", "returning the new tokens only")
def _(next_logits, prompt, max_new_tokens, stop):
    return decode(next_logits, list(prompt), max_new_tokens, stop)[len(prompt) :]


@wrong("10.4", "one too many", "one token too many")
def _(next_logits, prompt, max_new_tokens, stop):
    return decode(next_logits, list(prompt), max_new_tokens + 1, stop)


@wrong("10.4", "one too few", "one token too few")
def _(next_logits, prompt, max_new_tokens, stop):
    return decode(next_logits, list(prompt), max_new_tokens - 1, stop)


@wrong("10.4", "at least one", "max_new_tokens is 0")
def _(next_logits, prompt, max_new_tokens, stop):
    return decode(next_logits, list(prompt), max(max_new_tokens, 1), stop)


@wrong("10.4", "length with the prompt", "counting the prompt")
def _(next_logits, prompt, max_new_tokens, stop):
    return decode(next_logits, list(prompt), max_new_tokens - len(prompt), stop)


@wrong("10.4", "last token only", "showing the model the last token only")
def _(next_logits, prompt, max_new_tokens, stop):
    return decode(lambda ids: next_logits(ids[-1:]), list(prompt), max_new_tokens, stop)


@wrong("10.4", "prompt only", "showing the model the prompt each time")
def _(next_logits, prompt, max_new_tokens, stop):
    return decode(lambda ids: next_logits(prompt), list(prompt), max_new_tokens, stop)


@wrong("10.4", "new tokens without the prompt", "the model looks at all ids")
def _(next_logits, prompt, max_new_tokens, stop):
    new = []
    for _ in range(max_new_tokens):
        new.append(int(next_logits(new or prompt).argmax()))
        if new[-1] == stop:
            break
    return prompt + new


@wrong("10.4", "drawn", "")
def _(next_logits, prompt, max_new_tokens, stop):
    return decode(
        lambda ids: F.one_hot(next_logits(ids).softmax(0).multinomial(1)[0], 7),
        list(prompt),
        max_new_tokens,
        stop,
    )


@right("10.4", "a loop over a copy")
def _(next_logits, prompt, max_new_tokens, stop):
    return decode(next_logits, list(prompt), max_new_tokens, stop)


@right("10.4", "new lists, ids as tensors")
def _(next_logits, prompt, max_new_tokens, stop):
    ids = prompt
    for _ in range(max_new_tokens):
        new = next_logits(ids).softmax(-1).argmax()
        ids = ids + [new]
        if new == stop:
            return ids
    return ids


@right("10.4", "recursion")
def _(next_logits, prompt, max_new_tokens, stop):
    def go_on(ids, left):
        if left == 0:
            return ids
        logits = next_logits(ids).tolist()
        new = max(range(len(logits)), key=logits.__getitem__)
        return [*ids, new] if new == stop else go_on([*ids, new], left - 1)

    return go_on(list(prompt), max_new_tokens)


# ------------------------------------------------------------------ 10.5 distinct n-grams


def grams(s, n):
    return [tuple(s[i : i + n]) for i in range(len(s) - n + 1)]


def everything(sequences, n):
    return [gram for s in sequences for gram in grams(s, n)]


@wrong("10.5", "across sequences", "joining the sequences")
def _(sequences, n):
    found = grams([token for s in sequences for token in s], n)
    return len(set(found)) / len(found) if found else 0.0


@wrong("10.5", "mean of the shares", "the mean of each sequence's own share")
def _(sequences, n):
    shares = [len(set(grams(s, n))) / max(len(grams(s, n)), 1) for s in sequences]
    return sum(shares) / len(shares) if shares else 0.0


@wrong("10.5", "divided by tokens", "dividing by the number of tokens")
def _(sequences, n):
    return len(set(everything(sequences, n))) / max(sum(map(len, sequences)), 1)


@wrong("10.5", "a set for each sequence", "One set for all")
def _(sequences, n):
    total = len(everything(sequences, n))
    return sum(len(set(grams(s, n))) for s in sequences) / total if total else 0.0


@wrong("10.5", "the last one missed", "missing the last n-gram")
def _(sequences, n):
    found = [tuple(s[i : i + n]) for s in sequences for i in range(len(s) - n)]
    return len(set(found)) / len(found) if found else 0.0


@wrong("10.5", "stumps at the end", "the last one counts too")
def _(sequences, n):
    found = [tuple(s[i : i + n]) for s in sequences for i in range(len(s))]
    return len(set(found)) / len(found) if found else 0.0


@wrong("10.5", "side by side, without overlap", "the last one counts too")
def _(sequences, n):
    found = [tuple(s[i : i + n]) for s in sequences for i in range(0, len(s) - n + 1, n)]
    return len(set(found)) / len(found) if found else 0.0


@wrong("10.5", "divides by 0", "not a division by 0")
def _(sequences, n):
    found = everything(sequences, n)
    return len(set(found)) / len(found)


@wrong("10.5", "1.0 for none", "no sequence is long enough")
def _(sequences, n):
    found = everything(sequences, n)
    return len(set(found)) / len(found) if found else 1.0


@wrong("10.5", "formula with negative counts", "takes none away")
def _(sequences, n):
    total = sum(len(s) - n + 1 for s in sequences)
    return len(set(everything(sequences, n))) / total if everything(sequences, n) else 0.0


@wrong("10.5", "strings", "use tuples, not joined strings")
def _(sequences, n):
    found = ["".join(map(str, gram)) for gram in everything(sequences, n)]
    return len(set(found)) / len(found) if found else 0.0


@wrong("10.5", "order ignored", "ignoring the order within")
def _(sequences, n):
    found = [frozenset(Counter(gram).items()) for gram in everything(sequences, n)]
    return len(set(found)) / len(found) if found else 0.0


@wrong("10.5", "those that occur once", "of which two are different")
def _(sequences, n):
    counts = Counter(everything(sequences, n))
    return sum(count == 1 for count in counts.values()) / max(sum(counts.values()), 1)


@wrong("10.5", "repetition", "the share of repetitions")
def _(sequences, n):
    found = everything(sequences, n)
    return 1 - len(set(found)) / len(found) if found else 0.0


@wrong("10.5", "lists in a set", "unhashable")
def _(sequences, n):
    found = [s[i : i + n] for s in sequences for i in range(len(s) - n + 1)]
    return len(set(found)) / len(found) if found else 0.0


@right("10.5", "a list and its set")
def _(sequences, n):
    found = everything(sequences, n)
    return len(set(found)) / len(found) if found else 0.0


@right("10.5", "a Counter and zip")
def _(sequences, n):
    counts = Counter()
    for s in sequences:
        counts.update(zip(*(s[i:] for i in range(n))))
    return len(counts) / max(counts.total(), 1)


@right("10.5", "joined with commas, an integer for none")
def _(sequences, n):
    seen, total = set(), 0
    for s in sequences:
        for i in range(len(s) - n + 1):
            seen.add(",".join(map(str, s[i : i + n])))
            total += 1
    return 0 if total == 0 else np.float64(len(seen) / total)


# ------------------------------------------------------------------ 10.6 beam search


def search(score=lambda old, new: old + new, keep=None, longest=True, one_each=False):
    def beam(log_probabilities, start, width, length):
        beams = [(0.0, tuple(start))]
        for _ in range(length):
            found = [
                [
                    (score(old, new), (*ids, i))
                    for i, new in enumerate(log_probabilities(ids).tolist())
                ]
                for old, ids in beams
            ]
            if keep:
                beams = keep(found, width)
            else:
                beams = sorted(itertools.chain(*found), reverse=longest)[:width]
        return beams[0][1]

    return beam


wrong("10.6", "greedy", "following the best beam only")(lambda f, s, w, n: search()(f, s, 1, n))
wrong("10.6", "only the best is continued", "following the best beam only")(
    search(keep=lambda found, width: sorted(found[0], reverse=True)[:width])
)
wrong("10.6", "best continuation of each beam", "keeping the best continuation of each beam")(
    search(
        keep=lambda found, width: sorted(
            sorted(found[0], reverse=True)[:width]
            if len(found) == 1 and width > 1
            else [max(one) for one in found],
            reverse=True,
        )
    )
)
wrong("10.6", "width for each beam", "continuations of each beam, so that there are more and more")(
    search(
        keep=lambda found, width: sorted(
            itertools.chain(*(sorted(one, reverse=True)[:width] for one in found)), reverse=True
        )
    )
)
wrong("10.6", "exhaustive", "keeping everything")(
    search(keep=lambda found, width: sorted(itertools.chain(*found), reverse=True))
)
wrong("10.6", "probabilities added", "adding up probabilities")(
    search(score=lambda old, new: old + math.exp(new))
)
wrong("10.6", "last step only", "ranking by the last step alone")(
    search(score=lambda old, new: new)
)
wrong("10.6", "multiplied log-probabilities", "")(search(score=lambda old, new: (old or 1.0) * new))
wrong("10.6", "lowest first", "keeping the least likely")(search(longest=False))
wrong("10.6", "without the start", "leaving out the start")(
    lambda f, s, w, n: search()(f, s, w, n)[len(s) :]
)
wrong("10.6", "one too few", "one token too few")(lambda f, s, w, n: search()(f, s, w, n - 1))
wrong("10.6", "one too many", "one token too many")(lambda f, s, w, n: search()(f, s, w, n + 1))
wrong("10.6", "the start counted", "the likelier token, put after the start")(
    lambda f, s, w, n: search()(f, s, w, n - len(s))
)
wrong("10.6", "the last token only", "showing the model the last token only")(
    lambda f, s, w, n: search()(lambda ids: f(ids[-1:]), s, w, n)
)
wrong("10.6", "all beams", "")(lambda f, s, w, n: [search()(f, s, w, n)] * w)
wrong("10.6", "the last of the beams", "")(
    search(keep=lambda found, width: sorted(sorted(sum(found, []))[-width:]))
)


@wrong("10.6", "score beside the sequence", "")
def _(log_probabilities, start, width, length):
    return search()(log_probabilities, start, width, length), -1.5


@wrong("10.6", "topk of more than there are", "keep them all")
def _(log_probabilities, start, width, length):
    beams, scores = [tuple(start)], torch.zeros(1).double()
    for _ in range(length):
        table = scores[:, None] + torch.stack([log_probabilities(ids) for ids in beams])
        n = width if length == 1 else min(width, table.numel())
        scores, places = table.flatten().topk(n)
        beams = [(*beams[i // table.shape[1]], i % table.shape[1]) for i in places.tolist()]
    return beams[0]


right("10.6", "a list of all candidates")(search())


@right("10.6", "topk over a table")
def _(log_probabilities, start, width, length):
    beams, scores = [tuple(start)], torch.zeros(1).double()
    for _ in range(length):
        table = scores[:, None] + torch.stack([log_probabilities(ids) for ids in beams])
        scores, places = table.flatten().topk(min(width, table.numel()))
        beams = [(*beams[i // table.shape[1]], i % table.shape[1]) for i in places.tolist()]
    return beams[0]


@right("10.6", "products of probabilities, a dictionary, a list returned")
def _(log_probabilities, start, width, length):
    beams = {tuple(start): 1.0}
    for _ in range(length):
        beams = {
            (*ids, i): chance * float(new.exp())
            for ids, chance in beams.items()
            for i, new in enumerate(log_probabilities(ids))
        }
        beams = dict(sorted(beams.items(), key=lambda item: -item[1])[:width])
    return list(max(beams, key=beams.get))


@right("10.6", "tensors as ids")
def _(log_probabilities, start, width, length):
    beams = [(0.0, torch.tensor(start))]
    for _ in range(length):
        beams = [
            (score + new, torch.cat([ids, torch.tensor([i])]))
            for score, ids in beams
            for i, new in enumerate(log_probabilities(ids))
        ]
        beams.sort(key=lambda beam: beam[0], reverse=True)
        del beams[width:]
    return tuple(beams[0][1].tolist())


# ------------------------------------------------------------------ 10.7 accept or redraw


def kept(p, q):
    return torch.where(q > 0, p / q, 1.0).clamp(max=1)


def normalised(x):
    return x / x.sum() if x.sum() > 0 else torch.full_like(x, 1 / len(x))


def missing(p, q):
    return normalised((p - q).clamp(min=0))


wrong("10.7", "accept p", "keeping a token with its probability p")(lambda p, q: (p, missing(p, q)))
wrong("10.7", "rest is p", "drawing from p again")(lambda p, q: (kept(p, q), p))
wrong("10.7", "rest not divided", "not dividing the rest by its sum")(
    lambda p, q: (kept(p, q), (p - q).clamp(min=0))
)
wrong("10.7", "absolute value", "taking the absolute value")(
    lambda p, q: (kept(p, q), normalised((p - q).abs()))
)
wrong("10.7", "q - p", "taking q - p for the rest")(lambda p, q: (kept(p, q), missing(q, p)))
wrong("10.7", "p - q as it is", "rest is no distribution")(lambda p, q: (kept(p, q), p - q))
wrong("10.7", "q / p", "turning the fraction round")(lambda p, q: (kept(q, p), missing(p, q)))
wrong("10.7", "above 1", "chances, which lie between 0 and 1")(lambda p, q: (p / q, missing(p, q)))
wrong("10.7", "nothing accepted", "refusing everything")(lambda p, q: (torch.zeros_like(p), p))
wrong("10.7", "accept or not", "not distributed as p")(
    lambda p, q: ((p >= q).float(), missing(p, q))
)
wrong("10.7", "softmax", "using a softmax")(lambda p, q: (kept(p, q), (p - q).softmax(0)))
wrong("10.7", "one factor for all", "and could keep more")(
    lambda p, q: (
        (m := torch.where(q > 0, p / q, math.inf).min().clamp(max=1)) * torch.ones_like(p),
        normalised((p - m * q).clamp(min=0)),
    )
)
wrong("10.7", "half as often", "and could keep more")(
    lambda p, q: (kept(p, q) / 2, normalised(p - q * kept(p, q) / 2))
)
wrong("10.7", "nan where q is 0", "both are 0 at the third token")(
    lambda p, q: ((p / q).clamp(max=1), missing(p, q))
)
wrong("10.7", "inf where q is 0", "")(
    lambda p, q: (torch.where(p < q, p / q, p / p * (p / q).clamp(max=1)), missing(p, q))
)
wrong("10.7", "nan when nothing is refused", "not 0 / 0")(
    lambda p, q: (kept(p, q), (p - q).clamp(min=0) / (p - q).clamp(min=0).sum())
)
wrong("10.7", "zeros when nothing is refused", "any distribution will do")(
    lambda p, q: (kept(p, q), (p - q).clamp(min=0) / (p - q).clamp(min=0).sum().clamp(min=1e-9))
)
wrong("10.7", "the two swapped", "")(lambda p, q: (missing(p, q), kept(p, q)))
wrong("10.7", "accept only", "")(lambda p, q: kept(p, q))
wrong("10.7", "one number for all", "accept must hold one number per token")(
    lambda p, q: (torch.minimum(p, q).sum(), missing(p, q))
)
wrong("10.7", "divided in place", "changes its input `p` in place")(
    lambda p, q: (kept(p, q), missing(p, q)) if p.div_(1.5).sum() > 2 else exact_after(p, q)
)


def exact_after(p, q):
    return kept(1.5 * p, q), missing(1.5 * p, q)


@right("10.7", "where and clamp")
def _(p, q):
    return kept(p, q), missing(p, q)


@right("10.7", "what is left over from the first draw, p if nothing is")
def _(p, q):
    accept = torch.minimum(p, q) / q.clamp(min=1e-12)
    rest = (p - q * accept).clamp(min=0)
    return accept, rest / rest.sum() if rest.sum() > 1e-6 else p


@right("10.7", "a loop over lists")
def _(p, q):
    pairs = list(zip(p.tolist(), q.tolist()))
    accept = [min(1.0, a / b) if b > 0 else 0.0 for a, b in pairs]
    left = [max(a - b, 0.0) for a, b in pairs]
    rest = [a / sum(left) for a in left] if sum(left) else [1.0] + [0.0] * (len(left) - 1)
    return [accept, rest]


@right("10.7", "numpy, in double precision")
def _(p, q):
    p, q = p.numpy().astype(float), q.numpy().astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        accept = np.nan_to_num(np.minimum(p / q, 1))
    rest = np.maximum(p - q, 0)
    return accept, rest / rest.sum() if rest.any() else np.full(len(p), 1 / len(p))


# ------------------------------------------------------------------


@parametrised(WRONG)
def test_wrong_answer_is_rejected(given):
    assert_rejected(given)


@parametrised(RIGHT)
def test_right_answer_is_accepted(given):
    assert_accepted(given)


class AsModel(torch.nn.Module):
    """A function of 10.6 as a model of the package: one row of logits for each text."""

    def __init__(self, log_probabilities):
        super().__init__()
        self.log_probabilities = log_probabilities
        self.none = torch.nn.Parameter(torch.zeros(1))  # tells where the model is
        size = len(log_probabilities((0,)))
        self.config = SimpleNamespace(vocab_size=size, context_length=99)

    def forward(self, tokens, cache=None, n_logits=1):
        rows = [self.log_probabilities(tuple(row)) for row in tokens.tolist()]
        return SimpleNamespace(logits=torch.stack(rows)[:, None])


@pytest.mark.parametrize("case", find("10.6").cases, ids=lambda case: case.args[0].__name__)
def test_the_beams_of_the_package_find_the_same(case):
    log_probabilities, start, width, length = case.args
    model = AsModel(log_probabilities)
    best = beam_search(model, torch.tensor([start]), length, width, use_cache=False)[0][0]
    expected = case.expected if case.expected is not ... else find("10.6").reference(*case.args)
    assert tuple(best.tolist()) == expected


@pytest.mark.parametrize("case", find("10.3").cases[-4:], ids=lambda case: f"p {case.args[1]}")
def test_the_nucleus_of_the_package_is_the_same(case):
    probabilities, p = case.args
    ours = filter_logits(probabilities.log(), top_p=p).softmax(0)
    torch.testing.assert_close(ours, torch.tensor(nucleus_by_loop(probabilities, p)))


def test_every_exercise_has_enough_answers():
    assert_enough_answers(10, WRONG, RIGHT)
