"""Checks of chapter 4: softmax, attention, and what attention cannot tell apart."""

import math

import torch
from torch.nn.functional import scaled_dot_product_attention

from llmcourse.exercises.comparing import as_array
from llmcourse.exercises.exercise import Case, Exercise, Mistake


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def orthonormal(n: int, d: int) -> torch.Tensor:
    """(n, d) with orthonormal rows."""
    return torch.linalg.qr(normal(d, n, seed=n))[0].T.contiguous()


def weight_at_position(got, keys, position: int, weight: float) -> str | None:
    """`accept` of 04.4: does `got` as a query look at `position` with at least `weight`?"""
    array = as_array(got)
    if array is None or array.dtype.kind not in "if":
        return "a query is a vector of real numbers"
    d = keys.shape[1]
    if array.shape != (d,):
        return f"the shape is {array.shape}, and should be {(d,)}: one query, as wide as a key"
    query = torch.from_numpy(array).to(keys.dtype)
    scores = query @ keys.T / math.sqrt(d)
    if not (query.isfinite().all() and scores.isfinite().all()):
        return "the query, or its score with some key, is inf or nan"
    weights = torch.softmax(scores.double(), dim=-1)
    if weights[position] >= weight - 1e-6:
        return None
    return f"key {position} gets weight {weights[position]:.6g}, and should get {weight} or more"


def gradient_by_autograd(weights: torch.Tensor, grad_weights: torch.Tensor) -> torch.Tensor:
    scores = weights.double().log().requires_grad_()
    return torch.autograd.grad(scores.softmax(dim=-1), scores, grad_weights.double())[0]


# The layers of 04.6.  Each maps (time, d_model) to (time, d_model).
def keep_everything(x):
    return x


def plain_attention(x):
    return scaled_dot_product_attention(x, x, x)


def attention_with_positions(x):
    time, d_model = x.shape
    angle = torch.arange(time)[:, None] / 10 ** torch.arange(d_model)
    return plain_attention(x + angle.sin())


def causal_attention(x):
    return scaled_dot_product_attention(x, x, x, is_causal=True)


def network_on_each_token(x):
    d_model = x.shape[1]
    hidden = torch.relu(x @ normal(d_model, 3 * d_model, seed=2))
    return hidden @ normal(3 * d_model, d_model, seed=3)


def mean_for_every_token(x):
    return x.mean(dim=0, keepdim=True).expand_as(x)


def cumulative_sum(x):
    return x.cumsum(dim=0)


def add_the_mirror_image(x):
    return x + 2 * x.flip(0)


def add_the_token_before(x):
    return x + 2 * x.roll(1, dims=0)


def add_the_mean_of_the_first_two(x):
    return x + x[:2].mean(dim=0)


def sort_each_feature(x):
    return x.sort(dim=0).values


def a_faint_trace_of_the_position(x):
    return x + 0.01 * torch.arange(len(x))[:, None]


# Values between 1 and 2: far enough from 0 for torch.allclose with its own tolerances.
SIX_TOKENS = 1 + torch.rand(6, 16, generator=torch.Generator().manual_seed(6))
THREE_TOKENS = SIX_TOKENS[:3, :4].clone()
LN3 = math.log(3)

