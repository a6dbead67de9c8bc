"""Checks of chapter 11: the logit lens, induction, ablation, rollout, a probe, and patching."""

import functools

import numpy
import torch
import torch.nn.functional as F

from llmcourse.exercises.exercise import Case, Exercise, Mistake


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def rms_norm_of_torch(stream, gain, unembedding, epsilon):
    return F.linear(F.rms_norm(stream, gain.shape, gain, epsilon), unembedding)


def lens_with(stream, gain, unembedding, epsilon, *, size=None, divide=torch.div):
    """The logit lens; `size` and `divide` make known mistakes."""
    square = stream.square().mean(-1, keepdim=True) if size is None else size(stream)
    return (divide(stream, (square + epsilon).sqrt()) * gain) @ unembedding.T


def attention_rows(n_head: int, time: int, seed: int) -> torch.Tensor:
    """Random causal attention weights: the rows sum to 1."""
    mask = torch.ones(time, time, dtype=torch.bool).tril()
    scores = 2 * normal(n_head, time, time, seed=seed)
    return scores.masked_fill(~mask, -torch.inf).softmax(-1)


def attention_of_layers(n_layer: int, n_head: int, time: int, seed: int) -> torch.Tensor:
    return torch.stack([attention_rows(n_head, time, 10 * seed + i) for i in range(n_layer)])


def looking_at(*keys: int) -> torch.Tensor:
    """One head whose query t gives all its weight to keys[t]."""
    return F.one_hot(torch.tensor([keys]), len(keys)).float()


def induction_by_numpy(weights, period, offset=1, first=None):
    """One entry per token of the second half; `offset` and `first` make known mistakes."""
    t = numpy.arange(period if first is None else first, 2 * period)
    return weights.double().numpy()[:, t, t - period + offset].mean(-1)


def heads_masked(W_output, heads, head_dim):
    """As a product with 0 and 1: one factor per column."""
    n_head = W_output.shape[1] // head_dim
    kept = torch.tensor([h not in heads and h - n_head not in heads for h in range(n_head)])
    return W_output * kept.repeat_interleave(head_dim)


def rows_masked(W_output, heads, head_dim):
    return heads_masked(W_output.T, heads, head_dim).T


def rollout_by_numpy(
    attention, heads=numpy.mean, mix=lambda a: (a + numpy.eye(len(a))) / 2, order=1,
    times=numpy.matmul,
):  # fmt: skip
    """Attention rollout; the options make known mistakes."""
    layers = [mix(heads(layer, axis=0)) for layer in attention.double().numpy()]
    return functools.reduce(lambda total, layer: times(layer, total), layers[::order])


def probe_by_numpy(x, y, bias=True):
    """Ridge regression as least squares with a row more per feature: small weights are wanted."""
    x = numpy.hstack([x, numpy.ones((len(x), 1))]) if bias else x
    rows = numpy.vstack([x, numpy.eye(x.shape[1])])
    return numpy.linalg.lstsq(rows, numpy.append(y, numpy.zeros(x.shape[1])), rcond=None)[0]


def selectivity_by_numpy(
    train_x, train_y, test_x, test_y, train_control, test_control, *,
    bias=True, mapped=True, refit=True, on_train=False, sign=1,
):  # fmt: skip
    """Two probes and the difference; the options make known mistakes."""
    parts = (train_x, train_y, test_x, test_y, train_control, test_control)
    parts = [part.double().numpy() for part in parts]
    train_x, train_y, test_x, test_y, train_control, test_control = parts
    if on_train:
        test_x, test_y, test_control = train_x, train_y, train_control

    def accuracy(fitted, asked):
        w = probe_by_numpy(train_x, 2 * fitted - 1 if mapped else fitted, bias)
        scores = numpy.hstack([test_x, numpy.ones((len(test_x), 1))])[:, : len(w)] @ w
        return ((scores > 0) == (asked > 0.5)).mean()

    task = accuracy(train_y, test_y)
    control = accuracy(train_control if refit else train_y, test_control)
    return task, control, sign * (task - control)


