"""The checks of chapter 1 tell wrong answers from right ones."""

import bisect
import itertools
import math
import random
from collections import Counter, defaultdict
from fractions import Fraction

import numpy as np
import torch

from tests.exercises.answers import (
    assert_accepted,
    assert_enough_answers,
    assert_rejected,
    decorators,
    parametrised,
)

WRONG, RIGHT = [], []
wrong, right = decorators(WRONG, RIGHT)

# ------------------------------------------------------------------ 01.1 perplexity on paper

wrong("01.1", "product without the root", "without the root")(64)
wrong("01.1", "cross-entropy", "stopping at the cross-entropy")(2)
wrong("01.1", "mean of 1/p", "averaging 1/p")((2 + 4 + 8) / 3)
wrong("01.1", "1 / mean of p", "averaging p itself")(3 / (1 / 2 + 1 / 4 + 1 / 8))
wrong("01.1", "not turned over", "not turning it over")(1 / 4)
wrong("01.1", "sum of bits", "adding up the bits")(6.0)
wrong("01.1", "e to the bits", "raising e")(math.exp(2))
wrong("01.1", "a string", "got a string")("4")
wrong("01.1", "three numbers", "a number is wanted, and you give 3")([2, 4, 8])
wrong("01.1", "a function", "The answer is a value")(lambda: 4)
wrong("01.1", "nan", "nan")(math.nan)
wrong("01.1", "None", "None is no answer")(None)
wrong("01.1", "infinity", "got inf")(math.inf)
right("01.1", "int")(4)
right("01.1", "in a list")([4.0])
right("01.1", "tensor")(torch.tensor([1 / 2, 1 / 4, 1 / 8]).log().mean().neg().exp())
right("01.1", "fraction")(1 / Fraction(1, 4))
right("01.1", "numpy")(np.float32(2) ** 2)

# ------------------------------------------------------------------ 01.2 perplexity of a text


@wrong("01.2", "the product underflows")
def _(probabilities):
    if 0 in probabilities:
        return math.inf
    return math.prod(probabilities) ** (-1 / len(probabilities))


@wrong("01.2", "the product underflows, and inf comes out", "the product of 10,000")
def _(probabilities):
    product = math.prod(probabilities)
    return product ** (-1 / len(probabilities)) if product else math.inf


@wrong("01.2", "log2 with exp", "different bases")
def _(probabilities):
    return math.exp(-sum(math.log2(p) for p in probabilities) / len(probabilities))


@wrong("01.2", "ln with 2 **", "different bases")
def _(probabilities):
    return 2 ** (-sum(math.log(p) for p in probabilities) / len(probabilities))


@wrong("01.2", "mean of 1/p", "averaging 1/p")
def _(probabilities):
    return sum(1 / p for p in probabilities) / len(probabilities)


@wrong("01.2", "1 / mean of p", "averaging p itself")
def _(probabilities):
    return 1 / np.mean(probabilities)


@wrong("01.2", "sum for mean", "leaving out the root")
def _(probabilities):
    return math.exp(-sum(math.log(p) for p in probabilities))


@wrong("01.2", "missing sign", "not turning the mean over")
def _(probabilities):
    return math.exp(sum(math.log(p) for p in probabilities) / len(probabilities))


@wrong("01.2", "cross-entropy in nats", "stopping at the cross-entropy")
def _(probabilities):
    return -sum(math.log(p) for p in probabilities) / len(probabilities)


@wrong("01.2", "log(0) raises", "log(0) needs care")
def _(probabilities):
    return math.exp(-sum(math.log(p) for p in probabilities) / len(probabilities))


@wrong("01.2", "zeros skipped", "infinite")
def _(probabilities):
    return math.exp(-sum(math.log(p) for p in probabilities if p > 0) / len(probabilities))


@wrong("01.2", "zeros made small", "infinite")
def _(probabilities):
    return math.exp(-sum(math.log(p + 1e-9) for p in probabilities) / len(probabilities))


@wrong("01.2", "the entropy of the list")
def _(probabilities):
    return math.exp(-sum(p * math.log(p) for p in probabilities if p > 0))


@right("01.2", "sum of logarithms")
def _(probabilities):
    if 0 in probabilities:
        return math.inf
    return math.exp(-sum(math.log(p) for p in probabilities) / len(probabilities))


@right("01.2", "numpy, base 2")
def _(probabilities):
    with np.errstate(divide="ignore"):
        return 2 ** -np.mean(np.log2(probabilities))


@right("01.2", "torch")
def _(probabilities):
    return torch.tensor(probabilities).log().neg().mean().exp()


