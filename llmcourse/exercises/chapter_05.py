"""Checks of chapter 5: masks, heads, a detector of leaks, and softmax in one pass."""

import math

import torch
from torch import nn
from torch.nn.functional import layer_norm

from llmcourse.exercises.comparing import difference
from llmcourse.exercises.exercise import Case, Exercise, Mistake


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def numbered(*shape: int) -> torch.Tensor:
    """0, 1, 2, ... in this shape."""
    return torch.arange(math.prod(shape)).float().view(shape)


def staircase_by_rule(n_query: int, n_key: int) -> torch.Tensor:
    first = n_key - n_query
    return torch.tensor([[j <= first + i for j in range(n_key)] for i in range(n_query)])


def heads_side_by_side(x: torch.Tensor, n_head: int) -> torch.Tensor:
    return torch.stack(x.chunk(n_head, dim=-1), dim=1)


def batch_mask_by_rule(lengths: torch.Tensor, time: int) -> torch.Tensor:
    def allowed(length, query, key):
        return key <= query and key < length

    steps = range(time)
    return torch.tensor(
        [[[[allowed(length, i, j) for j in steps] for i in steps]] for length in lengths.tolist()]
    )


# The layers of 05.5.  Each maps (time, d) to (time, d), for any time, and can be differentiated.
def mixed(x, mask=None):
    scores = x @ x.T / math.sqrt(x.shape[1])
    return (scores if mask is None else scores.masked_fill(~mask, -math.inf)).softmax(-1) @ x


def next_token(x):
    return torch.cat([x[1:], torch.zeros_like(x[:1])])


def each_token_by_itself(x):
    return 2 * x + x.sin()


def attention_without_a_mask(x):
    return mixed(x)


def causal_attention(x):
    return mixed(x, torch.ones(len(x), len(x), dtype=torch.bool).tril())


def mean_of_all_so_far(x):
    return x.cumsum(0) / torch.arange(1, len(x) + 1)[:, None]


def mean_of_all_from_here_on(x):
    return mean_of_all_so_far(x.flip(0)).flip(0)


def add_the_next_token(x):
    return x + next_token(x)


def add_the_token_before(x):
    return x + torch.cat([torch.zeros_like(x[:1]), x[:-1]])


def only_the_first_sees_the_last(x):
    return torch.cat([x[:1] + x[-1:], x[1:]])


def only_the_second_last_sees_the_last(x):
    return torch.cat([x[:-2], x[-2:-1] + x[-1:], x[-1:]])


def one_sees_the_next(x, t):
    return torch.cat([x[:t], x[t : t + 1] + x[t + 1 : t + 2].sum(0, keepdim=True), x[t + 1 :]])


def only_the_first_sees_the_second(x):
    return one_sees_the_next(x, 0)


def only_the_second_sees_the_third(x):
    return one_sees_the_next(x, 1)


def only_the_third_sees_the_fourth(x):
    return one_sees_the_next(x, 2)


def only_the_fourth_sees_the_fifth(x):
    return one_sees_the_next(x, 3)


def sum_so_far_up_to_rounding(x):
    """Clean, but the last digits change with the future, as in sums of another order.

    The rounding is staged, at the size of single precision: real one grows with the reader's
    change, and would ask for a tolerance that fits it.
    """
    rounding = 1e-7 * torch.sin(1000 * x.detach().double().sum())
    return (x.double().cumsum(0) * (1 + rounding)).to(x.dtype)


def one_feature_of_the_next_token(x):
    return torch.cat([x[:, :1] + next_token(x)[:, -1:], x[:, 1:]], dim=1)


def attention_without_a_mask_after_layer_norm(x):
    return x + mixed(layer_norm(x, x.shape[1:], eps=1e-12))


def add_the_square_of_the_next_token(x):
    return x + next_token(x).square()


def add_the_difference_of_the_next_two(x):
    return torch.cat([x[:-2] + x[1:-1] - x[2:], x[-2:]])


def add_the_maximum_over_time(x):
    return x + x.amax(0)


def less_the_mean_over_time(x):
    return x - x.mean(0)


def a_faint_trace_of_the_next_token(x):
    return x + 0.01 * next_token(x)


def influence(layer, x: torch.Tensor) -> torch.Tensor:
    """(time, time): how strongly the output at t (row) depends on the input at s (column)."""
    return torch.autograd.functional.jacobian(layer, x).abs().amax(dim=(1, 3))


def depends_on_later_tokens(layer, x: torch.Tensor) -> bool:
    return bool(influence(layer, x).triu(1).max() > 1e-6)


def depends_on_earlier_tokens(layer, x: torch.Tensor) -> bool:
    return bool(influence(layer, x).tril(-1).max() > 1e-6)


