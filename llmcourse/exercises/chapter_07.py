"""Checks of chapter 7: norm, gate and block; what a decoder reads, says, and is graded on."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from llmcourse.exercises.comparing import difference
from llmcourse.exercises.exercise import Case, Exercise, Mistake
from llmcourse.exercises.showing import kind_of

LN3 = math.log(3)


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


# ---------------------------------------------------------------- 07.2
def layer_norm_of_torch(x, gain, bias, epsilon):
    x, gain, bias = x.double(), gain.double(), bias.double()
    return F.layer_norm(x, gain.shape, gain, bias, epsilon)


def normed_over(*dims, unbiased=False):
    """Layer norm over other dimensions than the last, or with the other variance."""

    def norm(x, gain, bias, epsilon):
        variance, mean = torch.var_mean(x, dim=dims, correction=int(unbiased), keepdim=True)
        return (x - mean) / torch.sqrt(variance + epsilon) * gain + bias

    return norm


def without_epsilon_in_the_root(x, gain, bias, epsilon):
    variance, mean = torch.var_mean(x, dim=-1, correction=0, keepdim=True)
    return (x - mean) / (variance.sqrt() + epsilon) * gain + bias


# ---------------------------------------------------------------- 07.3
def gated(x, W_gate, W_up, W_down):
    """SwiGLU by way of PyTorch's gated linear unit, glu(a, b) = a * sigmoid(b)."""
    gate, up, down = W_gate.double(), W_up.double(), W_down.double()
    half = F.glu(torch.cat([x.double() @ up, x.double() @ gate], dim=-1), dim=-1)
    return (x.double() @ gate * half) @ down


# ---------------------------------------------------------------- 07.4: functions of one stream
def nothing(h):
    return torch.zeros_like(h)


def unchanged(h):
    return h


def halve(h):
    return h / 2


def add_one(h):
    return h + 1


def minus_five(h):
    return h - 5


def ten_times(h):
    return 10 * h


def small_encoder_layer() -> nn.TransformerEncoderLayer:
    """PyTorch's own pre-norm block, its two norms unlike each other."""
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(0)
        layer = nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, batch_first=True, norm_first=True)
    for seed, norm in enumerate((layer.norm1, layer.norm2)):
        norm.weight.data, norm.bias.data = normal(2, 4, seed=seed)
    return layer.requires_grad_(False)


LAYER = small_encoder_layer()


def first_norm(h):
    return LAYER.norm1(h)


def second_norm(h):
    return LAYER.norm2(h)


def attention(h):
    return LAYER.self_attn(h, h, h, need_weights=False)[0]


def feed_forward(h):
    return LAYER.linear2(torch.relu(LAYER.linear1(h)))


# ---------------------------------------------------------------- 07.5
def shifted_rows(labels, start):
    return [[start, *row[:-1]] for row in labels.tolist()]


def rolled(labels, start, by=1):
    return labels.roll(by, dims=1)


# ---------------------------------------------------------------- 07.6: translators
def scores_of(word: int) -> torch.Tensor:
    """(20,) logits, all below zero, the word's by far not alone with a chance."""
    return -1 - (torch.arange(20) - word).abs() / 2


def ids_in(so_far) -> list[int]:
    """The words so far as a plain list, for whatever holds them one after another."""
    if getattr(so_far, "ndim", 1) != 1:
        raise TypeError(f"so_far is to be a list of ids, not {kind_of(so_far)}")
    return [int(word) for word in so_far]


def ends_at_once(source, so_far):
    return scores_of(2)


def copies_the_source(source, so_far):
    """The source word by word; whatever comes behind its end is 3."""
    place = len(ids_in(so_far)) - 1
    return scores_of(source[place] if place < len(source) else 3)


def counts_on(source, so_far):
    return scores_of(ids_in(so_far)[-1] + 1)


def adds_the_last_two(source, so_far):
    ids = ids_in(so_far)
    return scores_of(sum(ids[-2:]) if len(ids) > 1 else 2)


def always_says_seven(source, so_far):
    return scores_of(7)


class KeepsTheListAndReadsWhatIsNew:
    """Says 2 more than the sum of all words so far; adds up only those it has not had yet."""

    def __init__(self):
        self.kept, self.total = [], 0

    def __call__(self, source, so_far):
        self.total += sum(ids_in(so_far[len(self.kept) :]))
        self.kept = so_far
        return scores_of(self.total + 2)


def translated(*, cut=slice(1, None), keep_end=False, stop=True, longer=0, read=slice(None)):
    """A greedy translator that can be made to do it wrong."""

    def translate(next_logits, source, start, end, max_length):
        words = [start]
        for _ in range(max_length + longer):
            word = int(next_logits(source, words[read]).argmax())
            if stop and word == end:
                words += [end] * keep_end
                break
            words = [*words, word]
        return words[cut]

    return translate