@right("01.2", "product of roots")
def _(probabilities):
    perplexity = 1.0
    for p in probabilities:
        perplexity *= p ** (-1 / len(probabilities)) if p > 0 else math.inf
    return perplexity


# ------------------------------------------------------------------ 01.3 bits per byte


@wrong("01.3", "characters", "counting characters")
def _(nats_per_token, n_tokens, text):
    return nats_per_token * n_tokens / math.log(2) / len(text)


@wrong("01.3", "nats", "leaving nats as they are")
def _(nats_per_token, n_tokens, text):
    return nats_per_token * n_tokens / len(text.encode())


@wrong("01.3", "times ln 2", "multiplying by ln 2")
def _(nats_per_token, n_tokens, text):
    return nats_per_token * n_tokens * math.log(2) / len(text.encode())


@wrong("01.3", "one token", "leaving out the number of tokens")
def _(nats_per_token, n_tokens, text):
    return nats_per_token / math.log(2) / len(text.encode())


@wrong("01.3", "bits per token", "computing bits per token")
def _(nats_per_token, n_tokens, text):
    return nats_per_token / math.log(2)


@wrong("01.3", "utf-16")
def _(nats_per_token, n_tokens, text):
    return nats_per_token * n_tokens / math.log(2) / len(text.encode("utf-16-le"))


@wrong("01.3", "ascii only", "more than one byte")
def _(nats_per_token, n_tokens, text):
    return nats_per_token * n_tokens / math.log(2) / len(text.encode("ascii", "ignore") or b"?")


@wrong("01.3", "ascii raises", "UnicodeEncodeError")
def _(nats_per_token, n_tokens, text):
    return nats_per_token * n_tokens / math.log(2) / len(text.encode("ascii"))


@wrong("01.3", "three bytes for any character that is not ascii", "more than one byte")
def _(nats_per_token, n_tokens, text):
    return nats_per_token * n_tokens / math.log(2) / sum(1 if c < "\x80" else 3 for c in text)


@wrong("01.3", "upside down")
def _(nats_per_token, n_tokens, text):
    return len(text.encode()) / (nats_per_token * n_tokens / math.log(2))


@right("01.3", "division by ln 2")
def _(nats_per_token, n_tokens, text):
    return nats_per_token * n_tokens / math.log(2) / len(text.encode("utf-8"))


@right("01.3", "times log2 e, bytes counted by character")
def _(nats_per_token, n_tokens, text):
    n_bytes = sum(1 + (c > "\x7f") + (c > "\u07ff") + (c > "\uffff") for c in text)
    return torch.tensor(nats_per_token * math.log2(math.e)) * n_tokens / n_bytes


# ------------------------------------------------------------------ 01.4 add-k smoothing


def bigrams(tokens):
    return Counter(zip(tokens, tokens[1:]))


@wrong("01.4", "k once", "adding k to the denominator once")
def _(tokens, context, word, vocabulary, k):
    return (bigrams(tokens)[context, word] + k) / (Counter(tokens[:-1])[context] + k)


@wrong("01.4", "seen words for the vocabulary", "in place of the vocabulary")
def _(tokens, context, word, vocabulary, k):
    total = Counter(tokens[:-1])[context] + k * len(set(tokens))
    return (bigrams(tokens)[context, word] + k) / total


@wrong("01.4", "the last token as a context", "the last token")
def _(tokens, context, word, vocabulary, k):
    total = tokens.count(context) + k * len(vocabulary)
    return (bigrams(tokens)[context, word] + k) / total


@wrong("01.4", "one context too few, always")
def _(tokens, context, word, vocabulary, k):
    total = max(tokens.count(context) - 1, 0) + k * len(vocabulary)
    return (bigrams(tokens)[context, word] + k) / total


@wrong("01.4", "all pairs for those of the context", "dividing by the number of all pairs")
def _(tokens, context, word, vocabulary, k):
    return (bigrams(tokens)[context, word] + k) / (len(tokens) - 1 + k * len(vocabulary))


@wrong("01.4", "a full stop before the first token", "nothing stands before")
def _(tokens, context, word, vocabulary, k):
    led = [".", *tokens]
    return (bigrams(led)[context, word] + k) / (Counter(led[:-1])[context] + k * len(vocabulary))


@wrong("01.4", "ZeroDivisionError at a new context", "ZeroDivisionError")
def _(tokens, context, word, vocabulary, k):
    seen = Counter(tokens[:-1])[context]
    return (bigrams(tokens)[context, word] + k) / (seen * (1 + k * len(vocabulary) / seen))