# Values between 1 and 2, the last token's the largest, so that any change to it moves a maximum.
SIX_TOKENS = 1 + torch.rand(6, 4, generator=torch.Generator().manual_seed(5))
SIX_TOKENS[-1] += 1
THREE_TOKENS = SIX_TOKENS[-3:].clone()


class GeneratorOfBlocks:
    """Yields blocks once, as a generator does, but can be copied and compared."""

    def __init__(self, *blocks: tuple):
        self.blocks, self.n_read = blocks, 0

    def __iter__(self):
        return self

    def __next__(self):
        if self.n_read == len(self.blocks):
            raise StopIteration
        self.n_read += 1
        return self.blocks[self.n_read - 1]

    def __eq__(self, other):
        return difference(self.blocks, other.blocks, rtol=0, atol=0) is None


def joined(blocks) -> tuple[torch.Tensor, torch.Tensor]:
    scores, values = zip(*blocks)
    return torch.cat(scores).double(), torch.cat(values).double()


def attention_over_all(blocks) -> torch.Tensor:
    scores, values = joined(blocks)
    return scores.softmax(0) @ values


def each_block_with_its_own_maximum(blocks, without_empty=False) -> torch.Tensor:
    """Nothing is rescaled: every block counts as if its maximum were that of all."""
    blocks = [(scores.double(), values.double()) for scores, values in blocks]
    if without_empty:
        blocks = [block for block in blocks if block[0].max() > -math.inf]
    powers = [(scores - scores.max()).exp() for scores, _ in blocks]
    total = sum(power @ values for power, (_, values) in zip(powers, blocks))
    return total / sum(power.sum() for power in powers)


def mean_of_the_blocks(blocks) -> torch.Tensor:
    blocks = [(scores.double(), values.double()) for scores, values in blocks]
    return torch.stack([scores.softmax(0) @ values for scores, values in blocks]).mean(0)


def maximum_from_zero(blocks) -> torch.Tensor:
    scores, values = joined(blocks)
    powers = (scores.float() - scores.max().clamp(min=0)).exp()
    return powers @ values.float() / powers.sum()


def without_a_maximum(blocks) -> torch.Tensor:
    scores, values = joined(blocks)
    powers = scores.float().exp()
    return powers @ values.float() / powers.sum()


def scores_of(*numbers: float) -> torch.Tensor:
    return torch.tensor(numbers)


def blocks_of(*sizes: int, d: int, spread: float = 1.0, shift: float = 0.0) -> list[tuple]:
    return [
        (shift + spread * normal(n, seed=i), normal(n, d, seed=i + 50))
        for i, n in enumerate(sizes)
    ]


def torch_multi_head(x, W_query, W_key, W_value, W_output, n_head, mask=None):
    """PyTorch's own module, whose weights are the other way round and whose True means blocked."""
    d_model = x.shape[-1]
    module = nn.MultiheadAttention(
        d_model, n_head, bias=False, batch_first=True, dtype=torch.float64
    )
    with torch.no_grad():
        module.in_proj_weight.copy_(torch.cat([W_query.T, W_key.T, W_value.T]))
        module.out_proj.weight.copy_(W_output.T)
        x, blocked = x.double(), None if mask is None else ~mask
        return module(x, x, x, attn_mask=blocked, need_weights=False)[0]


def heads_with(
    x, W_query, W_key, W_value, W_output, n_head, mask=None, *,
    scale=None, over=-1, inverted=False, masked="before", split=None, merge=None, last=True,
):  # fmt: skip
    """Multi-head attention in which one thing may be done wrong."""
    split = split or heads_side_by_side
    query, key, value = (split(x @ W, n_head) for W in (W_query, W_key, W_value))
    scores = query @ key.mT / (scale or math.sqrt(query.shape[-1]))
    mask = ~mask if inverted and mask is not None else mask
    if mask is not None and masked == "before":
        scores = scores.masked_fill(~mask, -math.inf)
    if mask is not None and masked == "added":
        scores = scores + mask
    weights = scores.softmax(over)
    if mask is not None and masked == "after":
        weights = weights * mask
    heads = weights @ value
    merged = heads.transpose(1, 2).reshape(x.shape) if merge is None else merge(heads, x)
    return merged @ W_output if last else merged


