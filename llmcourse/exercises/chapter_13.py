"""Checks of chapter 13: masks, losses on masked tokens, pooling, pseudo-likelihood, spans."""

import torch
import torch.nn.functional as F

from llmcourse.exercises.exercise import Case, Exercise, Mistake


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def ids(*shape: int, vocab_size: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(vocab_size, shape, generator=torch.Generator().manual_seed(seed))


# ------------------------------------------------------------------ 13.2


def with_gaps(shape: tuple[int, int], vocab_size: int, share: float, seed: int) -> torch.Tensor:
    targets = ids(*shape, vocab_size=vocab_size, seed=seed)
    kept = torch.rand(shape, generator=torch.Generator().manual_seed(seed + 1)) < share
    kept[0, 0] = True
    return targets.where(kept, torch.tensor(-100))


def mean_over_all(logits, targets):
    total = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum")
    return total / targets.numel()


def mean_of_rows(logits, targets):
    rows = [F.cross_entropy(row, t) for row, t in zip(logits, targets) if (t != -100).any()]
    return torch.stack(rows).mean()


def gaps_count_as(label):
    def loss(logits, targets):
        filled = targets.where(targets != -100, torch.tensor(label % logits.shape[-1]))
        return F.cross_entropy(logits.flatten(0, 1), filled.flatten())

    return loss


# ------------------------------------------------------------------ 13.3


def masked_by_loop(
    tokens, draw, random_tokens, mask_token, special, rate,
    *, share=(0.8, 0.1), honest=True, spare=True, all_targets=False,
):  # fmt: skip
    """Token by token, in which one thing may be done wrong."""
    inputs, targets = tokens.clone(), torch.full_like(tokens, -100)
    for place in torch.cartesian_prod(*map(torch.arange, tokens.shape)).tolist():
        at, token, u = tuple(place), tokens[tuple(place)].item(), draw[tuple(place)].item()
        chosen = u < rate and not (spare and token in special)
        if chosen and u < share[0] * rate:
            inputs[at] = mask_token
        elif chosen and u < sum(share) * rate:
            inputs[at] = random_tokens[at]
        if chosen or all_targets:
            targets[at] = token if honest else inputs[at]
    return inputs, targets


def only_changed(tokens, draw, *rest):
    inputs, targets = masked_by_loop(tokens, draw, *rest)
    return inputs, targets.where(inputs != tokens, torch.tensor(-100))


def shares_of_all(tokens, draw, random_tokens, mask_token, special, rate):
    return masked_by_loop(
        tokens, draw, random_tokens, mask_token, special, 1.0, share=(0.8, 0.1)
    )  # 80% of all tokens


# Every draw lies well inside its interval: a tenth of a thousandth does not decide.
SAFE = torch.tensor([0.03, 0.13, 0.1275, 0.142, 0.4, 0.97, 0.08, 0.155, 0.125])


def draws(*shape: int, seed: int = 0) -> torch.Tensor:
    return SAFE[ids(*shape, vocab_size=len(SAFE), seed=seed)]


# ------------------------------------------------------------------ 13.4


def pooled_by_rows(vectors, mask):
    return torch.stack([row[kept].mean(dim=0) for row, kept in zip(vectors, mask)])


def padded(lengths: list[int], time: int) -> torch.Tensor:
    return torch.arange(time) < torch.tensor(lengths)[:, None]


# ------------------------------------------------------------------ 13.5


def prefix_by_loop(time, n_prefix):
    rows = [[key <= query or key < n_prefix for key in range(time)] for query in range(time)]
    return torch.tensor(rows, dtype=torch.bool).view(time, time)


# ------------------------------------------------------------------ 13.6


class Neighbours:
    """A small masked model: logits from the tokens left and right, and a little from the token."""

    def __init__(self, vocab_size: int, seed: int, own: float = 3.0):
        self.left, self.right, self.own = (
            normal(vocab_size, vocab_size, seed=seed + i) for i in range(3)
        )
        self.own = own * torch.eye(vocab_size) + 0.3 * self.own

    def __call__(self, tokens: torch.Tensor) -> torch.Tensor:
        left, right = self.left[tokens].cumsum(1), self.right[tokens].flip(1).cumsum(1).flip(1)
        logits = self.own[tokens]
        logits[:, 1:] += left[:, :-1]
        logits[:, :-1] += right[:, 1:]
        return logits


def scored(model, tokens, hide, combine=torch.sum, read=lambda i: i):
    """`hide(tokens, i)` is what the model reads when token i is asked for."""
    found = []
    for i in range(len(tokens)):
        logits = model(hide(tokens, i)[None])[0]
        at = read(i)
        if 0 <= at < len(tokens):
            found.append(torch.log_softmax(logits[at].double(), dim=-1)[tokens[i]])
    return combine(torch.stack(found)).item()


def one_hidden(mask_token):
    def hide(tokens, i):
        return torch.where(torch.arange(len(tokens)) == i, mask_token, tokens)

    return hide


def right_half_hidden(mask_token):
    return lambda tokens, i: torch.where(torch.arange(len(tokens)) >= i, mask_token, tokens)


def by_batch(model, tokens, mask_token):
    """All at once: a row for each hidden token."""
    rows = tokens.repeat(len(tokens), 1)
    rows.fill_diagonal_(mask_token)
    logits = model(rows).double().diagonal(dim1=0, dim2=1).T
    return -F.cross_entropy(logits, tokens, reduction="sum").item()


# ------------------------------------------------------------------ 13.7


def spans_by_walk(tokens, spans, sentinels, *, close=True, own=True, each=False, keep=False):
    """Token by token, in which one thing may be done wrong."""
    inside = {start + i: n for n, (start, length) in enumerate(spans) for i in range(length)}
    inputs, targets, before = [], [], None
    for place, token in enumerate(tokens):
        span = inside.get(place)
        if span is None:
            inputs.append(token)
        else:
            sentinel = sentinels[span if own else 0]
            if span != before:
                targets.append(sentinel)
            if span != before or each:
                inputs.append(sentinel)
            targets.append(token)
            if keep:
                inputs.append(token)
        before = span
    return inputs, targets + ([sentinels[len(spans) if own else 0]] if close else [])


def spans_without_shift(tokens, spans, sentinels):
    """The places are those of the whole text, but the text has become shorter."""
    inputs, targets = list(tokens), []
    for n, (start, length) in enumerate(spans):
        targets += [sentinels[n], *tokens[start : start + length]]
        inputs[start : start + length] = [sentinels[n]]
    return inputs, [*targets, sentinels[len(spans)]]


def ends_inclusive(tokens, spans, sentinels):
    return spans_by_walk(tokens, [(s, length + 1) for s, length in spans], sentinels)


def as_ends(tokens, spans, sentinels):
    inputs, targets, at = [], [], 0
    for sentinel, (start, end) in zip(sentinels, spans):
        inputs += [*tokens[at:start], sentinel]
        targets += [sentinel, *tokens[start:end]]
        at = max(start, end)
    return inputs + tokens[at:], [*targets, sentinels[len(spans)]]


# fmt: off
EXERCISES = (
    Exercise(
        id="13.1",
        title="How many of each",
        level="easy",
        minutes=5,
        hints=(
            "First: how many of the 2,000 tokens may be chosen at all?",
            "15% of those that are not special are chosen. The three numbers are 80%, 10% and 10% "
            "of the chosen ones, and the loss counts every chosen one.",
            "Chosen: 0.15 * 1900 = 285. And how many is 80% of that?",
        ),
        cases=(
            Case(expected=[228.0, 28.5, 28.5, 285.0], rtol=2e-3, pointer="four numbers: tokens "
                 "that become [MASK], that become a random one, that are chosen and stay, and "
                 "that count in the loss. An expectation need not be a whole number."),
        ),
        mistakes=(
            Mistake([240.0, 30.0, 30.0, 300.0], "choosing special tokens too. The 100 are never "
                    "chosen: 15% of 1,900."),
            Mistake([228.0, 28.5, 28.5, 256.5], "leaving the chosen tokens that stay out of the "
                    "loss. They are guessed like the others."),
            Mistake([228.0, 28.5, 28.5, 228.0], "counting only [MASK] in the loss. All that are "
                    "chosen count."),
            Mistake([1520.0, 190.0, 190.0, 1900.0], "taking 80%, 10% and 10% of all tokens. They "
                    "are shares of the 15% that are chosen."),
            Mistake([285.0, 28.5, 28.5, 285.0], "hiding all chosen tokens behind [MASK]. Only 80% "
                    "of them are."),
            Mistake([228.0, 28.5, 28.5, 1900.0], "counting every token in the loss. That is what "
                    "a causal model does."),
            Mistake([228.0, 28.5, 28.5, 2000.0], "counting every token in the loss. That is what "
                    "a causal model does."),
            Mistake([228.0, 28.5, 1643.5, 285.0], "counting all tokens that stay. Most were never "
                    "chosen."),
        ),
    ),
    Exercise(
        id="13.2",
        title="The loss counts what was asked",
        level="easy",
        minutes=8,
        call="masked_loss(logits, targets)",
        hints=(
            "Which positions are a question? Only those have a loss, and only those are counted in "
            "the mean.",
            "asked = targets != -100 picks both: logits[asked] has the shape (n_asked, "
            "vocab_size), and targets[asked] the shape (n_asked,).",
            "F.cross_entropy(logits[asked], targets[asked]): over how many positions does it take "
            "the mean?",
        ),
        reference=lambda logits, targets: F.cross_entropy(
            logits.double().flatten(0, 1), targets.flatten(), ignore_index=-100),
        cases=(
            Case((torch.zeros(1, 1, 4), torch.tensor([[2]])), "one position, four equal logits: "
                 "the loss is ln 4.", 1.3862944),
            Case((torch.zeros(1, 4, 4), torch.tensor([[-100, 2, -100, -100]])), "four positions, "
                 "of which one is asked: still ln 4, since the others are no questions.",
                 1.3862944),
            Case((torch.tensor([[[0.0, 0.0], [9.0, 0.0]]]), torch.tensor([[1, -100]])), "what the "
                 "model says where nothing was asked does not matter.", 0.6931472),
            Case((torch.tensor([[[0.0, 1.0], [5.0, 0.0]], [[0.0, 2.0], [0.0, 3.0]]]),
                  torch.tensor([[1, -100], [0, 1]])), "the mean is over all that was asked, three "
                 "positions, however they spread over the rows."),
            Case((normal(3, 7, 11), with_gaps((3, 7), 11, 0.3, 1)), "any logits."),
            Case((5 * normal(4, 16, 50, seed=3), with_gaps((4, 16), 50, 0.15, 2)), "large "
                 "logits, and 15% asked."),
            Case((1000 * normal(2, 3, 5, seed=4), with_gaps((2, 3), 5, 0.5, 5)), "logits of some "
                 "thousands: take the softmax in a way that does not overflow."),
        ),
        mistakes=(
            Mistake(mean_over_all, "dividing by all positions. The mean is over those that were "
                    "asked: with 15% of them, this loss is nearly seven times too small."),
            Mistake(lambda x, t: mean_over_all(x, t) * t.numel(), "giving the sum. Divide by the "
                    "number of positions that were asked."),
            Mistake(mean_of_rows, "taking the mean of the rows' means. A row in which little was "
                    "asked then counts as much as one in which much was."),
            Mistake(gaps_count_as(0), "counting -100 as token 0. Those positions were not asked."),
            Mistake(gaps_count_as(-1), "counting -100 as the last token."),
            Mistake(lambda x, t: -F.cross_entropy(x.flatten(0, 1), t.flatten()), "forgetting the "
                    "minus sign: a loss is the negative logarithm of a probability."),
            Mistake(lambda x, t: F.cross_entropy(x.flatten(0, 1), t.flatten()) / 0.6931471805599453,
                    "giving bits. In this exercise the loss is in nats."),
            Mistake(lambda x, t: F.cross_entropy(x.softmax(-1).flatten(0, 1), t.flatten()),
                    "taking the softmax twice: F.cross_entropy takes logits, not probabilities."),
            Mistake(lambda x, t: mean_over_all(x, t) * t.numel() / len(t), "dividing by the number "
                    "of rows."),
        ),
    ),
    Exercise(
        id="13.3",
        title="Hide some tokens",
        level="medium",
        minutes=15,
        call="hide(tokens, draw, random_tokens, mask_token, special, rate)",
        hints=(
            "Decide first which tokens are chosen. Everything else depends on that one boolean "
            "tensor.",
            "chosen = (draw < rate) & ~torch.isin(tokens, torch.tensor(special)). The draw also "
            "says what happens to a chosen one: below 0.8 * rate, below 0.9 * rate, or above.",
            "inputs = tokens.clone(); inputs[chosen & (draw < 0.9 * rate)] = random_tokens[...]; "
            "then the masks over it. And the targets: where are they -100?",
        ),
        reference=masked_by_loop,
        cases=(
            Case((torch.tensor([[5, 6]]), torch.tensor([[0.1, 0.7]]), torch.tensor([[1, 2]]), 9,
                  [0], 0.5), "the first draw is below 0.8 * 0.5: the token becomes the mask, and "
                 "its target is the token. The second is not chosen: target -100.",
                 (torch.tensor([[9, 6]]), torch.tensor([[5, -100]]))),
            Case((torch.tensor([[5, 6]]), torch.tensor([[0.42, 0.97]]), torch.tensor([[1, 2]]), 9,
                  [0], 0.5), "a draw between 0.8 and 0.9 times the rate: the random token, and the "
                 "true one as the target.", (torch.tensor([[1, 6]]), torch.tensor([[5, -100]]))),
            Case((torch.tensor([[5, 6]]), torch.tensor([[0.47, 0.97]]), torch.tensor([[1, 2]]), 9,
                  [0], 0.5), "a draw between 0.9 and 1 times the rate: the token stays, and is "
                 "asked for all the same.", (torch.tensor([[5, 6]]), torch.tensor([[5, -100]]))),
            Case((torch.tensor([[0, 5, 7]]), torch.tensor([[0.1, 0.1, 0.1]]),
                  torch.tensor([[1, 1, 1]]), 9, [0, 7], 0.5), "special tokens are never chosen, "
                 "whatever the draw.",
                 (torch.tensor([[0, 9, 7]]), torch.tensor([[-100, 5, -100]]))),
            Case((torch.tensor([[3, 4, 5, 6]]), torch.tensor([[0.05, 0.125, 0.14, 0.16]]),
                  torch.tensor([[1, 3, 2, 1]]), 9, [], 0.15), "a rate of 0.15, and no special "
                 "tokens at all."),
            Case((torch.tensor([[3, 4, 3]]), torch.tensor([[0.125, 0.125, 0.97]]),
                  torch.tensor([[3, 1, 2]]), 9, [0], 0.15), "a random token may happen to be the "
                 "true one: it is asked for all the same."),
            Case((ids(4, 9, vocab_size=20), draws(4, 9), ids(4, 9, vocab_size=20, seed=1), 19,
                  [0, 1], 0.15), "a batch."),
            Case((ids(6, 16, vocab_size=50, seed=2), draws(6, 16, seed=3),
                  ids(6, 16, vocab_size=50, seed=4), 3, [3, 4, 5], 0.15), "another, in which the "
                 "mask is a special token too."),
        ),
        mistakes=(
            Mistake(lambda *a: masked_by_loop(*a, all_targets=True), "asking for every token. "
                    "Where a token was not chosen, the target is -100."),
            Mistake(lambda *a: masked_by_loop(*a, honest=False), "asking for what the model reads. "
                    "The target is the token that stood there before."),
            Mistake(only_changed, "asking only for tokens that were changed. One that was chosen "
                    "and stays is asked for too."),
            Mistake(lambda *a: masked_by_loop(*a, spare=False), "hiding special tokens."),
            Mistake(lambda *a: masked_by_loop(*a, share=(1.0, 0.0)), "putting the mask over all "
                    "that are chosen. A tenth become a random token, and a tenth stay."),
            Mistake(lambda *a: masked_by_loop(*a, share=(0.8, 0.2)), "letting no chosen token "
                    "stay."),
            Mistake(lambda *a: masked_by_loop(*a, share=(0.8, 0.0)), "replacing none by a random "
                    "token."),
            Mistake(lambda *a: masked_by_loop(*a, share=(0.1, 0.8)), "swapping the shares of mask "
                    "and random tokens."),
            Mistake(shares_of_all, "taking the shares of all tokens. They are shares of those that "
                    "are chosen: 0.8 * rate, and so on."),
            Mistake(lambda *a: masked_by_loop(*a)[::-1], "swapping inputs and targets."),
        ),
    ),
    Exercise(
        id="13.4",
        title="Padding has no meaning",
        level="medium",
        minutes=10,
        call="pool(vectors, mask)",
        hints=(
            "What does a padded position add to the sum, and what to the count?",
            "Multiply the vectors by the mask, so that padding adds nothing; divide by the number "
            "of real tokens of each row.",
            "(vectors * mask[:, :, None]).sum(dim=1) / mask.sum(...): along which axis, so that "
            "the shapes (batch, d_model) and (batch, 1) meet?",
        ),
        reference=pooled_by_rows,
        cases=(
            Case((torch.tensor([[[1.0, 2.0], [3.0, 6.0]]]), torch.tensor([[True, True]])), "no "
                 "padding: the mean of two vectors.", torch.tensor([[2.0, 4.0]])),
            Case((torch.tensor([[[1.0, 2.0], [9.0, 9.0]]]), torch.tensor([[True, False]])), "one "
                 "real token: its own vector, nothing else.", torch.tensor([[1.0, 2.0]])),
            Case((torch.tensor([[[9.0], [1.0], [3.0]]]), torch.tensor([[False, True, True]])),
                 "padding may stand on the left.", torch.tensor([[2.0]])),
            Case((torch.tensor([[[1.0], [3.0], [5.0]], [[2.0], [7.0], [7.0]]]),
                  padded([3, 1], 3)), "each text has a length of its own.",
                 torch.tensor([[3.0], [2.0]])),
            Case((normal(3, 3, 3), padded([1, 3, 2], 3)), "three texts of up to three tokens: the "
                 "result has a row for each text."),
            Case((torch.tensor([[[1.0], [torch.nan]], [[2.0], [4.0]]]), padded([1, 2], 2)),
                 "what stands in a padded place may be anything, even nan, and 0 times nan is "
                 "nan: leave it out instead of multiplying.", torch.tensor([[1.0], [3.0]])),
            Case((normal(5, 12, 8, seed=1), padded([12, 3, 7, 1, 5], 12)), "a batch."),
        ),
        mistakes=(
            Mistake(lambda v, m: v.mean(dim=1), "taking the mean over padding too. The same text "
                    "then means something else in a longer batch."),
            Mistake(lambda v, m: v.masked_fill(~m[:, :, None], 0).mean(dim=1), "dividing by the "
                    "padded length. Divide by the number of real tokens."),
            Mistake(lambda v, m: v.masked_fill(~m[:, :, None], 0).sum(dim=1), "giving the sum. A "
                    "long text should not have a longer vector."),
            Mistake(lambda v, m: v.masked_fill(m[:, :, None], 0).sum(1) / (~m).sum(1)[:, None],
                    "taking the mean of the padding. True is a real token."),
            Mistake(lambda v, m: v.masked_fill(~m[:, :, None], 0).sum(1) / m.sum(), "dividing by "
                    "the real tokens of all texts together."),
            Mistake(lambda v, m: v.masked_fill(~m[:, :, None], 0).sum(0) / m.sum(0)[:, None],
                    "averaging over the texts. Average over the tokens of each."),
            Mistake(lambda v, m: v[:, 0], "taking the first token."),
            Mistake(lambda v, m: v[:, -1], "taking the last position."),
            Mistake(lambda v, m: v.masked_fill(~m[:, :, None], -1e9).amax(1), "taking the "
                    "maximum."),
        ),
    ),
    Exercise(
        id="13.5",
        title="Half and half",
        level="medium",
        minutes=12,
        call="prefix_mask(time, n_prefix)",
        hints=(
            "Take the two masks of this chapter. Which one holds for the first n_prefix tokens, "
            "and which for the rest?",
            "Key k may be seen by query q if k is not later than q, as in a GPT, or if k belongs "
            "to the prefix.",
            "k, q = torch.arange(time), torch.arange(time)[:, None]; return (k <= q) | (...). "
            "Which k belong to the prefix?",
        ),
        reference=prefix_by_loop,
        cases=(
            Case((1, 0), "one token sees itself.", torch.tensor([[True]])),
            Case((2, 0), "no prefix: the causal mask. A row is a query, a column a key; True is "
                 "where it may look.", torch.tensor([[True, False], [True, True]])),
            Case((2, 2), "all is prefix: everybody sees everybody.",
                 torch.tensor([[True, True], [True, True]])),
            Case((3, 2), "two tokens of prefix, and one that sees them but is not seen.",
                 torch.tensor([[True, True, False], [True, True, False], [True, True, True]])),
            Case((3, 1), "a prefix of one token is like none."),
            Case((5, 2), "three tokens after the prefix: each sees those before it."),
            Case((7, 4), "any length."),
            Case((64, 32), "a row of this chapter's length."),
        ),
        mistakes=(
            Mistake(lambda t, n: prefix_by_loop(t, n).T, "swapping rows and columns. A row is a "
                    "query: it says what this token may see."),
            Mistake(lambda t, n: ~prefix_by_loop(t, n), "marking what is forbidden. True is where "
                    "attention is allowed."),
            Mistake(lambda t, n: prefix_by_loop(t, 0), "leaving out the prefix: this is the causal "
                    "mask."),
            Mistake(lambda t, n: prefix_by_loop(t, t), "letting everybody see everybody."),
            Mistake(lambda t, n: prefix_by_loop(t, min(t, n + 1)), "making the prefix one token "
                    "too long."),
            Mistake(lambda t, n: prefix_by_loop(t, max(0, n - 1)), "making the prefix one token "
                    "too short."),
            Mistake(lambda t, n: prefix_by_loop(t, n) | (torch.arange(t) >= n)[:, None], "letting "
                    "the tokens after the prefix see ahead."),
            Mistake(lambda t, n: prefix_by_loop(t, 0) | (torch.arange(t) < n)[:, None], "letting "
                    "the prefix see what comes after it."),
            Mistake(lambda t, n: prefix_by_loop(t, n) & ((torch.arange(t) < n)
                    == (torch.arange(t) < n)[:, None]), "hiding the prefix from the tokens after "
                    "it. It is what they go by."),
            Mistake(lambda t, n: prefix_by_loop(t, n) & ~torch.eye(t, dtype=torch.bool), "letting "
                    "no token see itself."),
            Mistake(lambda t, n: prefix_by_loop(t, t - n), "taking the last tokens for the "
                    "prefix, or counting it from the end."),
        ),
    ),
    Exercise(
        id="13.6",
        title="How likely is a sentence?",
        level="hard",
        minutes=18,
        call="pseudo_log_likelihood(model, tokens, mask_token)",
        hints=(
            "One question per token. What does the model read for the question about token 3?",
            "Copy the tokens, put the mask at one place, read the log-probability of the true "
            "token at that place, and go on with a fresh copy.",
            "hidden = tokens.clone(); hidden[i] = mask_token; logits = model(hidden[None])[0, i]. "
            "Which entry of log_softmax(logits) belongs to the sum?",
        ),
        reference=by_batch,
        cases=(
            Case((Neighbours(5, seed=0), torch.tensor([2]), 4), "one token: the model reads only "
                 "the mask."),
            Case((Neighbours(5, seed=1), torch.tensor([2, 0]), 4), "two tokens, two questions: in "
                 "each the other token can be seen."),
            Case((Neighbours(5, seed=2), torch.tensor([1, 3, 0, 2]), 4), "four questions."),
            Case((Neighbours(7, seed=3), torch.tensor([1, 1, 5, 1]), 6), "a token may come "
                 "twice: only the one that is asked for is hidden."),
            Case((Neighbours(7, seed=4), torch.tensor([3, 4, 1, 5, 2]), 0), "the mask may be any "
                 "id."),
            Case((Neighbours(30, seed=5), ids(16, vocab_size=29, seed=6), 29), "a longer "
                 "sentence."),
        ),
        mistakes=(
            Mistake(lambda m, t, k: scored(m, t, lambda t, i: t), "hiding nothing. The model sees "
                    "the token that it is to guess."),
            Mistake(lambda m, t, k: scored(m, t, lambda t, i: torch.full_like(t, k)), "hiding all "
                    "tokens at once. Hide one at a time."),
            Mistake(lambda m, t, k: scored(m, t, right_half_hidden(k)), "hiding the rest of the "
                    "sentence too: a causal model would see no more. Only one token is hidden."),
            Mistake(lambda m, t, k: scored(m, t, lambda t, i: torch.where(
                    torch.arange(len(t)) <= i, k, t)), "not taking the mask away again before the "
                    "next question. Start each from a fresh copy."),
            Mistake(lambda m, t, k: scored(m, t, lambda t, i: torch.where(t == t[i], k, t)),
                    "hiding every token that is the same."),
            Mistake(lambda m, t, k: scored(m, t, one_hidden(k), torch.mean), "giving the mean. The "
                    "logarithms add up."),
            Mistake(lambda m, t, k: -scored(m, t, one_hidden(k)), "giving the loss. A "
                    "log-likelihood is negative."),
            Mistake(lambda m, t, k: scored(m, t, one_hidden(k)) / 0.6931471805599453, "giving "
                    "bits. The logarithm is the natural one."),
            Mistake(lambda m, t, k: scored(m, t, one_hidden(k), read=lambda i: i - 1), "reading "
                    "the logits one place to the left, as for a causal model. A masked model says "
                    "at the place itself what stands there."),
            Mistake(lambda m, t, k: scored(m, t, one_hidden(k), lambda p: p.exp().sum()), "adding "
                    "probabilities. Add their logarithms."),
            Mistake(lambda m, t, k: scored(m, t, one_hidden(k), lambda p: p.sum().exp()), "giving "
                    "the product of the probabilities: return its logarithm."),
            Mistake(lambda m, t, k: sum(m(one_hidden(k)(t, i)[None])[0, i, t[i]].item()
                    for i in range(len(t))), "adding logits. A logit is not a log-probability: "
                    "log_softmax first."),
        ),
    ),
    Exercise(
        id="13.7",
        title="Spans and sentinels",
        level="hard",
        minutes=18,
        call="corrupt(tokens, spans, sentinels)",
        hints=(
            "Walk through the text once. What goes where when you are outside a span, and what "
            "when you reach one?",
            "Keep the place up to which you have copied. For each span: copy what lies before it, "
            "write its sentinel to both lists, its tokens to the targets, and jump behind it.",
            "for n, (start, length) in enumerate(spans): inputs += tokens[at:start] + "
            "[sentinels[n]]; targets += ...; at = start + length. What is left to do after the "
            "loop, in both lists?",
        ),
        reference=spans_by_walk,
        cases=(
            Case(([1, 2, 3, 4], [(1, 1)], [100, 101]), "one span of one token: its sentinel "
                 "stands in its place; the targets are the sentinel, the token, and the next "
                 "sentinel to say that this is all.", ([1, 100, 3, 4], [100, 2, 101])),
            Case(([1, 2, 3, 4], [(1, 2)], [100, 101]), "a span of two tokens is replaced by one "
                 "sentinel.", ([1, 100, 4], [100, 2, 3, 101])),
            Case(([1, 2, 3, 4, 5, 6], [(0, 1), (3, 2)], [100, 101, 102]), "two spans, each with a "
                 "sentinel of its own. The places are those of the whole text.",
                 ([100, 2, 3, 101, 6], [100, 1, 101, 4, 5, 102])),
            Case(([1, 2, 3], [], [100]), "no span: the text, and a target that says so.",
                 ([1, 2, 3], [100])),
            Case(([1, 2, 3], [(0, 3)], [100, 101]), "all of it.", ([100], [100, 1, 2, 3, 101])),
            Case(([7, 7, 7, 7, 7, 7], [(1, 1), (5, 1)], [50, 40, 30, 20]), "the sentinels may be "
                 "any ids, and more than you need; the last span may end the text."),
            Case((list(range(1, 21)), [(2, 3), (7, 1), (10, 4), (18, 2)], [90, 91, 92, 93, 94]),
                 "a longer text."),
        ),
        mistakes=(
            Mistake(lambda t, p, s: spans_by_walk(t, p, s, close=False), "leaving out the last "
                    "sentinel, which says that this is all."),
            Mistake(lambda t, p, s: spans_by_walk(t, p, s, own=False), "using one sentinel for all "
                    "spans. With sentinels of their own, the answer says which gap it fills."),
            Mistake(lambda t, p, s: spans_by_walk(t, p, s, each=True), "writing a sentinel for "
                    "each token. A span has one, however long it is: so its length is part of the "
                    "question."),
            Mistake(lambda t, p, s: spans_by_walk(t, p, s, keep=True), "leaving the hidden tokens "
                    "in the input."),
            Mistake(spans_without_shift, "using the places of the whole text in one that has "
                    "become shorter. Walk from left to right, or replace the last span first."),
            Mistake(ends_inclusive, "taking a token too many: a span is (start, length)."),
            Mistake(as_ends, "reading a span as (start, end). It is (start, length)."),
            Mistake(lambda t, p, s: spans_by_walk(t, p, s)[::-1], "swapping inputs and targets."),
            Mistake(lambda t, p, s: (spans_by_walk(t, p, s)[0], list(t)), "giving the whole text "
                    "as the target. The targets hold only what was hidden: that is what makes "
                    "them short."),
            Mistake(lambda t, p, s: (spans_by_walk(t, p, s)[0],
                    [x for x in spans_by_walk(t, p, s)[1] if x not in s]), "leaving the sentinels "
                    "out of the targets."),
            Mistake(lambda t, p, s: ([x for x in spans_by_walk(t, p, s)[0] if x not in s],
                    spans_by_walk(t, p, s)[1]), "leaving the sentinels out of the input."),
        ),
    ),
)
