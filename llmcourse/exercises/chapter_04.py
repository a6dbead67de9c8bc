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
    """`accept` of 04.4: does `got` as a query look at `position` with exactly `weight`?

    Log-odds within 0.001 keep both w and 1 - w within a thousandth of what they should be.
    """
    array = as_array(got)
    if array is None or array.dtype.kind not in "if":
        raise ValueError("a query is a vector of real numbers")
    d = keys.shape[1]
    if array.shape != (d,):
        raise ValueError(f"its shape should be {(d,)}: one query, as wide as a key")
    query = torch.from_numpy(array).double()
    if not query.isfinite().all():
        raise ValueError("some of its numbers are inf or nan")
    weights = torch.softmax(query @ keys.double().T / math.sqrt(d), dim=-1)
    found = weights[position]
    if abs(torch.logit(found) - math.log(weight / (1 - weight))) <= 1e-3:
        return None
    return f"key {position} gets the share {found:.6g}, and should get exactly {weight}"


def query_with_score(score):
    """A query along the key, with the score `score(n, d, weight)`, for the mistakes of 04.4."""
    return lambda keys, position, weight: (
        keys[position] * score(len(keys), keys.shape[1], weight) * math.sqrt(keys.shape[1])
    )


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


def add_both_neighbours(x):
    return x + x.roll(1, dims=0) + x.roll(-1, dims=0)


def add_the_mean_of_the_first_two(x):
    return x + x[:2].mean(dim=0)


