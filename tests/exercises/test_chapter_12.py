"""The checks of chapter 12 tell wrong answers from right ones."""

import math
import os

import pytest
import torch
import torch.nn.functional as F

from llmcourse.exercises.chapter_12 import (
    holds_always,
    library_mean,
    never_flushed,
    per_row,
    separate,
    shortest_held,
    shown_at_once,
    spans,
    start_first,
    streamed,
    templated,
    with_stop,
    within_pieces,
)
from llmcourse.exercises.exercise import find
from tests.exercises.answers import (
    assert_accepted,
    assert_enough_answers,
    assert_rejected,
    decorators,
    parametrised,
)

WRONG, RIGHT = [], []
wrong, right = decorators(WRONG, RIGHT)

# ------------------------------------------------------------------ 12.1 four counts

wrong("12.1", "max_length is new tokens", "It counts the prompt in")([50, 62, 12, 49])
wrong("12.1", "the two exchanged", "exchanging the two")([50, 50, 12, 49])
wrong("12.1", "max_new_tokens is all", "The prompt comes on top")([38, 50, 12, 49])
wrong("12.1", "three rows", "each of the 4 prompts gets its 3")([38, 62, 3, 49])
wrong("12.1", "four rows", "counting the prompts")([38, 62, 4, 49])
wrong("12.1", "seven rows", "adding prompts and endings")([38, 62, 7, 49])
wrong("12.1", "a prompt of 50", "leaving no room")([38, 62, 12, 50])
wrong("12.1", "three numbers", "4 numbers are wanted, and you give 3")([38, 62, 12])
right("12.1", "numbers")([38, 62, 12, 49])
right("12.1", "expressions, in a tuple")((50 - 12, 50 + 12, 3 * 4, 50 - 1))

# ------------------------------------------------------------------ 12.2 where you come in


def last_where(keep):
    def own_line(frames, library):
        mine = [frame for frame in frames if keep(frame[0], library)]
        return mine[-1] if mine else None

    return own_line


wrong("12.2", "the last frame", "which is the library's")(lambda f, lib: f[-1] if f else None)
wrong("12.2", "the first frame", "returning the first frame")(lambda f, lib: f[0] if f else None)
wrong("12.2", "the outermost of mine", "The deepest one is nearer")(
    lambda f, lib: next((x for x in f if not x[0].startswith(lib + "/")), None)
)
wrong("12.2", "name anywhere in the path", "It stands at the beginning")(
    last_where(lambda file, lib: lib + "/" not in file)
)
wrong("12.2", "no slash", "mind the slash")(last_where(lambda file, lib: not file.startswith(lib)))
wrong("12.2", "the library's line", "you return None")(
    last_where(lambda file, lib: file.startswith(lib + "/"))
)
wrong("12.2", "only the file", "a single frame")(
    lambda f, lib: (last_where(lambda x, y: not x.startswith(y + "/"))(f, lib) or [None])[0]
)
wrong("12.2", "fails without frames of mine", "no frame is yours")(
    lambda f, lib: [x for x in f if not x[0].startswith(lib + "/")][-1]
)
right("12.2", "a list")(last_where(lambda file, lib: not file.startswith(lib + "/")))


@right("12.2", "a loop backwards")
def _(frames, library):
    for file, line in reversed(frames):
        if not file.startswith(library.rstrip("/") + "/"):
            return file, line


# ------------------------------------------------------------------ 12.3 a template

SETTINGS = [
    ("no default", "leaving out the default", {"never_default": True}),
    ("default always", "though there is a system message already", {"always_default": True}),
    ("turn not opened", "the model would go on as the user", {"never_open": True}),
    ("turn opened always", "after the assistant's own", {"always_open": True}),
    ("a space after the role", "a space for the line break", {"gap": " "}),
    ("nothing after the role", "forgetting the line break after the role", {"gap": ""}),
    ("a colon", "inventing a form of your own", {"gap": ": "}),
    ("no line break at the end", "line break after <|im_end|>", {"end": "<|im_end|>"}),
    ("one too many", "before <|im_end|>", {"end": "\n<|im_end|>\n"}),
    ("not closed", "not closing the turns", {"end": "\n"}),
    ("open turn without line break", "after the last 'assistant'", {"last_gap": ""}),
]  # fmt: skip
for name, says, settings in SETTINGS:
    wrong("12.3", name, says)(lambda m, d, settings=settings: templated(m, d, **settings))