def probing_data(n_train: int, n_test: int, d: int, seed: int, shift: float, dead: bool = False):
    """Features that tell y in part; y is not balanced; the control is a coin's."""
    n = n_train + n_test
    x = normal(n, d, seed=seed)
    y = (x[:, 0] + 0.8 * normal(n, seed=seed + 1) + shift > 0).long()
    control = (normal(n, seed=seed + 2) + shift / 2 > 0).long()
    if dead:
        x[:, -1] = 0
    a, b = slice(None, n_train), slice(n_train, None)
    return x[a], y[a], x[b], y[b], control[a], control[b]


# Blocks for 11.7.  Each maps a stream (time, d) to the next.
def add_ten(stream):
    return stream + 10


def double(stream):
    return 2 * stream


def add_the_mean_so_far(stream):
    return stream + stream.cumsum(0) / torch.arange(1, len(stream) + 1)[:, None]


def add_the_first_token(stream):
    return stream + stream[:1]


def add_the_token_before(stream):
    return stream + torch.cat([torch.zeros_like(stream[:1]), stream[:-1]])


def bend(stream):
    return stream + torch.tanh(stream.flip(-1))


def patch_with(blocks, corrupted, clean, layer, position, *, shift=0, raw=False, rows=None):
    """Patching, by one run of both streams side by side; the options make known mistakes."""
    streams = (corrupted, clean)
    rows = slice(position, position + 1) if rows is None else rows
    for at in range(len(blocks) + 1):
        if at == layer + shift:
            target, source = streams[0].clone(), clean if raw else streams[1]
            target[rows] = source[rows]
            streams = (target, streams[1])
        if at < len(blocks):
            streams = tuple(blocks[at](stream) for stream in streams)
    return streams[0]


MIXED = [add_the_mean_so_far, bend, add_the_token_before]
FOUR = [bend, add_the_token_before, add_the_mean_so_far, bend]
COLUMN = torch.tensor([[1.0], [2.0]])

