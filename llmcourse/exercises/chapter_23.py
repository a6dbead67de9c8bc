"""Checks of chapter 23: patches, masks for pictures, a guarded calculator, routers of experts."""

import re

import torch
import torch.nn.functional as F

from llmcourse.exercises.exercise import Case, Exercise, Mistake


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


# ------------------------------------------------------------------ 23.2


def cut(pixels: torch.Tensor, size: int) -> torch.Tensor:
    return F.unfold(pixels, size, stride=size).transpose(1, 2)


def folded(tokens, height, width, size):
    """The other way round by PyTorch's own `fold`."""
    return F.fold(tokens.transpose(1, 2), (height, width), size, stride=size)


def plain_view(tokens, height, width, size):
    return tokens.reshape(len(tokens), 3, height, width)


def columns_first(tokens, height, width, size):
    grid = tokens.view(len(tokens), width // size, height // size, 3, size, size)
    return grid.permute(0, 3, 2, 4, 1, 5).reshape(len(tokens), 3, height, width)


def colours_last(tokens, height, width, size):
    grid = tokens.view(len(tokens), height // size, width // size, size, size, 3)
    return grid.permute(0, 5, 1, 3, 2, 4).reshape(len(tokens), 3, height, width)


def turned_patches(tokens, height, width, size):
    grid = tokens.view(len(tokens), height // size, width // size, 3, size, size)
    return grid.permute(0, 3, 1, 5, 2, 4).reshape(len(tokens), 3, height, width)


def pictures_of(batch: int, height: int, width: int, size: int, seed: int) -> tuple:
    return cut(normal(batch, 3, height, width, seed=seed), size), height, width, size


# ------------------------------------------------------------------ 23.3


def mask_by_loop(kinds, *, words_too=False, closed=False, only_own=False):
    n, kinds = len(kinds), list(kinds)
    mask = torch.zeros(n, n, dtype=torch.bool)
    for row in range(n):
        for column in range(n):
            same = kinds[row] == kinds[column] and (kinds[row] > 0 or words_too)
            before = column <= row
            if closed and kinds[row] > 0:
                before = before and same
            if only_own and kinds[row] == 0 and kinds[column] > 0:
                own = max([k for k in kinds[:row] if k > 0], default=0)
                before = before and kinds[column] == own
            mask[row, column] = before or same
    return mask


# ------------------------------------------------------------------ 23.4

OPERATIONS = {"+": int.__add__, "-": int.__sub__, "*": int.__mul__}


def calls_by_hand(text: str) -> str:
    """Character by character, without a pattern."""
    out, i = "", 0
    while i < len(text):
        end = text.find("]", i) if text[i] == "[" else -1
        parts = text[i + 1 : end].split(" ") if end > 0 else []
        good = (
            len(parts) == 3
            and parts[1] in OPERATIONS
            and all(p and len(p) <= 6 and set(p) <= set("0123456789") for p in parts[::2])
        )
        if good:
            out += str(OPERATIONS[parts[1]](int(parts[0]), int(parts[2])))
            i = end + 1
        else:
            out += text[i]
            i += 1
    return out


# ------------------------------------------------------------------ 23.5


def weights_by_rows(logits, k):
    rows = []
    for row in logits.tolist():
        best = sorted(range(len(row)), key=lambda i: -row[i])[:k]
        chance = torch.tensor([row[i] for i in best], dtype=logits.dtype).softmax(0)
        rows.append(torch.zeros(len(row), dtype=logits.dtype).index_copy(
            0, torch.tensor(best), chance))  # fmt: skip
    return torch.stack(rows)


def kept_of_all(logits, k):
    chance = logits.softmax(-1)
    return chance * (chance >= chance.topk(k, -1).values[:, -1:])


def evenly(logits, k):
    return (logits >= logits.topk(k, -1).values[:, -1:]).to(logits.dtype) / k


def over_tokens(logits, k):
    return weights_by_rows(logits.T.contiguous(), min(k, len(logits))).T.contiguous()


def smallest(logits, k):
    return weights_by_rows(-logits, k)


# ------------------------------------------------------------------ 23.6


def balance(logits, *, factor=True, soft=False, hard=False, per_sequence=False):
    chance = logits.softmax(-1)
    n = chance.shape[-1]
    if per_sequence:
        return torch.stack([balance(row[None]) for row in logits]).mean()
    chance = chance.reshape(-1, n)
    share = torch.bincount(chance.argmax(-1), minlength=n) / len(chance)
    mean = chance.mean(0)
    first, second = (mean, mean) if soft else (share, share) if hard else (share, mean)
    return (n if factor else 1) * (first @ second)


def uneven(batch: int, time: int, n_experts: int, seed: int) -> torch.Tensor:
    return normal(batch, time, n_experts, seed=seed) + torch.arange(n_experts) * 0.6


def gradient_flows(answer, logits):
    """Value and gradient of the reader's term."""
    logits = logits.clone().requires_grad_(True)
    value = answer(logits)
    if not isinstance(value, torch.Tensor) or not value.requires_grad:
        return value, "no gradient reaches logits"
    value.backward()
    return value.detach(), logits.grad


def balance_with_gradient(logits):
    return gradient_flows(balance, logits)


EXERCISES = (
    Exercise(
        id="23.1",
        title="What a photograph costs",
        level="easy",
        minutes=6,
        hints=(
            "How many patches lie side by side?",
            "A patch holds every colour of each of its pixels; the matrix has one row or column "
            "for each of these numbers. Pairs grow with the square of the number of tokens.",
            "[n * n, 16 * 16 * c, that * 768, f]: with half the side, how many times more tokens, "
            "and that squared?",
        ),
        cases=(
            Case((), "count patches along one side first; then each part follows.",
                 [196, 768, 589824, 16]),
        ),
        mistakes=(
            Mistake([14, 768, 589824, 16], "counting along one side only; the patches cover a "
                    "square."),
            Mistake([196, 256, 196608, 16], "taking one colour. A pixel has three, so a patch has "
                    "three times 256 numbers."),
            Mistake([196, 768, 589824, 4], "giving the growth of the tokens; attention compares "
                    "each with each."),
            Mistake([196, 768, 589824, 2], "halving the side in one direction. It doubles the "
                    "patches in both, and pairs go with the square of their number."),
            Mistake([3136, 768, 589824, 16], "cutting patches of 4 by 4 pixels."),
        ),
    ),
    Exercise(
        id="23.2",
        title="Put it together again",
        level="easy",
        minutes=10,
        call="unpatch(tokens, height, width, size)",
        hints=(
            "Give each part of a pixel's address an axis of its own: which patch row and column, "
            "which colour, which row and column within.",
            "view(batch, rows, columns, 3, size, size), then bring the two axes of a pixel's row "
            "next to each other, and the two of its column.",
            "After the view the axes are 0 to 5. permute(0, 3, 1, 4, ...) and reshape: which two "
            "are left, and in which order?",
        ),
        cases=(
            Case(pictures_of(1, 2, 4, 2, seed=0), "two patches side by side."),
            Case(pictures_of(1, 4, 2, 2, seed=1), "two patches one above the other."),
            Case(pictures_of(1, 4, 6, 2, seed=2), "height and width differ: patches run along a "
                 "row first."),
            Case(pictures_of(3, 8, 12, 4, seed=3), "three pictures at once."),
            Case(pictures_of(2, 3, 2, 1, seed=4), "patches of one pixel."),
        ),
        reference=folded,
        mistakes=(
            Mistake(plain_view, "a plain view of the numbers in their order: whole patches are "
                    "laid into rows, and the picture looks shredded."),
            Mistake(columns_first, "laying the patches down column by column; they come "
                    "row by row."),
            Mistake(colours_last, "taking the three colours of a pixel as neighbours; within a "
                    "patch all of the first colour come first."),
            Mistake(turned_patches, "turning every patch: rows and columns within it are swapped."),
        ),
    ),
    Exercise(
        id="23.3",
        title="A mask for two pictures",
        level="medium",
        minutes=12,
        call="mixed_mask(kinds)",
        hints=(
            "Begin with the causal mask. What does a patch get on top of it?",
            "Two positions belong to the same picture if their kinds are equal and the kind is "
            "not that of words.",
            "causal | (kinds[:, None] == kinds[None, :]) lets words see later words. With which "
            "condition on the row's kind do you cut that off?",
        ),
        cases=(
            Case(([0, 0, 0],), "words alone: the causal mask.", mask_by_loop([0, 0, 0])),
            Case(([1, 1, 0],), "one picture, then a word.", mask_by_loop([1, 1, 0])),
            Case(([0, 1, 1, 0],), "a word before the picture: patches may read it, and not the "
                 "word after them.", mask_by_loop([0, 1, 1, 0])),
            Case(([1, 1, 0, 2, 2, 0],), "two pictures: the second may see the first, the first "
                 "not the second; words after both see both.",
                 mask_by_loop([1, 1, 0, 2, 2, 0])),
            Case(([2, 2, 2, 0, 0, 1, 1, 0, 3],), "numbers of pictures in any order.",
                 mask_by_loop([2, 2, 2, 0, 0, 1, 1, 0, 3])),
        ),
        mistakes=(
            Mistake(lambda kinds: mask_by_loop(kinds, words_too=True), "comparing kinds "
                    "alone. Words are all of kind 0, so every word sees every later one: the "
                    "future leaks in."),
            Mistake(lambda kinds: torch.ones(len(kinds), len(kinds)).tril().bool(), "the causal "
                    "mask alone: a patch does not see the later patches of its picture."),
            Mistake(lambda kinds: mask_by_loop(kinds, closed=True), "letting patches see "
                    "only their own picture; they may attend to everything before it as well."),
            Mistake(lambda kinds: mask_by_loop(kinds, only_own=True), "letting a word see only "
                    "the picture before it; it may attend to everything before."),
            Mistake(lambda kinds: ~mask_by_loop(kinds), "swapping True and False: "
                    "True = may attend."),
            Mistake(lambda kinds: mask_by_loop(kinds).T, "swapping rows and columns: a row is "
                    "who looks, a column who is looked at."),
            Mistake(
                lambda kinds: mask_by_loop([min(k, 1) for k in kinds]),
                "taking all pictures for one: the first sees the patches of the second, which "
                "come later.",
            ),
        ),
    ),
    Exercise(
        id="23.4",
        title="A calculator that cannot be talked into anything",
        level="medium",
        minutes=15,
        call="run_calls(text)",
        hints=(
            "Write down, as a regular expression, exactly what a call is, and nothing else.",
            "re.sub takes a function: it gets each match and returns what to put in its place. "
            "Three groups: number, sign, number.",
            r"re.sub(r'\[([0-9]{1,6}) ([...]) ([0-9]{1,6})\]', result, text): in a class of "
            "characters, where may the minus stand so that it is not a range?",
        ),
        cases=(
            Case(("[12 * 7]",), "one call.", "84"),
            Case(("5 - 8 is [5 - 8].",), "what is not in brackets stays.", "5 - 8 is -3."),
            Case(("[1 + 2] and [30 * 4]",), "two calls.", "3 and 120"),
            Case(("see [a] and [3] and []",), "brackets that are no call stay.",
                 "see [a] and [3] and []"),
            Case(("[2 ** 9] [2 / 1] [2+2]",), "two stars, a slash, no spaces: no calls.",
                 "[2 ** 9] [2 / 1] [2+2]"),
            Case(("[1234567 + 1] [007 + 1]",), "seven digits are too many; zeros in front are "
                 "digits.", "[1234567 + 1] 8"),
            Case(("[1 + 2 + 3] [-1 + 2] [ 1 + 2]",), "more than one sign, a sign in front, a "
                 "space too many: no calls.", "[1 + 2 + 3] [-1 + 2] [ 1 + 2]"),
            Case(("[[1 + 1] * 3]",), "a result does not become part of another call: this goes "
                 "once from left to right.", "[2 * 3]"),
            Case(("[1\n+ 2] [1 +\t2] [٣ + ٤]",), "line breaks, tabs and digits of other scripts "
                 "are not what was listed.", "[1\n+ 2] [1 +\t2] [٣ + ٤]"),
            Case(("[3 + 4\n] [3 + 4]",), "no line break before the bracket either: `$` in a "
                 "pattern matches in front of one.", "[3 + 4\n] 7"),
            Case(("[exit() + 1] [9 * 9] [__import__('os') * 1]",), "what a model writes is "
                 "never run.", "[exit() + 1] 81 [__import__('os') * 1]"),
            Case(("",), "an empty text.", ""),
        ),
        mistakes=(
            Mistake(
                lambda text: re.sub(
                    r"\[(\d+) ([+*-]) (\d+)\]",
                    lambda m: str(OPERATIONS[m[2]](int(m[1]), int(m[3]))), text),
                "taking numbers of any length, or digits of other scripts: one to six of "
                "0 to 9 were listed.",
            ),
            Mistake(lambda text: calls_by_hand(calls_by_hand(text)), "going through the text "
                    "twice: a result has become part of another call."),
            Mistake(
                lambda text: re.sub(
                    r"\[([0-9]{1,6})\s*([+*-])\s*([0-9]{1,6})\]",
                    lambda m: str(OPERATIONS[m[2]](int(m[1]), int(m[3]))), text),
                "taking any white space, or none: exactly one space stands before and after "
                "the sign.",
            ),
        ),
    ),
    Exercise(
        id="23.5",
        title="Two experts a token",
        level="hard",
        minutes=20,
        call="expert_weights(logits, k)",
        hints=(
            "Choose first, then take the softmax of what was chosen.",
            "topk gives values and places, each (tokens, k). The softmax is over the k values.",
            "torch.zeros_like(logits).scatter(-1, places, ...): what stands in the last argument?",
        ),
        cases=(
            Case((torch.tensor([[0.0, 1.0, 2.0]]), 1), "one expert: all the weight goes to it.",
                 torch.tensor([[0.0, 0.0, 1.0]])),
            Case((torch.tensor([[0.0, 1.0, 1.0 + 0.6931471806]]), 2), "two logits ln 2 apart: "
                 "1/3 and 2/3.", torch.tensor([[0.0, 1 / 3, 2 / 3]])),
            Case((normal(5, 4, seed=1), 2), "five tokens, each for itself."),
            Case((normal(4, 4, seed=2) * 3, 3), "as many tokens as experts: the experts lie along "
                 "the last axis."),
            Case((normal(3, 6, seed=3), 6), "k = n_experts is a plain softmax."),
            Case((normal(3, 5, seed=4) - 200, 2), "all logits far below zero."),
            Case((normal(6, 8, seed=5).double() * 60, 2), "large logits do not overflow."),
        ),
        reference=weights_by_rows,
        mistakes=(
            Mistake(kept_of_all, "a softmax over all experts, of which k are kept: the rows do "
                    "not sum to 1."),
            Mistake(evenly, "giving all k the same weight; the larger logit should weigh more."),
            Mistake(over_tokens, "choosing among tokens instead of among experts."),
            Mistake(smallest, "taking the k smallest."),
            Mistake(lambda x, k: (x >= x.topk(k, -1).values[:, -1:]) * x, "giving the logits "
                    "themselves: their softmax is missing."),
            Mistake(lambda x, k: (x * (x >= x.topk(k, -1).values[:, -1:])).softmax(-1), "setting "
                    "the other logits to zero: such a one still gets exp(0). Leave them out of "
                    "the softmax."),
        ),
    ),
    Exercise(
        id="23.6",
        title="Is the work shared?",
        level="medium",
        minutes=12,
        call="balance_term(logits)",
        hints=(
            "Two vectors of n numbers each: one counts choices, one averages probabilities.",
            "The share is a mean of one-hot vectors of the argmax; the other is the mean of the "
            "softmax over all tokens of all sequences.",
            "n * (share * chance.mean(0)).sum(): over which axes is the mean, if chance is "
            "(tokens, n)?",
        ),
        cases=(
            Case((torch.tensor([[[9.0, 0.0], [0.0, 9.0]]]),), "even use gives 1."),
            Case((torch.tensor([[[30.0, 0.0], [30.0, 0.0]]]),), "all to one of two experts: 2."),
            Case((torch.tensor([[[2.0, 1.0, 0.0], [2.0, 1.0, 0.0]]]),), "two of three experts get "
                 "no token: there are still three shares."),
            Case((uneven(1, 5, 3, seed=1),), "three experts, uneven."),
            Case((uneven(3, 4, 5, seed=2),), "three sequences: all tokens count together."),
            Case((uneven(2, 6, 4, seed=3) + 300,), "large logits do not overflow."),
        ),
        reference=balance_with_gradient,
        use=gradient_flows,
        mistakes=(
            Mistake(lambda x: gradient_flows(lambda y: balance(y, factor=False), x), "leaving "
                    "out the factor n: even use should give 1."),
            Mistake(lambda x: gradient_flows(lambda y: balance(y, soft=True), x), "squaring "
                    "the mean probabilities; one of the two factors counts where tokens really "
                    "went."),
            Mistake(lambda x: gradient_flows(lambda y: balance(y, hard=True), x), "squaring "
                    "the shares. A count has no gradient: nothing would be learnt."),
            Mistake(lambda x: gradient_flows(lambda y: balance(y, per_sequence=True), x), "the "
                    "mean of the sequences' terms; shares are to be taken over all tokens."),
        ),
    ),
    Exercise(
        id="23.7",
        title="What is active",
        level="hard",
        minutes=10,
        hints=(
            "Add up one layer, in millions, for all that is stored and for what works.",
            "Stored: attention and eight experts, 32 times, and two matrices. At work: attention "
            "and two experts, 32 times, and two matrices.",
            "[(32 * (42 + 8 * 176) + 262) / 1000, the same with k experts, their ratio]: what is "
            "k?",
        ),
        cases=(
            Case((), "per layer first, then 32 times, then the two matrices.",
                 [46.662, 12.87, 46.662 / 12.87], rtol=0.002),
        ),
        mistakes=(
            Mistake([46.662, 7.238, 46.662 / 7.238], "counting one expert as active; two are."),
            Mistake([46.4, 12.608, 46.4 / 12.608], "leaving out embedding and output matrix."),
            Mistake([46.531, 12.739, 46.531 / 12.739], "counting one matrix outside the "
                    "layers; there are two, in and out."),
            Mistake([46.662, 11.6655, 4.0], "taking a quarter of everything; attention works "
                    "on every token."),
            Mistake([46.662, 12.87, 12.87 / 46.662], "dividing the other way round. How many "
                    "times *more* does the dense one cost? Above 1."),
            Mistake([56.0, 14.0, 4.0], "taking the name at its word, 8 times 7; only the "
                    "experts are there eight times."),
            Mistake([46662, 12870, 46.662 / 12.87], "giving millions; billions are wanted."),
            Mistake([46662e6, 12870e6, 46.662 / 12.87], "giving single weights; billions are "
                    "wanted."),
        ),
    ),
)  # fmt: skip
