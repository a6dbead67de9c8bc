"""Checks of chapter 1: perplexity, n-gram counts, sampling, entropy."""

import math
from collections import Counter

import numpy
import torch

from llmcourse.exercises.exercise import Case, Exercise, Mistake


def entropy_by_cofactors(transition: torch.Tensor) -> float:
    """Entropy rate, its stationary distribution by the Markov chain tree theorem.

    pi[i] is proportional to the minor of (identity - transition) without row and column i.
    """
    rows = transition.double().numpy()
    laplacian = numpy.eye(len(rows)) - rows
    minors = [
        numpy.linalg.det(numpy.delete(numpy.delete(laplacian, i, 0), i, 1))
        for i in range(len(rows))
    ]
    surprise = [sum(-p * math.log2(p) for p in row if p > 0) for row in rows.tolist()]
    return float(numpy.dot(minors, surprise) / sum(minors))


def random_chain(n_states: int, seed: int) -> torch.Tensor:
    weights = torch.rand(n_states, n_states, generator=torch.Generator().manual_seed(seed))
    return weights**4 / (weights**4).sum(dim=1, keepdim=True)


EXERCISES = (
    Exercise(
        id="01.1",
        title="Perplexity on paper",
        level="easy",
        minutes=3,
        hints=(
            "Perplexity answers: a die with how many faces would surprise the model as much?",
            "It is one over the geometric mean of the probabilities.",
            "Multiply the three, take a root, turn it over. Which root, if there are three words?",
        ),
        cases=(
            Case(expected=4.0, rtol=1e-3, pointer="the average is taken over something else than "
                 "the surprise: the three words carry 1, 2 and 3 bits."),
        ),
        mistakes=(
            Mistake(2.0, "stopping at the cross-entropy, 2 bits. Perplexity is 2 to that."),
            Mistake(64.0, "turning over the product, without the root: one factor per word."),
            Mistake(14 / 3, "averaging 1/p. The mean that is wanted is the geometric one."),
            Mistake(24 / 7, "averaging p itself. The mean that is wanted is the geometric one."),
            Mistake(0.25, "taking the geometric mean and not turning it over."),
            Mistake(6.0, "adding up the bits, without dividing by the number of words."),
            Mistake(math.e**2, "raising e to a number of bits. Bits belong to base 2."),
        ),
    ),
    Exercise(
        id="01.2",
        title="Perplexity of a text",
        level="easy",
        minutes=8,
        call="perplexity_of(probabilities)",
        hints=(
            "Average the surprise over the tokens first; only then turn it into a perplexity.",
            "The surprise of a token is -log p. A product of many p is too small for a float, "
            "a sum of logarithms is not. And what is the surprise of p = 0?",
            "math.exp(...), and between the brackets the mean of -math.log(p) over the list. For "
            "which p must you return before that, and what?",
        ),
        cases=(
            Case(([0.5],), "logarithm and exponential have different bases, or a sign is missing.",
                 2.0),
            Case(([1.0, 1.0],), "certainty is no surprise: perplexity 1, not 0.", 1.0),
            Case(([0.25] * 3,), "the sum of the surprise is used where its mean belongs.", 4.0),
            Case(([0.5, 0.25, 0.125],), "the mean is not the geometric one.", 4.0),
            Case(([0.5, 0.0],), "log(0) needs care: a token that the model held impossible came, "
                 "so the surprise, and with it the perplexity, is infinite.", math.inf),
            Case(([0.001] * 10_000,), "the product of 10,000 probabilities is smaller than any "
                 "float and becomes 0: add logarithms instead.", 1000.0),
            Case(([0.5, 0.001] * 5_000,), "the mean is not the geometric one.", math.sqrt(2000)),
        ),
        mistakes=(
            Mistake(lambda p: sum(1 / q for q in p) / len(p), "averaging 1/p."),
            Mistake(lambda p: len(p) / sum(p), "averaging p itself."),
            Mistake(lambda p: 1 / math.prod(p), "leaving out the root: one factor per token."),
            Mistake(lambda p: math.exp(sum(map(math.log, p)) / len(p)), "not turning the mean "
                    "over."),
            Mistake(lambda p: -sum(map(math.log2, p)) / len(p), "stopping at the cross-entropy."),
            Mistake(lambda p: -sum(map(math.log, p)) / len(p), "stopping at the cross-entropy."),
        ),
    ),
    Exercise(
        id="01.3",
        title="Bits per byte",
        level="medium",
        minutes=10,
        call="bits_per_byte_of(nats_per_token, n_tokens, text)",
        hints=(
            "Ask for the total first: how much surprise is there in the whole text?",
            "A nat is 1/ln 2 bits. The bytes of a text are those of its UTF-8 encoding.",
            'The nats are nats_per_token * n_tokens, the bytes len(text.encode("utf-8")). Does '
            "math.log(2) multiply or divide, if there are more bits than nats?",
        ),
        cases=(
            Case((math.log(2), 1, "a"), "a nat is not a bit: one bit is ln 2 nats.", 1.0),
            Case((math.log(2), 2, "abcd"), "the total surprise is nats per token times tokens.",
                 0.5),
            Case((2.0, 5, "hello world"), "the total, in bits, is to be divided by the number of "
                 "bytes.", 10 / math.log(2) / 11),
            Case((math.log(2), 3, "é"), "a character may take more than one byte.", 1.5),
            Case((3.0, 3, "狗咬人"), "a Chinese character takes three bytes in UTF-8.",
                 9 / math.log(2) / 9),
            Case((1.5, 4, "ok 🙂"), "the bytes wanted are those of UTF-8: 7 here.",
                 6 / math.log(2) / 7),
        ),
        mistakes=(
            Mistake(lambda nats, n, text: nats * n / len(text.encode()), "leaving nats as they are:"
                    " divide by ln 2."),
            Mistake(lambda nats, n, text: nats * n * math.log(2) / len(text.encode()),
                    "multiplying by ln 2 where it divides."),
            Mistake(lambda nats, n, text: nats * n / math.log(2) / len(text),
                    "counting characters, not bytes."),
            Mistake(lambda nats, n, text: nats / math.log(2) / len(text.encode()),
                    "leaving out the number of tokens."),
            Mistake(lambda nats, n, text: nats / math.log(2), "computing bits per token."),
        ),
    ),
    Exercise(
        id="01.4",
        title="Add-k smoothing",
        level="medium",
        minutes=12,
        call="add_k_probability(tokens, context, word, vocabulary, k)",
        hints=(
            "Write down the pairs of neighbours in the smallest example, and count on paper.",
            "Every word of the vocabulary gets k extra counts, so the denominator gets k as often "
            "as there are words. A context counts only where something follows it.",
            "(pairs[context, word] + k) / (starts[context] + ...), where pairs is the "
            "Counter(zip(tokens, tokens[1:])), and starts counts all tokens but one. Which one, "
            "and what do the dots stand for?",
        ),
        cases=(
            Case((["a", "b"], "a", "b", ["a", "b"], 1), "k is added once per word of the "
                 "vocabulary in the denominator: (1 + 1) / (1 + 1 * 2).", 2 / 3),
            Case((["a", "b", "a"], "a", "b", ["a", "b"], 1), "the last token starts no pair, so it "
                 "is no context: `a` is followed by something once, not twice.", 2 / 3),
            Case((["a", "b"], "a", "c", ["a", "b", "c", "d"], 1), "the vocabulary is the one that "
                 "is handed in, also the words in it that never came.", 1 / 5),
            Case((["a", "b"], "c", "a", ["a", "b", "c", "d"], 0.5), "a context that was never seen "
                 "leaves only k against k * V: every word is as likely.", 1 / 4),
            Case((["a", "a", "a"], "a", "a", ["a", "b"], 1), "pairs may overlap: a a a holds the "
                 "pair (a, a) twice.", 3 / 4),
            Case((["b", "a", "b"], "a", "a", ["a", "b"], 1), "the pair is (context, word), in this "
                 "order.", 1 / 3),
            Case((["a", ".", "b", "."], ".", "b", ["a", "b", "."], 1), "nothing stands before the "
                 "first token: the list is not to be led by a full stop here.", 1 / 2),
            Case((["the", "he", "the", "end"], "he", "the", ["the", "he", "end"], 0.1), "tokens "
                 "are compared whole: `the` is not `he`.", 1.1 / 1.3),
            Case(("the dog bites the man and the dog sleeps".split(), "the", "dog",
                  "the dog bites man and sleeps cat".split(), 0.25), "counts and k do not add up.",
                 2.25 / 4.75),
            Case((["a", "b", "a", "c"], "a", "b", ["a", "b", "c"], 0), "with k = 0 the plain "
                 "relative frequency is left.", 1 / 2),
        ),
        mistakes=(
            Mistake(lambda t, c, w, v, k: (pairs(t)[c, w] + k) / (starts(t)[c] + k),
                    "adding k to the denominator once, and not once per word of the vocabulary."),
            Mistake(lambda t, c, w, v, k: (pairs(t)[c, w] + k) / (starts(t)[c] + k * len(set(t))),
                    "counting the words that came in place of the vocabulary."),
            Mistake(lambda t, c, w, v, k: (pairs(t)[c, w] + k) / (t.count(c) + k * len(v)),
                    "counting the last token as a context, although nothing follows it."),
            Mistake(lambda t, c, w, v, k: (pairs(t)[c, w] + k) / (len(t) - 1 + k * len(v)),
                    "dividing by the number of all pairs, not of those that start with context."),
        ),
    ),
    Exercise(
        id="01.5",
        title="Draw from a distribution",
        level="medium",
        minutes=10,
        call="draw(probabilities, u)",
        hints=(
            "Lay the probabilities end to end on a line from 0 to 1. On which piece does u fall?",
            "Run through the list with a running total. A piece holds its left end, not its right. "
            "If u falls off the end, go back to the last piece that has any length.",
            "for i, p in enumerate(probabilities): total += p, and return i as soon as u lies to "
            "the left of total. Is that < or <=? And which i is left to return after the loop?",
        ),
        cases=(
            Case(([1.0], 0.5), "the answer is an index, counted from 0.", 0),
            Case(([0.75, 0.25], 0.8), "u decides, not the largest probability.", 1),
            Case(([0.5, 0.5], 0.5), "a piece holds its left end and not its right: at u = 0.5 the "
                 "second piece begins. Compare with <, not <=.", 1),
            Case(([0.0, 1.0], 0.0), "token 0 has probability 0 and can never be drawn: compare "
                 "with <, not <=.", 1),
            Case(([0.125, 0.625, 0.25], 0.0625), "the pieces lie in the order of the list: do not "
                 "sort.", 0),
            Case(([0.125, 0.625, 0.25], 0.5), "compare u with the running total, not with single "
                 "probabilities.", 1),
            Case(([0.5, 0.0, 0.5], 0.5), "the token in the middle has probability 0.", 2),
            Case(([0.3333333, 0.3333333, 0.3333333], 0.99999995), "rounding left the sum a little "
                 "under 1, and u is above it: fall back on the last token that is possible.", 2),
            Case(([0.6, 0.3999999, 0.0], 0.99999995), "u is above the sum: fall back on the last "
                 "token, but not on one whose probability is 0.", 1),
            Case(([0.001] * 1000, 0.4995), "the running total is off somewhere in a long list.",
                 499),
        ),
        mistakes=(
            Mistake(lambda p, u: p.index(max(p)), "always taking the most probable token."),
        ),
    ),
    Exercise(
        id="01.6",
        title="Continuation probability",
        level="hard",
        minutes=20,
        call="continuation_probability(tokens, word)",
        hints=(
            "It does not matter how often a word comes, only after how many different words.",
            "Put the pairs of neighbours into a set: each different pair is in it once.",
            "pairs = set(zip(tokens, tokens[1:])), and some share of these pairs. Of those in "
            "which word comes first, or second?",
        ),
        cases=(
            Case((["a", "b"], "b"), "one pair, and it ends in `b`.", 1.0),
            Case((["a", "b"], "a"), "nothing comes before `a`: look to the left of the word, not "
                 "to the right.", 0.0),
            Case((["a", "b", "a", "b"], "b"), "a pair that comes twice counts once.", 1 / 2),
            Case(("san francisco san francisco a cat the cat".split(), "francisco"),
                 "count different pairs: `francisco` comes twice, but only after `san`.", 1 / 6),
            Case(("san francisco san francisco a cat the cat".split(), "cat"), "`cat` comes after "
                 "two different words, out of six different pairs.", 2 / 6),
            Case((["a", "a", "a", "b"], "a"), "a word may be its own neighbour.", 1 / 2),
            Case((["a", "b", "c"], "d"), "a word that never came continues nothing.", 0.0),
            Case(("x a y a z a a w".split(), "a"), "left and right neighbours are mixed up, or the "
                 "denominator is not the number of different pairs.", 4 / 7),
            Case((["the", "he", "end", "the", "he"], "he"), "tokens are compared whole: `the` is "
                 "not `he`.", 1 / 3),
        ),
        mistakes=(
            Mistake(lambda t, w: t.count(w) / len(t), "taking the plain frequency of the word."),
            Mistake(lambda t, w: len({a for a, b in pairs(t) if b == w}) / len(set(t)),
                    "dividing by the number of different words."),
            Mistake(lambda t, w: len({b for a, b in pairs(t) if a == w}) / len(pairs(t)),
                    "counting what comes after the word, not what comes before."),
            Mistake(lambda t, w: len({a for a, b in pairs(t) if b == w}) / (len(t) - 1),
                    "dividing by all pairs, where those that repeat count once."),
            Mistake(lambda t, w: sum(n for (a, b), n in pairs(t).items() if b == w) / len(pairs(t)),
                    "counting repeated pairs above the line."),
        ),
    ),
    Exercise(
        id="01.7",
        title="Entropy rate of a Markov chain",
        level="hard",
        minutes=25,
        call="entropy_rate(transition)",
        hints=(
            "Each row has an entropy of its own. How often is the chain in that row?",
            "The rate is the sum of pi[i] times the entropy of row i, in bits, where pi is the "
            "distribution that a step leaves as it is: pi @ transition = pi. A p of 0 adds 0.",
            "torch.special.entr(p) is -p ln p, also at 0. torch.linalg.lstsq solves for pi: the "
            "n equations (transition.T - identity) @ pi = 0, and one more, since twice a solution "
            "is one too. Which?",
        ),
        reference=entropy_by_cofactors,
        cases=(
            Case((torch.tensor([[0.5, 0.5], [0.5, 0.5]]),), "nats for bits, or a missing sign: "
                 "this chain is a fair coin.", expected=1.0, rtol=1e-3, atol=1e-4),
            Case((torch.tensor([[0.5, 0.5], [1.0, 0.0]]),), "0 · log 0 counts as 0; and a row "
                 "counts as often as the chain is in it, here 2/3 and 1/3.",
                 expected=2 / 3, rtol=1e-3, atol=1e-4),
            Case((torch.tensor([[0.0, 1.0], [1.0, 0.0]]),), "every step is certain, so the rate is "
                 "0, however the chain divides its time.", expected=0.0, rtol=1e-3, atol=1e-4),
            Case((torch.tensor([[0.0, 0.5, 0.5], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]),),
                 "this chain is in state 0 every other step for ever: stepping on until it settles "
                 "does not settle. Solve pi @ transition = pi instead.",
                 expected=0.5, rtol=1e-3, atol=1e-4),
            Case((torch.tensor([[0.999, 0.001], [0.002, 0.998]]),), "this chain settles very "
                 "slowly: solve for pi rather than stepping on.", rtol=1e-3, atol=1e-4),
            Case((torch.tensor([[0.1, 0.9, 0.0], [0.0, 0.2, 0.8], [0.3, 0.0, 0.7]]),), "pi is the "
                 "left eigenvector (pi @ transition = pi); the right one is all ones.",
                 rtol=1e-3, atol=1e-4),
            Case((random_chain(6, seed=1),), "pi is wrong in a larger chain.",
                 rtol=1e-3, atol=1e-4),
        ),
        mistakes=(
            Mistake(lambda t: row_entropies(t).mean(), "giving every row the same weight. The "
                    "chain is not in every state equally often."),
            Mistake(lambda t: entropy_by_cofactors(t) * math.log(2), "staying in nats."),
        ),
    ),
)


def pairs(tokens: list[str]) -> Counter:
    return Counter(zip(tokens, tokens[1:], strict=False))


def starts(tokens: list[str]) -> Counter:
    return Counter(tokens[:-1])


def row_entropies(transition: torch.Tensor) -> torch.Tensor:
    return torch.special.entr(transition).sum(dim=1) / math.log(2)
