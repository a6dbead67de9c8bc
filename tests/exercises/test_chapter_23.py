"""The checks of chapter 23 tell wrong answers from right ones."""

import re

import torch
import torch.nn.functional as F

from llmcourse.exercises.chapter_23 import calls_by_hand, folded, mask_by_loop, weights_by_rows
from tests.exercises.answers import (
    assert_accepted,
    assert_enough_answers,
    assert_rejected,
    decorators,
    parametrised,
)

WRONG, RIGHT = [], []
wrong, right = decorators(WRONG, RIGHT)

# ------------------------------------------------------------------ 23.1 a photograph

wrong("23.1", "one side", "counting along one side only")([14, 768, 589824, 16])
wrong("23.1", "no colours", "A pixel has three")([196, 256, 196608, 16])
wrong("23.1", "tokens, not pairs", "each with each")([196, 768, 589824, 4])
wrong("23.1", "one direction", "in one direction")([196, 768, 589824, 2])
wrong("23.1", "patches of 4", "4 by 4 pixels")([3136, 768, 589824, 16])
wrong("23.1", "three numbers", "4 numbers are wanted, and you give 3")([196, 768, 16])
right("23.1", "products")([14 * 14, 3 * 256, 768 * 768, 4**2])
right("23.1", "a tensor")(torch.tensor([196, 768, 589824, 16]))

# ------------------------------------------------------------------ 23.2 unpatch

wrong("23.2", "view", "looks shredded")(
    lambda t, height, width, size: t.reshape(len(t), 3, height, width)
)