@wrong("01.4", "KeyError at a new context", "KeyError")
def _(tokens, context, word, vocabulary, k):
    after = defaultdict(Counter)
    for first, second in zip(tokens, tokens[1:]):
        after[first][second] += 1
    total = dict(after)[context].total() + k * len(vocabulary)
    return (after[context][word] + k) / total


@wrong("01.4", "0 at a new context", "every word is as likely")
def _(tokens, context, word, vocabulary, k):
    seen = Counter(tokens[:-1])[context]
    if seen == 0:
        return 0.0
    return (bigrams(tokens)[context, word] + k) / (seen + k * len(vocabulary))


@wrong("01.4", "k is always 1")
def _(tokens, context, word, vocabulary, k):
    seen = Counter(tokens[:-1])[context]
    return (bigrams(tokens)[context, word] + 1) / (seen + len(vocabulary))


@wrong("01.4", "word and context swapped throughout")
def _(tokens, context, word, vocabulary, k):
    seen = Counter(tokens[:-1])[word]
    return (bigrams(tokens)[word, context] + k) / (seen + k * len(vocabulary))


@wrong("01.4", "pairs found in the joined text", "pairs may overlap")
def _(tokens, context, word, vocabulary, k):
    pair = " ".join(tokens).count(f"{context} {word}")
    return (pair + k) / (Counter(tokens[:-1])[context] + k * len(vocabulary))


@wrong("01.4", "last token taken off the list", "changes its input `tokens` in place")
def _(tokens, context, word, vocabulary, k):
    pairs = bigrams(tokens)
    tokens.pop()
    return (pairs[context, word] + k) / (tokens.count(context) + k * len(vocabulary))


@wrong("01.4", "vocabulary grows", "changes its input `vocabulary` in place")
def _(tokens, context, word, vocabulary, k):
    answer = (bigrams(tokens)[context, word] + k) / (
        Counter(tokens[:-1])[context] + k * len(vocabulary)
    )
    vocabulary.append("<unknown>")
    return answer


@right("01.4", "counters")
def _(tokens, context, word, vocabulary, k):
    pairs, starts = Counter(zip(tokens, tokens[1:])), Counter(tokens[:-1])
    return (pairs[context, word] + k) / (starts[context] + k * len(vocabulary))


@right("01.4", "loop")
def _(tokens, context, word, vocabulary, k):
    n_context = n_pair = 0
    for i in range(len(tokens) - 1):
        if tokens[i] == context:
            n_context += 1
            n_pair += tokens[i + 1] == word
    return (n_pair + k) / (n_context + k * len(vocabulary))


@right("01.4", "matrix of counts")
def _(tokens, context, word, vocabulary, k):
    index = {w: i for i, w in enumerate(vocabulary)}
    counts = torch.full((len(index), len(index)), float(k))
    for first, second in zip(tokens, tokens[1:]):
        counts[index[first], index[second]] += 1
    row = counts[index[context]]
    return row[index[word]] / row.sum()


# ------------------------------------------------------------------ 01.5 draw


def piece(probabilities, u):
    """The first i with u < cdf[i], or None beyond the end."""
    return next((i for i, c in enumerate(itertools.accumulate(probabilities)) if u < c), None)


@wrong("01.5", "argmax", "always taking the most probable")
def _(probabilities, u):
    return max(range(len(probabilities)), key=probabilities.__getitem__)


@wrong("01.5", "<= at the boundary", "Compare with <, not <=")
def _(probabilities, u):
    total = 0.0
    for i, p in enumerate(probabilities):
        total += p
        if u <= total:
            return i
    return len(probabilities) - 1


@wrong("01.5", "searchsorted from the left", "Compare with <, not <=")
def _(probabilities, u):
    return np.searchsorted(np.cumsum(probabilities), u)


@wrong("01.5", "<= only at zero probability", "token 0 has probability 0")
def _(probabilities, u):
    return 0 if u == 0 else piece(probabilities, u)


@wrong("01.5", "None beyond the end", "None")
def _(probabilities, u):
    return piece(probabilities, u)


@wrong("01.5", "IndexError beyond the end", "IndexError")
def _(probabilities, u):
    i, total = 0, probabilities[0]
    while u >= total:
        i += 1
        total += probabilities[i]
    return i


@wrong("01.5", "-1 beyond the end", "fall back on the last token")
def _(probabilities, u):
    found = piece(probabilities, u)
    return -1 if found is None else found


@wrong("01.5", "an impossible token beyond the end", "not on one whose probability is 0")
def _(probabilities, u):
    found = piece(probabilities, u)
    return len(probabilities) - 1 if found is None else found