EXERCISES = (
    Exercise(
        id="11.1",
        title="Who said it, on paper",
        level="easy",
        minutes=8,
        hints=(
            "What is in the stream is the sum of what was written to it. The logit of a word is a "
            "dot product with its row.",
            "A dot product with a sum is a sum of dot products, so each part has a share of its "
            "own. For dog minus cat, multiply each part by the difference of the two rows.",
            "The stream is (2, 1), and dog minus cat is the row (0, 1) - (1, 0) = (-1, 1). The "
            "embedding's share is (1, 0) times (-1, 1) = -1. What are the other two, and do all "
            "three add up to the difference of the logits?",
        ),
        cases=(
            Case(expected=[2, 1, 2, -2], rtol=2e-3, pointer="the answer has four numbers: the "
                 "logit of cat, the logit of dog, and the shares of the head and of the "
                 "feed-forward in dog minus cat. With the embedding's share, -1, they add up "
                 "to the difference."),
        ),
        mistakes=(
            Mistake([2, 1, -2, 2], "taking cat minus dog. Asked is dog minus cat."),
            Mistake([2, 1, 2, -1], "giving the shares in the logit of dog alone. Take off those "
                    "in the logit of cat."),
            Mistake([2, 1, 0, 1], "giving the shares in the logit of cat. Asked is dog minus "
                    "cat."),
            Mistake([2, 1, 2, 0], "adding the two coordinates of each part. Dog minus cat is the "
                    "second less the first."),
            Mistake([2, 1, 2, 2], "losing a sign: the feed-forward has -1 for dog and 1 for cat, "
                    "and dog minus cat is -1 - 1."),
            Mistake([1, 2, 2, -2], "swapping the two logits: cat's comes first."),
            Mistake([1, 1, 2, -2], "leaving the embedding out of the logits. It is in the stream "
                    "too."),
            Mistake([1, 2, 1, -3], "leaving out parts of the stream."),
            Mistake([1, 0, 2, -2], "taking the logits of the embedding alone. All three are in "
                    "the stream."),
        ),
    ),
    Exercise(
        id="11.2",
        title="Logit lens",
        level="easy",
        minutes=10,
        call="lens(stream, gain, unembedding, epsilon)",
        hints=(
            "The lens does with a stream from the middle what the model does with the last one: "
            "norm, then unembedding.",
            "RMSNorm divides each vector by the root of the mean of its squares (epsilon added "
            "under the root) and multiplies by the gain. Each row of the unembedding is a token.",
            "size = (stream.square().mean(..., keepdim=True) + epsilon).sqrt(); then stream / size "
            "* gain, and a product with the unembedding. Over which axis is the mean, and is it "
            "the unembedding or its transpose?",
        ),
        reference=rms_norm_of_torch,
        cases=(
            Case((torch.tensor([3.0, 3.0]), torch.ones(2), torch.eye(2), 0.0), "the mean of the "
                 "squares is 9, its root 3: the vector becomes (1, 1).", torch.tensor([1.0, 1.0])),
            Case((torch.tensor([1.0, 7.0]), torch.ones(2), torch.eye(2), 0.0), "the mean of the "
                 "squares is 25: divide by 5. No mean is taken off, and the sum of squares is not "
                 "the mean.", torch.tensor([0.2, 1.4])),
            Case((torch.tensor([1.0, 7.0]), torch.tensor([10.0, 5.0]), torch.eye(2), 0.0), "the "
                 "gain multiplies each feature.", torch.tensor([2.0, 7.0])),
            Case((torch.tensor([1.0, 7.0]), torch.ones(2), torch.tensor([[5.0, 0.0], [5.0, 5.0]]),
                  0.0), "each row of the unembedding is a token: a logit is the product with a "
                 "row.", torch.tensor([1.0, 8.0])),
            Case((torch.tensor([1.0, 1.0]), torch.ones(2), torch.eye(2), 3.0), "epsilon is added "
                 "under the root: 1 / sqrt(1 + 3).", torch.tensor([0.5, 0.5])),
            Case((torch.zeros(3), torch.ones(3), normal(5, 3), 1e-5), "a stream of zeros has the "
                 "logits 0, and not nan.", torch.zeros(5)),
            Case((normal(3, 3, seed=1), normal(3, seed=2), normal(3, 3, seed=3), 1e-5), "all sizes "
                 "are 3 here, so a wrong axis raises nothing: each token has its own norm."),
            Case((normal(4, 5, 6, seed=4), normal(6, seed=5), normal(9, 6, seed=6), 1e-5), "any "
                 "number of axes in front: (layer, time, d_model), say."),
            Case((0.01 * normal(2, 4, seed=7), normal(4, seed=8), normal(7, 4, seed=9), 1e-2),
                 "a small stream, beside a large epsilon: it is added to the mean of the squares, "
                 "before the root."),
        ),
        mistakes=(
            Mistake(lambda x, g, U, e: x @ U.T, "leaving out the norm."),
            Mistake(lambda x, g, U, e: x * g @ U.T, "leaving out the norm; the gain is only a part "
                    "of it."),
            Mistake(lambda x, g, U, e: lens_with(x, torch.ones_like(g), U, e), "leaving out the "
                    "gain."),
            Mistake(lambda x, g, U, e: lens_with(x, g, U.T, e), "using the unembedding the other "
                    "way round. Its rows are tokens."),
            Mistake(lambda x, g, U, e: lens_with(
                x, g, U, e, size=lambda x: x.square().sum(-1, keepdim=True)), "taking the sum of "
                    "the squares. RMSNorm has their mean."),
            Mistake(lambda x, g, U, e: lens_with(
                x, g, U, e, size=lambda x: x.square().mean(0, keepdim=True)), "averaging over the "
                    "first axis. Each token is normalised by itself, over its features."),
            Mistake(lambda x, g, U, e: lens_with(x, g, U, e, size=lambda x: x.square().mean()),
                    "normalising all tokens together. Each is normalised by itself."),
            Mistake(lambda x, g, U, e: lens_with(
                x - x.mean(-1, keepdim=True), g, U, e), "taking off the mean, as layer norm does. "
                    "RMSNorm only divides."),
            Mistake(lambda x, g, U, e: x / (x.square().mean(-1, keepdim=True).sqrt() + e) * g
                    @ U.T, "adding epsilon after the root. It stands under it."),
            Mistake(lambda x, g, U, e: lens_with(x, g, U, 0.0), "leaving out epsilon."),
            Mistake(lambda x, g, U, e: lens_with(x, g, U, e, divide=lambda x, r: x / r**2),
                    "leaving out the root."),
            Mistake(lambda *a: lens_with(*a).softmax(-1), "returning probabilities. Asked are the "
                    "logits."),
        ),
    ),
    Exercise(
        id="11.3",
        title="An induction score",
        level="medium",
        minutes=12,
        call="induction_score(weights, period)",
        hints=(
            "Write down the tokens A B C A B C with their positions. At the second A, which "
            "position tells you what comes next?",
            "Token t of the second half stood at t - period before, and what followed it there "
            "stands one further on. Take that one weight for each t, and the mean.",
            "t = torch.arange(period, 2 * period); weights[:, t, ...].mean(-1). Which key belongs "
            "to query t?",
        ),
        reference=induction_by_numpy,
        cases=(
            Case((looking_at(0, 0, 1, 2), 2), "A B A B: the second A, at 2, looks at the B after "
                 "the first A, at 1; the second B, at 3, looks at 2. A perfect induction head.",
                 torch.tensor([1.0])),
            Case((looking_at(0, 0, 0, 1), 2), "this head looks at the same token one period ago, "
                 "and not at the one after it.", torch.tensor([0.0])),
            Case((looking_at(0, 0, 2, 0, 2, 3), 3), "A B C A B C: the last two of three queries "
                 "look where they should.", torch.tensor([2 / 3])),
            Case((looking_at(0, 1, 0, 0, 0, 0), 3), "the second half begins at t = period. Query "
                 "period - 1 plays no part, though it has a key at that distance.",
                 torch.tensor([0.0])),
            Case((torch.cat([looking_at(0, 0, 1, 2), looking_at(0, 0, 1, 0),
                             looking_at(0, 0, 0, 0)]), 2), "one score for each head.",
                 torch.tensor([1.0, 0.5, 0.0])),
            Case((torch.cat([looking_at(0, 0, 0, 1), looking_at(2, 3, 3, 3)]).mT.contiguous(), 2),
                 "weights[head, query, key]: the row is the query."),
            Case((attention_rows(2, 2, 1), 1), "a period of 1: query 1 looks at itself."),
            Case((attention_rows(6, 6, 2), 3), "as many heads as tokens, so a wrong axis raises "
                 "nothing: (n_head,) numbers come out."),
            Case((attention_rows(5, 16, 3), 8), "the mean over t = period, ..., 2 * period - 1 of "
                 "the weight from t to t - period + 1."),
            Case((normal(3, 10, 10, seed=4).softmax(-1), 5), "weights that are not causal: rows "
                 "are queries, columns are keys."),
        ),
        mistakes=(
            Mistake(lambda w, p: induction_by_numpy(w, p, offset=0), "looking one period back: "
                    "that is the same token. Induction looks at the one after it."),
            Mistake(lambda w, p: induction_by_numpy(w, p, offset=-1), "looking at the token before "
                    "the first occurrence. The one after it tells what comes next."),
            Mistake(lambda w, p: induction_by_numpy(w.mT, p), "swapping query and key: "
                    "weights[head, query, key]."),
            Mistake(lambda w, p: induction_by_numpy(w, p, first=p - 1), "taking the whole "
                    "diagonal: its first entry belongs to t = period - 1, in the first half."),
            Mistake(lambda w, p: induction_by_numpy(w, p).mean(), "averaging over the heads too."),
            Mistake(lambda w, p: induction_by_numpy(w, p) / 2, "dividing by all positions. Only "
                    "the second half takes part."),
            Mistake(lambda w, p: induction_by_numpy(w, p) * p, "leaving the sum undivided."),
            Mistake(lambda w, p: induction_by_numpy(w, p)[:1], "returning the first head only."),
        ),
    ),
    Exercise(
        id="11.4",
        title="Take a head out",
        level="medium",
        minutes=12,
        call="without_heads(W_output, heads, head_dim)",
        hints=(
            "The heads lie side by side in what W_output is applied to. Which axis of W_output "
            "meets them?",
            "In y = x @ W_output.T, feature i of x meets column i of W_output. Head h has the "
            "features from h * head_dim on.",
            "W = W_output.clone(); W.view(len(W), -1, head_dim) has an axis for the heads. Which "
            "one do you index with `heads`, and what do you set there?",
        ),
        reference=heads_masked,
        cases=(
            Case((torch.ones(2, 2), [0], 1), "two heads of one feature each: column 0 goes. (A "
                 "row of W_output is an output feature, to which all heads contribute.)",
                 torch.tensor([[0.0, 1.0], [0.0, 1.0]])),
            Case((normal(4, 4), [1], 2), "head 1 has columns 2 and 3; what is left stays as it "
                 "was."),
            Case((normal(6, 6), [0, 2], 2), "several heads at once: columns 0, 1 and 4, 5."),
            Case((normal(4, 4), [-1], 2), "-1 is the last head, as in a Python list. A slice from "
                 "-2 to 0 is empty."),
            Case((normal(9, 9), [-3, 1], 3), "-3 of three heads is the first."),
            Case((normal(4, 4), [], 2), "no head is named: nothing is taken out."),
            Case((normal(6, 6), [0, 1, 2], 2), "all heads are named: nothing is left."),
            Case((normal(3, 8), [1], 4), "W_output need not be square: two heads of 4 features, "
                 "three outputs."),
            Case((normal(5, 12), [3, 0, -2], 2), "W_output need not be square, and the heads may "
                 "come in any order."),
        ),
        mistakes=(
            Mistake(rows_masked, "setting rows to 0. A head comes in by the columns: y = x @ "
                    "W_output.T."),
            Mistake(lambda W, heads, d: W - heads_masked(W, heads, d), "keeping the named heads "
                    "and taking out the others."),
            Mistake(lambda W, heads, d: heads_masked(W, heads, 1), "taking out one column per "
                    "head: each has head_dim of them."),
            Mistake(lambda W, heads, d: heads_masked(W, [h for h in heads if h >= 0], d), "passing "
                    "over negative numbers: -1 is the last head."),
            Mistake(lambda W, heads, d: heads_masked(W, [h + 1 for h in heads], d), "counting the "
                    "heads from 1."),
            Mistake(lambda W, heads, d: heads_masked(W, heads[:1], d), "taking out the first of "
                    "the named heads only."),
            Mistake(lambda W, heads, d: W[:, heads_masked(torch.ones(W.shape[1]), heads, d) > 0],
                    "cutting the columns off. The shape stays: they become 0."),
        ),
    ),
    Exercise(
        id="11.5",
        title="Rollout",
        level="medium",
        minutes=15,
        call="rollout(attention)",
        hints=(
            "With one layer there is nothing to multiply: what is the matrix of one layer?",
            "For each layer: the mean over its heads, half of that, and half of the identity. "
            "Then multiply the matrices (@, not *), beginning with the first layer.",
            "total = torch.eye(time); for layer in attention: mixed = 0.5 * layer.mean(0) + 0.5 * "
            "torch.eye(time); total = ... Does the new layer stand on the left or on the right of "
            "what you have?",
        ),
        reference=rollout_by_numpy,
        cases=(
            Case((torch.tensor([[[[1.0, 0.0], [1.0, 0.0]]]]),), "one layer, one head: half of it, "
                 "and half of the identity.", torch.tensor([[1.0, 0.0], [0.5, 0.5]])),
            Case((torch.tensor([[[[1.0, 0.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]]]),),
                 "two heads: their mean, 0.5 in the corner, before anything else.",
                 torch.tensor([[1.0, 0.0], [0.25, 0.75]])),
            Case((torch.tensor([[[[1.0, 0.0], [1.0, 0.0]]]] * 2),), "two layers: a product of "
                 "matrices.", torch.tensor([[1.0, 0.0], [0.75, 0.25]])),
            Case((torch.stack([looking_at(0, 0, 2), looking_at(0, 1, 1)]),), "first token 1 looks "
                 "at 0, then token 2 at 1: so token 2 has heard of token 0. In the other order it "
                 "has not. The later layer stands on the left.",
                 torch.tensor([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.25, 0.25, 0.5]])),
            Case((attention_of_layers(3, 3, 3, 1),), "all sizes are 3 here, so a mean over a wrong "
                 "axis raises nothing: (n_layer, n_head, time, time)."),
            Case((attention_of_layers(3, 2, 5, 2),), "the later layers stand on the left, and the "
                 "rows still sum to 1."),
            Case((attention_of_layers(6, 4, 8, 3),), "the later layers stand on the left, and the "
                 "rows still sum to 1."),
            Case((normal(4, 2, 6, 6, seed=4).softmax(-1),), "attention that is not causal."),
        ),
        mistakes=(
            Mistake(lambda a: rollout_by_numpy(a, order=-1), "multiplying in the wrong order. A "
                    "later layer reads what the earlier ones have mixed: it stands on the left."),
            Mistake(lambda a: rollout_by_numpy(a, mix=lambda m: m), "leaving out the identity: "
                    "half of what a token carries on is its own."),
            Mistake(lambda a: rollout_by_numpy(a, mix=lambda m: m + numpy.eye(len(m))), "adding "
                    "the identity without halving: the rows must sum to 1."),
            Mistake(lambda a: rollout_by_numpy(a, heads=numpy.sum), "adding up the heads. Take "
                    "their mean."),
            Mistake(lambda a: rollout_by_numpy(a, heads=numpy.max), "taking the largest head. Take "
                    "the mean."),
            Mistake(lambda a: rollout_by_numpy(a, times=numpy.multiply), "multiplying number by "
                    "number. It is a product of matrices: @."),
            Mistake(lambda a: rollout_by_numpy(a.mT), "swapping rows and columns: rows are "
                    "queries."),
            Mistake(lambda a: rollout_by_numpy(a.transpose(0, 1)), "averaging over the layers and "
                    "multiplying the heads. It is the other way round."),
            Mistake(lambda a: rollout_by_numpy(a[-1:]), "using the last layer only."),
            Mistake(lambda a: rollout_by_numpy(a[:1]), "using the first layer only."),
        ),
    ),
    Exercise(
        id="11.6",
        title="A probe and its control",
        level="hard",
        minutes=25,
        call="selectivity(train_x, train_y, test_x, test_y, train_control, test_control)",
        hints=(
            "Write a function that takes the labels to fit and the labels to be tested on, and "
            "returns one accuracy. Then call it twice.",
            "Inside: append a column of ones to both x, map the labels to -1 and +1, solve (X.T @ "
            "X + I) w = X.T @ y, and compare the sign of test_x @ w with the test labels.",
            "w = torch.linalg.solve(X.T @ X + torch.eye(...), X.T @ (2.0 * labels - 1)); the "
            "prediction is 1 where the score is above 0. What is the size of the identity, and "
            "which labels is the second probe fitted to?",
        ),
        reference=selectivity_by_numpy,
        cases=(
            Case((torch.tensor([[-2.0], [-1.0], [1.0], [2.0]]), torch.tensor([0, 0, 1, 1]), COLUMN,
                  torch.tensor([1, 1]), torch.tensor([1, 1, 0, 0]), torch.tensor([0, 1])),
                 "positive x means 1 in the task: both are right. In the control positive x means "
                 "0, which holds for one of two.", (1.0, 0.5, 0.5)),
            Case((torch.tensor([[0.0], [0.0], [0.0]]), torch.tensor([1, 1, 0]), 0 * COLUMN,
                  torch.tensor([1, 0]), torch.tensor([0, 0, 1]), torch.tensor([0, 0])),
                 "x says nothing: the column of ones alone has to learn that 1 is more frequent. "
                 "And without the penalty nothing could be solved.", (0.5, 1.0, -0.5)),
            Case(probing_data(40, 25, 4, 0, 0.9), "the column of ones belongs to the test part "
                 "too, and 0 becomes -1 before the fit."),
            Case(probing_data(60, 33, 3, 10, -0.7), "two probes, each fitted to its own training "
                 "labels, and both tested on the test part."),
            Case(probing_data(30, 30, 5, 20, 0.5), "train and test are of the same size here, so "
                 "taking one for the other raises nothing."),
            Case(probing_data(12, 40, 20, 30, 0.4), "more features than examples: without the "
                 "penalty there is no solution, or one that fits noise."),
            Case(probing_data(50, 41, 6, 40, -0.5, dead=True), "a feature that is always 0: "
                 "without the penalty the matrix has no inverse."),
            Case(probing_data(80, 60, 8, 50, 1.2), "accuracy on the task, accuracy on the "
                 "control, and the first less the second."),
        ),
        mistakes=(
            Mistake(lambda *a: selectivity_by_numpy(*a, on_train=True), "testing on what the probe "
                    "was fitted to. Count on the test part."),
            Mistake(lambda *a: selectivity_by_numpy(*a, bias=False), "leaving out the column of "
                    "ones: the probe cannot learn that one label is more frequent."),
            Mistake(lambda *a: selectivity_by_numpy(*a, mapped=False), "fitting to 0 and 1 and "
                    "then asking for the sign. Map the labels to -1 and +1."),
            Mistake(lambda *a: selectivity_by_numpy(*a, refit=False), "testing the first probe on "
                    "the control's labels. The control has a probe of its own, fitted to its own "
                    "training labels."),
            Mistake(lambda *a: selectivity_by_numpy(*a, sign=-1), "taking control less task: it "
                    "is the other way round."),
            Mistake(lambda *a: selectivity_by_numpy(*a[:4], a[1], a[3]), "leaving the control "
                    "out."),
        ),
    ),
    Exercise(
        id="11.7",
        title="Patch",
        level="hard",
        minutes=20,
        call="patch(blocks, corrupted, clean, layer, position)",
        hints=(
            "What would you need to have written down from the clean run?",
            "Run the first `layer` blocks on both streams. Then put one row of the clean stream "
            "into a copy of the corrupted one, and run the remaining blocks on that alone.",
            "for block in blocks[:layer]: both go on; stream = corrupted.clone(); "
            "stream[position] = ...; for block in blocks[...]: stream = block(stream). What stands "
            "for the dots?",
        ),
        reference=patch_with,
        cases=(
            Case(([double], COLUMN, 10 * COLUMN, 0, 0), "layer 0, before the first block: token 0 "
                 "comes from the clean run, then everything is doubled.",
                 torch.tensor([[20.0], [4.0]])),
            Case(([add_ten], COLUMN, 10 * COLUMN, 1, 1), "layer 1 of one block: after the last. "
                 "Token 1 is the clean run's result, 20 + 10, and nothing follows.",
                 torch.tensor([[11.0], [30.0]])),
            Case(([add_ten, double], COLUMN, 10 * COLUMN, 1, 0), "patched between the blocks: what "
                 "goes in is the clean stream as it is there, 10 + 10.",
                 torch.tensor([[40.0], [24.0]])),
            Case(([add_the_first_token, double], COLUMN, 10 * COLUMN, 1, 0), "only the stream "
                 "after the first block is patched: token 1 has read the corrupted token 0 by "
                 "then.", torch.tensor([[40.0], [6.0]])),
            Case(([double, add_the_first_token], COLUMN, 10 * COLUMN, 1, 0), "patched before the "
                 "second block, which then reads the clean token 0 in the corrupted run.",
                 torch.tensor([[40.0], [24.0]])),
            Case((MIXED, normal(4, 3, seed=1), normal(4, 3, seed=2), 0, 2), "layer 0: the inputs "
                 "themselves are patched, and left as they were."),
            Case((MIXED, normal(3, 3, seed=3), normal(3, 3, seed=4), 2, 1), "one position, with "
                 "all its features, and no other; positions are rows."),
            Case((FOUR, normal(5, 2, seed=5), normal(5, 2, seed=6), 3, 0), "after three blocks: "
                 "what `blocks[2]` has made, before `blocks[3]` reads it."),
            Case((FOUR, normal(5, 4, seed=7), normal(5, 4, seed=8), 4, 4), "after the last block: "
                 "nothing follows."),
            Case((FOUR, normal(6, 3, seed=9), normal(6, 3, seed=10), 1, 3), "patched once, after "
                 "one block; the corrupted run goes on from there."),
            Case(([], normal(3, 2, seed=11), normal(3, 2, seed=12), 0, 1), "no blocks at all."),
        ),
        mistakes=(
            Mistake(lambda b, x, y, n, p: patch_with(b, y, x, n, p), "patching the clean run with "
                    "the corrupted one. It is the other way round."),
            Mistake(lambda *a: patch_with(*a, shift=1), "patching one block too late."),
            Mistake(lambda *a: patch_with(*a, shift=-1), "patching one block too early."),
            Mistake(lambda *a: patch_with(*a, rows=slice(None)), "patching every position: the "
                    "rest is then the clean run."),
            Mistake(lambda *a: patch_with(*a, raw=True), "putting in the clean input. It goes "
                    "through the first `layer` blocks too."),
            Mistake(lambda b, x, y, n, p: patch_with(b, x, y, 0, p), "patching the input, whatever "
                    "the layer."),
            Mistake(lambda b, x, y, n, p: patch_with(b, x, y, n, p, rows=slice(p + 1)),
                    "patching all positions up to this one. Only the one is replaced."),
            Mistake(lambda b, x, y, n, p: patch_with(b, x, x, n, p), "returning the corrupted run "
                    "as it was: is the patched stream the one that goes on?"),
            Mistake(lambda b, x, y, n, p: patch_with(b, y, y, n, p), "returning the clean run."),
        ),
    ),
)
