"""Checks of chapter 12: lengths, tracebacks, chat templates, padding, labels, spans, streams."""

import itertools
import math

import torch
import torch.nn.functional as F

from llmcourse.exercises.exercise import Case, Exercise, Mistake


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


# ------------------------------------------------------------------ 12.2

LIB = "/site-packages"
CALLBACK = [("/mine/run.py", 3), (f"{LIB}/generate.py", 90), ("/mine/streamer.py", 7),
            (f"{LIB}/text.py", 12)]  # fmt: skip


def innermost(frames, library):
    """The last of the frames that are left when the library's are taken out."""
    mine = [frame for frame in frames if frame[0][: len(library) + 1] != f"{library}/"]
    return mine[-1] if mine else None


# ------------------------------------------------------------------ 12.3


def turn(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def templated(
    messages, default, *, before="<|im_start|>", gap="\n", end="<|im_end|>\n", always_default=False,
    never_default=False, never_open=False, always_open=False, last_gap="\n",
):  # fmt: skip
    """The chat as text, in which one thing may be done wrong."""
    first = [] if messages[0]["role"] == "system" and not always_default else [("system", default)]
    lines = ([] if never_default else first) + [(m["role"], m["content"]) for m in messages]
    opened = always_open or messages[-1]["role"] != "assistant"
    text = [before + role + gap + content + end for role, content in lines]
    return "".join(text) + (f"{before}assistant{last_gap}" if opened and not never_open else "")


HELP = "You help."
ASK = [turn("user", "When?")]
TALK = [turn("user", "When?"), turn("assistant", "At noon."), turn("user", "And\nback?")]
STERN = [turn("system", "Be brief."), turn("user", "When?")]

# ------------------------------------------------------------------ 12.4


def one_by_one(logits, mask):
    rows = [row[keep.bool()][-1].argmax() for row, keep in zip(logits, mask)]
    return torch.stack(rows)


def best_at(*rows) -> torch.Tensor:
    """Logits whose largest entry, at each place, is the id given."""
    return F.one_hot(torch.tensor(rows), 6).float()


MIXED = torch.tensor([[0, 0, 1, 1], [1, 1, 1, 0], [1, 1, 1, 1]])

# ------------------------------------------------------------------ 12.5


def library_mean(logits, labels, shift=1, keep=lambda t: t != -100, mean=None):
    """Cross-entropy token by token, from log-probabilities."""
    steps = logits.shape[1] - shift
    log_p = logits[:, :steps].double().log_softmax(-1)
    wanted = labels[:, labels.shape[1] - steps :]
    nats = -log_p.gather(-1, wanted.clamp(min=0)[..., None])[..., 0]
    nats = nats * (wanted != -100)
    return mean(nats, keep(wanted)) if mean else nats.sum() / keep(wanted).sum()


def per_row(nats, kept):
    return (nats.sum(1) / kept.sum(1).clamp(min=1)).mean()


SOME = torch.tensor([[1, 2, 0, 3, 1]])
HIDDEN = torch.tensor([[-100, -100, 2, 0], [-100, 1, 3, 2]])

# ------------------------------------------------------------------ 12.6


def all_pairs(start, end, longest):
    pairs = ((i, j) for i in range(len(start)) for j in range(i, min(len(end), i + longest)))
    return max(pairs, key=lambda pair: (start[pair[0]] + end[pair[1]]).item())


def separate(start, end, longest):
    return start.argmax().item(), end.argmax().item()


def start_first(start, end, longest):
    first = start.argmax().item()
    return first, first + end[first : first + longest].argmax().item()


def spans(gap=0, limit=0, score=lambda s, e: s + e):
    """The best pair when the allowed distance is counted wrongly."""

    def best(start, end, longest):
        n = len(start)
        pairs = [(i, j) for i, j in itertools.product(range(n), repeat=2)
                 if gap <= j - i < longest + limit]  # fmt: skip
        return max(pairs, key=lambda p: score(start[p[0]], end[p[1]]).item(), default=(0, 0))

    return best


def row(*numbers: float) -> torch.Tensor:
    return torch.tensor(numbers)


# ------------------------------------------------------------------ 12.7


def safe_prefix(text: str, stop: str, finished: bool) -> str:
    """All of `text` that may be shown, decided anew from the whole of it."""
    if stop in text:
        return text[: text.index(stop)]
    waiting = 0 if finished else max(
        n for n in range(len(stop)) if n == 0 or text.endswith(stop[:n]))  # fmt: skip
    return text[: len(text) - waiting]


def streamed(pieces, stop, prefix=safe_prefix):
    shown, text = [""], ""
    for number, piece in enumerate(pieces, start=1):
        text += piece
        shown.append(prefix(text, stop, number == len(pieces)))
        if stop in text:
            break
    return [after[len(before) :] for before, after in itertools.pairwise(shown)]


def within_pieces(pieces, stop):
    shown = []
    for piece in pieces:
        shown.append(piece.split(stop)[0])
        if stop in piece:
            break
    return shown


def never_flushed(text, stop, finished):
    return safe_prefix(text, stop, False)


def shown_at_once(text, stop, finished):
    return text[: text.index(stop)] if stop in text else text


def holds_always(text, stop, finished):
    if stop in text:
        return text[: text.index(stop)]
    return text if finished else text[: max(0, len(text) - len(stop) + 1)]


def shortest_held(text, stop, finished):
    if stop in text:
        return text[: text.index(stop)]
    waiting = 0 if finished else next(
        (n for n in range(1, len(stop)) if text.endswith(stop[:n])), 0)  # fmt: skip
    return text[: len(text) - waiting]


def with_stop(text, stop, finished):
    if stop in text:
        return text[: text.index(stop) + len(stop)]
    return safe_prefix(text, stop, finished)


EXERCISES = (
    Exercise(
        id="12.1",
        title="Four counts",
        level="easy",
        minutes=5,
        hints=(
            "One of the two arguments counts the prompt in, the other does not.",
            "max_length is the length of the whole row; max_new_tokens is added to the prompt.",
            "[50 - 12, 12 + 50, 4 * 3, ...]. The prompt and one new token fill 50: how long is it?",
        ),
        cases=(
            Case((), "the answer has four numbers: new tokens, length, rows, longest prompt.",
                 [38, 62, 12, 49]),
        ),
        mistakes=(
            Mistake([50, 62, 12, 49], "taking max_length for the new tokens. It counts the prompt "
                    "in: 12 of the 50 are there already."),
            Mistake([50, 50, 12, 49], "exchanging the two: max_length counts the prompt in, "
                    "max_new_tokens comes on top of it."),
            Mistake([38, 50, 12, 49], "taking max_new_tokens for the whole length. The prompt "
                    "comes on top of it."),
            Mistake([38, 62, 3, 49], "forgetting that each of the 4 prompts gets its 3 endings."),
            Mistake([38, 62, 4, 49], "counting the prompts. Each of them gets 3 endings."),
            Mistake([38, 62, 7, 49], "adding prompts and endings. Each prompt gets 3."),
            Mistake([38, 62, 12, 50], "leaving no room for a new token: the row may not be longer "
                    "than 50."),
        ),
    ),
    Exercise(
        id="12.2",
        title="Where you come in",
        level="easy",
        minutes=8,
        call="own_line(frames, library)",
        hints=(
            "The innermost call comes last. From which end do you look?",
            "Go through the list backwards, and return the first pair whose file is not in the "
            "folder. A folder's name is not enough: /libs2 begins with /libs.",
            "for file, line in reversed(frames): if not file.startswith(library + '/'): return "
            "... And after the loop?",
        ),
        reference=innermost,
        cases=(
            Case(([("/mine/run.py", 3)], LIB), "a single frame, and it is yours.",
                 ("/mine/run.py", 3)),
            Case(([("/mine/run.py", 3), (f"{LIB}/generate.py", 90)], LIB), "you called the "
                 "library, and it failed inside.", ("/mine/run.py", 3)),
            Case(([("/mine/run.py", 3), ("/mine/model.py", 8), (f"{LIB}/linear.py", 5)], LIB),
                 "two frames are yours: the deeper one is nearer to the mistake.",
                 ("/mine/model.py", 8)),
            Case((CALLBACK, LIB), "the library called back into your streamer: that is the deepest "
                 "frame of yours.", ("/mine/streamer.py", 7)),
            Case(([(f"{LIB}/a.py", 1), (f"{LIB}/b.py", 2)], LIB), "no frame is yours: return None.",
                 None),
            Case(([], LIB), "no frames at all: return None.", None),
            Case(([("/mine/run.py", 3), (f"{LIB}-mine/tool.py", 4)], LIB), "a folder whose name "
                 "only begins like the library's is not the library.", (f"{LIB}-mine/tool.py", 4)),
            Case(([(f"/mine{LIB}/mine.py", 4), (f"{LIB}/b.py", 2)], LIB), "the library's name in "
                 "the middle of a path does not make the file the library's.",
                 (f"/mine{LIB}/mine.py", 4)),
        ),
        mistakes=(
            Mistake(lambda frames, lib: frames[-1] if frames else None, "returning the last frame, "
                    "which is the library's. Go up to your own."),
            Mistake(lambda frames, lib: frames[0] if frames else None, "returning the first "
                    "frame. The deepest one of yours is nearer to the mistake."),
            Mistake(lambda frames, lib: next((f for f in frames if not f[0].startswith(lib + "/")),
                                             None), "returning the outermost line of yours. The "
                    "deepest one is nearer to the mistake."),
            Mistake(lambda frames, lib: next((f for f in reversed(frames) if lib + "/" not in f[0]),
                                             None), "looking for the library's name anywhere in "
                    "the path. It stands at the beginning."),
            Mistake(lambda frames, lib: next((f for f in reversed(frames)
                                              if not f[0].startswith(lib)), None),
                    "taking a folder whose name only begins like the library's for "
                    "the library: mind the slash."),
            Mistake(lambda frames, lib: next((f for f in reversed(frames)
                                              if f[0].startswith(lib + "/")), None), "returning a "
                    "line of the library."),
        ),
    ),
    Exercise(
        id="12.3",
        title="A template by hand",
        level="medium",
        minutes=12,
        call="chat_text(messages, default)",
        hints=(
            "Three parts: perhaps a system message, then all messages in the same form, then "
            "perhaps an open turn.",
            "Make a new list that begins with the system message if the first one is none. Write "
            "each message out, join them, and look at the role of the last.",
            "f'<|im_start|>{role}\\n{content}<|im_end|>\\n' for each message; at the end "
            "'<|im_start|>assistant\\n', unless ... which role?",
        ),
        reference=templated,
        cases=(
            Case((ASK, HELP), "one question: the default system message, the question, and the "
                 "open turn of the assistant."),
            Case((STERN, HELP), "there is a system message already: keep that one, and add none."),
            Case((TALK, HELP), "three turns; a content may hold a line break of its own."),
            Case((TALK[:2], HELP), "the last message is the assistant's: open no other turn."),
            Case(([*STERN, turn("assistant", "Noon.")], HELP), "a system message first, the "
                 "assistant's last: nothing is added."),
            Case(([turn("user", "")], HELP), "an empty question is written out like any other."),
            Case(([turn("user", "a"), turn("system", "b")], "c"), "a system message that is not "
                 "the first does not replace the default."),
        ),
        mistakes=(
            Mistake(lambda m, d: templated(m, d, never_default=True), "leaving out the default "
                    "system message."),
            Mistake(lambda m, d: templated(m, d, always_default=True), "adding the default though "
                    "there is a system message already."),
            Mistake(lambda m, d: templated(m, d, never_open=True), "not opening the assistant's "
                    "turn: the model would go on as the user."),
            Mistake(lambda m, d: templated(m, d, always_open=True), "opening a turn after the "
                    "assistant's own."),
            Mistake(lambda m, d: templated(m, d, gap=" "), "putting a space for the line break "
                    "after the role."),
            Mistake(lambda m, d: templated(m, d, gap=""), "forgetting the line break after the "
                    "role."),
            Mistake(lambda m, d: templated(m, d, end="<|im_end|>"), "forgetting the line break "
                    "after <|im_end|>."),
            Mistake(lambda m, d: templated(m, d, end="\n<|im_end|>\n"), "putting a line break "
                    "before <|im_end|>."),
            Mistake(lambda m, d: templated(m, d, end="\n"), "not closing the turns with "
                    "<|im_end|>."),
            Mistake(lambda m, d: templated(m, d, last_gap=""), "forgetting the line break after "
                    "the last 'assistant'."),
            Mistake(lambda m, d: templated(m, d, gap=": "), "inventing a form of your own: role "
                    "and content are parted by a line break."),
        ),
    ),
    Exercise(
        id="12.4",
        title="The next token of each row",
        level="medium",
        minutes=12,
        call="next_ids(logits, mask)",
        hints=(
            "In each row you need one place: that of the last 1 in the mask.",
            "Number the places 0, 1, 2, ...; where the mask is 0, let the number be 0. The largest "
            "one in a row is the place.",
            "last = (torch.arange(mask.shape[1]) * mask).argmax(dim=-1); then logits[..., last]. "
            "How do you pick another place in each row?",
        ),
        reference=one_by_one,
        cases=(
            Case((best_at([1, 2, 3]), torch.ones(1, 3, dtype=torch.long)), "no padding: the last "
                 "place.", torch.tensor([3])),
            Case((best_at([5, 2, 3], [1, 4, 2]), torch.tensor([[1, 1, 1], [0, 1, 1]])), "padding "
                 "on the left: the last place is real in both rows.", torch.tensor([3, 2])),
            Case((best_at([5, 2, 3], [1, 4, 2]), torch.tensor([[1, 1, 0], [1, 1, 1]])), "padding "
                 "on the right in the first row: its last real token is the second.",
                 torch.tensor([2, 2])),
            Case((best_at([5, 4, 3, 2], [1, 4, 2, 0], [0, 1, 2, 5]), MIXED), "one row padded on "
                 "the left, one on the right, one full.", torch.tensor([2, 2, 5])),
            Case((best_at([5, 4, 3]), torch.tensor([[1, 0, 0]])), "a single real token, the first.",
                 torch.tensor([5])),
            Case((-best_at([5, 4, 3]) - 1 + 0.5 * best_at([2, 2, 1]), torch.tensor([[1, 1, 0]])),
                 "logits may be negative: what is padded must not win with a 0.",
                 torch.tensor([2])),
            Case((normal(3, 4, 50), MIXED), "fifty tokens to choose from."),
        ),
        mistakes=(
            Mistake(lambda x, m: x[:, -1].argmax(-1), "reading the last place of every row. Where "
                    "the padding is on the right, that is filling."),
            Mistake(lambda x, m: x[torch.arange(len(x)), m.sum(1) - 1].argmax(-1), "counting the "
                    "real tokens. That gives the place only if they begin at 0, and padding on "
                    "the left moves them."),
            Mistake(lambda x, m: x[torch.arange(len(x)), m.argmax(1)].argmax(-1), "reading the "
                    "first real token: argmax finds the first 1."),
            Mistake(lambda x, m: (x * m[..., None]).sum(1).argmax(-1), "adding up all places."),
            Mistake(lambda x, m: (x * m[..., None])[:, -1].argmax(-1), "setting the padding to 0 "
                    "and reading the last place all the same."),
            Mistake(lambda x, m: (x * m[..., None]).argmax(-1), "giving a token for every place. "
                    "One for each row is wanted."),
            Mistake(lambda x, m: (x * m[..., None]).amax(1).argmax(-1), "taking the largest logit "
                    "of the whole row."),
            Mistake(lambda x, m: x[torch.arange(len(x)), (m.sum(1) - 2)].argmax(-1), "one place "
                    "too far to the left."),
        ),
    ),
    Exercise(
        id="12.5",
        title="The library's loss",
        level="medium",
        minutes=12,
        call="library_loss(logits, labels)",
        hints=(
            "The logits at place t are about the label at place t + 1.",
            "Drop the last place of the logits and the first of the labels. F.cross_entropy knows "
            "how to pass over -100, and how to average over the rest.",
            "F.cross_entropy(logits[:, :-1].flatten(0, 1), ..., ignore_index=-100). Which labels "
            "are left, in which shape?",
        ),
        reference=library_mean,
        cases=(
            Case((torch.zeros(1, 2, 4), torch.tensor([[0, 3]])), "all logits equal: the loss is "
                 "the logarithm of the vocabulary's size.", math.log(4)),
            Case((6 * F.one_hot(torch.tensor([[2, 0, 3, 1, 0]]), 4).float(), SOME), "the logits "
                 "favour the next label at each place: the loss is close to 0."),
            Case((normal(1, 5, 4), SOME), "five tokens, four predictions."),
            Case((normal(2, 4, 4), HIDDEN), "labels of -100 are passed over, and do not count in "
                 "the mean."),
            Case((normal(2, 4, 4, seed=3), torch.tensor([[1, -100, -100, 2], [1, 2, 3, 0]])), "one "
                 "row predicts one token, the other three: each token counts the same."),
            Case((normal(3, 6, 9), torch.randint(9, (3, 6),
                  generator=torch.Generator().manual_seed(0))), "three rows of six."),
        ),
        mistakes=(
            Mistake(lambda x, y: library_mean(x, y, shift=0), "not shifting: place t is about the "
                    "label at t + 1."),
            Mistake(lambda x, y: library_mean(x, y, shift=min(2, y.shape[1] - 1)), "shifting by "
                    "two. That is the loss of labels that were shifted before."),
            Mistake(lambda x, y: library_mean(x, y, keep=torch.ones_like), "counting the labels of "
                    "-100 in the mean."),
            Mistake(lambda x, y: library_mean(x, y, mean=per_row), "averaging each row first. "
                    "Every token counts the same, wherever it stands."),
            Mistake(lambda x, y: library_mean(x, y, mean=lambda nats, kept: nats.sum()), "adding "
                    "up. The mean is wanted."),
            Mistake(lambda x, y: library_mean(x, y) / math.log(2), "giving bits. The loss is in "
                    "nats."),
            Mistake(lambda x, y: F.cross_entropy(x[:, 1:].flatten(0, 1), y[:, :-1].flatten()),
                    "shifting the wrong way: logits of a later place, label of an earlier."),
            Mistake(lambda x, y: -library_mean(x, y), "forgetting the minus sign."),
            Mistake(lambda x, y: library_mean(x, y).exp(), "giving the perplexity."),
        ),
    ),
    Exercise(
        id="12.6",
        title="The best span",
        level="hard",
        minutes=15,
        call="best_pair(start, end, longest)",
        hints=(
            "How many pairs are there? Few enough to look at all of them.",
            "Put all sums into a table, start down and end across, and rule out the pairs with "
            "last < first and those that are too long. With what do you overwrite a sum that may "
            "be negative?",
            "total = start[:, None] + end[None, :]; fill with -math.inf where last - first is "
            "below 0 or ...; then divmod(total.argmax().item(), len(end)). From which distance on "
            "is a span longer than `longest` tokens?",
        ),
        reference=all_pairs,
        cases=(
            Case((row(1.0, 0.0), row(0.0, 2.0), 2), "the best start and the best end, in order.",
                 (0, 1)),
            Case((row(0.0, 3.0), row(1.0, 0.0), 2), "the best end lies before the best start: they "
                 "are no pair.", (1, 1)),
            Case((row(3.0, 0.0, 0.0), row(0.0, 1.0, 3.0), 2), "at most 2 tokens: 0 to 2 would be "
                 "three.", (0, 1)),
            Case((row(3.0, 0.0, 0.0), row(0.0, 1.0, 3.0), 3), "at most 3 tokens: 0 to 2 is just "
                 "allowed.", (0, 2)),
            Case((row(2.0, 1.9, -5.0), row(-9.0, -9.0, 4.0), 2), "the best start has no good end "
                 "within reach; the second best has.", (1, 2)),
            Case((row(-4.0, -3.0, -5.0), row(-2.0, -6.0, -7.0), 2), "all logits are negative: what "
                 "is not allowed must not win with a 0.", (0, 0)),
            Case((row(0.0, 5.0, 1.0), row(4.0, 0.0, 1.0), 1), "answers of one token only.", (1, 1)),
            Case((row(-1.0, -2.0, -8.0), row(-9.0, -3.0, -1.0), 3), "sums, not products: two "
                 "negative logits do not make a good pair.", (0, 2)),
            *(Case((normal(12, seed=s), normal(12, seed=s + 50), 4), "twelve tokens at random.")
              for s in range(6)),
            Case((normal(40, seed=7), normal(40, seed=8), 60), "the limit exceeds the text."),
        ),
        mistakes=(
            Mistake(separate, "choosing start and end each by itself. They have to be a pair."),
            Mistake(start_first, "choosing the best start, then an end for it. Another start may "
                    "have the better pair."),
            Mistake(spans(gap=-99), "allowing an end before its start."),
            Mistake(spans(gap=1), "forbidding answers of one token: first and last may be equal."),
            Mistake(spans(limit=1), "allowing one token too many: from first to last there are "
                    "last - first + 1."),
            Mistake(spans(limit=-1), "allowing one token too few: from first to last there are "
                    "last - first + 1."),
            Mistake(spans(limit=999), "ignoring the limit."),
            Mistake(spans(score=lambda s, e: s * e), "multiplying logits. They add up."),
            Mistake(spans(score=torch.maximum), "taking the larger of the two logits."),
        ),
    ),
    Exercise(
        id="12.7",
        title="Stop at a word, while streaming",
        level="hard",
        minutes=20,
        call="stream(pieces, stop)",
        hints=(
            "What you have not shown yet is all you need to remember. When is a letter of it safe?",
            "Hold back the longest end of the text that is also a beginning of `stop`, but not all "
            "of `stop`. At the last piece, hold back nothing.",
            "keep = max((n for n in range(1, len(stop)) if held.endswith(stop[:n])), default=0). "
            "Show all but the last `keep` letters. What changes when `stop in held`?",
        ),
        reference=streamed,
        cases=(
            Case((["The ", "ferry"], "END"), "no stop, and nothing that looks like one.",
                 ["The ", "ferry"]),
            Case((["at noon.END", " and"], "END"), "the stop is inside a piece: show what is "
                 "before it, and end there.", ["at noon."]),
            Case((["noon.E", "ND", "x"], "END"), "the stop falls across two pieces: its E must not "
                 "have been shown.", ["noon.", ""]),
            Case((["noon.E", "ast"], "END"), "an E that is not the beginning of the stop: it is "
                 "shown with the next piece.", ["noon.", "East"]),
            Case((["a", "b", "E"], "END"), "the text is over: what was held back is shown.",
                 ["a", "b", "E"]),
            Case((["E", "N", "D"], "END"), "letter by letter.", ["", "", ""]),
            Case((["aa", "b"], "aaab"), "after 'aa' both letters could be the beginning of the "
                 "stop.", ["", "aab"]),
            Case((["aaa", "ab", "c"], "aab"), "after 'aaa' the first a is safe; 'aab' is then "
                 "completed.", ["a", "a"]),
            Case((["x\n", "\n", "y"], "\n\n"), "a stop of two line breaks.", ["x", ""]),
            Case((["one|two|", "three"], "|"), "two stops in a piece: the first one counts.",
                 ["one"]),
            Case(([], "END"), "no pieces, nothing to show.", []),
            Case((["", "E", "", "ND"], "END"), "pieces may be empty.", ["", "", "", ""]),
            Case((["abab", "abc", "d"], "ababc"), "the longest possible beginning is held back, "
                 "and turns out to be one that starts later.", ["", "ab"]),
        ),
        mistakes=(
            Mistake(within_pieces, "looking for the stop in each piece by itself. It may fall "
                    "across pieces."),
            Mistake(lambda p, s: streamed(p, s, shown_at_once), "showing a beginning of the stop "
                    "before you know how it goes on."),
            Mistake(lambda p, s: streamed(p, s, never_flushed), "never showing what was held back, "
                    "when the text is over."),
            Mistake(lambda p, s: streamed(p, s, holds_always), "always holding back as many "
                    "letters as the stop might need. Hold back only what could be its beginning."),
            Mistake(lambda p, s: streamed(p, s, shortest_held), "holding back the shortest "
                    "possible beginning. Take the longest."),
            Mistake(lambda p, s: streamed(p, s, with_stop), "showing the stop itself."),
            Mistake(lambda p, s: ["".join(p).split(s)[0]], "waiting for the whole text. Show each "
                    "piece as early as is safe."),
            Mistake(lambda p, s: list(p), "showing everything, stop or no stop."),
        ),
    ),
)