@wrong("23.2", "column by column", "they come row by row")
def _(tokens, height, width, size):
    grid = tokens.view(len(tokens), width // size, height // size, 3, size, size)
    return grid.permute(0, 3, 2, 4, 1, 5).reshape(len(tokens), 3, height, width)


@wrong("23.2", "colours together", "all of the first colour come first")
def _(tokens, height, width, size):
    grid = tokens.view(len(tokens), height // size, width // size, size, size, 3)
    return grid.permute(0, 5, 1, 3, 2, 4).reshape(len(tokens), 3, height, width)


@wrong("23.2", "turned", "rows and columns within it are swapped")
def _(tokens, height, width, size):
    return folded(tokens, height, width, size).clone().view(
        len(tokens), 3, height // size, size, width // size, size
    ).transpose(3, 5).reshape(len(tokens), 3, height, width)  # fmt: skip


wrong("23.2", "height and width swapped", "")(
    lambda t, height, width, size: folded(t, height, width, size).transpose(2, 3)
)
wrong("23.2", "one picture", "")(lambda t, h, w, size: folded(t[:1], h, w, size)[0])


@right("23.2", "a loop")
def _(tokens, height, width, size):
    pixels, n_columns = torch.empty(len(tokens), 3, height, width), width // size
    for i in range(tokens.shape[1]):
        y, x = i // n_columns * size, i % n_columns * size
        part = tokens[:, i].reshape(-1, 3, size, size)
        pixels[:, :, y : y + size, x : x + size] = part
    return pixels


@right("23.2", "axes")
def _(tokens, height, width, size):
    grid = tokens.view(len(tokens), height // size, width // size, 3, size, size)
    return grid.permute(0, 3, 1, 4, 2, 5).reshape(len(tokens), 3, height, width)


# ------------------------------------------------------------------ 23.3 the mask


@wrong("23.3", "kinds alone", "the future leaks in")
def _(kinds):
    kinds = torch.tensor(kinds)
    causal = torch.ones(len(kinds), len(kinds), dtype=torch.bool).tril()
    return causal | (kinds[:, None] == kinds[None, :])


wrong("23.3", "causal", "does not see the later patches")(
    lambda kinds: torch.ones(len(kinds), len(kinds), dtype=torch.bool).tril()
)


@wrong("23.3", "patches closed in", "everything before it as well")
def _(kinds):
    n = len(kinds)
    return torch.tensor(
        [[kinds[c] == kinds[r] if kinds[r] else c <= r for c in range(n)] for r in range(n)]
    )


@wrong("23.3", "pictures are one", "taking all pictures for one")
def _(kinds):
    kinds = torch.tensor(kinds) > 0
    causal = torch.ones(len(kinds), len(kinds), dtype=torch.bool).tril()
    return causal | (kinds[:, None] & kinds[None, :])


wrong("23.3", "inverted", "swapping True and False")(lambda kinds: ~mask_by_loop(kinds))
wrong("23.3", "transposed", "swapping rows and columns")(lambda kinds: mask_by_loop(kinds).T)
wrong("23.3", "all", "")(lambda kinds: torch.ones(len(kinds), len(kinds), dtype=torch.bool))


@right("23.3", "one line")
def _(kinds):
    k = torch.as_tensor(kinds)
    same = (k[:, None] == k) & (k > 0)
    return same | torch.ones(len(k), len(k), dtype=torch.bool).tril()


@right("23.3", "a loop")
def _(kinds):
    n = len(kinds)
    rows = [[c <= r or (kinds[r] == kinds[c] != 0) for c in range(n)] for r in range(n)]
    return torch.tensor(rows)


# ------------------------------------------------------------------ 23.4 the calculator

CALL = r"\[([0-9]{1,6}) ([+*-]) ([0-9]{1,6})\]"


def result(match):
    a, b = int(match[1]), int(match[3])
    return str({"+": a + b, "-": a - b, "*": a * b}[match[2]])


@wrong("23.4", "eval", "")
def _(text):
    def run(match):
        try:
            return str(eval(match[1], {"__builtins__": {}}))
        except Exception:
            return match[0]

    return re.sub(r"\[([^\]]*)\]", run, text)


wrong("23.4", "any number", "one to six of 0 to 9")(
    lambda text: re.sub(r"\[(\d+) ([+*-]) (\d+)\]", result, text)
)
wrong("23.4", "other digits", "digits of other scripts")(
    lambda text: re.sub(r"\[(\d{1,6}) ([+*-]) (\d{1,6})\]", result, text)
)
wrong("23.4", "any space", "exactly one space")(
    lambda text: re.sub(r"\[([0-9]{1,6})\s*([+*-])\s*([0-9]{1,6})\]", result, text)
)
wrong("23.4", "twice", "part of another call")(
    lambda text: re.sub(CALL, result, re.sub(CALL, result, text))
)
wrong("23.4", "brackets kept", "")(lambda text: re.sub(CALL, lambda m: f"[{result(m)}]", text))
wrong("23.4", "the first alone", "two calls")(lambda text: re.sub(CALL, result, text, count=1))


@wrong("23.4", "a range in the class", "")
def _(text):
    def any_sign(match):
        return result(match) if match[2] in "+-*" else "0"

    return re.sub(r"\[([0-9]{1,6}) ([*-/]) ([0-9]{1,6})\]", any_sign, text)


@wrong("23.4", "a dollar at the end", "matches in front of one")
def _(text):
    def run(match):
        call = re.match(r"([0-9]{1,6}) ([+*-]) ([0-9]{1,6})$", match[1])
        return result(call) if call else match[0]

    return re.sub(r"\[([^\[\]]*)\]", run, text)


wrong("23.4", "the result alone", "")(lambda text: result(re.search(CALL, text)))
right("23.4", "a pattern")(lambda text: re.sub(CALL, result, text))
right("23.4", "by hand")(calls_by_hand)

# ------------------------------------------------------------------ 23.5 two experts


@wrong("23.5", "softmax first", "the rows do not sum to 1")
def _(logits, k):
    chance, chosen = logits.softmax(-1).topk(k, -1)
    return torch.zeros_like(logits).scatter(-1, chosen, chance)


@wrong("23.5", "even", "giving all k the same weight")
def _(logits, k):
    chosen = logits.topk(k, -1).indices
    return torch.zeros_like(logits).scatter(-1, chosen, 1.0 / k)


@wrong("23.5", "smallest", "the k smallest")
def _(logits, k):
    worst, chosen = logits.topk(k, -1, largest=False)
    return torch.zeros_like(logits).scatter(-1, chosen, (-worst).softmax(-1))


@wrong("23.5", "zeros in the softmax", "such a one still gets exp(0)")
def _(logits, k):
    best, chosen = logits.topk(k, -1)
    return torch.zeros_like(logits).scatter(-1, chosen, best).softmax(-1)


@wrong("23.5", "no softmax", "their softmax is missing")
def _(logits, k):
    best, chosen = logits.topk(k, -1)
    return torch.zeros_like(logits).scatter(-1, chosen, best)


@wrong("23.5", "exp overflows", "far below zero")
def _(logits, k):
    best, chosen = logits.topk(k, -1)
    best = best.float().exp()
    share = (best / best.sum(-1, keepdim=True)).to(logits.dtype)
    return torch.zeros_like(logits).scatter(-1, chosen, share)


wrong("23.5", "softmax of all", "")(lambda logits, k: logits.softmax(-1))
right("23.5", "rows")(weights_by_rows)


@right("23.5", "masked")
def _(logits, k):
    least = logits.topk(k, -1).values[:, -1:]
    return logits.masked_fill(logits < least, float("-inf")).softmax(-1)


# ------------------------------------------------------------------ 23.6 balance


def parts(logits):
    chance = logits.flatten(0, -2).softmax(-1)
    n = chance.shape[-1]
    return n, F.one_hot(chance.argmax(-1), n).float().mean(0), chance.mean(0)


@wrong("23.6", "no factor", "even use should give 1")
def _(logits):
    _, share, mean = parts(logits)
    return (share * mean).sum()


@wrong("23.6", "two counts", "no gradient")
def _(logits):
    n, share, _ = parts(logits)
    return n * (share * share).sum()


@wrong("23.6", "two means", "squaring the mean probabilities")
def _(logits):
    n, _, mean = parts(logits)
    return n * (mean * mean).sum()


@wrong("23.6", "sequence by sequence", "the mean of the sequences' terms")
def _(logits):
    terms = []
    for row in logits:
        n, share, mean = parts(row[None])
        terms.append(n * (share * mean).sum())
    return torch.stack(terms).mean()


@wrong("23.6", "a number without gradient", "no gradient")
def _(logits):
    n, share, mean = parts(logits)
    return (n * (share * mean).sum()).item()


@wrong("23.6", "sum over tokens", "")
def _(logits):
    n, share, mean = parts(logits)
    return n * (share * mean).sum() * logits[..., 0].numel()


@right("23.6", "a dot product")
def _(logits):
    n, share, mean = parts(logits)
    return n * (share @ mean)


@right("23.6", "counts")
def _(logits):
    chance = logits.softmax(-1)
    n = logits.shape[-1]
    chosen = logits.argmax(-1).flatten()
    share = torch.bincount(chosen, minlength=n) / chosen.numel()
    return n * (share * chance.mean(dim=(0, 1))).sum()


# ------------------------------------------------------------------ 23.7 what is active

wrong("23.7", "one expert", "counting one expert as active")([46.662, 7.238, 6.447])
wrong("23.7", "no matrices", "embedding and output matrix")([46.4, 12.608, 3.680])
wrong("23.7", "one matrix", "there are two, in and out")([46.531, 12.739, 3.653])
wrong("23.7", "a quarter", "attention works on every token")([46.66, 11.67, 4.0])
wrong("23.7", "upside down", "dividing the other way round")([46.66, 12.87, 0.276])
wrong("23.7", "the name", "8 times 7")([56, 14, 4])
wrong("23.7", "millions", "billions are wanted")([46662, 12870, 3.626])
wrong("23.7", "weights", "giving single weights")([46.662e9, 12.87e9, 3.626])
right("23.7", "rounded")([46.66, 12.87, 3.63])
right("23.7", "computed")([46662 / 1000, 12870 / 1000, 46662 / 12870])


@parametrised(WRONG)
def test_wrong_answer_is_rejected(given):
    assert_rejected(given)


@parametrised(RIGHT)
def test_right_answer_is_accepted(given):
    assert_accepted(given)


def test_every_exercise_has_enough_wrong_and_right_answers():
    assert_enough_answers(23, WRONG, RIGHT)
