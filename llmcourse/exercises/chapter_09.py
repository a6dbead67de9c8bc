"""Checks of chapter 9: units of a loss, batches, the learning rate, clipping, packing, leaks."""

import math
from itertools import chain

import numpy
import torch
from torch import nn

from llmcourse.exercises.exercise import Case, Exercise, Mistake


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def ids(n: int, vocab_size: int, seed: int = 0) -> list[int]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(vocab_size, (n,), generator=generator).tolist()


# ------------------------------------------------------------------ 09.2


def windows_at(tokens, starts, length, shift=1) -> tuple[torch.Tensor, torch.Tensor]:
    """All windows of the text, of which those at `starts` are picked; targets `shift` later."""
    windows = tokens.roll(-shift).unfold(0, length, 1)
    return tokens.unfold(0, length, 1)[starts], windows[starts]


def text(n: int) -> torch.Tensor:
    return torch.arange(10, 10 * (n + 1), 10)


# ------------------------------------------------------------------ 09.3


def squared_cosine(step, steps, peak, warmup, minimum) -> float:
    """The same by the half angle: (1 + cos a) / 2 = cos(a / 2) ** 2."""
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    angle = math.pi / 2 * min(1.0, (step - warmup) / (steps - warmup))
    return minimum + (peak - minimum) * math.cos(angle) ** 2


def rate_with(
    *, rise=lambda s, w: (s + 1) / (w + 1), progress=lambda s, n, w: (s - w) / (n - w),
    fall=lambda p: (1 + math.cos(math.pi * p)) / 2, floor=lambda h, a, b: b + h * (a - b),
    stop=True, from_floor=False,
):  # fmt: skip
    """The schedule in which one thing may be done wrong."""

    def rate(step, steps, peak, warmup, minimum):
        if step < warmup:
            low = minimum if from_floor else 0.0
            return low + (peak - low) * rise(step, warmup)
        p = progress(step, steps, warmup)
        return floor(fall(min(1.0, p) if stop else p), peak, minimum)

    return rate


# ------------------------------------------------------------------ 09.4


def clipped_by_torch(gradients, max_norm) -> list[torch.Tensor]:
    weights = [nn.Parameter(torch.zeros_like(g, dtype=torch.float64)) for g in gradients]
    for weight, gradient in zip(weights, gradients):
        weight.grad = gradient.double()
    nn.utils.clip_grad_norm_(weights, max_norm)
    return [weight.grad for weight in weights]


def scaled_by(norm, enlarge=False):
    """Clipping by something else than the norm of all."""

    def clip(gradients, max_norm):
        factor = max_norm / norm(torch.cat([g.double().flatten() for g in gradients]))
        return [g.double() * (factor if enlarge else min(1.0, factor)) for g in gradients]

    return clip


def each_by_itself(gradients, max_norm):
    return [clipped_by_torch([g], max_norm)[0] for g in gradients]


# ------------------------------------------------------------------ 09.5
# The models of 09.5.


class ScaledLinear(nn.Module):
    """A scalar, a vector called weight, and a matrix called bias."""

    def __init__(self):
        super().__init__()
        self.temperature = nn.Parameter(torch.tensor(1.0))
        self.weight = nn.Parameter(torch.ones(3))
        self.bias = nn.Parameter(torch.zeros(2, 3))


class EmbeddingAndNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.norm = nn.Embedding(5, 4), nn.LayerNorm(4)


