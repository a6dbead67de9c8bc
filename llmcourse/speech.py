"""A speech recogniser from before neural networks, the noise to try it in, and its errors counted.

The recogniser is PocketSphinx (Huggins-Daines et al., "PocketSphinx: a free, real-time continuous
speech recognition system for hand-held devices", ICASSP 2006), with the English models of its
wheel: a hidden Markov model of sounds, a dictionary, and a trigram model of words.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy

RATE = 16_000  # samples a second, which is what the recogniser's models were trained on
_UNIT = math.log(1.0001)  # its log-probabilities are whole numbers in this base,
_SHIFT = 1024  # and those of paths are stored divided by this


class Answer(NamedTuple):
    """Words that may have been said.

    score: the recogniser's own, in nats: the ear's plus a multiple of the expectation's.
    expected: natural log-probability of the words under its trigram model.
    """

    words: str
    score: float
    expected: float


class Recogniser:
    """PocketSphinx as it comes, for whole utterances; an answer depends on nothing heard before.

    As it comes, its noise remover is on: a file beside the acoustic model says so.

    Args:
        weight: of the expectation, in all three passes of the search; left out, 6.5 in the first,
            8.5 in the second and 9.5 in the last, which are PocketSphinx's own.

    Raises:
        ModuleNotFoundError: when pocketsphinx is missing; the message says how to install it.
    """

    def __init__(self, weight: float | None = None) -> None:
        try:
            from pocketsphinx import Config, Decoder
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "the recogniser comes with the package pocketsphinx, which is not installed: run  "
                "pip install --no-deps pocketsphinx==5.1.1"
            ) from error
        passes = ("lw", "fwdflatlw", "bestpathlw") if weight is not None else ()
        self._decoder = Decoder(Config(loglevel="FATAL", **dict.fromkeys(passes, weight)))
        self._trigrams = self._decoder.get_lm()
        # Every sound is scored in every frame: else each frame is scaled by the best of those that
        # the sentence contains, and the scores of two sentences cannot be compared.
        self._ear = Decoder(Config(loglevel="FATAL", lm=None, compallsen=True))

    def hear(self, samples: numpy.ndarray) -> str:
        """The words that it takes to be the best, "" if it hears none.

        Args:
            samples: one utterance at 16,000 samples a second, from -1 to 1, shape (n_samples,).

        Raises:
            ValueError: for less than a tenth of a second, another shape, or samples out of range.
        """
        _listen(self._decoder, samples)
        best = self._decoder.hyp()
        return best.hypstr if best else ""

    def hear_list(self, samples: numpy.ndarray, n: int = 25, tries: int = 300) -> list[Answer]:
        """At most `n` different answers by the same search, best score first.

        Args:
            samples: as for `hear`.
            tries: paths through the lattice of words to look at; many of them say the same.
        """
        _listen(self._decoder, samples)
        return self._answers(n, tries)

    def _answers(self, n: int, tries: int) -> list[Answer]:
        scores: dict[str, float] = {}
        for path, _ in zip(self._decoder.nbest(), range(tries)):
            if path is not None and path.hypstr and path.score > 0:
                score = _SHIFT * math.log(path.score)
                scores[path.hypstr] = max(score, scores.get(path.hypstr, -math.inf))
        best = sorted(scores, key=lambda words: -scores[words])[:n]
        return [Answer(words, scores[words], self.expected(words)) for words in best]

    def expected(self, words: str) -> float:
        """The natural log-probability of a sentence under its trigram model, end included.

        Raises:
            ValueError: when there is no word.
        """
        if not words.split():
            raise ValueError("words is empty: give at least one word")
        tokens, total = ["<s>", *words.split(), "</s>"], 0
        for i in range(1, len(tokens)):  # it wants the newest word first
            total += self._trigrams.prob(tokens[max(0, i - 2) : i + 1][::-1])
        return total * _UNIT

    def ear(self, samples: numpy.ndarray, words: str) -> float:
        """How well a sentence explains the sound, in nats, up to a constant of the sound.

        No expectation is asked: the words are given, and their sounds are laid along the recording
        as well as they fit.  (The dictionary's pronunciations, and silences between words, are
        free.)

        Returns:
            The score; minus infinity if the sentence cannot be laid along it at all.

        Raises:
            ValueError: for a word that is not in the dictionary.
        """
        for word in words.split():
            self.sounds(word)
        self._ear.add_jsgf_string("given", f"#JSGF V1.0; grammar g; public <s> = {words} ;")
        self._ear.activate_search("given")
        _listen(self._ear, samples)
        best = self._ear.hyp()
        return _SHIFT * math.log(best.score) if best and best.score > 0 else -math.inf

    def sounds(self, words: str) -> str:
        """The phones of one word or more, each word as the dictionary has it first: "P EH R".

        Raises:
            ValueError: for a word that is not in the dictionary.
        """
        phones = {word: self._decoder.lookup_word(word) for word in words.split()}
        missing = [word for word, found in phones.items() if found is None]
        if missing or not phones:
            raise ValueError(f"not in the dictionary: {missing}; words are in lower case, American")
        return " ".join(phones[word] for word in words.split())


def _listen(decoder, samples: numpy.ndarray) -> None:
    samples = numpy.asarray(samples, float)
    if samples.ndim != 1 or len(samples) < RATE // 10:
        raise ValueError(
            f"samples has shape {samples.shape}: give one row of at least {RATE // 10} numbers, "
            "a tenth of a second"
        )
    if not numpy.abs(samples).max() <= 1:
        raise ValueError("a sample lies outside -1 to 1: divide 16-bit samples by 32,768")
    pcm = numpy.clip(numpy.round(samples * 32768), -32768, 32767).astype(numpy.int16)
    decoder.reinit_feat()  # else what it heard before shifts its features, and with them the scores
    decoder.start_utt()
    decoder.process_raw(pcm.tobytes(), full_utt=True)
    decoder.end_utt()


def add_noise(samples: numpy.ndarray, decibels: float, seed: int = 0) -> numpy.ndarray:
    """Samples with white noise, so that the speech has `decibels` more power than the noise.

    Power is the mean square over the whole utterance, its silences included.  What leaves the range
    from -1 to 1 is clipped.

    Raises:
        ValueError: when the samples are silent: no noise has a ratio to that.
    """
    samples = numpy.asarray(samples, float)
    power = (samples**2).mean() if samples.size else 0.0
    if power == 0:
        raise ValueError("samples are silent: there is no power to measure the noise against")
    noise = numpy.random.default_rng(seed).normal(size=len(samples))
    return numpy.clip(samples + noise * math.sqrt(power / 10 ** (decibels / 10)), -1, 1)


class Edits(NamedTuple):
    """How a hypothesis differs from what was said, in as few steps as possible."""

    substitutions: int
    deletions: int
    insertions: int

    @property
    def total(self) -> int:
        return sum(self)


def edits(reference: Sequence[str], hypothesis: Sequence[str]) -> Edits:
    """The fewest substitutions, deletions and insertions that make the hypothesis of the reference.

    Their sum is Levenshtein's distance (1966); where several ways are as short, substitutions are
    preferred to pairs of a deletion and an insertion, and which of them is counted does not matter.

    Args:
        reference, hypothesis: words, as lists or as tuples; not strings, whose items are letters.

    Raises:
        TypeError: for a string.
    """
    if isinstance(reference, str) or isinstance(hypothesis, str):
        raise TypeError("edits compares lists of words: split the sentence first, text.split()")
    row = [(j, Edits(0, 0, j)) for j in range(len(hypothesis) + 1)]
    for i, word in enumerate(reference, 1):
        new = [(i, Edits(0, i, 0))]
        for j, other in enumerate(hypothesis, 1):
            wrong = int(word != other)
            (cost, e), (down, d), (right, r) = row[j - 1], row[j], new[j - 1]
            new.append(
                min(
                    (cost + wrong, e._replace(substitutions=e.substitutions + wrong)),
                    (down + 1, d._replace(deletions=d.deletions + 1)),
                    (right + 1, r._replace(insertions=r.insertions + 1)),
                    key=lambda way: way[0],
                )
            )
        row = new
    return row[-1][1]


def word_errors(reference: str, hypothesis: str) -> int:
    """The number of edits between two sentences, word by word."""
    return edits(reference.split(), hypothesis.split()).total


def word_error_rate(references: Sequence[str], hypotheses: Sequence[str]) -> float:
    """All edits over all words that were said: no mean of rates, and it may be more than 1.

    Raises:
        ValueError: when the two differ in length, or no word was said.
    """
    words = sum(len(text.split()) for text in references)
    if len(references) != len(hypotheses) or words == 0:
        raise ValueError(
            f"got {len(references)} references of {words} words for {len(hypotheses)} hypotheses: "
            "give one hypothesis for each, and at least one word"
        )
    return sum(map(word_errors, references, hypotheses)) / words


def rate_interval(
    errors: Sequence[float], words: Sequence[float], seed: int = 0
) -> tuple[float, float]:
    """A 95% interval for `sum(errors) / sum(words)`, by a bootstrap over utterances (Efron, 1979).

    For how much better one system is than another on the same utterances, give the differences of
    their errors: what both find hard then cancels.

    Raises:
        ValueError: when the two differ in length or hold fewer than two utterances.
    """
    errors, words = numpy.asarray(errors, float), numpy.asarray(words, float)
    if errors.shape != words.shape or len(errors) < 2:
        raise ValueError(
            f"got {len(errors)} errors for {len(words)} lengths: give one each for at least two "
            "utterances"
        )
    draws = numpy.random.default_rng(seed).integers(len(errors), size=(2000, len(errors)))
    low, high = numpy.percentile(errors[draws].sum(1) / words[draws].sum(1), [2.5, 97.5])
    return float(low), float(high)