def by_view(x, n_head):
    """Cut into heads without the transpose: the numbers are scrambled."""
    batch, time, d_model = x.shape
    return x.reshape(batch, n_head, time, d_model // n_head)


def interleaved(x, n_head):
    batch, time, d_model = x.shape
    return x.reshape(batch, time, d_model // n_head, n_head).permute(0, 3, 1, 2)


def mistaken(says: str, **wrong) -> Mistake:
    return Mistake(lambda *args: heads_with(*args, **wrong), says)


def four_weights(d: int, seed: int) -> tuple[torch.Tensor, ...]:
    return tuple(normal(d, d, seed=seed + i) / math.sqrt(d) for i in range(4))


LN2, LN3, INF = math.log(2), math.log(3), math.inf
CAUSAL_3 = staircase_by_rule(3, 3)
# Who may see whom, neither causal nor symmetric; each row allows something.
ODD_MASK = torch.tensor(
    [[1, 0, 0, 1, 0], [1, 1, 0, 0, 0], [0, 1, 0, 1, 1], [0, 0, 1, 0, 0], [1, 1, 1, 1, 1]]
).bool()
# Whole numbers, so that scores in the thousands are exact in single precision too.
WIDE_TOKENS = 20 * (2 * normal(1, 5, 8, seed=3)).round()
EYE_8 = torch.eye(8)

EXERCISES = (
    Exercise(
        id="05.1",
        title="A masked row on paper",
        level="easy",
        minutes=5,
        hints=(
            "Which of the three scores may the second token use at all?",
            "The exponentials of the three scores are 2, 1 and 5. Where the mask is, there stands "
            "a 0 in place of the exponential, and it is left out of the sum.",
            "With the mask: 2, 1 and 0, each divided by the same number. Without: 2, 1 and 5, each "
            "divided by another. What are the two numbers, and what do the first two of the second "
            "kind add up to?",
        ),
        cases=(
            Case(expected=[2 / 3, 1 / 3, 0.0, 3 / 8], rtol=2e-3, pointer="the answer has four "
                 "numbers: the weights of tokens 1, 2 and 3, with the mask set before the softmax; "
                 "then what the row adds up to if the third weight is set to 0 after it."),
        ),
        mistakes=(
            Mistake([0.25, 0.125, 0.625, 1.0], "leaving the third token in. The second token comes "
                    "before it, and may not see it."),
            Mistake([0.25, 0.125, 0.625, 0.375], "leaving the third token in the three weights. "
                    "The second token comes before it, and may not see it."),
            Mistake([0.25, 0.125, 0.0, 0.375], "setting the future to 0 after the softmax, for the "
                    "three weights too. With the mask before it they add up to 1."),
            Mistake([2 / 3, 1 / 3, 0.0, 1.0], "taking the sum of the right row. The fourth number "
                    "is that of the wrong one, masked after the softmax."),
            Mistake([2 / 3, 1 / 3, 0.0, 0.625], "telling what the wrong row has lost. Asked is "
                    "what is left of it."),
            Mistake([2.0, 1.0, 0.0, 3.0], "leaving out the divisions."),
            Mistake([2 / 3, 1 / 3, 0.0, 3.0], "adding up the exponentials for the fourth number, "
                    "not the weights."),
            Mistake([0.5, 0.25, 0.25, 0.375], "setting the masked score to 0: the exponential of 0 "
                    "is 1, so that the future still gets a share."),
            Mistake([1.0, 0.0, 0.0, 0.25], "hiding the token from itself: the second token sees "
                    "the first and itself."),
            Mistake([0.0, 1 / 6, 5 / 6, 0.75], "turning the mask round: a token sees those before "
                    "it and itself."),
            Mistake([0.0, 0.0, 1.0, 0.625], "turning the mask round: what is to be hidden is kept "
                    "and the rest hidden."),
        ),
    ),
    Exercise(
        id="05.2",
        title="The staircase",
        level="easy",
        minutes=8,
        call="staircase(n_query, n_key)",
        hints=(
            "Number the positions of the whole text from 0. Which number has the first of the "
            "queries, if they are the last n_query of n_key?",
            "Query i stands at position i + n_key - n_query. It may see each key whose position "
            "is not larger.",
            "torch.ones(n_query, n_key, dtype=torch.bool).tril(diagonal=...): by how much does the "
            "diagonal move to the right, so that the last row is all True?",
        ),
        reference=staircase_by_rule,
        cases=(
            Case((1, 1), "a token may attend to itself: the diagonal is True, as a bool.",
                 torch.tensor([[True]])),
            Case((2, 2), "rows are queries, columns are keys: the first token sees only itself, "
                 "the second sees both.", torch.tensor([[True, False], [True, True]])),
            Case((4, 4), "a lower triangle with its diagonal: each row has one True more."),
            Case((1, 3), "the only query is the last of three positions, and sees all three.",
                 torch.tensor([[True, True, True]])),
            Case((2, 3), "the queries are the last two of three positions: the first of them sees "
                 "two keys, not one.", torch.tensor([[True, True, False], [True, True, True]])),
            Case((3, 7), "query i stands at position i + n_key - n_query."),
            Case((40, 64), "query i stands at position i + n_key - n_query."),
        ),
        mistakes=(
            Mistake(lambda q, k: ~staircase_by_rule(q, k), "turning the mask over: True means may "
                    "attend. (nn.MultiheadAttention has it the other way round.)"),
            Mistake(lambda q, k: torch.ones(q, k).tril(k - q - 1) > 0, "leaving out the diagonal: "
                    "a token may attend to itself."),
            Mistake(lambda q, k: torch.ones(q, k).triu() > 0, "keeping the upper triangle: that "
                    "lets a token see the future, and not the past."),
            Mistake(lambda q, k: torch.ones(q, k).triu(k - q) > 0, "keeping the upper triangle: "
                    "that lets a token see the future, and not the past."),
            Mistake(lambda q, k: torch.ones(q, k).tril() > 0, "counting the queries from position "
                    "0. They are the last n_query positions: shift the diagonal."),
            Mistake(lambda q, k: torch.ones(q, k).tril(q - k) > 0, "shifting the diagonal the "
                    "wrong way: queries late in the text see more, not less."),
            Mistake(lambda q, k: torch.ones(k, q).tril(k - q) > 0, "swapping rows and columns: "
                    "a row belongs to a query."),
            Mistake(lambda q, k: torch.ones(q, k) > 0, "letting every query see every key."),
        ),
    ),
    Exercise(
        id="05.3",
        title="Cut into heads",
        level="medium",
        minutes=12,
        call="split_heads(x, n_head)",
        hints=(
            "Look at one token only: its d_model numbers in a row are to be cut into n_head pieces "
            "of equal length. Which axis does the knife touch?",
            "Cutting the last axis in two is a view: (batch, time, n_head, head_dim). The axes are "
            "then in the wrong order, and a reshape never changes an order.",
            "x.view(batch, time, n_head, -1).transpose(..., ...): which two axes change places?",
        ),
        reference=heads_side_by_side,
        cases=(
            Case((numbered(1, 1, 4), 2), "one token: its first two numbers go to head 0, the other "
                 "two to head 1.", torch.tensor([[[[0.0, 1.0]], [[2.0, 3.0]]]])),
            Case((numbered(1, 2, 4), 2), "head 0 has the first two numbers of each token: 0 1 and "
                 "4 5. A reshape alone keeps the numbers in their order, and gives it 0 1 2 3.",
                 torch.tensor([[[[0.0, 1.0], [4.0, 5.0]], [[2.0, 3.0], [6.0, 7.0]]]])),
            Case((numbered(1, 3, 4), 1), "a single head has all features: shape (1, 1, 3, 4)."),
            Case((numbered(1, 3, 3), 3), "as many heads as features: each has one number of every "
                 "token, and the shape ends in 1."),
            Case((numbered(1, 2, 6), 2), "head 0 has features 0, 1, 2 of each token: neighbours, "
                 "not every other one."),
            Case((numbered(2, 3, 8), 2), "two texts: the batch stays in front."),
            Case((normal(2, 2, 4), 2), "all sizes are 2 here, so a wrong order of axes has the "
                 "right shape: (batch, n_head, time, head_dim)."),
            Case((normal(3, 3, 9), 3), "all sizes are 3 here, so a wrong order of axes has the "
                 "right shape: (batch, n_head, time, head_dim)."),
            Case((normal(5, 3, 24).transpose(0, 1), 4), "x need not lie in memory in the order of "
                 "its axes: it may itself be the result of a transpose."),
            Case((normal(2, 7, 48), 6), "(batch, n_head, time, head_dim), of any sizes."),
        ),
        mistakes=(
            Mistake(by_view, "using a view or reshape alone. It keeps the order of all numbers, so "
                    "the first head gets the first tokens whole. Cut the last axis, then "
                            "transpose."),
            Mistake(interleaved, "giving each head every n_head-th feature. A head takes "
                    "neighbours: view(..., n_head, head_dim), in this order."),
            Mistake(lambda x, n: heads_side_by_side(x, n).transpose(1, 2), "leaving out the "
                    "transpose: the shape is (batch, time, n_head, head_dim)."),
            Mistake(lambda x, n: heads_side_by_side(x, n).mT, "swapping time and head_dim at the "
                    "end."),
            Mistake(lambda x, n: heads_side_by_side(x, n).transpose(0, 1), "putting the heads "
                    "before the batch."),
            Mistake(lambda x, n: x.reshape(x.shape[0], n, x.shape[1] // n, x.shape[2]), "cutting "
                    "the sequence. Heads split the features; each of them sees all tokens."),
            Mistake(lambda x, n: torch.stack(x.chunk(n, dim=1), 1), "cutting the sequence. Heads "
                    "split the features; each of them sees all tokens."),
        ),
    ),
    Exercise(
        id="05.4",
        title="Causal and padded",
        level="medium",
        minutes=15,
        call="batch_mask(lengths, time)",
        hints=(
            "Two rules must hold at once. One knows only query and key, the other only text and "
            "key.",
            "The first is a tensor of shape (time, time), the second one of shape (batch, time). "
            "Give both four axes, (batch, 1, query, key), with a 1 where a rule does not care, and "
            "combine.",
            "steps = torch.arange(time); real = steps < lengths[:, None]; then causal & "
            "real[:, ..., ..., :]. What stands for the dots, and why is it the last axis that "
            "`real` keeps?",
        ),
        reference=batch_mask_by_rule,
        cases=(
            Case((torch.tensor([1]), 1), "one text of one token: it sees itself, and the shape is "
                 "(1, 1, 1, 1).", torch.tensor([[[[True]]]])),
            Case((torch.tensor([2]), 2), "no padding: the mask is the causal one, True = may "
                 "attend.", torch.tensor([[[[True, False], [True, True]]]])),
            Case((torch.tensor([1]), 2), "the second token is padding. As a key it is hidden; as a "
                 "query it may see what its row allows.",
                 torch.tensor([[[[True, False], [True, False]]]])),
            Case((torch.tensor([2]), 3), "the key at position `length` is the first of the "
                 "padding: positions count from 0."),
            Case((torch.tensor([3, 1]), 3), "each text has a length of its own."),
            Case((torch.tensor([2, 3]), 5), "`time` may be more than the longest text."),
            Case((torch.tensor([3, 1, 2]), 3), "batch and time are both 3 here, so a length on the "
                 "wrong axis raises nothing: it belongs to the first."),
            Case((torch.tensor([1, 4, 7, 4, 2]), 7), "key not later than the query, and key no "
                 "padding."),
        ),
        mistakes=(
            Mistake(lambda n, t: ~batch_mask_by_rule(n, t), "turning the mask over: True means may "
                    "attend."),
            Mistake(lambda n, t: causal(t) | real(n, t)[:, None, None], "joining the two rules by "
                    "`or`. A key must pass both."),
            Mistake(lambda n, t: causal(t) & real(n, t)[:, None, :, None], "masking the rows of "
                    "the padding. Its columns are to be hidden: nobody may look at it. (And a row "
                    "without any True becomes nan in the softmax.)"),
            Mistake(lambda n, t: causal(t) & real(n + 1, t)[:, None, None], "letting the first "
                    "padding through: positions count from 0, so they are below `length`."),
            Mistake(lambda n, t: causal(t) & real(n - 1, t)[:, None, None], "hiding the last "
                    "token of each text: a key is real if its position is below `length`."),
            Mistake(lambda n, t: batch_mask_by_rule(n, t)[:, 0], "leaving out the axis of the "
                    "heads: the shape is (batch, 1, time, time)."),
            Mistake(lambda n, t: real(n, t)[:, None, None].expand(-1, 1, t, t), "leaving out the "
                    "causal rule."),
            Mistake(lambda n, t: real(n, t)[:, None, None], "leaving out the causal rule."),
            Mistake(lambda n, t: causal(t).expand(len(n), 1, t, t), "leaving out the padding."),
            Mistake(lambda n, t: causal(t).T & real(n, t)[:, None, None], "turning the staircase "
                    "round: rows are queries, and a query sees what is not later."),
        ),
    ),
    Exercise(
        id="05.5",
        title="A leak detector",
        level="medium",
        minutes=15,
        call="looks_ahead(layer, x)",
        hints=(
            "A layer that does not look ahead cannot know what comes after t. Change it, then: "
            "what must stay as it was?",
            "For every t, copy x, put random numbers in place of all that comes after t, and "
            "compare the two outputs at the positions up to t, with a tolerance for rounding.",
            "changed = x.clone(); changed[t + 1:] = torch.randn_like(...); then compare "
            "layer(changed)[...] with layer(x)[...] by torch.allclose. Which rows do you compare, "
            "and what do you return if they differ for one t of all?",
        ),
        cases=(
            Case((each_token_by_itself, THREE_TOKENS), "the changed token may change its own "
                 "output: compare only the positions before it.", False),
            Case((attention_without_a_mask, THREE_TOKENS), "every token sees every other here. "
                 "Do other numbers stand after t (the same ones reordered are no change), and can "
                 "your function return True?", True),
            Case((mean_of_all_so_far, SIX_TOKENS), "this layer looks back, and that is allowed: "
                 "change what comes after t, and compare what comes up to t.", False),
            Case((mean_of_all_from_here_on, SIX_TOKENS), "each output is a mean over the future. "
                 "Reordering the future leaves that as it is: put in other numbers.", True),
            Case((add_the_next_token, SIX_TOKENS), "each output sees only the one token after it: "
                 "for every t, change t + 1 too, and compare position t too.", True),
            Case((only_the_first_sees_the_last, SIX_TOKENS), "only the first output sees anything "
                 "of the future, and only the last token: compare position 0 too.", True),
            Case((only_the_second_last_sees_the_last, SIX_TOKENS), "only the second last output "
                 "sees anything of the future: compare all positions, not just the first.", True),
            Case((only_the_third_sees_the_fourth, SIX_TOKENS), "the leak is in the middle: try "
                 "every t, since neither the last token nor the first output shows it.", True,
                 repeat=5),
            Case((only_the_first_sees_the_second, SIX_TOKENS), "the leak may be anywhere: try "
                 "every t, the first one too.", True),
            Case((only_the_second_sees_the_third, SIX_TOKENS), "the leak may be anywhere: try "
                 "every t.", True),
            Case((only_the_fourth_sees_the_fifth, SIX_TOKENS), "the leak may be anywhere: try "
                 "every t.", True),
            Case((causal_attention, SIX_TOKENS), "causal attention is clean. (If you probe with "
                 "inf or nan: a weight of 0 times nan is nan.)", False),
            Case((sum_so_far_up_to_rounding, SIX_TOKENS), "this layer looks back only, but rounds "
                 "differently each time: compare with torch.allclose, not with ==.", False),
            Case((add_the_token_before, SIX_TOKENS), "this layer only looks back.", False),
            Case((one_feature_of_the_next_token, SIX_TOKENS), "only one feature leaks, and into "
                 "one only: change all features, and compare all.", True),
            Case((attention_without_a_mask_after_layer_norm, SIX_TOKENS), "layer norm takes out "
                 "what all features of a token have in common, and their scale: adding 1 to all, "
                 "or doubling all, is hardly seen. Put in random numbers, and compare number by "
                 "number.", True),
            Case((add_the_square_of_the_next_token, SIX_TOKENS), "a square does not see a sign "
                 "turned over. Put in random numbers.", True),
            Case((add_the_difference_of_the_next_two, SIX_TOKENS), "only the difference of two "
                 "later tokens leaks: change them by different amounts. Random numbers do.", True),
            Case((add_the_maximum_over_time, SIX_TOKENS), "the maximum over time belongs to the "
                 "last token here: change that one too.", True),
            Case((less_the_mean_over_time, SIX_TOKENS), "a mean over all tokens contains the "
                 "future.", True),
            Case((a_faint_trace_of_the_next_token, SIX_TOKENS), "a faint leak is a leak: make the "
                 "change big, and let the tolerance forgive rounding only.", True),
        ),
        mistakes=(
            Mistake(lambda layer, x: True, "answering True whatever the layer. Do you compare the "
                    "changed token too? Its own output may change: compare what comes before it."),
            Mistake(lambda layer, x: False, "answering False whatever the layer. Is the change "
                    "large enough, and made in what the layer gets?"),
            Mistake(lambda layer, x: not depends_on_later_tokens(layer, x), "turning the answer "
                    "round: True means that the layer does look ahead."),
            Mistake(depends_on_earlier_tokens, "finding out whether it looks back. Change what "
                    "comes after t, and compare what comes up to t."),
        ),
    ),
    Exercise(
        id="05.6",
        title="Softmax in one pass",
        level="hard",
        minutes=25,
        call="online_attention(blocks)",
        hints=(
            "Softmax needs the maximum of all scores, and you have seen only some. Work with the "
            "largest so far, and be ready to correct.",
            "Carry three things: the largest score so far, the sum of the exponentials, and the "
            "sum of the values times the exponentials. When the maximum grows from m to M, both "
            "sums are too large by the factor exp(M - m). Only at the end divide one by the other.",
            "new = max(largest, scores.max()); powers = (scores - new).exp(); total = total * "
            "correction + powers @ values, and likewise the sum. What is `correction`, and what "
            "happens to both exponents if every score up to now was -inf?",
        ),
        reference=attention_over_all,
        cases=(
            Case(([(scores_of(0.0, LN3), torch.tensor([[8.0], [4.0]]))],), "one block: the usual "
                 "softmax, times the values.", torch.tensor([5.0])),
            Case(([(scores_of(0.0), torch.tensor([[8.0]])),
                   (scores_of(LN3), torch.tensor([[4.0]]))],), "the same in two blocks. When the "
                 "maximum grows, both sums so far shrink: multiply them by exp(old - new).",
                 torch.tensor([5.0])),
            Case(([(scores_of(LN3), torch.tensor([[4.0]])),
                   (scores_of(0.0), torch.tensor([[8.0]]))],), "here the maximum stays: the second "
                 "block is measured against the largest so far, not against its own.",
                 torch.tensor([5.0])),
            Case((blocks_of(3, 3, 3, d=3),), "(d,) numbers come out. All sizes are 3 here, so a "
                 "product the wrong way round raises nothing."),
            Case((GeneratorOfBlocks(*blocks_of(2, 3, 1, d=4)),), "the blocks come from a "
                 "generator: it can be read once, from the front, and knows no length."),
            Case((GeneratorOfBlocks(*blocks_of(5, 1, 2, 7, d=1)),), "blocks differ in length, and "
                 "d may be 1: the result is of shape (1,)."),
            Case(([(scores_of(1000.0, 999.0), normal(2, 2)),
                   (scores_of(1000.5), normal(1, 2, seed=1))],), "exp(1000) is inf: subtract the "
                 "largest score so far before the exponential.", atol=1e-5),
            Case(([(scores_of(-1000.0, -999.0), normal(2, 2)),
                   (scores_of(-1000.5), normal(1, 2, seed=1))],), "exp(-1000) is 0, and 0/0 is "
                 "nan. The largest so far starts at -inf, not at 0.", atol=1e-5),
            Case(([(scores_of(0.0, -INF), normal(2, 2)), (scores_of(-INF, -INF), normal(2, 2)),
                   (scores_of(1.0, -INF), normal(2, 2, seed=1))],), "a block may be masked "
                 "altogether: scores of -inf get the weight 0, and change nothing."),
            Case(([(scores_of(-INF, -INF), normal(2, 2)),
                   (scores_of(LN2, 0.0), torch.tensor([[3.0, 0.0], [0.0, 3.0]]))],), "the first "
                 "block is all -inf. Then -inf - (-inf) is nan: treat that case by itself.",
                 torch.tensor([2.0, 1.0])),
            Case((GeneratorOfBlocks(
                (scores_of(-INF), normal(1, 2)), (scores_of(-INF, -INF), normal(2, 2)),
                (scores_of(-800.0, -INF), normal(2, 2)), (scores_of(-1000.0), normal(1, 2)),
                (scores_of(-799.0), normal(1, 2, seed=1)), (scores_of(-INF), normal(1, 2)),
            ),), "several blocks of -inf, also at the front and at the end.", atol=1e-5),
            Case((GeneratorOfBlocks(*blocks_of(4, 9, 2, 6, 1, 8, d=5, spread=300.0)),), "scores in "
                 "the hundreds, in six blocks: the maximum grows several times.", atol=1e-5),
            Case((blocks_of(*range(1, 12), d=8, spread=2.0),), "eleven blocks: nothing may get "
                 "lost on the way, and each correction is made once.", atol=1e-5),
        ),
        mistakes=(
            Mistake(each_block_with_its_own_maximum, "leaving out the correction: each block is "
                    "measured against another maximum, so their sums cannot be added as they are."),
            Mistake(lambda blocks: each_block_with_its_own_maximum(blocks, without_empty=True),
                    "leaving out the correction: each block is measured against another maximum, "
                    "so their sums cannot be added as they are."),
            Mistake(mean_of_the_blocks, "averaging the results of the blocks. A block with larger "
                    "scores has to count more."),
            Mistake(lambda blocks: joined(blocks)[1].mean(0), "averaging the values without their "
                    "weights."),
            Mistake(without_a_maximum, "leaving out the maximum: the exponential overflows."),
            Mistake(maximum_from_zero, "starting the largest score at 0: if all scores lie far "
                    "below, their exponentials vanish. Start at -inf."),
            Mistake(lambda blocks: attention_over_all(blocks)[None], "returning a row, of shape "
                    "(1, d). The result for one query has the shape (d,)."),
        ),
    ),
    Exercise(
        id="05.7",
        title="Many heads in one function",
        level="hard",
        minutes=25,
        call="multi_head(x, W_query, W_key, W_value, W_output, n_head, mask)",
        hints=(
            "Write down the shape after every step: project, cut, score, mask, softmax, mix, glue "
            "together, project. Which of them happen inside a head?",
            "Three projections, each cut into (batch, n_head, time, head_dim); then attention as "
            "always, on the last two axes. To glue, undo the cut: transpose first, reshape then.",
            "heads = softmax(scores) @ value; heads.transpose(..., ...).reshape(batch, time, "
            "d_model) @ W_output. By what are the scores divided, now that a head is narrower than "
            "d_model?",
        ),
        reference=torch_multi_head,
        cases=(
            Case((torch.tensor([[[1.0, 2.0]]]), torch.eye(2), torch.eye(2),
                  torch.tensor([[0.0, 1.0], [2.0, 0.0]]), torch.tensor([[1.0, 1.0], [0.0, 1.0]]),
                  1, None), "one token has only itself to "
                 "look at: the output is x @ W_value @ W_output. No weight is transposed.",
                 torch.tensor([[[4.0, 5.0]]])),
            Case((torch.eye(4)[None, :2] * 2 * LN3, torch.eye(4), torch.eye(4),
                  torch.eye(4) / (2 * LN3), torch.eye(4), 1, None), "one head is plain attention, "
                 "with the scores divided by the root of 4.", atol=1e-5),
            Case((torch.eye(4)[None, :2] * 2, torch.eye(4), torch.eye(4), torch.eye(4),
                  torch.eye(4), 2, None), "two heads: each sees half of the features, so the "
                 "scores are divided by the root of head_dim, d_model / n_head.", atol=1e-5),
            Case((normal(1, 3, 4), *four_weights(4, 10), 2, None), "features 0 and 1 are head 0, "
                 "features 2 and 3 are head 1, before the attention and after it.", atol=1e-5),
            Case((normal(1, 3, 4), *four_weights(4, 10), 2, CAUSAL_3), "the mask: True = may "
                 "attend. A score that may not count becomes -inf before the softmax.", atol=1e-5),
            Case((normal(1, 5, 4), *four_weights(4, 20), 2, ODD_MASK), "a mask need not be a "
                 "staircase: a row is a query, a column a key.", atol=1e-5),
            Case((normal(2, 2, 4), *four_weights(4, 30), 2, None), "batch, time and n_head are all "
                 "2 here, so a wrong order of axes raises nothing; and two texts never meet.",
                 atol=1e-5),
            Case((normal(3, 3, 9), *four_weights(9, 40), 3, CAUSAL_3), "all sizes are 3 here, so a "
                 "wrong order of axes raises nothing.", atol=1e-5),
            Case((normal(2, 5, 6), *four_weights(6, 50), 6, ODD_MASK), "as many heads as features: "
                 "each is one number wide.", atol=1e-5),
            Case((WIDE_TOKENS, EYE_8, -EYE_8, EYE_8, EYE_8, 2, staircase_by_rule(5, 5)), "scores "
                 "in the thousands: the softmax must not overflow, and what the mask hides may "
                 "not be large enough to drown the rest. Use -inf, before the softmax.",
                 atol=1e-4),
            Case((normal(4, 5, 12), *four_weights(12, 60), 3, ODD_MASK), "sizes that all differ.",
                 atol=1e-5),
        ),
        mistakes=(
            Mistake(lambda x, *rest: heads_with(x, *rest, scale=math.sqrt(x.shape[-1])), "dividing "
                    "by the root of d_model. A query of one head has d_model / n_head numbers."),
            mistaken("leaving the scores unscaled: divide by the root of head_dim.", scale=1.0),
            Mistake(lambda x, q, k, v, o, n, mask: heads_with(
                x, q, k, v, o, n, mask, scale=x.shape[-1] / n), "dividing by head_dim, not by its "
                    "square root."),
            mistaken("gluing the heads with a reshape alone: undo the transpose first, or the "
                     "numbers of different tokens get mixed.",
                     merge=lambda heads, x: heads.reshape(x.shape)),
            mistaken("gluing the heads with their features in turns. Put the heads side by side.",
                     merge=lambda heads, x: heads.permute(0, 2, 3, 1).reshape(x.shape)),
            mistaken("cutting into heads with a view alone. Cut the last axis, then transpose.",
                     split=by_view),
            mistaken("cutting and gluing with a view alone. Cut the last axis, then transpose.",
                     split=by_view, merge=lambda heads, x: heads.reshape(x.shape)),
            mistaken("giving each head every n_head-th feature. A head takes neighbours.",
                     split=interleaved,
                     merge=lambda heads, x: heads.permute(0, 2, 3, 1).reshape(x.shape)),
            mistaken("masking after the softmax: the rows no longer add up to 1.", masked="after"),
            mistaken("adding the mask as 0 and 1. A blocked score has to become -inf.",
                     masked="added"),
            mistaken("turning the mask over: True means may attend. (nn.MultiheadAttention has it "
                     "the other way round.)", inverted=True),
            Mistake(lambda x, q, k, v, o, n, mask: heads_with(x, q, k, v, o, n), "ignoring the "
                    "mask."),
            Mistake(lambda x, q, k, v, o, n, mask: heads_with(x, q, k, v, o, 1, mask), "ignoring "
                    "n_head: this is one wide head."),
            mistaken("leaving out W_output.", last=False),
            mistaken("taking the softmax over the queries, not over the keys.", over=-2),
            Mistake(lambda x, q, k, v, o, n, mask: heads_with(x, q.T, k.T, v.T, o.T, n, mask),
                    "transposing all weights, as nn.Linear has them. Here it is x @ W."),
            Mistake(lambda x, q, k, v, o, n, mask: heads_with(x, q.T, k.T, v.T, o, n, mask),
                    "transposing the projections, as nn.Linear has them. Here it is x @ W."),
            Mistake(lambda x, q, k, v, o, n, mask: heads_with(x, q, k, v, o.T, n, mask),
                    "transposing W_output. Here it is x @ W."),
            Mistake(lambda x, q, k, v, o, n, mask: heads_with(x, k, q, v, o, n, mask), "swapping "
                    "query and key."),
        ),
    ),
)


def causal(time: int) -> torch.Tensor:
    return staircase_by_rule(time, time)


def real(lengths: torch.Tensor, time: int) -> torch.Tensor:
    return torch.arange(time) < lengths[:, None]