@wrong("01.5", "sorted, and the place in the sorted list")
def _(probabilities, u):
    ordered = sorted(probabilities, reverse=True)
    found = piece(ordered, u)
    return len(probabilities) - 1 if found is None else found


@wrong("01.5", "sorts the list itself")
def _(probabilities, u):
    probabilities.sort(reverse=True)
    return piece(probabilities, u) or 0


@wrong("01.5", "single probabilities in place of the running total")
def _(probabilities, u):
    return next((i for i, p in enumerate(probabilities) if u < p), len(probabilities) - 1)


@wrong("01.5", "counted from 1", "counted from 0")
def _(probabilities, u):
    return piece(probabilities, u) + 1


@wrong("01.5", "uniform")
def _(probabilities, u):
    return int(u * len(probabilities))


@wrong("01.5", "another random number than u")
def _(probabilities, u):
    return random.choices(range(len(probabilities)), probabilities)[0]


@wrong("01.5", "the index as a float", "the dtype is wrong")
def _(probabilities, u):
    return float(piece(probabilities, u))


def last_possible(probabilities):
    return max(i for i, p in enumerate(probabilities) if p > 0)


@right("01.5", "loop")
def _(probabilities, u):
    total = 0.0
    for i, p in enumerate(probabilities):
        total += p
        if u < total:
            return i
    return last_possible(probabilities)


@right("01.5", "numpy")
def _(probabilities, u):
    i = np.searchsorted(np.cumsum(probabilities), u, side="right")
    return np.minimum(i, np.flatnonzero(probabilities)[-1])


@right("01.5", "bisect")
def _(probabilities, u):
    i = bisect.bisect_right(list(itertools.accumulate(probabilities)), u)
    return min(i, last_possible(probabilities))


@right("01.5", "torch, in single precision")
def _(probabilities, u):
    p = torch.tensor(probabilities)
    i = torch.searchsorted(p.cumsum(0), torch.tensor(u), right=True)
    return torch.minimum(i, p.nonzero().max())


# ------------------------------------------------------------------ 01.6 continuation probability


@wrong("01.6", "plain frequency")
def _(tokens, word):
    return tokens.count(word) / len(tokens)


@wrong("01.6", "frequency among second words")
def _(tokens, word):
    return tokens[1:].count(word) / (len(tokens) - 1)


@wrong("01.6", "right neighbours")
def _(tokens, word):
    pairs = set(zip(tokens, tokens[1:]))
    return sum(first == word for first, _ in pairs) / len(pairs)


@wrong("01.6", "vocabulary size below the line", "number of different words")
def _(tokens, word):
    pairs = set(zip(tokens, tokens[1:]))
    return sum(second == word for _, second in pairs) / len(set(tokens))


@wrong("01.6", "repeated pairs below the line", "those that repeat count once")
def _(tokens, word):
    pairs = set(zip(tokens, tokens[1:]))
    return sum(second == word for _, second in pairs) / (len(tokens) - 1)


@wrong("01.6", "repeated pairs above the line", "counting repeated pairs above the line")
def _(tokens, word):
    pairs = list(zip(tokens, tokens[1:]))
    return sum(second == word for _, second in pairs) / len(set(pairs))


@wrong("01.6", "the word itself is no neighbour", "its own neighbour")
def _(tokens, word):
    pairs = set(zip(tokens, tokens[1:]))
    return len({first for first, second in pairs if second == word != first}) / len(pairs)


@wrong("01.6", "number of left neighbours, not divided")
def _(tokens, word):
    return len({first for first, second in zip(tokens, tokens[1:]) if second == word})


@wrong("01.6", "words compared by their ends", "`the` is not `he`")
def _(tokens, word):
    pairs = set(zip(tokens, tokens[1:]))
    return sum(second.endswith(word) for _, second in pairs) / len(pairs)


@wrong("01.6", "an unknown word raises", "continues nothing")
def _(tokens, word):
    lefts = {}
    for first, second in zip(tokens, tokens[1:]):
        lefts.setdefault(first, set())
        lefts.setdefault(second, set()).add(first)
    return len(lefts[word]) / sum(map(len, lefts.values()))


@right("01.6", "set of pairs")
def _(tokens, word):
    pairs = set(zip(tokens, tokens[1:]))
    return sum(second == word for _, second in pairs) / len(pairs)


@right("01.6", "left neighbours of each word")
def _(tokens, word):
    lefts = defaultdict(set)
    for i in range(1, len(tokens)):
        lefts[tokens[i]].add(tokens[i - 1])
    return len(lefts[word]) / sum(len(left) for left in lefts.values())