class TiedHead(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.inner, self.norm = nn.Embedding(5, 4), nn.Linear(4, 4), nn.LayerNorm(4)
        self.head = nn.Linear(4, 5)
        self.head.weight = self.embedding.weight


class FrozenEmbedding(TiedHead):
    def __init__(self):
        super().__init__()
        self.embedding.weight.requires_grad = False
        self.norm.bias.requires_grad = False


class Convolution(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList(nn.Conv2d(2, 2, 3) for _ in range(2))


def names_in_groups(answer, model: nn.Module) -> object:
    """The names of the parameters in both groups: which they are counts, not their order."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    got = answer(model)
    two = isinstance(got, list | tuple) and len(got) == 2
    if not two or any(isinstance(group, torch.Tensor | nn.Module | dict) for group in got):
        raise TypeError("return two lists of parameters: (decayed, not decayed)")
    return in_words(*([names.get(id(p), "something that is no parameter of the model")
                       for p in group] for group in got))  # fmt: skip


def in_words(decayed: list[str], rest: list[str]) -> dict[str, str]:
    return {"decayed": ", ".join(sorted(decayed)) or "none",
            "not decayed": ", ".join(sorted(rest)) or "none"}  # fmt: skip


def groups_where(decays, trained_only=True, tied_twice=False):
    def groups(model):
        named = list(model.named_parameters(remove_duplicate=not tied_twice))
        first = {id(p): name for name, p in reversed(named)}
        named = [(first[id(p)], p) for _, p in named if p.requires_grad or not trained_only]
        return in_words([name for name, p in named if decays(name, p)],
                        [name for name, p in named if not decays(name, p)])  # fmt: skip

    return groups


def is_matrix(name, parameter) -> bool:
    return parameter.dim() >= 2


# ------------------------------------------------------------------ 09.6


def rows_of(stream, length: int) -> torch.Tensor:
    stream = numpy.array(list(stream), dtype=int)
    return torch.from_numpy(stream[: len(stream) // length * length].reshape(-1, length))


def packed(documents, length, end_token, front=(), last=True, empty=True):
    """All in one row by a join of lists, as `end.join(documents)` would be for strings."""
    documents = [list(document) for document in documents if document or empty]
    stream = chain(front, *(document + [end_token] for document in documents))
    stream = list(stream)
    return rows_of(stream if last else stream[:-1], length)


def padded(documents, length, end_token):
    """A row, or several, for each document."""
    rows = [packed([document], 1, end_token).flatten() for document in documents]
    rows = [nn.functional.pad(row, (0, -len(row) % length), value=end_token) for row in rows]
    return torch.cat(rows).view(-1, length)


def rest_padded(documents, length, end_token):
    stream = packed(documents, 1, end_token).flatten()
    return nn.functional.pad(stream, (0, -len(stream) % length), value=end_token).view(-1, length)


def rest_of_each_dropped(documents, length, end_token):
    return torch.cat([packed([document], length, end_token) for document in documents])


# ------------------------------------------------------------------ 09.7


def windows(tokens, n: int) -> numpy.ndarray:
    if len(tokens) < n:
        return numpy.zeros((0, n), dtype=int)
    return numpy.lib.stride_tricks.sliding_window_view(numpy.array(tokens, dtype=int), n)


def share_by_sorting(train, held_out, n, stride=1, once=False, of=None) -> float:
    """Number all different windows of both texts by sorting them, and look the numbers up."""
    asked = windows(held_out, n)[::stride]
    if not len(asked):
        return 0.0
    both = numpy.concatenate([windows(train, n), asked])
    _, number = numpy.unique(both if of is None else of(both), axis=0, return_inverse=True)
    number = number.reshape(-1)
    known, asked = number[: len(number) - len(asked)], number[len(number) - len(asked) :]
    return float(numpy.isin(numpy.unique(asked) if once else asked, known).mean())


def joined_as_strings(train, held_out, n):
    def glued(tokens):
        return ["".join(map(str, window)) for window in windows(tokens, n)]

    known, asked = set(glued(train)), glued(held_out)
    return sum(window in known for window in asked) / len(asked) if asked else 0.0


def share_of_tokens_covered(train, held_out, n):
    known = set(map(tuple, windows(train, n).tolist()))
    covered = {i + k for i, window in enumerate(map(tuple, windows(held_out, n).tolist()))
               if window in known for k in range(n)}  # fmt: skip
    return len(covered) / len(held_out) if held_out else 0.0


def share_of_all_tokens(train, held_out, n):
    n_windows = len(windows(held_out, n))
    return share_by_sorting(train, held_out, n) * n_windows / max(1, len(held_out))


# A long text: 100,000 tokens of training, and as many held out, of which a third are from training.
LONG = ids(100_000, 2000, seed=1)
LONG_HELD_OUT = ids(66_000, 2000, seed=2) + LONG[30_000:64_000]
LN2 = math.log(2)

EXERCISES = (
    Exercise(
        id="09.1",
        title="Three units of one loss",
        level="easy",
        minutes=5,
        hints=(
            "How many bits is one nat? And a loss of so many bits per token: over how many bytes "
            "does it spread?",
            "3 ln 2 nats are 3 bits, for one token, which is 4 bytes. A perplexity is e to the "
            "nats, or 2 to the bits, of whatever it is counted per.",
            "Bits per byte: 3 / 4. Perplexity per token: 2 ** 3. Perplexity per byte: 2 to the "
            "power of which number?",
        ),
        cases=(
            Case(expected=[0.75, 8.0, 2**0.75], rtol=2e-3, pointer="the answer has three numbers: "
                 "bits per byte, perplexity per token, perplexity per byte. A loss in bits is the "
                 "one in nats divided by ln 2; a perplexity is e to the nats."),
        ),
        mistakes=(
            Mistake([12.0, 8.0, 2**0.75], "multiplying by the bytes of a token. The bits of one "
                    "token spread over four bytes."),
            Mistake([12.0, 8.0, 2.0**12], "multiplying by the bytes of a token. The bits of one "
                    "token spread over four bytes."),
            Mistake([0.75 * LN2, 8.0, 2**0.75], "leaving the first number in nats."),
            Mistake([0.75 * LN2**2, 8.0, 2**0.75], "multiplying by ln 2. A nat is more than a bit, "
                    "so the number of bits is larger: divide."),
            Mistake([3.0, 8.0, 8.0], "counting everything per token."),
            Mistake([3.0, 8.0, 2**0.75], "counting the bits per token, not per byte."),
            Mistake([0.75, 8.0, 2.0], "dividing the perplexity by the bytes. The loss is divided, "
                    "in the exponent: the perplexity is the fourth root."),
            Mistake([0.75, 2 ** (3 * LN2), 2 ** (0.75 * LN2)], "raising 2 to the nats. It is e to "
                    "the nats, or 2 to the bits."),
            Mistake([0.75, math.exp(3), math.exp(0.75)], "raising e to the bits. It is e to the "
                    "nats, or 2 to the bits."),
            Mistake([0.75, 8.0, math.exp(0.75)], "raising e to the bits for the third number. It "
                    "is e to the nats, or 2 to the bits."),
            Mistake([0.75, 2**0.75, 8.0], "swapping the two perplexities: a byte is easier to "
                    "guess than a token."),
        ),
    ),
    Exercise(
        id="09.2",
        title="Inputs and targets",
        level="easy",
        minutes=8,
        call="get_batch(tokens, starts, context_length)",
        hints=(
            "At each position the model is to say which token comes next. Where in `tokens` does "
            "that one stand?",
            "One window is tokens[start : start + context_length]. Its targets are the same slice, "
            "one later, and torch.stack makes a batch of the windows.",
            "inputs = torch.stack([tokens[s : s + context_length] for s in starts]); targets = "
            "torch.stack([tokens[... : ...] for s in starts]). Which slice is one later and just "
            "as long?",
        ),
        reference=windows_at,
        cases=(
            Case((text(3), [0], 1), "one window of one token: the input is the first token, the "
                 "target the second. Both have the shape (1, 1).",
                 (torch.tensor([[10]]), torch.tensor([[20]]))),
            Case((text(4), [0], 3), "the target of a token is the one that follows it in the text, "
                 "also at the end of the window: the last target is not in the inputs.",
                 (torch.tensor([[10, 20, 30]]), torch.tensor([[20, 30, 40]]))),
            Case((text(10), [2], 3), "the window starts at `start`, a position counted from 0."),
            Case((text(6), [2], 3), "the last target may be the last token of the text."),
            Case((text(8), [4, 0, 1], 2), "three windows, in the order of `starts`: (3, 2)."),
            Case((text(9), [3, 3, 0], 3), "three windows of three tokens: a row is a window. One "
                 "start may come twice."),
            Case((torch.tensor(ids(50, 9)), [0, 41, 17, 5], 8), "any text, any starts."),
        ),
        mistakes=(
            Mistake(lambda t, s, n: windows_at(t, s, n, 0), "giving the inputs as their own "
                    "targets. The model would learn to copy: the target is the next token."),
            Mistake(lambda t, s, n: windows_at(t, s, n, -1), "shifting the wrong way: this is the "
                    "token before."),
            Mistake(lambda t, s, n: windows_at(t, s, n, 2), "shifting by two."),
            Mistake(lambda t, s, n: windows_at(t, s, n)[::-1], "swapping inputs and targets."),
            Mistake(lambda t, s, n: (windows_at(t, s, n)[0], windows_at(t, s, n)[0].roll(-1, 1)),
                    "rolling each window round: its last target has to be the token that follows "
                    "the window in the text."),
            Mistake(lambda t, s, n: tuple(part.T for part in windows_at(t, s, n)), "laying the "
                    "windows in columns: the shape is (len(starts), context_length)."),
            Mistake(lambda t, s, n: windows_at(t, list(range(len(s))), n), "starting at 0, 1, 2 "
                    "and not at `starts`."),
            Mistake(lambda t, s, n: windows_at(t, [i * n for i in s], n), "counting the starts in "
                    "windows. They are positions in the text."),
            Mistake(lambda t, s, n: windows_at(t, sorted(s), n), "sorting the windows. Keep the "
                    "order of `starts`."),
        ),
    ),
    Exercise(
        id="09.3",
        title="Warm-up and cosine",
        level="medium",
        minutes=12,
        call="learning_rate(step, steps, peak, warmup, minimum)",
        hints=(
            "Two cases: before step `warmup` and from it on. For the second, how far along is a "
            "step, as a number from 0 to 1?",
            "progress = (step - warmup) / (steps - warmup), not above 1. (1 + cos(pi * progress)) "
            "/ 2 goes from 1 to 0: that is the height above the minimum.",
            "height = (1 + math.cos(math.pi * progress)) / 2; return minimum + height * (...). "
            "What makes that the peak when the height is 1?",
        ),
        reference=squared_cosine,
        cases=(
            Case((0, 10, 1.0, 0, 0.0), "no warm-up: the first step is at the peak.", 1.0),
            Case((5, 10, 1.0, 0, 0.0), "half way the cosine is half way down.", 0.5),
            Case((10, 10, 1.0, 0, 0.0), "at step `steps` the cosine has reached the minimum.", 0.0),
            Case((0, 10, 1.0, 4, 0.0), "warm-up: the first of 4 steps, step 0, has a fifth of the "
                 "peak. It is not 0.", 0.2),
            Case((3, 10, 1.0, 4, 0.0), "the last step of the warm-up has four fifths.", 0.8),
            Case((4, 10, 1.0, 4, 0.0), "step `warmup` is at the peak.", 1.0),
            Case((7, 10, 1.0, 4, 0.0), "half way between step 4 and step 10: the cosine starts "
                 "where the warm-up ends.", 0.5),
            Case((5, 10, 1.0, 4, 0.0), "a sixth of the way down half a cosine."),
            Case((5, 10, 1.0, 0, 0.2), "half way between peak and minimum.", 0.6),
            Case((10, 10, 1.0, 4, 0.2), "at step `steps` it is the minimum.", 0.2),
            Case((1, 10, 1.0, 4, 0.2), "the warm-up rises from 0, whatever the minimum.", 0.4),
            Case((13, 10, 1.0, 4, 0.2), "beyond step `steps` it stays at the minimum.", 0.2),
            Case((25, 10, 1.0, 0, 0.0), "far beyond step `steps` it stays at the minimum.", 0.0),
            *(Case((step, 1000, 3e-4, 100, 3e-5), "a schedule of 1,000 steps.", atol=1e-10)
              for step in (0, 57, 99, 100, 101, 400, 999, 1000, 1500)),
        ),
        mistakes=(
            Mistake(rate_with(rise=lambda s, w: s / w), "starting the warm-up at 0: the first step "
                    "would change nothing. It is (step + 1) / (warmup + 1) of the peak."),
            Mistake(rate_with(rise=lambda s, w: (s + 1) / w), "reaching the peak one step too "
                    "early: divide by warmup + 1."),
            Mistake(rate_with(rise=lambda s, w: 1.0), "leaving out the warm-up."),
            Mistake(rate_with(from_floor=True), "starting the warm-up at the minimum. It rises "
                    "from 0."),
            Mistake(rate_with(progress=lambda s, n, w: s / n), "measuring the cosine from step 0. "
                    "It starts at step `warmup`."),
            Mistake(rate_with(progress=lambda s, n, w: (s - w) / n), "dividing by all steps. The "
                    "cosine lasts steps - warmup of them."),
            Mistake(rate_with(progress=lambda s, n, w: (s - w) / (n - w - 1)), "reaching the "
                    "minimum one step too early, at step steps - 1."),
            Mistake(rate_with(stop=False), "letting the cosine rise again after step `steps`."),
            Mistake(rate_with(fall=lambda p: 1 - p), "falling in a straight line."),
            Mistake(rate_with(fall=lambda p: math.cos(math.pi / 2 * p)), "taking a quarter of a "
                    "cosine. Half a cosine goes from 1 to -1; add 1 and halve."),
            Mistake(rate_with(fall=lambda p: (1 + math.cos(2 * math.pi * p)) / 2), "taking a whole "
                    "cosine, which ends where it began."),
            Mistake(rate_with(fall=lambda p: math.cos(math.pi * p)), "letting the cosine go from 1 "
                    "to -1. Add 1 and halve."),
            Mistake(rate_with(floor=lambda h, a, b: max(b, h * a)), "cutting off at the minimum a "
                    "cosine that falls to 0. It should arrive there at step `steps` only."),
            Mistake(rate_with(floor=lambda h, a, b: b + h * a), "adding the minimum on top: at the "
                    "peak that is too much. The height is that of peak - minimum."),
            Mistake(rate_with(floor=lambda h, a, b: h * a), "ignoring the minimum."),
        ),
    ),
    Exercise(
        id="09.4",
        title="Clip the gradient",
        level="medium",
        minutes=12,
        call="clip(gradients, max_norm)",
        hints=(
            "All tensors together are one long vector. How long is it?",
            "Its norm is the root of the sum of all squares, over all tensors. All are multiplied "
            "by the same factor, and by none if the norm is small enough.",
            "norm = sum((g ** 2).sum() for g in gradients) ** 0.5; if norm <= max_norm, nothing "
            "changes; else return [g * ... for g in gradients]. Which factor makes the norm "
            "max_norm?",
        ),
        reference=clipped_by_torch,
        cases=(
            Case(([torch.tensor([3.0, 4.0])], 1.0), "the norm of (3, 4) is 5, and should be 1: a "
                 "fifth of each.", [torch.tensor([0.6, 0.8])]),
            Case(([torch.tensor([3.0, 4.0])], 10.0), "a norm of 5 is below 10: nothing changes. "
                 "Clipping never makes a gradient longer.", [torch.tensor([3.0, 4.0])]),
            Case(([torch.tensor([3.0]), torch.tensor([4.0])], 1.0), "two tensors are one vector: "
                 "its norm is 5, and both are scaled by the same factor.",
                 [torch.tensor([0.6]), torch.tensor([0.8])]),
            Case(([torch.tensor([3.0, 0.0]), torch.tensor([[-4.0]])], 2.5), "the sign does not "
                 "matter for the norm, and is kept; so is the shape of each tensor."),
            Case(([torch.tensor([5.0]), torch.zeros(2)], 1.0), "one of the tensors is zero, and "
                 "stays it.", [torch.tensor([1.0]), torch.zeros(2)]),
            Case(([torch.zeros(2), torch.zeros(1, 2)], 1.0), "all gradients are zero: that is no "
                 "reason to divide by 0.", [torch.zeros(2), torch.zeros(1, 2)]),
            Case(([torch.tensor(2.0), torch.tensor([[1.0, -2.0], [4.0, 0.0]])], 0.5), "a tensor "
                 "may be a single number, of shape ()."),
            Case(([torch.tensor([0.3, 0.4]), torch.tensor([0.6, 0.8])], 1.0), "each norm by itself "
                 "is at most 1, but that of both is not."),
            Case(([torch.full((10, 10), 0.2)], 1.0), "each number is small, but a hundred of them "
                 "are not: their norm is 2."),
            Case(([normal(4, 3), 10 * normal(5, seed=1), normal(2, 2, 2, seed=2)], 1.0), "all "
                 "squares of all tensors go into one sum."),
            Case(([1e-4 * normal(4, 3), 1e-4 * normal(5, seed=1)], 1.0), "small gradients stay as "
                 "they are.", atol=1e-10),
        ),
        mistakes=(
            Mistake(scaled_by(torch.linalg.vector_norm, enlarge=True), "scaling to max_norm "
                    "whatever the norm. A gradient that is short enough stays as it is."),
            Mistake(each_by_itself, "clipping each tensor by itself. That turns the direction: "
                    "take one norm over all."),
            Mistake(lambda gs, m: [g.clamp(-m, m) for g in gs], "clipping number by number. That "
                    "turns the direction: scale all by one factor."),
            Mistake(scaled_by(lambda g: g.abs().max()), "measuring by the largest number. The norm "
                    "is the root of the sum of the squares."),
            Mistake(scaled_by(lambda g: g.abs().sum()), "measuring by the sum of the absolute "
                    "values. The norm is the root of the sum of the squares."),
            Mistake(scaled_by(lambda g: g.square().sum()), "forgetting the root in the norm."),
            Mistake(scaled_by(lambda g: g.square().mean().sqrt()), "averaging the squares. The "
                    "norm is the root of their sum."),
            Mistake(scaled_by(lambda g: g.sum().abs()), "adding up the gradients, where those of "
                    "opposite sign cancel. Square first."),
            Mistake(lambda gs, m: [g * min(1.0, m / sum(g.norm().item() for g in gs))
                                   if sum(g.norm().item() for g in gs) else g for g in gs],
                    "adding up the norms of the tensors. Squares add up, norms do not."),
            Mistake(lambda gs, m: gs, "returning the gradients as they are."),
        ),
    ),
    Exercise(
        id="09.5",
        title="What decays",
        level="medium",
        minutes=12,
        call="groups(model)",
        hints=(
            "A bias and the gain of a norm are vectors; what multiplies a vector is a matrix. What "
            "does a tensor know about that itself?",
            "Go through model.parameters(), which names each parameter once, however often it is "
            "used. Leave out those that do not want a gradient, and sort the rest by p.dim().",
            "trained = [p for p in model.parameters() if p.requires_grad]; return [p for p in "
            "trained if p.dim() >= ...], [the others]. Which number of axes is the smallest that "
            "decays?",
        ),
        use=names_in_groups,
        reference=groups_where(is_matrix),
        cases=(
            Case((nn.Linear(2, 3),), "a matrix, which decays, and a bias, which does not.",
                 seconds=30.0),  # the first optimiser of a session takes a while to load
            Case((nn.LayerNorm(3),), "gains and biases of a norm are vectors: neither decays."),
            Case((EmbeddingAndNorm(),), "the table of an embedding is a matrix too."),
            Case((ScaledLinear(),), "here the matrix is called bias and a vector is called weight: "
                 "look at the number of axes, not at the name."),
            Case((Convolution(),), "the kernel of a convolution has four axes, and decays."),
            Case((TiedHead(),), "embedding and head are one and the same parameter: it may come "
                 "up once only, or it is updated twice."),
            Case((FrozenEmbedding(),), "what is frozen (requires_grad is False) is in neither."),
            Case((nn.TransformerEncoderLayer(4, 2, 8),), "the parameters of all modules inside, at "
                 "any depth."),
        ),
        mistakes=(
            Mistake(groups_where(lambda name, p: p.dim() < 2), "swapping the two lists. First "
                    "those that decay: the matrices."),
            Mistake(groups_where(is_matrix, trained_only=False), "keeping frozen parameters. They "
                    "belong in neither list."),
            Mistake(groups_where(is_matrix, tied_twice=True), "naming a tied parameter twice. "
                    "model.parameters() gives each one once."),
            Mistake(groups_where(lambda name, p: "bias" not in name), "going by the name: gains of "
                    "norms are vectors too, and a matrix may be called bias."),
            Mistake(groups_where(lambda name, p: name.endswith("weight")), "going by the name: the "
                    "gains of norms are called weight too."),
            Mistake(groups_where(lambda name, p: "bias" not in name and "norm" not in name),
                    "going by the name. Names differ from model to model; the number of axes does "
                    "not."),
            Mistake(groups_where(lambda name, p: p.dim() == 2), "letting only two axes decay. More "
                    "than two decay as well."),
            Mistake(groups_where(lambda name, p: p.dim() >= 1), "letting vectors decay."),
            Mistake(groups_where(lambda name, p: True), "letting everything decay."),
        ),
    ),
    Exercise(
        id="09.6",
        title="Pack documents",
        level="medium",
        minutes=15,
        call="pack(documents, length, end_token)",
        hints=(
            "First make one long list of it all. Only then think about rows.",
            "Extend the list by each document and then by the end token. As many whole rows fit as "
            "len(stream) // length says; what is left over is cut off.",
            "n = len(stream) // length; torch.tensor(stream[:...], dtype=torch.long).view(n, "
            "length). Where do you cut, so that the view fits?",
        ),
        reference=packed,
        cases=(
            Case(([[1, 2]], 3, 0), "one document and its end: one row.", torch.tensor([[1, 2, 0]])),
            Case(([[1], [2]], 2, 0), "an end token follows each document, also the last.",
                 torch.tensor([[1, 0], [2, 0]])),
            Case(([[1, 2, 3], [4]], 2, 0), "a document goes on in the next row.",
                 torch.tensor([[1, 2], [3, 0], [4, 0]])),
            Case(([[1, 2], [3, 4, 5]], 3, 9), "what does not fill a row is dropped, and the end "
                 "token may be any id.", torch.tensor([[1, 2, 9], [3, 4, 5]])),
            Case(([[1, 2], [], [3]], 3, 0), "an empty document leaves its end token.",
                 torch.tensor([[1, 2, 0], [0, 3, 0]])),
            Case(([[1, 2]], 4, 0), "not one row is full: the shape is (0, 4).",
                 torch.zeros(0, 4, dtype=torch.long)),
            Case(([], 2, 0), "no documents: the shape is (0, 2).",
                 torch.zeros(0, 2, dtype=torch.long)),
            Case(([[1, 0, 2], [0]], 1, 0), "rows of one token.",
                 torch.tensor([[1], [0], [2], [0], [0], [0]])),
            Case(([ids(n, 50, seed=n) for n in (7, 1, 0, 30, 4, 12)], 8, 50), "one row of all "
                 "documents, cut every `length` tokens."),
            Case(([ids(n % 40, 900, seed=n) for n in range(300)], 32, 900), "many documents."),
        ),
        mistakes=(
            Mistake(lambda d, n, e: packed(d, n, e, last=False), "leaving out the end token of the "
                    "last document, or else the last row where nothing is left over: a range that "
                    "ends at len(row) - length stops one row early."),
            Mistake(lambda d, n, e: rows_of(chain(*d), n), "leaving out the end tokens."),
            Mistake(lambda d, n, e: packed(d, n, e, front=[e], last=False), "putting the end token "
                    "before each document. It follows it."),
            Mistake(lambda d, n, e: packed(d, n, e, front=[e]), "putting an end token at the front "
                    "as well. It follows each document, and nothing else."),
            Mistake(padded, "starting each document in a row of its own, and padding it. Packed, "
                    "no token is spent on padding."),
            Mistake(rest_padded, "padding the last row. What does not fill a row is dropped."),
            Mistake(rest_of_each_dropped, "cutting each document by itself, and dropping the rest "
                    "of each. First lay all in one row."),
            Mistake(lambda d, n, e: packed(d, n, e, empty=False), "skipping empty documents. Each "
                    "leaves its end token."),
            Mistake(lambda d, n, e: packed(d, n, e)[:-1], "dropping the last row, though it is "
                    "full."),
        ),
    ),
    Exercise(
        id="09.7",
        title="Contaminated?",
        level="hard",
        minutes=20,
        call="contamination(train, held_out, n)",
        hints=(
            "For each window of the held-out text you ask: does this one occur in training? What "
            "answers such a question without reading all of the training text again?",
            "Put all windows of the training text in a set, as tuples. Then go once through the "
            "windows of the held-out text, and count those that are in the set. A text of t tokens "
            "has t - n + 1 windows.",
            "known = {tuple(train[i : i + n]) for i in range(...)}; the same windows of held_out, "
            "in a list this time. Why a list, and what do you return when it is empty?",
        ),
        reference=share_by_sorting,
        cases=(
            Case(([1, 2, 3], [1, 2], 2), "the only window, (1, 2), is known.", 1.0),
            Case(([1, 2, 3], [2, 1], 2), "(2, 1) is not (1, 2): order matters.", 0.0),
            Case(([1, 2, 3], [5, 2, 3], 2), "of (5, 2) and (2, 3) only the last one is known: t "
                 "tokens have t - n + 1 windows.", 0.5),
            Case(([5, 2, 3], [2, 3, 4, 5], 2), "windows overlap: (2, 3), (3, 4) and (4, 5), of "
                 "which the first is known. (3, 5) occurs nowhere.", 1 / 3),
            Case(([1, 2, 3], [1, 2, 1, 2, 9], 2), "(1, 2) is counted each time it occurs: two of "
                 "four windows.", 0.5),
            Case(([1, 2, 9, 2, 3], [1, 2, 3], 3), "that (1, 2) and (2, 3) are known does not make "
                 "(1, 2, 3) known.", 0.0),
            Case(([1, 23, 4], [12, 3, 4], 2), "1 and 23 are not 12 and 3: compare tokens, not "
                 "their digits in a row.", 0.0),
            Case(([1, 2, 3], [3, 4, 1], 1), "n may be 1: tokens.", 2 / 3),
            Case(([1, 2, 3], [1, 2], 3), "the held-out text is shorter than n: 0.0.", 0.0),
            Case(([1, 2], [1, 2, 3], 3), "the training text is shorter than n: it has no window.",
                 0.0),
            Case(([], [], 1), "no text at all.", 0.0),
            Case((ids(60, 3), ids(40, 3, seed=1), 4), "a longer text, with many repetitions."),
            Case((LONG, LONG_HELD_OUT, 8), "200,000 tokens: go once through each text. Look up "
                 "windows in a set, not in a list.", 33_993 / 99_993, seconds=4.0),
        ),
        mistakes=(
            Mistake(lambda t, h, n: share_by_sorting(t, h, n, once=True), "counting each held-out "
                    "window once. One that comes twice counts twice: a list, not a set."),
            Mistake(lambda t, h, n: share_by_sorting(t, h, max(1, n - 1)), "taking windows "
                    "of n - 1 tokens."),
            Mistake(lambda t, h, n: share_by_sorting(t, h, n + 1), "taking windows of n + 1 "
                    "tokens."),
            Mistake(lambda t, h, n: share_by_sorting(t, h[:-1], n), "leaving out the last window: "
                    "t tokens have t - n + 1 of them."),
            Mistake(lambda t, h, n: share_by_sorting(t[:-1], h[:-1], n), "leaving out the last "
                    "window of both texts: t tokens have t - n + 1 of them."),
            Mistake(lambda t, h, n: share_by_sorting(t[:-1], h, n), "leaving out the last window "
                    "of the training text: t tokens have t - n + 1 of them."),
            Mistake(lambda t, h, n: share_by_sorting(t, h, n, stride=n), "cutting the held-out "
                    "text into pieces. Windows overlap: one starts at every token."),
            Mistake(lambda t, h, n: share_by_sorting(t, h, n, of=lambda rows: numpy.sort(rows, 1)),
                    "ignoring the order of the tokens within a window."),
            Mistake(lambda t, h, n: share_by_sorting(h, t, n), "swapping the texts: the share is "
                    "that of the held-out windows."),
            Mistake(joined_as_strings, "joining tokens to strings without anything between them: "
                    "1 and 23 become 12 and 3."),
            Mistake(share_of_tokens_covered, "counting tokens that lie in a known window. Count "
                    "the windows."),
            Mistake(share_of_all_tokens, "dividing by the number of tokens. There are n - 1 fewer "
                    "windows."),
        ),
    ),
)
