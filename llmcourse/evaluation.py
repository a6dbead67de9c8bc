"""How good is a language model: one measure for all of them, with its uncertainty."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy
import torch
import torch.nn.functional as F

from llmcourse.generation import evaluating

LADDER_FILE = Path(__file__).with_name("ladder.json")


def perplexity(bits: Sequence[float]) -> float:
    """2 to the mean surprise: the number of faces of the fair die that is as hard to guess.

    Args:
        bits: the surprise `-log2 P` of each token that came, from held-out text.

    Raises:
        ValueError: when there is no token to measure.
    """
    if len(bits) == 0:
        raise ValueError("bits is empty: perplexity is a mean over at least one token")
    return float(numpy.exp2(numpy.mean(numpy.asarray(bits))))


def bits_per_byte(bits: Sequence[float], text: str) -> float:
    """The surprise of a whole text, in bits, spread over its bytes in UTF-8.

    Unlike perplexity it does not depend on how the text was cut into tokens.

    Raises:
        ValueError: when the text is empty.
    """
    if not text:
        raise ValueError("text is empty: there is no byte to spread the bits over")
    return float(numpy.sum(numpy.asarray(bits))) / len(text.encode("utf-8"))


@torch.no_grad()
def token_bits(model: torch.nn.Module, tokens: Sequence[int], stride: int | None = None):
    """The surprise, in bits, of each token of a text that may be longer than the model's context.

    The model reads windows of `context_length` tokens, `stride` apart; of each, the tokens count
    that no window before has judged.  So every token but the first ones is judged with at least
    `context_length - stride` tokens to its left, and once.

    Args:
        model: a `GPT`, or another whose `model(tokens).logits` and `config` are like its.
        tokens: ids, shape (time,).
        stride: from 1, which is slow and kind to the model, to `context_length`; by default half
            of that.

    Returns:
        Bits, in a NumPy array of shape (time,).  The first token, before which there is nothing to
        read, costs a guess among all the vocabulary.

    Raises:
        ValueError: when there is no token, or for a stride out of range.
    """
    limit = model.config.context_length
    stride = max(1, limit // 2) if stride is None else stride
    if not 1 <= stride <= limit:
        raise ValueError(f"stride is {stride}: choose 1 to the model's context_length, {limit}")
    ids = torch.as_tensor(tokens, device=next(model.parameters()).device)
    if ids.dim() != 1 or len(ids) == 0:
        raise ValueError(f"tokens has shape {tuple(ids.shape)}: give one row of at least one id")
    nats, judged = [torch.tensor([math.log(model.config.vocab_size)])], 1
    with evaluating(model):
        for start in range(0, len(ids), stride):
            end = min(start + limit, len(ids) - 1)
            if judged > end:
                break
            logits = model(ids[None, start:end]).logits[0, judged - start - 1 :]
            surprise = F.cross_entropy(logits.float(), ids[judged : end + 1], reduction="none")
            nats.append(surprise.cpu())
            judged = end + 1
    return torch.cat(nats).double().numpy() / math.log(2)


def accuracy(predictions: Sequence, labels: Sequence) -> float:
    """The share of predictions that equal their label, from 0 to 1.

    Raises:
        ValueError: when the two differ in length, or there is nothing to judge.
    """
    if len(predictions) != len(labels) or len(labels) == 0:
        raise ValueError(
            f"got {len(predictions)} predictions for {len(labels)} labels: give one for each of at "
            "least one label"
        )
    return float(numpy.mean(numpy.asarray(predictions) == numpy.asarray(labels)))


def interval(values: Sequence[float], seed: int = 0) -> tuple[float, float]:
    """A 95% interval for the mean of a score over items: the percentile bootstrap (Efron, 1979).

    Items that hang together (the questions on one passage, say) are to be averaged first.  For a
    share of right answers use `proportion_interval`, which also works when none or all are right.

    Args:
        values: the score of each item.

    Raises:
        ValueError: for fewer than two items.
    """
    values = numpy.asarray(values, float)
    if len(values) < 2:
        raise ValueError(f"got {len(values)} values: an interval needs at least two items")
    draws = numpy.random.default_rng(seed).integers(len(values), size=(2000, len(values)))
    low, high = numpy.percentile(values[draws].mean(1), [2.5, 97.5])
    return float(low), float(high)


def proportion_interval(successes: int, n: int) -> tuple[float, float]:
    """A 95% interval for a share, from `successes` of `n` independent items (Wilson, 1927).

    Raises:
        ValueError: when n is not positive, or successes is not between 0 and n.
    """
    if not 0 <= successes <= n or n < 1:
        raise ValueError(f"got {successes} successes of {n}: give 0 to n, and at least one item")
    z, share = 1.959964, successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # Rounding must not leave the share itself outside.
    return min(share, max(0.0, centre - half)), max(share, min(1.0, centre + half))


@dataclass(frozen=True)
class Calibration:
    """Does a model that says "90% sure" get 9 of 10 right?  One entry for each bin with answers.

    `confidence` is the mean probability given to the chosen answers of a bin, `accuracy` the share
    of them that were right, `count` how many there are.  `error` is the expected calibration error:
    the distance between the two, averaged over all answers, from 0 (calibrated) to 1.
    """

    confidence: numpy.ndarray
    accuracy: numpy.ndarray
    count: numpy.ndarray
    error: float


def calibration(
    confidence: Sequence[float], correct: Sequence[bool], n_bins: int = 10
) -> Calibration:
    """Compare how sure a model was with how often it was right, in bins of equal width.

    Source: Guo et al., "On Calibration of Modern Neural Networks", 2017, section 2.

    Args:
        confidence: the probability that the model gave to each answer it chose, from 0 to 1.
        correct: whether that answer was right.
        n_bins: bin i holds confidences in (i / n_bins, (i + 1) / n_bins]; the first holds 0 too.

    Raises:
        ValueError: when the two differ in length, are empty, a confidence is no probability, or
            there is no bin.
    """
    confidence, correct = numpy.asarray(confidence, float), numpy.asarray(correct, float)
    if len(confidence) != len(correct) or len(confidence) == 0:
        raise ValueError(
            f"got {len(confidence)} confidences for {len(correct)} answers: give one for each of "
            "at least one answer"
        )
    if n_bins < 1:
        raise ValueError(f"n_bins is {n_bins}: choose 1 or more")
    if not (confidence.min() >= 0 and confidence.max() <= 1):
        raise ValueError("a confidence lies outside 0 to 1: give probabilities, not logits")
    edges = numpy.linspace(0, 1, n_bins + 1)[1:-1]
    bins = numpy.searchsorted(edges, confidence, side="left")
    count = numpy.bincount(bins, minlength=n_bins)
    filled = count > 0
    count = count[filled]
    mean_confidence = numpy.bincount(bins, confidence, n_bins)[filled] / count
    mean_correct = numpy.bincount(bins, correct, n_bins)[filled] / count
    error = float((count * abs(mean_confidence - mean_correct)).sum() / count.sum())
    return Calibration(mean_confidence, mean_correct, count, error)


@dataclass(frozen=True)
class Rung:
    """A model on the ladder: bits per held-out byte, with a 95% interval."""

    name: str
    chapter: str
    bits_per_byte: float
    low: float
    high: float


def measure_rung(
    name: str, chapter: str, bits: Sequence[float], n_bytes: Sequence[int], seed: int = 0
) -> Rung:
    """The rung of a model from its surprise on each held-out passage.

    The interval is a percentile bootstrap over passages (Efron 1979): passages, not bytes, are
    drawn with replacement, because the bytes of one passage are not independent.

    Args:
        bits: the summed surprise of each passage, in bits.
        n_bytes: the length of each passage in bytes.

    Raises:
        ValueError: when the two differ in length or hold fewer than two passages.
    """
    if len(bits) != len(n_bytes) or len(bits) < 2:
        raise ValueError(
            f"got {len(bits)} surprises for {len(n_bytes)} passages: give one for each of at "
            "least two passages"
        )
    bits, n_bytes = numpy.asarray(bits, float), numpy.asarray(n_bytes, float)
    draws = numpy.random.default_rng(seed).integers(len(bits), size=(2000, len(bits)))
    means = bits[draws].sum(1) / n_bytes[draws].sum(1)
    low, high = numpy.percentile(means, [2.5, 97.5])
    return Rung(name, chapter, float(bits.sum() / n_bytes.sum()), float(low), float(high))


def load_ladder() -> list[Rung]:
    """Every rung measured so far, worst first, as `benchmarks/ladder.py` last wrote them."""
    rungs = [Rung(**fields) for fields in json.loads(LADDER_FILE.read_text(encoding="utf-8"))]
    return sorted(rungs, key=lambda rung: -rung.bits_per_byte)
