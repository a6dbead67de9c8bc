"""Checks of chapter 3: cross-entropy and its gradient, windows, neighbours, momentum, AdamW."""

import math

import torch
from torch.nn import functional

from llmcourse.exercises.comparing import as_array, difference
from llmcourse.exercises.exercise import Case, Exercise, Mistake


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def choices(n: int, *shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(n, shape, generator=torch.Generator().manual_seed(seed))


def gradient_by_autograd(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    logits = logits.double().requires_grad_()
    return torch.autograd.grad(functional.cross_entropy(logits, targets), logits)[0]


def neighbours_by_angle(embedding: torch.Tensor, word: int, k: int) -> list[int]:
    """Row by row in Python, in double precision."""
    rows = embedding.double().tolist()
    cosines = {
        i: sum(a * b for a, b in zip(row, rows[word], strict=True)) / math.hypot(*row)
        for i, row in enumerate(rows)
        if i != word
    }
    return sorted(cosines, key=cosines.get, reverse=True)[:k]


def ranked(score, own: float = -math.inf):
    """`nearest` with another score, for the mistakes of 03.5."""

    def nearest(embedding, word, k):
        scores = score(embedding.double(), word)
        scores[word] = own
        return scores.argsort(descending=True, stable=True)[:k].tolist()

    return nearest


def path_by_torch(gradient, start, learning_rate, momentum, steps, **options) -> torch.Tensor:
    """(steps + 1, d) by torch.optim.SGD, in double precision."""
    x = start.double().clone().requires_grad_()
    optimizer = torch.optim.SGD([x], lr=learning_rate, momentum=momentum, **options)
    path = [x.detach().clone()]
    for _ in range(steps):
        x.grad = gradient(x.detach().clone()).double()
        optimizer.step()
        path.append(x.detach().clone())
    return torch.stack(path)


def path_by_hand(gradient, start, learning_rate, momentum, steps, average=False, ahead=False):
    """The mistakes of 03.6: an averaged velocity, or the gradient a step ahead."""
    x, velocity = start, torch.zeros_like(start)
    path = [x]
    for _ in range(steps):
        at = x - learning_rate * momentum * velocity if ahead else x
        velocity = momentum * velocity + (1 - momentum if average else 1) * gradient(at)
        x = x - learning_rate * velocity
        path.append(x)
    return torch.stack(path)


# The slopes of 03.6: each maps a point (d,) to the gradient there (d,).
def slope_of_a_bowl(x):
    return 2 * x


def slope_of_a_ramp(x):
    return torch.ones_like(x)


def slope_of_a_valley(x):
    return x * (1 + 9 * torch.arange(len(x)))


def slope_of_the_cosine(x):
    return -torch.sin(x)


def slope_of_two_wells(x):
    return x**3 - x


def adamw_by_torch(weight, gradient, first, second, step, rate, beta1, beta2, epsilon, decay):
    """One step of torch.optim.AdamW that goes on from the given moments."""
    parameter = weight.double().clone().requires_grad_()
    optimizer = torch.optim.AdamW(
        [parameter], lr=rate, betas=(beta1, beta2), eps=epsilon, weight_decay=decay
    )
    parameter.grad = gradient.double().clone()
    state = {
        "step": torch.tensor(float(step - 1)),
        "exp_avg": first.double().clone(),
        "exp_avg_sq": second.double().clone(),
    }
    optimizer.state[parameter].update(state)
    optimizer.step()
    return parameter.detach(), state["exp_avg"], state["exp_avg_sq"]


def one_adamw_step(got, *args) -> str | None:
    """`accept` of 03.7, which says which of the three is wrong, and in what place."""
    names = ("new weight", "new first moment", "new second moment")
    if isinstance(got, torch.Tensor) and got.shape == (3, *args[0].shape):
        got = tuple(got)
    if not isinstance(got, list | tuple) or len(got) != 3:
        raise ValueError(f"three tensors are wanted: {', '.join(names)}")
    if any(as_array(part) is None for part in got):
        raise ValueError(f"three tensors are wanted: {', '.join(names)}")
    expected = adamw_by_torch(*args)
    # the moments first, for the weight follows from them
    for i in (1, 2, 0):
        # the second moment is small, and a small error of it is a large one of its root
        if complaint := difference(expected[i], got[i], rtol=1e-4, atol=0 if i == 2 else 1e-7):
            return f"the {names[i]} is wrong: {complaint}"
    return None


def adamw_by_hand(
    weight, gradient, first, second, step, rate, beta1, beta2, epsilon, decay,
    corrected=True, inside=False, coupled=False, after=False, times_rate=True, squared=True,
    moments_corrected=False, late=0, decayed=True,
):
    """One step in double precision, with one of the mistakes of 03.7."""
    w, g, first, second = (part.double() for part in (weight, gradient, first, second))
    shrink = 1 - decay * (rate if times_rate else 1) * decayed
    if coupled:
        g, shrink = g + decay * w, 1
    first = beta1 * first + (1 - beta1) * g
    second = beta2 * second + (1 - beta2) * (g * g if squared else g)
    m, v = first, second
    if corrected:
        m = first / (1 - beta1 ** (step - late))
        v = second / (1 - beta2 ** (step - late))
    change = rate * m / ((v + epsilon).sqrt() if inside else v.sqrt() + epsilon)
    w = (w - change) * shrink if after else w * shrink - change
    return (w, m, v) if moments_corrected else (w, first, second)


def with_mistake(**options):
    return lambda *args: adamw_by_hand(*args, **options)


def vector(*numbers: float) -> torch.Tensor:
    return torch.tensor([float(number) for number in numbers])


LN2, LN3, LN5 = math.log(2), math.log(3), math.log(5)

# Rows of very different length: who has the largest dot product is seldom the nearest.
SIX_WORDS = torch.tensor([
    [2.0, 0.0, 0.0], [1.5, 0.3, 0.0], [10.0, 40.0, 5.0], [-1.0, 0.0, 0.0], [1.0, 1.0, 1.0],
    [0.03, 0.01, 0.0],
])
TWINS = torch.tensor([[3.5, 1.0], [0.0, 1.0], [1.0, 2.0], [1.0, 0.0], [1.0, 2.0], [-1.0, 0.5]])
MANY_WORDS = normal(500, 16, seed=3) * torch.exp(normal(500, 1, seed=4))

EXERCISES = (
    Exercise(
        id="03.1",
        title="A gradient on paper",
        level="easy",
        minutes=5,
        hints=(
            "What does the gradient of the loss compare? What the model said, with what came.",
            "The exponentials of 0, ln 2 and ln 5 are 1, 2 and 5; divide them by their sum.",
            "The gradient is the softmax minus the one-hot vector of the token that came. At which "
            "of the three places do you subtract 1?",
        ),
        cases=(
            Case(expected=[1 / 8, -6 / 8, 5 / 8], rtol=1e-2, pointer="the gradient is the softmax "
                 "minus one-hot: three numbers, which sum to 0."),
        ),
        mistakes=(
            Mistake([1 / 8, 2 / 8, 5 / 8], "stopping at the softmax: the token that came is still "
                    "to be subtracted."),
            Mistake([-1 / 8, 6 / 8, -5 / 8], "turning the sign: that is the way down, and the "
                    "gradient points up."),
            Mistake([-7 / 8, 2 / 8, 5 / 8], "subtracting at the first token. The second came."),
            Mistake([1 / 8, 2 / 8, -3 / 8], "subtracting at the third token. The second came."),
            Mistake([1 / 24, -6 / 24, 5 / 24], "dividing by 3. There is one token to predict, so "
                    "the mean is over one."),
            Mistake([0, LN2 - 1, LN5], "subtracting from the logits themselves. Take their softmax "
                    "first."),
            Mistake([0, LN2 / (LN2 + LN5) - 1, LN5 / (LN2 + LN5)], "dividing the logits by their "
                    "sum, without the exponential."),
            Mistake([0, -4, 0], "differentiating by the probability. It is the logits that are "
                    "asked about, and all three have a say."),
            Mistake([0, -6 / 8, 0], "looking at the token that came only. The other two took "
                    "probability from it."),
            Mistake([1 / 8 / LN2, -6 / 8 / LN2, 5 / 8 / LN2], "measuring the loss in bits."),
            Mistake([1, 1, 5], "leaving out the division that makes the softmax sum to 1."),
        ),
    ),
    Exercise(
        id="03.2",
        title="Cross-entropy by hand",
        level="easy",
        minutes=10,
        call="mean_cross_entropy(logits, targets)",
        hints=(
            "For each row, one number counts: how surprising was the token that came?",
            "The surprise is log(sum of exp(logits)) minus the logit of the target. exp(1000) is "
            "inf, so subtract each row's maximum first, and never take the logarithm of a "
            "probability that has become 0.",
            "logits.logsumexp(dim=...) - logits[torch.arange(len(targets)), targets], and then the "
            "mean. Along which dimension do the tokens of the vocabulary lie?",
        ),
        reference=lambda logits, targets: functional.cross_entropy(logits.double(), targets),
        cases=(
            Case((torch.tensor([[0.0, 0.0]]), torch.tensor([0])), "two equal logits are a fair "
                 "coin, whose surprise is ln 2 nats, 0.6931. In bits it would be 1.", LN2),
            Case((torch.tensor([[0.0, LN3]]), torch.tensor([1])), "the softmax is 1/4 and 3/4, and "
                 "the second token came: the surprise is -ln(3/4).", math.log(4 / 3)),
            Case((torch.tensor([[0.0, LN3], [0.0, LN3]]), torch.tensor([1, 1])), "the same twice: "
                 "the mean stays. It is over the examples, not a sum.", math.log(4 / 3)),
            Case((torch.tensor([[0.0, LN3], [0.0, 0.0]]), torch.tensor([0, 1])), "each row has its "
                 "own softmax, over the vocabulary, and its own target.",
                 (math.log(4) + LN2) / 2),
            Case((torch.tensor([[-1000.0, 1000.0]]), torch.tensor([1])), "exp(1000) is inf. "
                 "Subtract the maximum first.", 0.0),
            Case((torch.tensor([[-1000.0, -1000.0]]), torch.tensor([0])), "exp(-1000) is 0, and "
                 "log(0) is -inf. Subtract the maximum first.", LN2, rtol=1e-3),
            Case((torch.tensor([[1000.0, 0.0]]), torch.tensor([1])), "the probability of this "
                 "target is too small for a float, its logarithm, -1000, is not: take "
                 "logits - logsumexp, not the logarithm of a softmax. Clamp nothing, add nothing.",
                 1000.0),
            Case((torch.tensor([[0.0, 0.0], [1000.0, 1000.0]]), torch.tensor([0, 1])), "one "
                 "maximum for all rows leaves exp(-1000) = 0 in the small ones: each needs its "
                 "own.", LN2, rtol=1e-3),
            Case((torch.tensor([[0.0, -12.0]]), torch.tensor([0])), "a small loss is a loss all "
                 "the same: add nothing to a probability.", math.log1p(math.exp(-12.0)), 0.02,
                 2e-8),
            Case((normal(4, 4), choices(4, 4, seed=1)), "rows and columns are as many here, so a "
                 "wrong axis raises nothing: one row, one example."),
            Case((3 * normal(7, 50, seed=2), choices(50, 7, seed=3)), "something is wrong in a "
                 "larger batch."),
        ),
        mistakes=(
            Mistake(lambda logits, targets: losses(logits, targets).sum(), "adding up the losses. "
                    "Their mean is wanted."),
            Mistake(lambda logits, targets: losses(logits, targets).mean() / LN2, "measuring in "
                    "bits. Nats are wanted."),
            Mistake(lambda logits, targets: losses(logits, targets), "returning the loss of each "
                    "row. Their mean is wanted."),
            Mistake(lambda logits, targets: losses(logits, targets).sum() / logits.numel(),
                    "dividing by the number of logits. There is one loss for each row."),
            Mistake(lambda logits, targets: -losses(logits, targets).mean(), "leaving out the "
                    "minus: a surprise is positive."),
            Mistake(lambda logits, targets: -logits.log_softmax(0)[range(len(targets)), targets]
                    .mean(), "taking the softmax over the examples, dimension 0. It is over the "
                    "vocabulary, dimension 1."),
            Mistake(lambda logits, targets: -logits.log_softmax(1)[:, targets].mean(), "pairing "
                    "each row with all targets: [:, targets] has batch times batch numbers."),
            Mistake(lambda logits, targets: -logits[range(len(targets)), targets].mean(),
                    "leaving out the softmax."),
            Mistake(lambda logits, targets: losses(logits.softmax(1), targets).mean(), "taking the "
                    "softmax twice."),
            Mistake(lambda logits, targets: (-losses(logits, targets)).exp().mean(), "leaving out "
                    "the logarithm."),
        ),
    ),
    Exercise(
        id="03.3",
        title="Its gradient",
        level="medium",
        minutes=12,
        call="cross_entropy_gradient(logits, targets)",
        hints=(
            "You have done it on paper, for one row. Now for each row, and for their mean.",
            "Each row of the gradient is its softmax minus the one-hot vector of its target. "
            "A mean over the batch divides each row's share.",
            "(torch.softmax(logits, dim=...) - F.one_hot(targets, ...)) / ... What are the three, "
            "for logits of shape (batch, vocab_size)?",
        ),
        reference=gradient_by_autograd,
        cases=(
            Case((torch.tensor([[0.0, LN2, LN5]]), torch.tensor([1])), "softmax minus one-hot, as "
                 "in exercise 03.1.", [[1 / 8, -6 / 8, 5 / 8]]),
            Case((torch.tensor([[0.0, LN3], [0.0, LN3]]), torch.tensor([0, 0])), "of a mean over "
                 "two rows, each row carries one half.", [[-3 / 8, 3 / 8]] * 2),
            Case((torch.tensor([[0.0, 0.0, 0.0], [0.0, LN2, LN5]]), torch.tensor([2, 0])),
                 "each row has its own target and its own softmax, which run along the vocabulary.",
                 [[1 / 6, 1 / 6, -2 / 6], [-7 / 16, 2 / 16, 5 / 16]]),
            Case((torch.tensor([[1000.0, 0.0, 0.0]]), torch.tensor([0])), "exp(1000) is inf. "
                 "torch.softmax subtracts the maximum first.", [[0.0, 0.0, 0.0]]),
            Case((torch.tensor([[1000.0, 0.0], [-1000.0, -1000.0]]), torch.tensor([1, 1])),
                 "large and small logits in one batch: each row needs its own maximum.",
                 [[0.5, -0.5], [0.25, -0.25]]),
            Case((normal(3, 3), torch.tensor([1, 2, 0])), "rows and columns are as many here, so a "
                 "transposed one-hot matrix, or a softmax along the wrong axis, raises nothing."),
            Case((normal(4, 6, seed=1), torch.tensor([3, 3, 3, 0])), "a token may be the target "
                 "of several rows.",),
            Case((3 * normal(50, 10, seed=2), choices(10, 50, seed=3)), "something is wrong in a "
                 "larger batch."),
        ),
        mistakes=(
            Mistake(lambda logits, targets: len(logits) * gradient_by_autograd(logits, targets),
                    "leaving out the division by the batch: that is the gradient of the sum."),
            Mistake(lambda logits, targets: -gradient_by_autograd(logits, targets), "turning the "
                    "sign: softmax minus one-hot, not the other way round."),
            Mistake(lambda logits, targets: gradient_by_autograd(logits, targets)
                    / logits.shape[1], "dividing by the vocabulary as well. The mean is over the "
                    "rows."),
            Mistake(lambda logits, targets: gradient_by_autograd(logits, targets) * len(logits)
                    / logits.shape[1], "dividing by the size of the vocabulary. The mean is over "
                    "the rows."),
            Mistake(lambda logits, targets: logits.softmax(1), "stopping at the softmax."),
            Mistake(lambda logits, targets: logits.softmax(1) / len(logits), "stopping at the "
                    "softmax."),
            Mistake(lambda logits, targets: (logits.softmax(0) - one_hot(logits, targets))
                    / len(logits), "taking the softmax over the examples, dimension 0."),
            Mistake(lambda logits, targets: (logits.softmax(1) - one_hot(logits, targets).T)
                    / len(logits), "turning the one-hot matrix: its rows are examples, its columns "
                    "the vocabulary."),
            Mistake(lambda logits, targets: (logits - one_hot(logits, targets)) / len(logits),
                    "subtracting from the logits themselves. Take their softmax first."),
            Mistake(lambda logits, targets: gradient_by_autograd(logits, targets) / LN2,
                    "measuring the loss in bits."),
            Mistake(lambda logits, targets: (logits.softmax(1) - one_hot(logits, targets).amax(0))
                    / len(logits), "subtracting every target in every row: [:, targets] has batch "
                    "times batch places."),
        ),
    ),
    Exercise(
        id="03.4",
        title="Windows and their targets",
        level="medium",
        minutes=15,
        call="windows(ids, context)",
        hints=(
            "Write down 5 ids and a context of 2. Which tokens have two before them?",
            "Window i holds ids[i] to ids[i + context - 1], and its target is the next one. The "
            "last target is the last id.",
            "torch.stack([ids[i : i + context] for i in range(...)]) and ids[...:]. How many "
            "windows are there, and which is the first id that can be a target?",
        ),
        cases=(
            Case((torch.tensor([5, 7]), 1), "one window of one token, and the token after it: "
                 "return inputs of shape (1, 1), and targets of shape (1,).",
                 (torch.tensor([[5]]), torch.tensor([7]))),
            Case((torch.tensor([5, 7, 2]), 2), "the target is the token after the window, not the "
                 "last one in it.", (torch.tensor([[5, 7]]), torch.tensor([2]))),
            Case((torch.tensor([5, 7, 2]), 1), "all windows: the last one ends just before the "
                 "last id.", (torch.tensor([[5], [7]]), torch.tensor([7, 2]))),
            Case((torch.tensor([3, 1, 4, 1, 5]), 2), "n - context windows, each one step on: they "
                 "overlap, and they do not run over the end.",
                 (torch.tensor([[3, 1], [1, 4], [4, 1]]), torch.tensor([4, 1, 5]))),
            Case((torch.tensor([3, 1, 4, 1, 5, 9]), 3), "a row is a window, read from left to "
                 "right.", (torch.tensor([[3, 1, 4], [1, 4, 1], [4, 1, 5]]),
                            torch.tensor([1, 5, 9]))),
            Case((torch.tensor([0, 6, 0, 6, 0]), 2), "an id may be 0, and windows may repeat: "
                 "all of them are wanted.",
                 (torch.tensor([[0, 6], [6, 0], [0, 6]]), torch.tensor([0, 6, 0]))),
            Case((choices(50257, 2000, seed=5), 8), "something is wrong in a longer text."),
        ),
        reference=lambda ids, context: (
            torch.tensor([ids.tolist()[i : i + context] for i in range(len(ids) - context)]),
            torch.tensor(ids.tolist()[context:]),
        ),
        mistakes=(
            Mistake(lambda ids, context: (windows_of(ids, context), ids[context - 1 : -1]),
                    "taking the last token of the window as its target: the model has seen it "
                    "already. The one after it is wanted."),
            Mistake(lambda ids, context: (windows_of(ids, context)[:-1], ids[context:-1]),
                    "losing the last window: range(n - context) has them all."),
            Mistake(lambda ids, context: wrapping(ids, context), "running over the end: the last "
                    "windows begin anew at the front."),
            Mistake(lambda ids, context: (windows_of(ids, context), ids.unfold(0, context, 1)[1:]),
                    "returning the next window as the target. One token is wanted, the one after "
                    "the window."),
            Mistake(lambda ids, context: (windows_of(ids, context), ids[:-context]), "taking the "
                    "first token of the window as its target."),
            Mistake(lambda ids, context: (windows_of(ids, context), ids[1 : len(ids) - context + 1])
                    , "taking the second token of the window as its target: that is the next one "
                    "after its first, not after its last."),
            Mistake(lambda ids, context: (windows_of(ids, context).T, ids[context:]), "turning the "
                    "inputs: a row is a window."),
            Mistake(lambda ids, context: (windows_of(ids, context).flip(1), ids[context:]),
                    "reading the windows backwards."),
            Mistake(lambda ids, context: (windows_of(ids, context)[::context],
                                          ids[context::context]), "stepping on by a whole "
                    "window. Each window is one token further on."),
        ),
    ),
    Exercise(
        id="03.5",
        title="Nearest neighbours",
        level="medium",
        minutes=12,
        call="nearest(embedding, word, k)",
        hints=(
            "The cosine looks at the direction only. What must you divide out?",
            "Normalise each row to length 1; then a matrix times a vector gives all cosines. Give "
            "the word itself a value that can never win, rather than dropping whoever comes first.",
            "cosines = F.cosine_similarity(embedding, embedding[word], dim=1), and then "
            "cosines[word] = ... What stands there so that not even the opposite direction comes "
            "behind it, and which way does topk sort?",
        ),
        reference=neighbours_by_angle,
        cases=(
            Case((torch.tensor([[1.0, 0.0], [0.1, 1.0], [1.0, 1.0]]), 0, 1), "a list of k ids, "
                 "without the word itself, with the largest cosine.", [2]),
            Case((torch.tensor([[1.0, 0.0], [0.1, 1.0], [1.0, 1.0]]), 0, 2), "the nearest comes "
                 "first: the largest cosine, not the smallest.", [2, 1]),
            Case((torch.tensor([[1.0, 0.0], [9.0, 9.0], [0.2, 0.1]]), 0, 2), "a long row has a "
                 "large dot product, and is no nearer for it: divide by the lengths.", [2, 1]),
            Case((torch.tensor([[1.0, 0.0], [7.0, 0.5], [0.9, 0.8]]), 0, 2), "row 1 points nearly "
                 "the same way, however far away it ends. Compare directions, not distances.",
                 [1, 2]),
            Case((torch.tensor([[1.0, 0.0], [-2.0, 0.1], [0.1, 1.0]]), 0, 2), "an opposite "
                 "direction is the farthest: mind the sign.", [2, 1]),
            Case((TWINS, 2, 2), "row 4 equals row 2, and is another word, the nearest one: "
                 "leave out the word by its id, not whoever comes first.", [4, 1]),
            Case((TWINS, 4, 2), "row 2 equals row 4, and is another word, the nearest one: "
                 "leave out the word by its id, not whoever comes first.", [2, 1]),
            Case((TWINS, 4, 5), "with k = vocab_size - 1 all other words come, also those with a "
                 "negative cosine.", [2, 1, 0, 3, 5]),
            Case((SIX_WORDS, 0, 5), "row 3 is the exact opposite of row 0, with a cosine of -1: it "
                 "comes last, and the word itself not at all.", [1, 5, 4, 2, 3]),
            Case((normal(4, 4, seed=2), 3, 3), "rows and columns are as many here, so a length "
                 "taken along the wrong axis raises nothing."),
            Case((MANY_WORDS, 137, 7), "the order is wrong in a larger vocabulary."),
        ),
        mistakes=(
            Mistake(ranked(lambda e, w: e @ e[w]), "ranking by the dot product, without dividing "
                    "by the lengths."),
            Mistake(ranked(lambda e, w: -(e - e[w]).norm(dim=1)), "ranking by distance. The cosine "
                    "looks at the direction only."),
            Mistake(ranked(lambda e, w: (e - e[w]).norm(dim=1)), "ranking by distance, the "
                    "farthest first."),
            Mistake(ranked(lambda e, w: -cosines(e, w)), "sorting the wrong way: the largest "
                    "cosine comes first."),
            Mistake(ranked(lambda e, w: cosines(e, w).abs()), "leaving out the sign of the "
                    "cosine."),
            Mistake(ranked(lambda e, w: e / e.norm(dim=0) @ (e / e.norm(dim=0))[w]), "taking "
                    "lengths along the wrong axis. A row is a word."),
            Mistake(lambda e, w, k: cosines(e, w).topk(k).indices, "counting the word itself among "
                    "its neighbours."),
            Mistake(lambda e, w, k: cosines(e, w).topk(k + 1).indices, "counting the word itself "
                    "among its neighbours."),
            Mistake(lambda e, w, k: cosines(e, w).topk(k + 1).indices[1:], "dropping whoever comes "
                    "first. That need not be the word itself: leave it out by its id."),
            Mistake(ranked(lambda e, w: cosines(e, w), 0.0), "giving the word itself a cosine of "
                    "0, which is more than a negative one."),
            Mistake(lambda e, w, k: cosines(e, w)[neighbours_by_angle(e, w, k)], "returning the "
                    "cosines. The ids are wanted."),
            Mistake(lambda e, w, k: sorted(neighbours_by_angle(e, w, k)), "sorting by id. The "
                    "nearest comes first."),
        ),
    ),
    Exercise(
        id="03.6",
        title="Momentum",
        level="medium",
        minutes=15,
        call="momentum_path(gradient, start, learning_rate, momentum, steps)",
        hints=(
            "Two things change from step to step: where the ball is, and how fast it rolls.",
            "The velocity starts at 0. In each step it keeps its share and takes on the gradient "
            "at the place where the ball is now; then the ball moves by learning_rate times it.",
            "velocity = momentum * velocity + gradient(x), then x = x - learning_rate * velocity, "
            "then path.append(...). What stands in the path before the first step, and why is "
            "x = x - ... safer than x -= ... here?",
        ),
        reference=path_by_torch,
        cases=(
            Case((slope_of_a_bowl, vector(1), 0.25, 0.0, 1), "without momentum, this is gradient "
                 "descent: the start, then 1 - 0.25 · 2.", [[1.0], [0.5]]),
            Case((slope_of_a_bowl, vector(1, -2), 0.25, 0.9, 0), "no step: the path is the start "
                 "alone, of shape (1, d).", [[1.0, -2.0]]),
            Case((slope_of_a_bowl, vector(1), 0.25, 0.0, 3), "without momentum, each step halves "
                 "x. If all rows are alike, the path holds one tensor several times.",
                 [[1.0], [0.5], [0.25], [0.125]]),
            Case((slope_of_a_ramp, vector(0), 1.0, 0.5, 1), "the first velocity is the gradient "
                 "itself: 0.5 · 0 + 1, without a factor 1 - momentum.", [[0.0], [-1.0]]),
            Case((slope_of_a_ramp, vector(0), 1.0, 0.5, 3), "on a ramp the ball gathers speed: "
                 "velocities 1, 1.5, 1.75.", [[0.0], [-1.0], [-2.5], [-4.25]]),
            Case((slope_of_a_bowl, vector(1), 0.25, 0.5, 3), "the gradient is taken where the ball "
                 "is, before the step, and not ahead of it.",
                 [[1.0], [0.5], [0.0], [-0.25]]),
            Case((slope_of_a_valley, vector(4, 1), 0.03, 0.5, 6), "each coordinate has its own "
                 "velocity."),
            Case((slope_of_the_cosine, vector(0.1, 0.2, 3.0), 0.5, 0.8, 10), "something is wrong "
                 "on a slope that bends."),
            Case((slope_of_a_bowl, vector(1), 1.1, 0.0, 20), "too large a learning rate drives the "
                 "ball out: so be it, clip nothing."),
            Case((slope_of_two_wells, vector(2, -0.1, 0.5, 1.5), 0.03, 0.9, 100), "something is "
                 "wrong on a longer path."),
        ),
        mistakes=(
            Mistake(lambda *args: path_by_hand(*args, average=True), "taking 1 - momentum of the "
                    "gradient, as in a moving average. Here the gradient is added whole."),
            Mistake(lambda *args: path_by_hand(*args, ahead=True), "taking the gradient ahead of "
                    "the ball, as Nesterov does. Here it is taken where the ball is."),
            Mistake(lambda *args: path_by_torch(*args, nesterov=True), "stepping with the gradient "
                    "once more, as Nesterov does."),
            Mistake(lambda *args: path_by_torch(*args)[1:], "leaving out the start."),
            Mistake(lambda *args: path_by_torch(*args)[:-1], "leaving out the last point."),
            Mistake(lambda *args: path_by_torch(*args)[-1], "returning the last point. The whole "
                    "path is wanted."),
            Mistake(lambda *args: path_by_torch(*args)[-1].expand(args[-1] + 1, -1), "putting one "
                    "tensor into the path again and again, and changing it in place."),
            Mistake(lambda g, x, rate, m, steps: path_by_torch(g, x, rate, 0, steps), "leaving out "
                    "the momentum."),
            Mistake(lambda g, x, rate, m, steps: path_by_hand(g, x, -rate, m, steps), "going "
                    "uphill."),
        ),
    ),
    Exercise(
        id="03.7",
        title="AdamW, one step",
        level="hard",
        minutes=25,
        call="adamw_step(weight, gradient, first, second, step, learning_rate, beta1, beta2, "
             "epsilon, weight_decay)",
        hints=(
            "Two moving averages, each corrected for having started at 0; their ratio is the step. "
            "The decay is a matter of its own.",
            "first keeps beta1 of itself and takes 1 - beta1 of the gradient, second the same with "
            "beta2 and its square. Divide by 1 - beta**step for the step only: return the moments "
            "themselves.",
            "weight * (1 - learning_rate * weight_decay) - learning_rate * m / (...), where m and "
            "v are the corrected moments. Does epsilon go inside the root of v, or outside?",
        ),
        accept=one_adamw_step,
        cases=(
            Case((vector(1), vector(0.5), vector(0), vector(0), 1, 0.1, 0.9, 0.999, 1e-8, 0.0),
                 "the first step is learning_rate in size, whatever the gradient: moments 0.05 and "
                 "0.00025, corrected to 0.5 and 0.25, and 0.5 / sqrt(0.25) is 1."),
            Case((vector(1), vector(0.5), vector(0), vector(0), 1, 0.1, 0.9, 0.999, 1.0, 0.0),
                 "epsilon is added to the root of the corrected second moment: 0.5 / (0.5 + 1)."),
            Case((vector(1), vector(0), vector(0), vector(0), 1, 0.1, 0.9, 0.999, 1e-8, 0.5),
                 "without a gradient only the decay is left: the weight shrinks by the factor "
                 "1 - learning_rate · weight_decay, and the moments stay 0."),
            Case((vector(2), vector(0.5), vector(0), vector(0), 1, 0.1, 0.9, 0.999, 1e-8, 0.5),
                 "the decay stands beside the step: it touches neither the gradient nor the "
                 "moments, and shrinks the old weight, before the step."),
            Case((vector(1), vector(0.5), vector(0.2), vector(0.1), 2, 0.1, 0.9, 0.999, 1e-8, 0.0),
                 "the moments go on from those before, and the correction is 1 - beta**step."),
            Case((vector(1, -1, 3), vector(0.5, -2, 0), vector(0.2, 1, -0.3),
                  vector(0.3, 2, 0.5), 3, 0.1, 0.5, 0.75, 1e-8, 0.0), "beta1 belongs to the first "
                 "moment, beta2 to the second, which averages squares; and each weight has its "
                 "own."),
            Case((vector(0, 0), vector(1e-10, -1e-6), vector(0, 0), vector(0, 0), 1, 0.1, 0.9,
                  0.999, 1e-8, 0.0), "with a gradient smaller than epsilon it shows whether "
                 "epsilon is inside the root or outside."),
            Case((normal(3, 2), normal(3, 2, seed=1), normal(3, 2, seed=2),
                  normal(3, 2, seed=3).square(), 7, 0.01, 0.9, 0.99, 1e-3, 0.1), "something is "
                 "wrong for a matrix."),
            Case((normal(5), normal(5, seed=1), normal(5, seed=2), normal(5, seed=3).square(),
                  10_000, 0.003, 0.9, 0.95, 1e-8, 0.01), "after many steps the correction is 1."),
        ),
        mistakes=(
            Mistake(with_mistake(corrected=False), "leaving out the bias correction: after one "
                    "step the moments are far too small."),
            Mistake(with_mistake(inside=True), "putting epsilon inside the root."),
            Mistake(with_mistake(coupled=True), "adding the decay to the gradient. That is Adam "
                    "with an L2 penalty: the decay is then divided by the root like the rest."),
            Mistake(with_mistake(times_rate=False), "leaving the learning rate out of the decay."),
            Mistake(with_mistake(after=True), "shrinking the new weight. The decay is of the old "
                    "one."),
            Mistake(with_mistake(decayed=False), "leaving out the decay."),
            Mistake(with_mistake(squared=False), "averaging the gradient in the second moment, and "
                    "not its square."),
            Mistake(with_mistake(moments_corrected=True), "returning the corrected moments. The "
                    "next step needs them uncorrected."),
            Mistake(lambda *args: tuple(adamw_by_hand(*args)[i] for i in (0, 2, 1)), "returning "
                    "the second average before the first."),
            Mistake(lambda *args: tuple(adamw_by_hand(*args)[i] for i in (1, 2, 0)), "returning "
                    "the weight last. It comes first."),
            Mistake(with_mistake(late=1), "counting steps from 0 in the correction."),
            Mistake(with_mistake(late=-1), "correcting by one step too many."),
            Mistake(lambda w, g, m, v, t, rate, b1, b2, e, d: adamw_by_hand(
                w, g, m, v, t, rate, b2, b1, e, d), "swapping beta1 and beta2."),
            Mistake(lambda w, g, m, v, t, rate, b1, b2, e, d: adamw_by_hand(
                w, g, m, v, t, -rate, b1, b2, e, -d), "going uphill."),
        ),
    ),
)


def losses(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return functional.cross_entropy(logits.double(), targets, reduction="none")


def one_hot(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return functional.one_hot(targets, logits.shape[1])


def windows_of(ids: torch.Tensor, context: int) -> torch.Tensor:
    return ids.unfold(0, context, 1)[:-1]


def wrapping(ids: torch.Tensor, context: int) -> tuple[torch.Tensor, torch.Tensor]:
    inputs = torch.stack([ids.roll(-i) for i in range(context)], dim=1)
    return inputs, ids.roll(-context)


def cosines(embedding: torch.Tensor, word: int) -> torch.Tensor:
    return functional.cosine_similarity(embedding, embedding[word][None], dim=1)