def appending_to_one_list(next_logits, source, start, end, max_length):
    words = [start]
    while len(words) <= max_length:
        word = int(next_logits(source, words).argmax())
        if word == end:
            break
        words.append(word)
    return words[1:]


def all_words_from_the_first_step(next_logits, source, start, end, max_length):
    words = next_logits(source, [start]).argsort(descending=True).tolist()[:max_length]
    return words[: words.index(end)] if end in words else words


# ---------------------------------------------------------------- 07.7
def mean_loss(logits, labels, pad):
    """PyTorch's own sum over the labels that are no padding, over their number."""
    flat = logits.double().flatten(0, 1)
    total = F.cross_entropy(flat, labels.flatten(), ignore_index=pad, reduction="sum")
    return total / max(1, int((labels != pad).sum()))


def token_losses(logits, labels):
    return F.cross_entropy(logits.double().movedim(-1, 1), labels, reduction="none")


def mean_of_means(logits, labels, pad):
    real = labels != pad
    return ((token_losses(logits, labels) * real).sum(1) / real.sum(1)).mean()


def leaf_of(value: torch.Tensor) -> torch.Tensor | None:
    """The tensor that `value` was computed from and that takes a gradient, if there is one."""
    nodes, seen = [value.grad_fn], set()
    while nodes:
        node = nodes.pop()
        if node is None or node in seen:
            continue
        if hasattr(node, "variable"):
            return node.variable
        seen.add(node)
        nodes += [before for before, _ in node.next_functions]
    return None


def loss_and_gradient(got, logits, labels, pad) -> str | None:
    """`accept` of 07.7: are the loss and its gradient with respect to the logits right?"""
    if not isinstance(got, torch.Tensor):
        raise ValueError("a loss to train with is a tensor, computed from the logits")
    leaf = logits.detach().double().requires_grad_()
    expected = mean_loss(leaf, labels, pad)
    if complaint := difference(expected, got):
        return f"the loss should be {expected.item():.4f}: {complaint}"
    source = leaf_of(got)
    if source is None:
        return "it does not depend on the logits any more, so loss.backward() finds no gradient"
    gradient = torch.autograd.grad(got, source)[0]
    complaint = difference(torch.autograd.grad(expected, leaf)[0], gradient)
    return complaint and f"the loss is right, its gradient by the logits is not: {complaint}"


# log(1/2) and log(1/16), as logits of a vocabulary of three
HALF = [math.log(1 / 4), math.log(1 / 2), math.log(1 / 4)]
SIXTEENTH = [math.log(1 / 2), math.log(1 / 16), math.log(7 / 16)]


def loss_case(logits, labels, pad, pointer, expected=None):
    """A case of 07.7 in which no gradient is asked for."""
    expected = mean_loss(logits, labels, pad).item() if expected is None else expected
    return Case((logits, labels, pad), pointer, expected)