def add_the_mean_of_the_middle_two(x):
    middle = len(x) // 2
    return x + x[middle - 1 : middle + 1].mean(dim=0)


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
            "Before the division, the two weights are 1 and 3. By what are they to be divided, and "
            "which of them goes with the value 8?",
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
            "powers = (scores - scores.amax(...)).exp(), and then powers / powers.sum(...). Which "
            "two arguments stand in both brackets?",
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
            Case((torch.tensor([0.0, -20.0]), 0), "the weights miss 1 by a millionth. Add nothing "
                 "to the denominator: with the maximum subtracted, it is at least 1.",
                 rtol=5e-7, atol=1e-9),
            Case((normal(2, 3, 4), -2), "`dim` may be negative, and lie between others."),
            Case((normal(2, 3, 4, 5), 1), "scores may have any number of dimensions."),
        ),
        mistakes=(
            Mistake(lambda s, dim: torch.softmax(s.flatten(), 0).view_as(s), "taking the sum over "
                    "all numbers: `dim` is ignored."),
            Mistake(lambda s, dim: torch.softmax(s, -1), "always using the last dimension."),
            Mistake(lambda s, dim: torch.softmax(s, 0), "always using the first dimension."),
            Mistake(lambda s, dim: powers(s, dim) / powers(s, dim).sum(dim), "leaving out "
                    "keepdim=True in the sum: it broadcasts along the wrong axis."),
            Mistake(lambda s, dim: (s - s.amax(dim)).exp() / (s - s.amax(dim)).exp().sum(dim),
                    "leaving out keepdim=True: maximum and sum broadcast along the wrong axis."),
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
            "weights = torch.softmax(query @ key.transpose(...) / math.sqrt(...), dim=...), and "
            "the output is weights @ value. What stands for the dots, if you count dimensions "
            "from the end?",
        ),
        reference=lambda *qkv: scaled_dot_product_attention(*(part.double() for part in qkv)),
        cases=(
            Case((torch.tensor([[1.0], [0.0]]), torch.tensor([[0.0], [LN3]]),
                  torch.tensor([[8.0], [4.0]])),
                 "the scores have a row for each query and a column for each key; the weights of "
                 "one query, over all keys, sum to 1 and mix the values.", [[5.0], [6.0]]),
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
            Mistake(lambda q, k, v: torch.softmax(q @ k.mT / q.shape[-2] ** 0.5, -1) @ v, "scaling "
                    "by the number of queries: it is the width of a key that counts."),
            Mistake(lambda q, k, v: torch.softmax(q @ k.mT / q.shape[-1] ** 0.5, -2) @ v, "taking "
                    "the softmax over the queries, not over the keys."),
            Mistake(lambda q, k, v: scaled_dot_product_attention(q, k, k), "mixing the keys, where "
                    "the values are to be mixed."),
            Mistake(lambda q, k, v: scaled_dot_product_attention(q, v, v), "matching the queries "
                    "with the values, not with the keys."),
            Mistake(lambda q, k, v: scaled_dot_product_attention(k, q, v), "swapping query and "
                    "key: a row of the scores belongs to one query."),
            Mistake(lambda q, k, v: scaled_dot_product_attention(q, k, v, is_causal=True),
                    "adding a causal mask. None is asked for: every query sees every key."),
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
            "keys[position] * math.log(weight / (1 - weight) * a) * b: one of a and b is there for "
            "the rivals, the other for the division in attention. What are they?",
        ),
        accept=weight_at_position,
        cases=(
            Case((torch.eye(2), 0, 0.5), "the length of the query has to follow from `weight`, a "
                 "fixed factor will not do. Half for each of two keys: their scores are equal."),
            Case((torch.eye(2), 1, 0.9), "with a score s and one rival at 0 the share is "
                 "e^s / (e^s + 1): solve for s, mind its sign, and what attention divides by."),
            Case((orthonormal(2, 8), 0, 0.9), "the scores are divided by the square root of d, so "
                 "the query must be that much longer."),
            Case((orthonormal(8, 8), 3, 0.9), "each of the n - 1 other keys takes its share."),
            Case((orthonormal(8, 8), 7, 0.05), "a weight below 1/n needs a score below that of the "
                 "rivals: mind the sign."),
            Case((orthonormal(5, 16), 2, 0.999), "five keys in 16 dimensions: n and d are not the "
                 "same."),
            Case((orthonormal(256, 256), 100, 0.999), "each of the 255 other keys takes its "
                 "share."),
        ),
        mistakes=(
            Mistake(lambda keys, position, weight: keys[position], "taking the key itself as the "
                    "query. Its length is left to find."),
            Mistake(query_with_score(lambda n, d, w: -log_odds(w, n - 1)), "turning the sign: a "
                    "larger share needs a larger score."),
            Mistake(query_with_score(lambda n, d, w: log_odds(1 - w, n - 1)), "turning the odds "
                    "over: the sign of log(weight / (1 - weight)) is wrong."),
            Mistake(query_with_score(lambda n, d, w: log_odds(w, n - 1) / math.sqrt(d)),
                    "leaving out the square root of d: attention divides the scores by it, so the "
                    "query must be that much longer."),
            Mistake(query_with_score(lambda n, d, w: log_odds(w, n - 1) / d), "dividing by the "
                    "square root of d. Attention does that already; the query must undo it."),
            Mistake(query_with_score(lambda n, d, w: log_odds(w, n - 1) * math.sqrt(d)),
                    "multiplying by d, not by its square root."),
            Mistake(query_with_score(lambda n, d, w: log_odds(w)), "leaving out the n - 1 rivals: "
                    "each of them takes its share."),
            Mistake(query_with_score(lambda n, d, w: log_odds(w, n)), "counting n rivals. The key "
                    "is not its own: there are n - 1."),
            Mistake(query_with_score(lambda n, d, w: log_odds(w, 1 / (n - 1))), "dividing by the "
                    "n - 1 rivals, where they multiply: more rivals need a longer query."),
            Mistake(query_with_score(lambda n, d, w: log_odds(w) / math.sqrt(d)), "leaving out "
                    "both the n - 1 rivals and the square root of d."),
            Mistake(query_with_score(lambda n, d, w: w / (1 - w) * (n - 1)), "leaving out the "
                    "logarithm: shares are exponentials of the scores."),
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
            "weights * (grad_weights - mean): one mean for each row, in which each gradient counts "
            "as much as its weight. Which dimension is summed, and how does it broadcast back?",
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
                 "own: the sum runs over the last dimension, with keepdim=True."),
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
            "..., atol=1e-6), return False. What stands for the dots, and what is returned after "
            "the loop?",
        ),
        cases=(
            Case((keep_everything, THREE_TOKENS), "shuffle on both sides: layer(x[p]) against "
                 "layer(x)[p]. Comparing with layer(x) tests invariance.", True),
            Case((cumulative_sum, SIX_TOKENS), "this layer adds up the rows so far, so their order "
                 "matters. Do you shuffle rows, and can your function return False?", False),
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
            Case((add_both_neighbours, SIX_TOKENS), "this layer gets along with rolling and with "
                 "the reversed order, and with no other: try more permutations.", False, repeat=5),
            Case((add_the_mean_of_the_first_two, SIX_TOKENS), "this layer gets along with swapping "
                 "the first two tokens, or any others among themselves: try more permutations.",
                 False, repeat=5),
            Case((add_the_mean_of_the_middle_two, SIX_TOKENS), "this layer gets along with the "
                 "reversed order and with swaps at both ends: try more permutations.", False,
                 repeat=5),
            Case((a_faint_trace_of_the_position, SIX_TOKENS), "a small difference is one all the "
                 "same: the tolerance is for rounding only.", False),
        ),
        mistakes=(
            Mistake(lambda layer, x: True, "answering True whatever the layer."),
            Mistake(lambda layer, x: False, "answering False whatever the layer."),
            Mistake(lambda layer, x: layer(x.flip(1)).allclose(layer(x).flip(1), atol=1e-6),
                    "shuffling the features, dimension 1. Tokens are rows: dimension 0."),
        ),
    ),
)


def powers(scores: torch.Tensor, dim: int) -> torch.Tensor:
    return (scores - scores.amax(dim, keepdim=True)).exp()


def log_odds(weight: float, n_rivals: float = 1) -> float:
    return math.log(weight / (1 - weight) * n_rivals)