EXERCISES = (
    Exercise(
        id="04.1",
        title="Attention on paper",
        level="easy",
        minutes=5,
        hints=(
            "Turn the two scores into two weights first; the values come last.",
            "The exponential of 0 is 1, that of ln 3 is 3. Weights add up to 1.",
            "The weights are 1/4 and 3/4, and the output is 1/4 · 8 + 3/4 · 4.",
        ),
        cases=(
            Case(expected=[0.25, 0.75, 5.0], rtol=1e-3, pointer="the answer has three numbers, in "
                 "this order: the weight of key 1, the weight of key 2, the output."),
        ),
        mistakes=(
            Mistake([1.0, 3.0, 20.0], "leaving out the division that makes the weights sum to 1."),
            Mistake([0.0, 1.0, 4.0], "dividing the scores by their sum, without the exponential."),
            Mistake([0.0, LN3, 4 * LN3], "taking the scores themselves as weights."),
            Mistake([0.25, 0.75, 7.0], "pairing the weights with the wrong values."),
            Mistake([0.75, 0.25, 7.0], "swapping the weights: the key with the higher score gets "
                    "more."),
            Mistake([0.25, 0.75, 6.0], "averaging the values without their weights."),
            Mistake([0.5, 0.5, 6.0], "giving both keys the same weight."),
        ),
    ),
    Exercise(
        id="04.2",
        title="Softmax by hand",
        level="easy",
        minutes=10,
        call="softmax(scores, dim)",
        hints=(
            "Which numbers must sum to 1? Those along dim, each line for itself.",
            "Before the exponential, subtract from each line its own maximum. Keep the dimension "
            "that you reduce, so that it broadcasts.",
            "shifted = scores - scores.amax(dim=dim, keepdim=True), then exp(), then divide by "
            "its sum over dim with keepdim=True.",
        ),
        reference=lambda scores, dim: torch.softmax(scores.double(), dim=dim),
        cases=(
            Case((torch.tensor([0.0, LN3]), 0), "weights are exponentials, divided by their sum.",
                 torch.tensor([0.25, 0.75])),
            Case((torch.tensor([[0.0, LN3], [0.0, 0.0]]), 1), "maximum and sum run along dim=1: "
                 "each row sums to 1."),
            Case((torch.tensor([[0.0, LN3], [0.0, 0.0]]), 0), "`dim` is ignored or hard-coded, "
                 "in the maximum or in the sum: with dim=0 each column sums to 1."),
            Case((torch.tensor([1000.0, 1001.0]), 0), "exp(1000) is inf. Subtract the maximum "
                 "first: the result is the same, and exp stays at 1 or below."),
            Case((torch.tensor([-1000.0, -1001.0]), 0), "exp(-1000) is 0, and 0/0 is nan. Subtract "
                 "the maximum first; a bound like clamp changes the result."),
            Case((torch.tensor([[0.0, 1.0], [1000.0, 1001.0]]), 1), "one maximum for all rows "
                 "leaves exp(-1000) = 0 in the small ones, and 0/0 is nan: each needs its own."),
            Case((torch.tensor([0.0, -math.inf, 1.0]), 0), "a score of -inf, as a mask sets it, "
                 "gets weight 0."),
            Case((normal(3, 3), 1), "a missing keepdim=True: (3,) broadcasts along the wrong axis "
                 "of (3, 3) and nothing complains."),
            Case((normal(2, 3, 4), -2), "`dim` may be negative, and lie between others."),
            Case((normal(2, 3, 4, 5), 1), "scores may have any number of dimensions."),
        ),
        mistakes=(
            Mistake(lambda s, dim: torch.softmax(s.flatten(), 0).view_as(s), "taking the sum over "
                    "all numbers: `dim` is ignored."),
            Mistake(lambda s, dim: torch.softmax(s, -1), "always using the last dimension."),
            Mistake(lambda s, dim: torch.softmax(s, 0), "always using the first dimension."),
        ),
    ),
    Exercise(
        id="04.3",
        title="Attention in three lines",
        level="medium",
        minutes=15,
        call="attention(query, key, value)",
        hints=(
            "Write the three shapes down: (..., n_q, d_k), (..., n_k, d_k), (..., n_k, d_v). "
            "What shape do the scores have?",
            "Scores are query times key with its last two dimensions swapped, over the root of "
            "d_k. The weights of one query, over all keys, sum to 1.",
            "torch.softmax(query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1]), dim=-1), "
            "times value.",
        ),
        reference=lambda *qkv: scaled_dot_product_attention(*(part.double() for part in qkv)),
        cases=(
            Case((torch.ones(1, 1), torch.tensor([[0.0], [LN3]]), torch.tensor([[8.0], [4.0]])),
                 "the weights of one query sum to 1 over the keys: softmax over the last "
                 "dimension of the scores.", [[5.0]]),
            Case((torch.tensor([[2.0, 0.0, 0.0, 0.0]]),
                  torch.tensor([[0.0, 0.0, 0.0, 0.0], [LN3, 0.0, 0.0, 0.0]]),
                  torch.tensor([[8.0], [4.0]])),
                 "scores are divided by the square root of d_k, the width of a key: here by 2.",
                 [[5.0]]),
            Case((torch.eye(2), 3 * torch.eye(2), torch.tensor([[1.0, 0.0], [3.0, 1.0]])),
                 "softmax along the wrong axis: rows of the weights sum to 1, not columns."),
            Case((normal(3, 4), normal(5, 4, seed=1), normal(5, 2, seed=2)), "queries and keys may "
                 "differ in number, keys and values in width."),
            Case((normal(2, 3, 4), normal(2, 5, 4, seed=1), normal(2, 5, 6, seed=2)),
                 "with a batch in front, `.T` and fixed dimension numbers mix up examples: use "
                 "transpose(-2, -1) and dim=-1."),
            Case((normal(3, 3, 3), normal(3, 3, 3, seed=1), normal(3, 3, 3, seed=2)), "all sizes "
                 "are equal here, so a wrong axis raises nothing: count dimensions from the end."),
            Case((normal(2, 3, 7, 16), normal(2, 3, 5, 16, seed=1), normal(2, 3, 5, 9, seed=2)),
                 "any number of dimensions may come before the last two."),
            Case((100 * normal(4, 64), 100 * normal(6, 64, seed=1), normal(6, 3, seed=2)),
                 "large scores: the softmax must not overflow."),
        ),
        mistakes=(
            Mistake(lambda q, k, v: torch.softmax(q @ k.mT, -1) @ v, "leaving the scores unscaled: "
                    "divide by the square root of d_k."),
            Mistake(lambda q, k, v: torch.softmax(q @ k.mT / q.shape[-1], -1) @ v, "dividing by "
                    "d_k, not by its square root."),
            Mistake(lambda q, k, v: torch.softmax(q @ k.mT / v.shape[-1] ** 0.5, -1) @ v, "scaling "
                    "by the width of the values: it is the width of the keys that counts."),
            Mistake(lambda q, k, v: torch.softmax(q @ k.mT / k.shape[-2] ** 0.5, -1) @ v, "scaling "
                    "by the number of keys: it is their width that counts."),
            Mistake(lambda q, k, v: torch.softmax(q @ k.mT / q.shape[-1] ** 0.5, -2) @ v, "taking "
                    "the softmax over the queries, not over the keys."),
        ),
    ),
    Exercise(
        id="04.4",
        title="A query to order",
        level="medium",
        minutes=15,
        call="query_for(keys, position, weight)",
        hints=(
            "A query along one key has no score with the others, since the keys are orthonormal. "
            "Only its length is left to find.",
            "With a score s at the position and 0 at the n - 1 rivals, the weight is "
            "e^s / (e^s + n - 1). Solve that for s; then undo the division by the root of d.",
            "s = math.log(weight * (n - 1) / (1 - weight)), and the query is "
            "keys[position] * s * math.sqrt(d).",
        ),
        accept=weight_at_position,
        cases=(
            Case((torch.eye(2), 0, 0.5), "a query with as much score at the position as elsewhere "
                 "would do here; is the sign right?"),
            Case((torch.eye(2), 1, 0.9), "the key itself is too short a query: how long must it "
                 "be?"),
            Case((orthonormal(2, 8), 0, 0.9), "the scores are divided by the square root of d, so "
                 "the query must be that much longer."),
            Case((orthonormal(8, 8), 3, 0.9), "each of the n - 1 other keys takes its share."),
            Case((orthonormal(8, 8), 7, 0.05), "a weight below 1/n is asked for: mind the sign."),
            Case((orthonormal(5, 16), 2, 0.9999), "the length has to follow from the weight: a "
                 "fixed factor is too short for one close to 1."),
            Case((orthonormal(256, 256), 100, 0.9999), "with 255 rivals the same factor no longer "
                 "does."),
        ),
    ),
    Exercise(
        id="04.5",
        title="Softmax backwards",
        level="hard",
        minutes=20,
        call="softmax_backward(weights, grad_weights)",
        hints=(
            "Raise one score and every weight of its row changes: its own goes up, all others go "
            "down.",
            "The derivative of weight i with respect to score j is w_i (1 - w_i) if i = j, and "
            "-w_i w_j otherwise. Multiply by grad_weights[i], add over i, and simplify.",
            "weights * (grad_weights - (weights * grad_weights).sum(dim=-1, keepdim=True)).",
        ),
        reference=gradient_by_autograd,
        cases=(
            Case((torch.tensor([0.25, 0.75]), torch.tensor([1.0, 0.0])), "each score moves all "
                 "weights of its row, also those of the others.",
                 torch.tensor([0.1875, -0.1875])),
            Case((torch.tensor([0.25, 0.75]), torch.tensor([2.0, 2.0])), "if the loss likes all "
                 "weights alike, no score matters, since they always sum to 1: the gradient is 0.",
                 torch.tensor([0.0, 0.0])),
            Case((torch.tensor([1.0, 0.0, 0.0]), torch.tensor([1.0, 2.0, 3.0])), "a weight of 0 or "
                 "1 is saturated: gradient 0, and no division or logarithm of 0."),
            Case((normal(2, 3).softmax(-1), normal(2, 3, seed=1)), "each row is a softmax of its "
                 "own: the sum runs over the last dimension."),
            Case((normal(3, 3).softmax(-1), normal(3, 3, seed=1)), "a missing keepdim=True: (3,) "
                 "broadcasts along the wrong axis of (3, 3) and nothing complains."),
            Case((normal(2, 3, 4, 5).softmax(-1), normal(2, 3, 4, 5, seed=1)), "any number of "
                 "dimensions may come before the last."),
        ),
        mistakes=(
            Mistake(lambda w, g: w * (1 - w) * g, "keeping only the diagonal, w (1 - w): what a "
                    "score does to the other weights is left out."),
            Mistake(lambda w, g: -gradient_by_autograd(w, g), "turning the sign."),
            Mistake(lambda w, g: w * g, "leaving out the sum."),
            Mistake(lambda w, g: g - (w * g).sum(-1, keepdim=True), "leaving out the factor "
                    "`weights` in front."),
            Mistake(lambda w, g: w * (g - g.sum(-1, keepdim=True)), "summing grad_weights without "
                    "weighing it."),
            Mistake(lambda w, g: w * (g - (w * g).sum(0)), "summing over the first dimension."),
        ),
    ),
    Exercise(
        id="04.6",
        title="Is it permutation equivariant?",
        level="hard",
        minutes=20,
        call="is_permutation_equivariant(layer, x)",
        hints=(
            "There are two ways to a result: shuffle, then apply the layer; or apply it, then "
            "shuffle. What do you compare?",
            "Shuffle rows, with one permutation on both sides. A layer may get along with one "
            "special order, such as the reversed one, so try many; and a random one may be no "
            "shuffle at all.",
            "For, say, 20 draws of p = torch.randperm(len(x)): unless torch.allclose(layer(x[p]), "
            "layer(x)[p], atol=1e-6), return False. In the end, return True.",
        ),
        cases=(
            Case((keep_everything, THREE_TOKENS), "shuffle on both sides: layer(x[p]) against "
                 "layer(x)[p]. Comparing with layer(x) tests invariance.", True),
            Case((cumulative_sum, THREE_TOKENS), "a random permutation of three tokens is none at "
                 "all once in six times (the check calls you 30 times): draw several.", False,
                 repeat=30),
            Case((mean_for_every_token, SIX_TOKENS), "this layer gives every token the same, up to "
                 "rounding: compare with torch.allclose.", True),
            Case((plain_attention, SIX_TOKENS), "sums in another order differ in the last digit: "
                 "compare with torch.allclose, not with ==.", True),
            Case((network_on_each_token, SIX_TOKENS), "tokens are rows: shuffle along dimension 0, "
                 "not the features.", True),
            Case((attention_with_positions, SIX_TOKENS), "positions are added to the tokens.",
                 False),
            Case((causal_attention, SIX_TOKENS), "each token sees only those before it.", False),
            Case((sort_each_feature, SIX_TOKENS), "this layer is invariant: its output stays "
                 "where it is when tokens move. Equivariant means that it moves along.", False),
            Case((add_the_mirror_image, SIX_TOKENS), "this layer gets along with the reversed "
                 "order, and with hardly any other: try more than one permutation.", False,
                 repeat=5),
            Case((add_the_token_before, SIX_TOKENS), "this layer gets along with rolling, and with "
                 "no other order: try more than one permutation.", False, repeat=5),
            Case((add_the_mean_of_the_first_two, SIX_TOKENS), "this layer gets along with swapping "
                 "the first two tokens, or any others among themselves: try more permutations.",
                 False, repeat=5),
            Case((a_faint_trace_of_the_position, SIX_TOKENS), "a small difference is one all the "
                 "same: the tolerance is for rounding only.", False),
        ),
    ),
)