@wrong("12.3", "changes the messages", "chang")
def _(messages, default):
    if messages[0]["role"] != "system":
        messages.insert(0, {"role": "system", "content": default})
    return templated(messages, default)


@wrong("12.3", "a system message anywhere will do", "is not the first")
def _(messages, default):
    has_one = any(m["role"] == "system" for m in messages)
    return templated(messages, default, never_default=has_one)


@right("12.3", "a loop")
def _(messages, default):
    text = ""
    if messages[0]["role"] != "system":
        text = "<|im_start|>system\n" + default + "<|im_end|>\n"
    for message in messages:
        text += "<|im_start|>" + message["role"] + "\n" + message["content"] + "<|im_end|>\n"
    return text if messages[-1]["role"] == "assistant" else text + "<|im_start|>assistant\n"


right("12.3", "pieces joined")(templated)

# ------------------------------------------------------------------ 12.4 the next token


def at(place):
    return lambda x, m: x[torch.arange(len(x)), place(m)].argmax(-1)


wrong("12.4", "the last place", "that is filling")(lambda x, m: x[:, -1].argmax(-1))
wrong("12.4", "by counting", "padding on the left moves them")(at(lambda m: m.sum(1) - 1))
wrong("12.4", "the first real token", "argmax finds the first 1")(at(lambda m: m.argmax(1)))
wrong("12.4", "sum over places", "adding up all places")(
    lambda x, m: (x * m[..., None]).sum(1).argmax(-1)
)
wrong("12.4", "padding set to 0", "reading the last place all the same")(
    lambda x, m: (x * m[..., None])[:, -1].argmax(-1)
)
wrong("12.4", "all places", "the shape is (1, 3)")(lambda x, m: x.argmax(-1))
wrong("12.4", "the largest of the row", "of the whole row")(
    lambda x, m: (x * m[..., None]).amax(1).argmax(-1)
)
wrong("12.4", "one too far left", "one place too far")(at(lambda m: m.sum(1) - 2))
wrong("12.4", "the logit itself", "")(lambda x, m: x[:, -1].amax(-1))
right("12.4", "numbered places")(at(lambda m: (torch.arange(m.shape[1]) * m).argmax(-1)))
right("12.4", "from the right")(at(lambda m: m.shape[1] - 1 - m.flip(1).argmax(1)))


@right("12.4", "a loop")
def _(logits, mask):
    found = []
    for i in range(len(logits)):
        place = max(t for t in range(mask.shape[1]) if mask[i, t])
        found.append(int(logits[i, place].argmax()))
    return torch.tensor(found)


# ------------------------------------------------------------------ 12.5 the loss

wrong("12.5", "not shifted", "not shifting")(lambda x, y: library_mean(x, y, shift=0))
wrong("12.5", "shifted twice", "shifting by two")(
    lambda x, y: (
        F.cross_entropy(x[:, :-2].flatten(0, 1), y[:, 2:].flatten())
        if y.shape[1] > 2
        else torch.tensor(math.log(4))
    )
)
wrong("12.5", "ignored ones counted", "in the mean")(
    lambda x, y: library_mean(x, y, keep=torch.ones_like)
)
wrong("12.5", "mean of rows", "averaging each row first")(
    lambda x, y: library_mean(x, y, mean=per_row)
)
wrong("12.5", "a sum", "The mean is wanted")(
    lambda x, y: F.cross_entropy(
        x[:, :-1].flatten(0, 1), y[:, 1:].flatten(), reduction="sum"
    )
)  # fmt: skip
wrong("12.5", "bits", "The loss is in nats")(lambda x, y: library_mean(x, y) / math.log(2))
wrong("12.5", "the wrong way", "shifting the wrong way")(
    lambda x, y: F.cross_entropy(x[:, 1:].flatten(0, 1), y[:, :-1].flatten())
)
wrong("12.5", "no minus", "forgetting the minus sign")(lambda x, y: -library_mean(x, y))
wrong("12.5", "perplexity", "giving the perplexity")(lambda x, y: library_mean(x, y).exp())
right("12.5", "flattened")(
    lambda x, y: F.cross_entropy(x[:, :-1].flatten(0, 1), y[:, 1:].flatten(), ignore_index=-100)
)
right("12.5", "classes in the second axis")(
    lambda x, y: F.cross_entropy(x[:, :-1].transpose(1, 2), y[:, 1:])
)
right("12.5", "by log-softmax, as a float")(lambda x, y: library_mean(x, y).item())