@right("01.6", "matrix of zeros and ones")
def _(tokens, word):
    index = {w: i for i, w in enumerate(dict.fromkeys([*tokens, word]))}
    seen = np.zeros((len(index), len(index)))
    for first, second in zip(tokens, tokens[1:]):
        seen[index[first], index[second]] = 1
    return seen[:, index[word]].sum() / seen.sum()


# ------------------------------------------------------------------ 01.7 entropy rate


def bits(rows):
    return torch.special.entr(rows).sum(-1) / math.log(2)


def stationary(transition):
    n = len(transition)
    equations = torch.cat([transition.T - torch.eye(n), torch.ones(1, n)])
    right_hand = torch.cat([torch.zeros(n), torch.ones(1)])[:, None]
    return torch.linalg.lstsq(equations, right_hand).solution[:, 0]


@wrong("01.7", "rows weighted alike", "giving every row the same weight")
def _(transition):
    return bits(transition).mean()


@wrong("01.7", "nats", "staying in nats")
def _(transition):
    return stationary(transition) @ torch.special.entr(transition).sum(1)


@wrong("01.7", "entropy of the stationary distribution")
def _(transition):
    return bits(stationary(transition))


@wrong("01.7", "nan at 0", "got nan")
def _(transition):
    return stationary(transition) @ -(transition * transition.log2()).sum(1)


@wrong("01.7", "right eigenvector", "giving every row the same weight")
def _(transition):
    values, vectors = torch.linalg.eig(transition)
    pi = vectors[:, values.real.argmax()].real
    return (pi / pi.sum()) @ bits(transition)


@wrong("01.7", "a thousand steps from state 0", "does not settle")
def _(transition):
    pi = torch.eye(len(transition))[0]
    for _ in range(1000):
        pi = pi @ transition
    return pi @ bits(transition)


@wrong("01.7", "a hundred steps from everywhere", "does not settle")
def _(transition):
    pi = torch.full((len(transition),), 1 / len(transition))
    for _ in range(100):
        pi = pi @ transition
    return pi @ bits(transition)


@wrong("01.7", "a hundred lazy steps", "settles very slowly")
def _(transition):
    lazy = torch.linalg.matrix_power((transition + torch.eye(len(transition))) / 2, 100)
    return lazy[0] @ bits(transition)


@wrong("01.7", "pi of length 1, not of sum 1")
def _(transition):
    pi = stationary(transition)
    return pi / pi.norm() @ bits(transition)


@wrong("01.7", "sum over the rows")
def _(transition):
    return bits(transition).sum()


@wrong("01.7", "columns for rows")
def _(transition):
    return stationary(transition) @ bits(transition.T)


@wrong("01.7", "waits for a chain to settle that never does", "ran out of time")
def _(transition):
    pi = torch.eye(len(transition))[0]
    while (pi @ transition - pi).abs().max() > 1e-6:
        pi = pi @ transition
    return pi @ bits(transition)


@right("01.7", "least squares")
def _(transition):
    return stationary(transition) @ bits(transition)


@right("01.7", "left eigenvector")
def _(transition):
    values, vectors = torch.linalg.eig(transition.T)
    pi = vectors[:, values.real.argmax()].real
    return (pi / pi.sum()) @ bits(transition)


@right("01.7", "numpy, one equation replaced")
def _(transition):
    rows = transition.double().numpy()
    n = len(rows)
    equations = rows.T - np.eye(n)
    equations[-1] = 1
    pi = np.linalg.solve(equations, np.eye(n)[-1])
    terms = [-p * math.log2(p) if p > 0 else 0 for p in rows.ravel()]
    return pi @ np.reshape(terms, (n, n)).sum(1)


@right("01.7", "a long walk that rests now and then")
def _(transition):
    lazy = (transition.double() + torch.eye(len(transition))) / 2
    pi = torch.linalg.matrix_power(lazy, 2**15)[0]
    return pi @ bits(transition.double())


# ------------------------------------------------------------------


@parametrised(WRONG)
def test_wrong_answer_is_rejected(given, monkeypatch):
    if "never does" in given.name:
        monkeypatch.setattr("llmcourse.exercises.runner.TIME_LIMIT", 0.5)
    assert_rejected(given)


@parametrised(RIGHT)
def test_right_answer_is_accepted(given):
    assert_accepted(given)


def test_every_exercise_has_enough_answers():
    assert_enough_answers(1, WRONG, RIGHT)