EXERCISES = (
    Exercise(
        id="07.1",
        title="Where the parameters are, on paper",
        level="easy",
        minutes=5,
        hints=(
            "A matrix that takes n numbers to m numbers has n * m parameters. Write the six "
            "shapes down first.",
            "Attention has four matrices, for query, key, value and output; the number of heads "
            "cuts them up and adds nothing. The feed-forward has one matrix up and one down.",
            "4 * 512 * 512 for the attention and 2 * 512 * 2048 for the feed-forward. The share "
            "is the first of them over what?",
        ),
        cases=(
            Case(expected=[1_048_576, 2_097_152, 1 / 3], rtol=1e-5, atol=4e-4, pointer="three "
                 "numbers are wanted, in this order: the parameters of the attention, those of "
                 "the feed-forward, both to the last digit, and the attention's share of their "
                 "sum, a fraction of 1."),
        ),
        mistakes=(
            Mistake([786_432, 2_097_152, 3 / 11], "counting three matrices in the attention: "
                    "query, key and value. Its output goes through a fourth."),
            Mistake([262_144, 2_097_152, 1 / 9], "counting one matrix in the attention, of four."),
            Mistake([1_048_576, 1_048_576, 1 / 2], "counting one matrix in the feed-forward: one "
                    "goes up to d_ff, another comes down again."),
            Mistake([1_048_576, 3_145_728, 1 / 4], "counting three matrices in the feed-forward. "
                    "SwiGLU has a gate besides; this one has two matrices."),
            Mistake([1_048_576, 2_097_152, 2 / 3], "giving the share of the feed-forward."),
            Mistake([1_048_576, 2_097_152, 1 / 2], "dividing by the feed-forward alone: a share "
                    "is a part over the whole."),
            Mistake([2_097_152, 1_048_576, 1 / 3], "naming the feed-forward first."),
            Mistake([2_097_152, 1_048_576, 2 / 3], "swapping attention and feed-forward."),
            Mistake([1_050_624, 2_099_712, 1_050_624 / 3_150_336], "counting biases, too. This "
                    "block has none."),
        ),
    ),
    Exercise(
        id="07.2",
        title="Layer norm",
        level="easy",
        minutes=10,
        call="layer_norm(x, gain, bias, epsilon)",
        hints=(
            "Every token is normalised for itself, by its own d_model numbers and by no others.",
            "Take off the mean; divide by the root of the variance plus epsilon. The variance "
            "divides by d_model, not by d_model - 1. Then gain, then bias.",
            "(x - mean) / torch.sqrt(x.var(dim=-1, ...) + epsilon) * gain + bias. Which two "
            "arguments stand for the dots, so that it divides by d_model and broadcasts back?",
        ),
        reference=layer_norm_of_torch,
        cases=(
            Case((torch.tensor([-1.0, 1.0]), torch.ones(2), torch.zeros(2), 1e-5),
                 "mean 0, and the variance is the mean of the squares: 1. It divides by 2, not "
                 "by 1 (in torch, correction=0). A lone token has one dimension: it is the last, "
                 "dim=-1.", [-1.0, 1.0]),
            Case((torch.tensor([-1.0, 1.0]), torch.ones(2), torch.zeros(2), 3.0),
                 "epsilon is added to the variance, under the root: sqrt(1 + 3) = 2.",
                 [-0.5, 0.5]),
            Case((torch.tensor([3.0, 7.0]), torch.ones(2), torch.zeros(2), 1e-5), "the mean comes "
                 "off first.", [-1.0, 1.0]),
            Case((torch.tensor([3.0, 7.0]), torch.tensor([2.0, 3.0]), torch.tensor([10.0, 20.0]),
                  1e-5), "gain multiplies what is normalised, bias is added last.", [8.0, 23.0]),
            # the root of epsilon makes 300 of 1: so much grows what is rounded off the mean
            Case((torch.full((4,), 5.0), torch.ones(4), torch.zeros(4), 1e-5), "a token whose "
                 "numbers are all the same has variance 0. That is what epsilon is for: the "
                 "result is 0, not nan.", [0.0, 0.0, 0.0, 0.0], atol=1e-3),
            Case((torch.tensor([[-1.0, 1.0], [60.0, 20.0], [0.0, 4.0]]), torch.ones(2),
                  torch.zeros(2), 1e-5), "each row is a token, and is normalised by its own mean "
                 "and variance: the last dimension.", [[-1.0, 1.0], [1.0, -1.0], [-1.0, 1.0]]),
            Case((normal(3, 3), normal(3, seed=1), normal(3, seed=2), 0.1), "without keepdim=True "
                 "means of shape (3,) go along the columns of a (3, 3) matrix, and nothing "
                 "complains."),
            Case((normal(2, 3, 4), normal(4, seed=1), normal(4, seed=2), 1e-5), "with a batch in "
                 "front, the numbers of a token still are the last dimension, and only that."),
            Case((normal(3, 3, 3), normal(3, seed=1), normal(3, seed=2), 1e-5), "all sizes are "
                 "equal here, so a wrong dimension raises nothing: it is the last, dim=-1."),
            Case((normal(2, 3, 4, 5), normal(5, seed=1), normal(5, seed=2), 1e-5), "any number "
                 "of dimensions may come before the last."),
            Case((0.001 * normal(3, 8), torch.ones(8), torch.zeros(8), 1e-5), "epsilon weighs "
                 "more than the variance here: use the one that is handed in, under the root."),
        ),
        mistakes=(
            Mistake(normed_over(-1, unbiased=True), "dividing by d_model - 1 in the variance, as "
                    "torch.var and torch.std do unless told otherwise: correction=0."),
            Mistake(lambda x, gain, bias, epsilon: (x - x.mean(-1, keepdim=True)) /
                    (x.std(-1, keepdim=True) + epsilon) * gain + bias, "taking "
                    "torch.std as it is: it divides by d_model - 1 unless told otherwise "
                    "(correction=0), and epsilon belongs under the root, to the variance."),
            Mistake(without_epsilon_in_the_root, "adding epsilon to the standard deviation: it "
                    "belongs to the variance, under the root."),
            Mistake(lambda x, gain, bias, epsilon: layer_norm_of_torch(x, gain, bias, 1e-5),
                    "using 1e-5 always: epsilon is handed in."),
            Mistake(lambda x, gain, bias, epsilon: layer_norm_of_torch(x, gain, bias, 0.0),
                    "leaving epsilon out."),
            Mistake(lambda x, gain, bias, epsilon: (x - x.mean(-1, keepdim=True)) /
                    (x.var(-1, correction=0, keepdim=True) + epsilon) * gain + bias,
                    "dividing by the variance, not by its root."),
            Mistake(lambda x, gain, bias, epsilon: F.rms_norm(x, gain.shape, gain, epsilon) + bias,
                    "leaving the mean in: that is RMSNorm."),
            Mistake(lambda x, gain, bias, epsilon: F.layer_norm(x, gain.shape, eps=epsilon),
                    "leaving out gain and bias."),
            Mistake(lambda x, gain, bias, epsilon: F.layer_norm(x, gain.shape, gain, eps=epsilon),
                    "leaving out the bias."),
            Mistake(lambda x, gain, bias, epsilon: (F.layer_norm(x, gain.shape, eps=epsilon) + bias)
                    * gain, "adding the bias first: gain multiplies, then bias is added."),
            Mistake(lambda x, gain, bias, epsilon: normed_over(*range(x.dim()))(
                x, gain, bias, epsilon), "taking mean and variance over all numbers: each token "
                    "has its own."),
            Mistake(normed_over(0), "normalising over the first dimension. The numbers of a token "
                    "are the last."),
            Mistake(lambda x, gain, bias, epsilon: normed_over(*range(min(1, x.dim() - 1), x.dim()))
                    (x, gain, bias, epsilon), "taking mean and variance over all but the first "
                    "dimension: each token has its own."),
            Mistake(normed_over(1), "normalising over dimension 1. The numbers of a token are the "
                    "last: dim=-1."),
        ),
    ),
    Exercise(
        id="07.3",
        title="SwiGLU",
        level="medium",
        minutes=10,
        call="swiglu(x, W_gate, W_up, W_down)",
        hints=(
            "Two ways go up, one comes down. Which of the two is the gate?",
            "silu(a) is a * sigmoid(a), and F.silu computes it. Only the gate goes through it; "
            "then each of its numbers multiplies one of the other way's.",
            "(F.silu(x @ ...) * (x @ ...)) @ W_down. Which matrix stands in which place?",
        ),
        reference=gated,
        cases=(
            Case((torch.tensor([1.0]), torch.tensor([[LN3]]), torch.tensor([[2.0]]),
                  torch.tensor([[4 / LN3]])), "the gate is silu(ln 3) = ln 3 * 3/4; it "
                 "multiplies the 2, and 4 / ln 3 takes the product down. x is a lone token here, "
                 "of one dimension.", [6.0]),
            Case((torch.tensor([1.0]), torch.tensor([[-LN3]]), torch.tensor([[2.0]]),
                  torch.tensor([[4 / LN3]])), "silu lets a little of the negative through: "
                 "silu(-ln 3) = -ln 3 / 4.", [-2.0]),
            Case((torch.tensor([1.0, 0.0]), torch.tensor([[LN3, 0.0], [5.0, 6.0]]),
                  torch.tensor([[4 / LN3, 9.0], [7.0, 8.0]]),
                  torch.tensor([[1.0, 2.0], [5.0, 6.0]])),
                 "weights are applied as x @ W, without a transpose.", [3.0, 6.0]),
            Case((normal(3), normal(3, 5, seed=1), normal(3, 5, seed=2), normal(5, 3, seed=3)),
                 "up to a width of 5 and down again to 3: each number of the gate multiplies one "
                 "of the other way's."),
            Case((normal(4, 3), normal(3, 5, seed=1), normal(3, 5, seed=2), normal(5, 3, seed=3)),
                 "each row of x is a token, and gets its own row of the output."),
            Case((normal(3, 3), normal(3, 3, seed=1), normal(3, 3, seed=2), normal(3, 3, seed=3)),
                 "all sizes are equal here, so a wrong transpose or a matrix product in place of "
                 "`*` raises nothing."),
            Case((normal(2, 3, 4), normal(4, 8, seed=1), normal(4, 8, seed=2),
                  normal(8, 4, seed=3)), "any number of dimensions may come before the last."),
            Case((torch.tensor([[100.0, -90.0]]), torch.tensor([[9.0, 0.0], [0.0, 9.0]]),
                  torch.ones(2, 2), torch.eye(2)), "exp(900) is inf, and inf / inf is nan. "
                 "torch.sigmoid has no such trouble.", [[9000.0, 0.0]]),
        ),
        mistakes=(
            Mistake(lambda x, gate, up, down: (torch.sigmoid(x @ gate) * (x @ up)) @ down,
                    "using sigmoid for silu: silu(a) is a * sigmoid(a)."),
            Mistake(lambda x, gate, up, down: (torch.relu(x @ gate) * (x @ up)) @ down,
                    "using ReLU for silu."),
            Mistake(lambda x, gate, up, down: (F.gelu(x @ gate) * (x @ up)) @ down,
                    "using GELU for silu: that is GEGLU."),
            Mistake(lambda x, gate, up, down: (F.gelu(x @ gate, approximate="tanh") * (x @ up))
                    @ down, "using GELU for silu: that is GEGLU."),
            Mistake(lambda x, gate, up, down: (torch.tanh(x @ gate) * (x @ up)) @ down,
                    "using tanh for silu."),
            Mistake(lambda x, gate, up, down: (x @ gate * (x @ up)) @ down, "leaving silu out."),
            Mistake(lambda x, gate, up, down: (F.silu(x @ up) * (x @ gate)) @ down,
                    "swapping gate and up: silu belongs to the gate."),
            Mistake(lambda x, gate, up, down: (F.silu(x @ gate) + x @ up) @ down,
                    "adding the two ways, where they multiply."),
            Mistake(lambda x, gate, up, down: F.silu(x @ gate * (x @ up)) @ down,
                    "taking silu of the product: it belongs to the gate alone."),
            Mistake(lambda x, gate, up, down: (F.silu(x @ gate) * F.silu(x @ up)) @ down,
                    "taking silu of both ways: it belongs to the gate alone."),
            Mistake(lambda x, gate, up, down: F.silu(x @ gate) @ down, "leaving W_up out."),
            Mistake(lambda x, gate, up, down: F.silu((x @ gate * (x @ up)) @ down),
                    "taking silu of the output: it belongs to the gate."),
            Mistake(lambda x, gate, up, down: F.silu(x @ gate) * (x @ up), "leaving W_down out."),
            Mistake(lambda x, gate, up, down: (F.silu(x @ gate.T) * (x @ up.T)) @ down.T,
                    "transposing the weights: they are applied as x @ W."),
            Mistake(lambda x, gate, up, down: (F.silu(x) @ gate * (x @ up)) @ down,
                    "taking silu of x: it comes after W_gate."),
        ),
    ),
    Exercise(
        id="07.4",
        title="A pre-norm block",
        level="medium",
        minutes=15,
        call="pre_norm_block(x, norm_1, attend, norm_2, feed)",
        hints=(
            "The stream goes straight through. Each of the two halves reads a normed copy of it, "
            "and adds something to the stream itself.",
            "The first half adds attend(norm_1(x)) to x. The second does the same with norm_2 and "
            "feed, to the stream as the first half has left it.",
            "x = x + attend(norm_1(x)), and then once more x = x + ... Which x does norm_2 read?",
        ),
        # for the cases whose functions are parts of PyTorch's layer
        reference=lambda x, *functions: LAYER(x),
        cases=(
            Case((torch.tensor([4.0]), halve, nothing, minus_five, nothing), "attend and feed give "
                 "0 here, so that nothing is added: x comes out as it came in. What is added to "
                 "is the stream itself, not its normed copy.", [4.0]),
            Case((torch.tensor([4.0]), halve, add_one, minus_five, nothing), "only attend adds "
                 "something here: it reads norm_1(4) = 2 and gives 3, and 4 + 3 = 7.", [7.0]),
            Case((torch.tensor([4.0]), halve, nothing, minus_five, ten_times), "only feed adds "
                 "something here: it reads norm_2(4) = -1 and gives -10, and 4 - 10 = -6.",
                 [-6.0]),
            Case((torch.tensor([4.0]), halve, add_one, minus_five, ten_times), "the second half "
                 "reads the stream as the first has left it, and adds to that: 7, normed 2, "
                 "fed 20, so 7 + 20.", [27.0]),
            Case((torch.tensor([1.0]), unchanged, unchanged, unchanged, unchanged), "each half "
                 "doubles the stream here. A function may return the very tensor that it got, so "
                 "a += on that changes x.", [4.0]),
            Case((torch.tensor([[1.0, 2.0], [3.0, 4.0]]), halve, unchanged, halve, add_one),
                 "x is (..., d_model), with any dimensions in front.",
                 [[3.25, 5.5], [7.75, 10.0]]),
            Case((normal(2, 3, 4), first_norm, attention, second_norm, feed_forward), "with true "
                 "norms, attention and feed-forward: torch.nn.TransformerEncoderLayer with "
                 "norm_first=True gives something else.", atol=1e-5),
        ),
        mistakes=(
            Mistake(lambda x, n1, a, n2, f: n2(n1(x + a(x)) + f(n1(x + a(x)))), "norming after the "
                    "addition: that is post-norm, the block of 2017."),
            Mistake(lambda x, n1, a, n2, f: x + a(n1(x)) + f(n2(x)), "letting feed read x: it "
                    "reads the stream to which attend has added."),
            Mistake(lambda x, n1, a, n2, f: x + f(n2(x + a(n1(x)))), "adding the second half to "
                    "x: what attend has added gets lost."),
            Mistake(lambda x, n1, a, n2, f: f(n2(x + a(n1(x)))), "leaving out the second "
                    "residual."),
            Mistake(lambda x, n1, a, n2, f: a(n1(x)) + f(n2(a(n1(x)))), "leaving out the first "
                    "residual."),
            Mistake(lambda x, n1, a, n2, f: f(n2(a(n1(x)))), "leaving out both residuals."),
            Mistake(lambda x, n1, a, n2, f: twice(lambda h, n, g: n(h) + g(n(h)), x, n1, a, n2, f),
                    "adding to the normed copy: the stream itself goes on, unnormed."),
            Mistake(lambda x, n1, a, n2, f: twice(lambda h, n, g: h + n(g(h)), x, n1, a, n2, f),
                    "norming what attend and feed give, not what they read."),
            Mistake(lambda x, n1, a, n2, f: twice(lambda h, n, g: h + g(n(h)), x, n1, a, n1, f),
                    "using norm_1 in both halves."),
            Mistake(lambda x, n1, a, n2, f: twice(lambda h, n, g: h + g(n(h)), x, n2, a, n2, f),
                    "using norm_2 in both halves."),
            Mistake(lambda x, n1, a, n2, f: twice(lambda h, n, g: h + g(n(h)), x, n2, a, n1, f),
                    "swapping the norms."),
            Mistake(lambda x, n1, a, n2, f: twice(lambda h, n, g: h + g(n(h)), x, n2, f, n1, a),
                    "feeding first: attention comes first."),
            Mistake(lambda x, n1, a, n2, f: x + a(n1(x)) + f(n2(a(n1(x)))), "letting feed read "
                    "what attend has given: it reads the whole stream."),
            Mistake(lambda x, n1, a, n2, f: x + a(n1(x)) + f(x + a(n1(x))), "leaving norm_2 out."),
            Mistake(lambda x, n1, a, n2, f: x + a(x) + f(n2(x + a(x))), "leaving norm_1 out."),
        ),
    ),
    Exercise(
        id="07.5",
        title="What the decoder may read",
        level="medium",
        minutes=12,
        call="shift_right(labels, start)",
        hints=(
            "To say word t, the decoder may read the words before t. What does it read to say the "
            "first?",
            "Every row begins with start, and ends with the word before its last. The length stays "
            "as it was.",
            "F.pad(labels[:, ...], (1, 0), value=start) puts one start in front of every row. "
            "Which columns of the labels stay?",
        ),
        cases=(
            Case((torch.tensor([[7]]), 1), "to say the first word the decoder reads start, and "
                 "nothing else.", [[1]]),
            Case((torch.tensor([[5, 6, 7]]), 1), "before 6 it has read 5: all words move one place "
                 "to the right, and the last is never read.", [[1, 5, 6]]),
            Case((torch.tensor([[5, 6, 7]]), 9), "start is handed in; it is not always the same.",
                 [[9, 5, 6]]),
            Case((torch.tensor([[5, 6, 7], [8, 9, 10]]), 1), "each row of the batch is a sentence "
                 "of its own, and begins with start.", [[1, 5, 6], [1, 8, 9]]),
            Case((torch.tensor([[3, 4], [5, 6], [7, 8]]), 0), "(batch, time): three sentences of "
                 "two words here.", [[0, 3], [0, 5], [0, 7]]),
            Case((torch.arange(2, 11).view(3, 3), 1), "batch and time are equal here, so a wrong "
                 "dimension raises nothing: words move along dimension 1."),
            Case((torch.tensor([[5, 6, 2, 0, 0], [5, 2, 0, 0, 0]]), 1), "padding moves like any "
                 "other word.", [[1, 5, 6, 2, 0], [1, 5, 2, 0, 0]]),
            Case((torch.randint(3, 99, (4, 30), generator=torch.Generator().manual_seed(0)), 2),
                 "a batch of longer sentences."),
        ),
        reference=shifted_rows,
        mistakes=(
            Mistake(rolled, "rolling: the last word comes round to the front, where the decoder "
                    "reads it first. There belongs start."),
            Mistake(lambda labels, start: rolled(labels, start, by=-1), "rolling to the left: the "
                    "decoder then reads the very word that it is to say."),
            Mistake(lambda labels, start: F.pad(labels[:, 1:], (0, 1), value=start), "shifting to "
                    "the left: the decoder then reads the next word, and start comes last."),
            Mistake(lambda labels, start: F.pad(labels, (1, 0), value=start), "keeping the last "
                    "word, which nobody reads: the input is as long as the labels."),
            Mistake(lambda labels, start: labels[:, :-1], "leaving start out."),
            Mistake(lambda labels, start: F.pad(labels[:, 1:], (1, 0), value=start),
                    "putting start in the place of the first word: all words have to move. It is "
                    "the last that nobody reads."),
            Mistake(lambda labels, start: F.pad(labels[:-1], (0, 0, 1, 0), value=start),
                    "moving whole sentences down the batch: words move along dimension 1."),
        ),
    ),
    Exercise(
        id="07.6",
        title="Translate, word by word",
        level="hard",
        minutes=20,
        call="greedy_translate(next_logits, source, start, end, max_length)",
        hints=(
            "It is a loop: ask for the next word, put it behind the others, ask again. What makes "
            "it stop? There are two things.",
            "so_far begins as [start]. The next word is the argmax of the logits. If it is end, "
            "you are done; else so_far + [word] is what to ask with next.",
            "for _ in range(max_length): word = int(next_logits(source, so_far).argmax()), and "
            "then so_far = so_far + [word]. What stands between the two, and which part of so_far "
            "is returned?",
        ),
        cases=(
            Case((ends_at_once, [4], 1, 2, 5), "the first word that comes is end: the translation "
                 "is empty, without start and without end.", []),
            Case((copies_the_source, [7], 1, 3, 5), "one word, then end. Neither start nor end "
                 "belongs to what is returned.", [7]),
            Case((copies_the_source, [6, 4, 5], 1, 3, 8), "each word is the argmax of new logits, "
                 "for the words so far; start is one of them.", [6, 4, 5]),
            Case((counts_on, [4], 1, 6, 8), "every word is put behind the others before the next "
                 "is asked for.", [2, 3, 4, 5]),
            Case((counts_on, [4], 7, 10, 8), "start and end are handed in; they differ from one "
                 "language to the next.", [8, 9]),
            Case((always_says_seven, [4], 1, 2, 3), "this one never says end: stop after "
                 "max_length words. A word may come twice.", [7, 7, 7], seconds=2),
            Case((always_says_seven, [4], 1, 2, 1), "max_length = 1 leaves one word.", [7],
                 seconds=2),
            Case((copies_the_source, [6, 4, 5], 1, 3, 3), "max_length counts the words that are "
                 "returned, not start and end.", [6, 4, 5]),
            Case((adds_the_last_two, [4], 1, 13, 9), "so_far holds all words from start on, not "
                 "the last alone.", [2, 3, 5, 8]),
            Case((copies_the_source, [6, 4, 5], 3, 3, 8), "start and end are the same id here, as "
                 "in some models: only a word that comes from the logits ends the sentence.",
                 [6, 4, 5]),
            Case((copies_the_source, [6, 4, 5], 1, 0, 5), "end is 0 here and never said; 3 is a "
                 "word like any other.", [6, 4, 5, 3, 3]),
            Case((copies_the_source, [6, 0, 5], 1, 3, 8), "end is 3 here; 0 is a word like any "
                 "other.", [6, 0, 5]),
            Case((KeepsTheListAndReadsWhatIsNew(), [4], 1, 12, 8), "this next_logits keeps the "
                 "list that it got, and reads what is new in the next. If you append to the same "
                 "list, there is nothing new: hand out so_far + [word].", [3, 6]),
        ),
        mistakes=(
            Mistake(translated(keep_end=True), "keeping end."),
            Mistake(translated(cut=slice(None)), "returning start, too."),
            Mistake(translated(cut=slice(None), keep_end=True), "returning start and end, too."),
            Mistake(translated(stop=False), "going on after end: the loop must stop there."),
            Mistake(translated(longer=1), "saying one word more than max_length."),
            Mistake(translated(longer=-1), "saying one word less than max_length. Neither start "
                    "nor end counts, and where end never came there is none to cut off."),
            Mistake(translated(cut=slice(1, -1)), "cutting off the last word: it is end only if "
                    "you have put it there."),
            Mistake(translated(read=slice(-1, None)), "handing over the last word only."),
            Mistake(translated(read=slice(1, None)), "handing over the words without start."),
            Mistake(translated(read=slice(0, 1)), "handing over start only, time and again."),
            Mistake(all_words_from_the_first_step, "taking all words from the logits of the first "
                    "step. Each word needs logits of its own."),
            Mistake(appending_to_one_list, "appending to the list that next_logits has got and may "
                    "have kept: hand out a new one, so_far + [word]."),
        ),
    ),
    Exercise(
        id="07.7",
        title="A mean over real words",
        level="hard",
        minutes=20,
        call="sequence_loss(logits, labels, pad)",
        hints=(
            "Two numbers are wanted for the whole batch: the sum of the losses at real words, and "
            "how many real words there are.",
            "F.cross_entropy wants (n, vocab_size) and (n,), so flatten batch and time into one; "
            "reduction='none' leaves one loss for each label. Without any real word, 0 / 0 is to "
            "be avoided before the division, for the gradient's sake.",
            "losses[real].sum() / real.sum().clamp(min=...), with real = labels != pad. What is "
            "the smallest number that one may divide by here, and what is the sum over nothing?",
        ),
        accept=loss_and_gradient,
        cases=(
            loss_case(torch.zeros(1, 1, 2), torch.tensor([[1]]), 0, "the loss of a label is minus "
                      "the natural logarithm of its probability: ln 2 here.", math.log(2)),
            loss_case(torch.tensor([[HALF, [0.0, 5.0, -5.0]]]), torch.tensor([[1, 0]]), 0,
                      "one real word, one of padding: only the real one counts, in the sum and in "
                      "the number of words.", math.log(2)),
            loss_case(torch.tensor([[HALF, HALF, HALF], [SIXTEENTH, HALF, HALF]]),
                      torch.tensor([[1, 1, 1], [1, 0, 0]]), 0, "four real words in two sentences: "
                      "(1 + 1 + 1 + 4) / 4 bits. Each word counts the same, a lone one too.",
                      7 / 4 * math.log(2)),
            loss_case(torch.tensor([[HALF, SIXTEENTH, HALF]]), torch.tensor([[1, 1, 2]]), 2,
                      "pad is handed in; it is 2 here.", 5 / 2 * math.log(2)),
            loss_case(torch.tensor([[[0.0, 5.0, -5.0], HALF, HALF]]), torch.tensor([[0, 1, 1]]), 0,
                      "padding may stand in front as well: the labels tell.", math.log(2)),
            loss_case(normal(2, 3, 4), torch.tensor([[1, 2, 3], [3, 3, 2]]), 0, "no padding at "
                      "all: the plain mean over all labels, each with the logits of its own "
                      "sentence and place."),
            loss_case(normal(3, 3, 3), torch.tensor([[1, 2, 1], [2, 2, 0], [1, 0, 0]]), 0,
                      "batch, time and vocabulary are equal here, so a wrong transpose raises "
                      "nothing: the softmax runs over the last dimension."),
            loss_case(normal(4, 6, 9), torch.tensor([[1, 2, 3, 8, 5, 7], [6, 2, 8, 7, 7, 7],
                                                     [7, 7, 7, 7, 7, 7], [4, 7, 7, 7, 7, 7]]), 7,
                      "a sentence may be padding from end to end, beside others that are not."),
            loss_case(1000 * normal(2, 3, 4), torch.tensor([[1, 2, 0], [3, 0, 0]]), 0, "logits "
                      "in the thousands: softmax first and log afterwards gives log(0). Use "
                      "log_softmax, or cross_entropy."),
            loss_case(normal(2, 3, 4), torch.full((2, 3), 3), 3, "no real word at all: the loss "
                      "is 0, not 0 / 0.", 0.0),
            Case((normal(2, 3, 4).requires_grad_(), torch.tensor([[1, 2, 3], [1, 0, 0]]), 0),
                 "the loss is to be trained with, so return a tensor that leads back to the "
                 "logits: no .item(), no detach()."),
            Case((normal(2, 3, 4).requires_grad_(), torch.zeros(2, 3, dtype=torch.long), 0),
                 "the gradient is to be 0, too. A 0 / 0 that torch.where or nan_to_num hides "
                 "makes the gradient nan; a new torch.tensor(0.0) has none. Divide by "
                 "something that is never 0."),
        ),
        mistakes=(
            Mistake(lambda logits, labels, pad: F.cross_entropy(logits.flatten(0, 1),
                                                                labels.flatten()),
                    "taking the mean over all labels, padding among them."),
            Mistake(lambda logits, labels, pad: (token_losses(logits, labels) * (labels != pad))
                    .mean(), "dividing by the number of all positions: padding counts 0 in the sum "
                    "and must not count in the number, either."),
            Mistake(lambda logits, labels, pad: mean_loss(logits, labels, pad) *
                    (labels != pad).sum(), "leaving out the division by the number of words."),
            Mistake(lambda logits, labels, pad: mean_loss(logits, labels, pad) *
                    (labels != pad).sum() / len(labels), "dividing by the number of sentences."),
            Mistake(mean_of_means, "averaging the means of the sentences: a word of a short one "
                    "then weighs more."),
            Mistake(lambda logits, labels, pad: F.cross_entropy(logits.flatten(0, 1),
                                                                labels.flatten(), ignore_index=0),
                    "taking 0 for padding always: pad is handed in."),
            Mistake(lambda logits, labels, pad: F.cross_entropy(logits.flatten(0, 1),
                                                                labels.flatten(), ignore_index=pad),
                    "dividing by a number of words that may be 0."),
            Mistake(lambda logits, labels, pad: token_losses(
                logits * (labels != pad)[..., None], labels).mean(), "setting the logits to 0 at "
                    "the padding. Even logits have a loss, too: the logarithm of vocab_size."),
            Mistake(lambda logits, labels, pad: mean_loss(logits, labels, pad) / math.log(2),
                    "measuring in bits: nats are wanted, the natural logarithm."),
            Mistake(lambda logits, labels, pad: mean_loss(logits, labels, pad).exp(),
                    "returning the perplexity: the loss itself is wanted."),
            Mistake(lambda logits, labels, pad: mean_loss(logits[:, :-1], labels[:, 1:], pad),
                    "shifting the labels. They are what the logits at the same place are for: the "
                    "input of the decoder has been shifted before."),
            Mistake(lambda logits, labels, pad: mean_loss(logits.softmax(-1), labels, pad),
                    "handing probabilities to cross_entropy, which wants the logits."),
            Mistake(lambda logits, labels, pad: mean_loss(logits.transpose(1, 2).reshape(
                logits.shape), labels, pad), "mixing up time and vocabulary before flattening."),
            Mistake(lambda logits, labels, pad: mean_loss(logits.transpose(0, 1).reshape(
                logits.shape), labels, pad), "mixing up batch and time before flattening."),
        ),
    ),
)


def twice(half, x, norm_1, attend, norm_2, feed):
    """Both halves of a block made the same wrong way, for the mistakes of 07.4."""
    return half(half(x, norm_1, attend), norm_2, feed)