# ------------------------------------------------------------------ 12.6 spans

wrong("12.6", "each by itself", "They have to be a pair")(separate)
wrong("12.6", "start first", "Another start may")(start_first)
wrong("12.6", "end before start", "allowing an end before its start")(spans(gap=-99))
wrong("12.6", "no single tokens", "forbidding answers of one token")(spans(gap=1))
wrong("12.6", "one too long", "one token too many")(spans(limit=1))
wrong("12.6", "one too short", "one token too few")(spans(limit=-1))
wrong("12.6", "no limit", "ignoring the limit")(spans(limit=999))
wrong("12.6", "product", "multiplying logits")(spans(score=lambda s, e: s * e))
wrong("12.6", "larger of the two", "the larger of the two")(spans(score=torch.maximum))


@wrong("12.6", "zeros for what is not allowed", "must not win with a 0")
def _(start, end, longest):
    total = (start[:, None] + end).triu().tril(longest - 1)
    return divmod(total.argmax().item(), len(end))


@wrong("12.6", "exclusive end", "the best start and the best end")
def _(start, end, longest):
    first, last = spans()(start, end, longest)
    return first, last + 1


right("12.6", "all pairs")(spans())


@right("12.6", "a table")
def _(start, end, longest):
    total = start[:, None] + end[None, :]
    allowed = torch.ones_like(total).triu().tril(longest - 1).bool()
    return divmod(total.masked_fill(~allowed, -math.inf).argmax().item(), len(end))


@right("12.6", "probabilities")
def _(start, end, longest):
    total = torch.outer(start.double().softmax(0), end.double().softmax(0))
    return divmod(total.triu().tril(longest - 1).argmax().item(), len(end))


# ------------------------------------------------------------------ 12.7 streaming

wrong("12.7", "piece by piece", "It may fall across pieces")(within_pieces)
wrong("12.7", "nothing held back", "before you know how it goes on")(
    lambda p, s: streamed(p, s, shown_at_once)
)
wrong("12.7", "never flushed", "when the text is over")(lambda p, s: streamed(p, s, never_flushed))
wrong("12.7", "always held back", "Hold back only what could be")(
    lambda p, s: streamed(p, s, holds_always)
)
wrong("12.7", "shortest held back", "Take the longest")(lambda p, s: streamed(p, s, shortest_held))
wrong("12.7", "with the stop", "showing the stop itself")(lambda p, s: streamed(p, s, with_stop))
wrong("12.7", "all at once", "waiting for the whole text")(lambda p, s: ["".join(p).split(s)[0]])
wrong("12.7", "no stop", "stop or no stop")(lambda p, s: list(p))
wrong("12.7", "goes on after the stop", "")(lambda p, s: streamed(p, s) + p[len(streamed(p, s)) :])
right("12.7", "from the whole text")(streamed)


@right("12.7", "what is held")
def _(pieces, stop):
    shown, held = [], ""
    for number, piece in enumerate(pieces):
        held += piece
        before, found, _ = held.partition(stop)
        if found:
            return [*shown, before]
        keep = 0
        if number < len(pieces) - 1:
            keep = max((n for n in range(1, len(stop)) if held.endswith(stop[:n])), default=0)
        cut = len(held) - keep
        shown.append(held[:cut])
        held = held[cut:]
    return shown


# ------------------------------------------------------------------


@parametrised(WRONG)
def test_wrong_answer_is_rejected(given):
    assert_rejected(given)


@parametrised(RIGHT)
def test_right_answer_is_accepted(given):
    assert_accepted(given)


def test_every_exercise_has_enough_answers():
    assert_enough_answers(12, WRONG, RIGHT)


def test_the_loss_is_the_librarys():
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    transformers = pytest.importorskip("transformers")
    config = transformers.LlamaConfig(
        vocab_size=20, hidden_size=8, intermediate_size=16, num_hidden_layers=1,
        num_attention_heads=2,
    )  # fmt: skip
    model = transformers.LlamaForCausalLM(config)
    ids = torch.randint(20, (2, 7))
    labels = ids.masked_fill(torch.rand(2, 7) < 0.3, -100)
    with torch.no_grad():
        output = model(ids, labels=labels)
    mine = find("12.5").reference(output.logits, labels)
    torch.testing.assert_close(mine.float(), output.loss)
