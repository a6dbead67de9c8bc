"""Finding the passage that answers: by its words (BM25), or by its meaning (sentence vectors)."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy
import torch
import torch.nn.functional as F
from torch import Tensor

from llmcourse.device import device
from llmcourse.pretrained import from_pretrained, minilm_tokenizer


class SentenceEncoder:
    """Texts to vectors of length 1, whose inner product says how near they are in meaning.

    The model is all-MiniLM-L6-v2 (Reimers and Gurevych, "Sentence-BERT", 2019): the vector of a
    text is the mean over its tokens of the last layer, shortened to length 1.

        encoder = SentenceEncoder()
        query, passages = encoder(["Who feeds the cat?"]), encoder(["Ann does.", "It rains."])
        query @ passages.T

    Raises:
        ModuleNotFoundError: when the package with the weights is missing; the message says how to
            install it.
    """

    def __init__(self):
        self.model = from_pretrained("minilm").to(device())
        self.tokenizer = minilm_tokenizer()

    @torch.no_grad()
    def __call__(self, texts: Sequence[str], batch_size: int = 64) -> Tensor:
        """Vectors of the texts, (len(texts), 384), on the CPU.  Past 256 tokens a text is cut.

        Raises:
            TypeError: for one string in place of a list.
            ValueError: for no text.
        """
        if isinstance(texts, str):
            raise TypeError("texts is one string: give a list, [text]")
        if len(texts) == 0:
            raise ValueError("texts is empty: give at least one")
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        rows = torch.empty(len(texts), self.model.config.d_model)
        for start in range(0, len(texts), batch_size):  # like lengths together: less padding
            chosen = order[start : start + batch_size]
            batch = self.tokenizer.encode_batch([texts[i] for i in chosen])
            ids = torch.tensor([text.ids for text in batch], device=device())
            mask = torch.tensor([text.attention_mask for text in batch], device=device())
            hidden = self.model(ids, mask=mask.bool()).hidden
            mean = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
            rows[chosen] = F.normalize(mean, dim=-1).cpu()
        return rows


class VectorIndex:
    """Vectors to be searched, all of them each time: exact, and quick up to some 100,000.

    Args:
        vectors: (n, d_model), as `SentenceEncoder` gives them.

    Raises:
        ValueError: for another shape, or no vector.
    """

    def __init__(self, vectors: Tensor):
        if vectors.dim() != 2 or len(vectors) == 0:
            raise ValueError(f"vectors has shape {tuple(vectors.shape)}: give (n, d_model), n > 0")
        self.vectors = vectors

    def search(self, queries: Tensor, k: int = 5) -> tuple[Tensor, Tensor]:
        """The `k` best of each query, best first: scores and ids, each (n_queries, k).

        Raises:
            ValueError: for queries of another width, or k out of range.
        """
        if queries.dim() != 2 or queries.shape[1] != self.vectors.shape[1]:
            raise ValueError(
                f"queries has shape {tuple(queries.shape)}: give (n_queries, "
                f"{self.vectors.shape[1]}), from the encoder that made the index"
            )
        if not 1 <= k <= len(self.vectors):
            raise ValueError(f"k is {k}: choose 1 to {len(self.vectors)}, the size of the index")
        return tuple((queries @ self.vectors.T).topk(k))


def words(text: str) -> list[str]:
    """The words of a text in small letters, without punctuation."""
    return re.findall(r"\w+", text.lower())


class BM25:
    """Rank passages by the words they share with the query: rare words count more, and repeats
    less and less (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009).

        score = sum over the query's words of  idf * tf * (k1 + 1) / (tf + k1 * (1 - b + b * L))

    with tf the times that the word stands in the passage, L the passage's length over the mean,
    and idf = log(1 + (n - df + 1/2) / (df + 1/2)), df of the n passages having the word.

    Args:
        passages: the texts to rank.
        k1: how soon repeats stop counting; 0 = at once.
        b: how much long passages are held back, from 0 (not) to 1.

    Raises:
        ValueError: for no passage.
    """

    def __init__(self, passages: Sequence[str], k1: float = 1.5, b: float = 0.75):
        if len(passages) == 0:
            raise ValueError("passages is empty: give at least one")
        self.counts = [Counter(words(passage)) for passage in passages]
        lengths = numpy.array([count.total() for count in self.counts], float)
        self.k1, self.damping = k1, k1 * (1 - b + b * lengths / max(lengths.mean(), 1))
        self.n_with = Counter(word for count in self.counts for word in count)

    def idf(self, word: str) -> float:
        """How rare a word is among the passages, in nats; never negative."""
        n_with = self.n_with[word]
        return float(numpy.log1p((len(self.counts) - n_with + 0.5) / (n_with + 0.5)))

    def scores(self, query: str) -> numpy.ndarray:
        """The score of each passage, (n,).  0 = no word in common."""
        total = numpy.zeros(len(self.counts))
        for word in words(query):
            often = numpy.array([count[word] for count in self.counts], float)
            total += self.idf(word) * often * (self.k1 + 1) / (often + self.damping)
        return total


def recall_at(ranks: Sequence[int], k: int) -> float:
    """The share of queries whose passage is among the first `k`.

    Args:
        ranks: the rank of each query's passage, from 1.

    Raises:
        ValueError: for no rank, or one below 1.
    """
    return float(numpy.mean(_checked(ranks) <= k))


def mean_reciprocal_rank(ranks: Sequence[int]) -> float:
    """The mean of 1 / rank of the right passage: 1 = always first.

    Arguments and errors are those of `recall_at`.
    """
    return float(numpy.mean(1 / _checked(ranks)))


def _checked(ranks: Sequence[int]) -> numpy.ndarray:
    ranks = numpy.asarray(ranks)
    if len(ranks) == 0 or ranks.min() < 1:
        raise ValueError("ranks must hold at least one rank, and count from 1")
    return ranks


class Cited(NamedTuple):
    """An answer and where it stands: `passages[source][start:end]` is `text`.

    Refused: text and source are None.  `score` is what the threshold was compared with.
    """

    text: str | None
    source: str | None
    start: int
    end: int
    score: float


def answer_with_sources(
    question: str,
    passages: Mapping[str, str],
    index: VectorIndex,
    encoder: Callable[[Sequence[str]], Tensor],
    read: Callable[[Sequence[str], Sequence[str]], Sequence],
    threshold: float,
    k: int = 1,
    weight: float = 0.0,
) -> Cited:
    """Find `k` passages, point at the best answer in each, and give the best of these, or none.

    Args:
        passages: id to text, in the order of the index.
        read: questions and texts to spans with `text, start, end, score`, as `reading.Reader`.
        threshold: below this score there is no answer.
        weight: how much a cosine of 1 between question and passage adds to the reader's score.

    Raises:
        ValueError: for an empty question, or an index of other passages.
    """
    if not question.strip():
        raise ValueError("question is empty: ask something")
    if len(passages) != len(index.vectors):
        raise ValueError(
            f"the index has {len(index.vectors)} vectors for {len(passages)} passages: make it "
            "from these passages, VectorIndex(encoder(list(passages.values())))"
        )
    near, ids = (row[0].tolist() for row in index.search(encoder([question]), k))
    sources = [list(passages)[i] for i in ids]
    spans = read([question] * k, [passages[source] for source in sources])
    scores = [span.score + weight * cosine for span, cosine in zip(spans, near)]
    best = max(range(k), key=scores.__getitem__)
    if scores[best] < threshold:
        return Cited(None, None, 0, 0, scores[best])
    span = spans[best]
    return Cited(span.text, sources[best], span.start, span.end, scores[best])
