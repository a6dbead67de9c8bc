"""Language models that only count: n-grams with add-k or Kneser-Ney smoothing."""

import math
from collections import Counter
from collections.abc import Sequence

import numpy
import torch


class NGramModel:
    """The probability of a token given the `order - 1` tokens before it, from counts.

    Tokens come as a sequence whose slices can be compared and hashed: `bytes`, a `str` of
    characters, or a tuple (a list is made one) of words or token ids.

    With `smoothing="add-k"` every n-gram of the vocabulary is counted `k` times more than it was
    seen (`k=0`: plain relative frequencies).  With `smoothing="kneser-ney"` a discount is taken
    from every count and what that frees is spread by the next shorter model, which counts in how
    many different contexts a token was seen, not how often; the shortest falls back on the uniform
    distribution.  One discount per order, `n1 / (n1 + 2 * n2)` with `n1` n-grams seen once and `n2`
    seen twice, unless `discount` gives one for all.

    Source: Kneser and Ney, "Improved backing-off for m-gram language modeling", ICASSP 1995, in the
    interpolated form of Chen and Goodman, "An empirical study of smoothing techniques for language
    modeling", Computer Speech & Language 13, 1999, section 4.1.6.

    Args:
        tokens: the training text.
        order: length of the longest n-gram; 1 is a unigram model.
        smoothing: `"kneser-ney"` or `"add-k"`.
        k: what add-k adds to every count.
        discount: between 0 and 1; estimated per order when not given.
        vocabulary: every token that may ever occur, those of `tokens` among them, which it is by
            default.  For bytes it is always all 256.

    Raises:
        ValueError: for an order below 1, an unknown smoothing, a negative `k`, a discount outside
            [0, 1], a text shorter than the order, or one with a token outside the vocabulary.
    """

    def __init__(
        self,
        tokens: Sequence,
        order: int,
        smoothing: str = "kneser-ney",
        k: float = 1.0,
        discount: float | None = None,
        vocabulary: Sequence | None = None,
    ):
        if order < 1:
            raise ValueError(f"order is {order}, but the shortest n-gram has 1 token")
        if smoothing not in ("kneser-ney", "add-k"):
            raise ValueError(f'smoothing is {smoothing!r}: choose "kneser-ney" or "add-k"')
        if k < 0:
            raise ValueError(f"k is {k}, but a count cannot be lowered: choose k >= 0")
        if discount is not None and not 0 <= discount <= 1:
            raise ValueError(f"discount is {discount}: it is taken from counts, choose 0 to 1")
        tokens = _sliceable(tokens)
        if len(tokens) < order:
            raise ValueError(f"the text has {len(tokens)} tokens, too few for an order of {order}")

        self.order, self.smoothing, self.k = order, smoothing, k
        self._empty = tokens[:0]
        if isinstance(tokens, bytes):
            vocabulary = range(256)
        self.vocabulary = sorted(set(tokens if vocabulary is None else vocabulary))
        self._check_known(tokens)

        # counts[n] maps an n-gram to its count: how often it was seen for the longest n, in how
        # many different contexts for the shorter ones (each distinct (n+1)-gram is one context).
        counts = Counter(tokens[i : i + order] for i in range(len(tokens) - order + 1))
        self.counts = {order: counts}
        for n in range(order - 1, 0, -1):
            longer = self.counts[n + 1].keys() | {tokens[: n + 1]}  # the text's first has no left
            self.counts[n] = Counter(gram[1:] for gram in longer)

        # For each context: the sum of the counts of what follows it, and how many different.
        self.totals = {n: Counter() for n in self.counts}
        self.kinds = {n: Counter() for n in self.counts}
        self.discounts = {}
        for n, grams in self.counts.items():
            totals, kinds = self.totals[n], self.kinds[n]
            for gram, count in grams.items():
                totals[gram[:-1]] += count
                kinds[gram[:-1]] += 1
            seen = Counter(grams.values())
            estimate = seen[1] / (seen[1] + 2 * seen[2]) if seen[1] else 0.5
            self.discounts[n] = estimate if discount is None else discount

    def probability(self, token, context: Sequence = ()) -> float:
        """P(token | context); only the last `order - 1` tokens of the context matter.

        With add-k and `k=0` it is nan after a context that never occurred: nothing was counted.

        Raises:
            ValueError: for a token outside the vocabulary, or more than one.
            TypeError: for a context of another kind than the training text.
        """
        token, context = self._token(token), self._text(context)
        if len(token) != 1:
            raise ValueError(f"token is {token!r}: give one; bits measures a whole text")
        self._check_known(token)
        return self._probability(token, context[max(0, len(context) + 1 - self.order) :])

    def distribution(self, context: Sequence = ()) -> numpy.ndarray:
        """P(· | context) over `self.vocabulary`, shape (vocab_size,)."""
        context = self._text(context)
        context = context[max(0, len(context) + 1 - self.order) :]
        tokens = map(self._token, self.vocabulary)
        return numpy.array([self._probability(token, context) for token in tokens])

    def bits(self, tokens: Sequence) -> numpy.ndarray:
        """The surprise of each token given those before it, `-log2 P`, in bits: shape (len,).

        A token that the model holds impossible costs `inf`.

        Raises:
            ValueError: for a token outside the vocabulary.
            TypeError: for a text of another kind than the training text.
        """
        tokens, order = self._text(tokens), self.order
        self._check_known(tokens)
        probabilities = [
            self._probability(tokens[i : i + 1], tokens[max(0, i - order + 1) : i])
            for i in range(len(tokens))
        ]
        with numpy.errstate(divide="ignore"):
            return -numpy.log2(probabilities)

    def sample(self, length: int, generator: torch.Generator, prompt: Sequence = ()) -> Sequence:
        """`length` tokens drawn one after the other, each given those before it.

        Returns the same kind of sequence as the training text (bytes, str or tuple), without the
        prompt.

        Raises:
            ValueError: with add-k and `k=0`, after a context that never occurred.
            TypeError: for a prompt of another kind than the training text.
        """
        text = self._text(prompt)
        for u in torch.rand(length, generator=generator, dtype=torch.float64).tolist():
            cumulative = self.distribution(text[max(0, len(text) + 1 - self.order) :]).cumsum()
            if math.isnan(cumulative[-1]):
                raise ValueError(
                    f"nothing was ever seen after {text[max(0, len(text) + 1 - self.order) :]!r}, "
                    "so with k=0 there is no next token: choose k > 0, or a prompt that occurred"
                )
            index = cumulative.searchsorted(u * cumulative[-1], side="right")
            text += self._token(self.vocabulary[index])
        return text[len(prompt) :]

    def _text(self, tokens: Sequence) -> bytes | str | tuple:
        """Tokens as the kind of sequence that was counted; no slice of another kind is found."""
        tokens = _sliceable(tokens) if len(tokens) else self._empty
        if not isinstance(tokens, type(self._empty)):
            given, read = type(tokens).__name__, type(self._empty).__name__
            raise TypeError(f"tokens are a {given}, but the model has read a {read}: give one")
        return tokens

    def _check_known(self, tokens) -> None:
        unknown = set(tokens) - set(self.vocabulary)
        if unknown:
            raise ValueError(
                f"{min(unknown)!r} is not among the {len(self.vocabulary)} tokens of the "
                "vocabulary: pass  vocabulary=  every token that may ever occur, or use bytes"
            )

    def _token(self, token):
        """A token as a sequence of length one, of the kind of the text."""
        if isinstance(self._empty, tuple):
            return (token,)
        return bytes([token]) if isinstance(token, int) else token

    def _probability(self, token, context) -> float:
        vocab_size = len(self.vocabulary)
        if self.smoothing == "add-k":
            total = self.totals[self.order][context] + self.k * vocab_size
            count = self.counts[self.order][context + token] + self.k
            return count / total if total else math.nan
        probability = 1 / vocab_size
        for n in range(1, len(context) + 2):
            history = context[len(context) + 1 - n :]
            total = self.totals[n][history]
            if not total:  # a context that never occurred: longer ones did not either
                break
            discount = self.discounts[n]
            kept = max(self.counts[n][history + token] - discount, 0)
            probability = (kept + discount * self.kinds[n][history] * probability) / total
        return probability


def _sliceable(tokens: Sequence) -> bytes | str | tuple:
    return tokens if isinstance(tokens, bytes | str) else tuple(tokens)
