"""Answers that stand in a text: a head that points at their first and their last token."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from llmcourse.bert import BERT
from llmcourse.checkpoints import replacing
from llmcourse.device import device
from llmcourse.finetuning import apply_lora, load_adapter, merge_lora, save_adapter
from llmcourse.pretrained import from_pretrained, minilm_tokenizer

LONGEST = 15
RANK, ALPHA = 8, 8  # of the updates to MiniLM's layers, all four kinds of them
TARGETS = ("query_key_value", "output", "up", "down")
READER = Path(__file__).parent / "weights" / "course-reader"


class Span(NamedTuple):
    """A piece `text[start:end]` of a text, and by how much the reader prefers it to no answer.

    `score` is in nats: the logits of the two ends, less those of the first token, which stands for
    "there is no answer here".  It is negative where the reader thinks that there is none.
    """

    text: str
    start: int
    end: int
    score: float


class Pairs(NamedTuple):
    """Questions and texts as a batch: ids, mask and segments (0 question, 1 text), each (batch,
    time); `in_text`, True for the tokens of the text; `offsets`, (batch, time, 2), the characters
    of the text that a token covers."""

    tokens: Tensor
    mask: Tensor
    segments: Tensor
    in_text: Tensor
    offsets: Tensor

    def to(self, where) -> "Pairs":
        return Pairs(*(tensor.to(where) for tensor in self))


def encode_pairs(questions: Sequence[str], texts: Sequence[str], tokenizer=None) -> Pairs:
    """`[CLS] question [SEP] text [SEP]`, padded on the right.

    Raises:
        ValueError: for lists of different lengths, or none at all.
    """
    if len(questions) != len(texts) or not len(texts):
        raise ValueError(
            f"got {len(questions)} questions and {len(texts)} texts: give one text to a question"
        )
    rows = (tokenizer or minilm_tokenizer()).encode_batch(list(zip(questions, texts)))
    segments = torch.tensor([row.type_ids for row in rows])
    in_text = [[sequence == 1 for sequence in row.sequence_ids] for row in rows]
    return Pairs(
        torch.tensor([row.ids for row in rows]),
        torch.tensor([row.attention_mask for row in rows]).bool(),
        segments,
        torch.tensor(in_text),
        torch.tensor([row.offsets for row in rows]),
    )


class SpanHead(nn.Module):
    """A BERT, and on top of it two numbers for each token: does the answer start, or end, here?

    Where a text has no answer, both ends are to be at the first token.

    Source: Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language
    Understanding", 2018, sections 4.2 and 4.3.
    """

    def __init__(self, body: BERT):
        super().__init__()
        self.body = body
        self.head = nn.Linear(body.config.d_model, 2)
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    def forward(self, pairs: Pairs) -> Tensor:
        """Logits of start and end, (batch, time, 2); -inf for padding and for the question."""
        hidden = self.body(pairs.tokens, mask=pairs.mask, segments=pairs.segments).hidden
        allowed = pairs.in_text.clone()
        allowed[:, 0] = True
        return self.head(hidden).masked_fill(~allowed[..., None], float("-inf"))


def span_labels(pairs: Pairs, spans: Sequence[tuple[int | None, int | None]]) -> Tensor:
    """The first and the last token of each answer, (batch, 2); 0 where there is none.

    Args:
        spans: start and end in characters of the text, or None and None.

    Raises:
        ValueError: for an answer that no token covers, because the text was cut.
    """
    labels = torch.zeros(len(spans), 2, dtype=torch.long)
    for row, (start, end) in enumerate(spans):
        if start is None:
            continue
        first, last = pairs.offsets[row].unbind(-1)
        inside = (pairs.in_text[row] & (first < end) & (last > start)).nonzero()
        if not len(inside):
            raise ValueError(f"no token covers the characters {start} to {end} of text {row}")
        labels[row] = inside[[0, -1], 0]
    return labels


def span_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """The mean surprise at both ends, a scalar in nats."""
    return F.cross_entropy(logits, labels)


@torch.no_grad()
def best_spans(logits: Tensor, longest: int = LONGEST) -> tuple[Tensor, Tensor, Tensor]:
    """For each text the best first and last token, and the score of that pair above no answer."""
    start, end = logits.float().unbind(-1)
    none = start[:, 0] + end[:, 0]
    both = start[:, :, None] + end[:, None, :]
    allowed = torch.ones_like(both, dtype=torch.bool).triu().tril(longest - 1)
    allowed[:, 0] = False
    best, place = both.masked_fill(~allowed, float("-inf")).flatten(1).max(-1)
    time = start.shape[1]
    return place // time, place % time, best - none


class Reader:
    """Points at the answer to a question in a text.

        read = Reader(model)
        read(["Who feeds the cat?"], ["Ann feeds the cat."])[0].text

    Args:
        model: a trained `SpanHead`.
    """

    def __init__(self, model: Callable[[Pairs], Tensor], longest: int = LONGEST):
        self.model, self.longest, self.tokenizer = model, longest, minilm_tokenizer()

    @torch.no_grad()
    def __call__(
        self, questions: Sequence[str], texts: Sequence[str], batch_size: int = 32
    ) -> list[Span]:
        """The best span of each text, however bad: look at its score."""
        spans = []
        for at in range(0, len(texts), batch_size):
            chosen = list(texts[at : at + batch_size])
            pairs = encode_pairs(questions[at : at + batch_size], chosen, self.tokenizer)
            logits = self.model(pairs.to(device())).cpu()
            best = (values.tolist() for values in best_spans(logits, self.longest))
            for text, offsets, first, last, score in zip(chosen, pairs.offsets.tolist(), *best):
                start, end = _whole_words(text, offsets[first][0], offsets[last][1])
                spans.append(Span(text[start:end], start, end, score))
        return spans


def new_reader() -> SpanHead:
    """MiniLM with a head that nobody has trained, and low-rank updates that do nothing yet."""
    model = SpanHead(from_pretrained("minilm"))
    apply_lora(model.body, RANK, ALPHA, TARGETS)
    return model


def save_reader(model: SpanHead, folder: Path) -> None:
    """Write the head and the updates of a `new_reader()`, in 16 bits."""
    folder.mkdir(parents=True, exist_ok=True)
    save_adapter(model.body.half(), folder / "adapter.safetensors")
    with replacing(folder / "head.safetensors") as partial:
        save_file({name: w.detach().half() for name, w in model.head.state_dict().items()}, partial)


def load_reader(folder: Path = READER) -> Reader:
    """A reader that was trained for longer, by default the one that comes with the package."""
    model = SpanHead(from_pretrained("minilm"))
    load_adapter(model.body, folder / "adapter.safetensors")
    merge_lora(model.body)
    head = {name: w.float() for name, w in load_file(folder / "head.safetensors").items()}
    model.head.load_state_dict(head)
    return Reader(model.eval().to(device()))


def chat_prompt(question: str, text: str | None = None) -> list[dict[str, str]]:
    """What a chat model is asked: to answer from a text, or from what it knows."""
    rule = "Answer in as few words as possible."
    if text is None:
        return [{"role": "system", "content": rule}, {"role": "user", "content": question}]
    rule += " Use only the text. If it does not say, answer: It does not say."
    content = f"{text}\n\nQuestion: {question}"
    return [{"role": "system", "content": rule}, {"role": "user", "content": content}]


def _whole_words(text: str, start: int, end: int) -> tuple[int, int]:
    """The piece, and the rest of a word of which it holds a part."""
    while start > 0 and text[start - 1].isalnum() and text[start].isalnum():
        start -= 1
    while end < len(text) and text[end].isalnum() and text[end - 1].isalnum():
        end += 1
    return start, end
