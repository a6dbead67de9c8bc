"""Checks of chapter 8: counting parameters, a layer converted, a leak across the batch, logits."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from llmcourse.exercises.exercise import Case, Exercise, Mistake
from llmcourse.exercises.showing import kind_of
from llmcourse.gpt import GPT, GPTConfig


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


# ------------------------------------------------------------------ counting


def gpt2(V: int, P: int, L: int, d: int) -> int:
    """Counted as the files of GPT-2 list them: shape by shape."""
    norm = [(d,), (d,)]
    block = norm + [(d, 3 * d), (3 * d,), (d, d), (d,)]
    block += norm + [(d, 4 * d), (4 * d,), (4 * d, d), (d,)]
    return sum(map(math.prod, [(V, d), (P, d), *L * block, *norm]))


def llama(V: int, L: int, n_head: int, n_kv_head: int, d: int, d_ff: int) -> int:
    """Counted as the files of a Llama list them: shape by shape."""
    query, key = (n_head * (d // n_head), d), (n_kv_head * (d // n_head), d)
    block = [(d,), query, key, key, query, (d,), (d_ff, d), (d_ff, d), (d, d_ff)]
    return sum(map(math.prod, [(V, d), *L * block, (d,)]))


def off(count, by, says: str) -> Mistake:
    """The right count plus `by(*args)`."""
    return Mistake(lambda *args: count(*args) + by(*args), says)


def exact(args: tuple, pointer: str, expected: object = ...) -> Case:
    """Every digit counts, and who counts a model on the meta device waits for its first use."""
    return Case(args, pointer, expected, rtol=0, atol=0, seconds=30.0)


# ------------------------------------------------------------------ 08.3


def answers_of_layer(answer, weight: torch.Tensor, bias: torch.Tensor) -> dict:
    """What the reader's layer gives for unit vectors and for zeros, and whose weights it has."""
    given = weight.clone(), bias.clone()
    layer = answer(weight, bias)
    if not isinstance(layer, nn.Linear):
        raise TypeError(f"return an nn.Linear, not {kind_of(layer)}")
    x = torch.cat([torch.eye(len(given[0])), torch.zeros(1, len(given[0]))])
    with torch.no_grad():
        y = layer(x).clone()
        untouched = torch.equal(weight, given[0]) and torch.equal(bias, given[1])
        weight += 1
        bias += 1
        own = torch.equal(layer(x), y)
    return {"layer(x)": y, "inputs unchanged": untouched, "weights of its own": own}


def layer_with(weight: torch.Tensor, bias: torch.Tensor, own=True, untouched=True) -> dict:
    rows = torch.cat([weight, torch.zeros_like(weight[:1])])
    return {"layer(x)": rows + bias, "inputs unchanged": untouched, "weights of its own": own}


# ------------------------------------------------------------------ 08.4
# The models of 08.4.  Each maps ids (batch, time) to logits (batch, time, 7), for any batch.
LOGITS = normal(7, 7, seed=4)


def mixed(x):
    return (x @ x.mT).softmax(-1) @ x


def each_token_by_itself(tokens):
    return LOGITS[tokens]


def attention_over_time_without_a_mask(tokens):
    return mixed(LOGITS[tokens])


def attention_over_the_batch(tokens):
    return mixed(LOGITS[tokens].transpose(0, 1)).transpose(0, 1)


def add_the_sequence_before(tokens):
    return LOGITS[tokens] + LOGITS[tokens].roll(1, dims=0)


def less_the_mean_over_the_batch(tokens):
    return LOGITS[tokens] - LOGITS[tokens].mean(0)


def axes_confused_by_a_reshape(tokens):
    batch, time = tokens.shape
    return LOGITS[tokens].reshape(time, batch, -1).transpose(0, 1)


def only_the_first_output_mixes(tokens):
    x = LOGITS[tokens]
    return torch.cat([x[:, :1] + x.mean((0, 1)), x[:, 1:]], dim=1)


def only_the_last_output_mixes(tokens):
    x = LOGITS[tokens]
    return torch.cat([x[:, :-1], x[:, -1:] + x.mean((0, 1))], dim=1)


def only_first_tokens_are_mixed_in(tokens):
    return LOGITS[tokens] + LOGITS[tokens[:, :1]].mean(0)


def only_last_tokens_are_mixed_in(tokens):
    return LOGITS[tokens] + LOGITS[tokens[:, -1:]].mean(0)


def only_the_first_sequence_reads_the_last(tokens):
    x = LOGITS[tokens]
    return torch.cat([x[:1] + x[1:][-1:].sum(0), x[1:]])


def only_the_third_sequence_reads_the_second(tokens):
    x = LOGITS[tokens]
    return torch.cat([x[:2], x[2:3] + x[1:2].sum(0), x[3:]])


def one_logit_of_the_sequence_before(tokens):
    x = LOGITS[tokens]
    return torch.cat([x[..., :1] + x.roll(1, dims=0)[..., -1:], x[..., 1:]], dim=-1)


def a_faint_trace_of_the_sequence_before(tokens):
    return LOGITS[tokens] + 0.01 * LOGITS[tokens].roll(1, dims=0)


def sum_so_far_up_to_rounding(tokens):
    """Clean, but the last digits change with the rest of the batch, as in sums of another order."""
    return LOGITS[tokens].cumsum(1) * (1 + 2e-7 * (1000 * LOGITS[tokens].sum()).sin())


def ids(*shape: int, vocab_size: int = 7, seed: int = 0) -> torch.Tensor:
    return torch.randint(vocab_size, shape, generator=torch.Generator().manual_seed(seed))


# ------------------------------------------------------------------ 08.5


def torch_grouped(query, key, value):
    tensors = (query.double(), key.double(), value.double())
    return F.scaled_dot_product_attention(*tensors, is_causal=True, enable_gqa=True)


def grouped(query, key, value, share=torch.repeat_interleave, scale=None, shift=0):
    """Grouped attention in which one thing may be done wrong."""
    times = query.shape[1] // key.shape[1]
    key, value = (share(t.double(), times, 1) for t in (key, value))
    scores = query.double() @ key.mT / (scale or math.sqrt(query.shape[-1]))
    allowed = torch.ones(scores.shape[-2:]).tril(shift) > 0
    return scores.masked_fill(~allowed, -math.inf).softmax(-1).nan_to_num() @ value


def tiled(tensor, times, dim):
    return torch.cat([tensor] * times, dim=dim)


def first_only(tensor, times, dim):
    return tiled(tensor[:, :1], times * tensor.shape[1], dim)


def heads(batch, n_head, n_kv_head, time, head_dim, seed=0, spread=1.0) -> tuple:
    sizes = (n_head, n_kv_head, n_kv_head)
    query, key, value = (normal(batch, n, time, head_dim, seed=seed + i)
                         for i, n in enumerate(sizes))  # fmt: skip
    return spread * query, spread * key, value


# ------------------------------------------------------------------ 08.6


def weights(V: int, P: int, d: int, seed: int = 0, scale: float = 1.0, **changed) -> dict:
    shapes = {
        "token_embedding": (V, d), "positions": (P, d), "norm_1.gain": (d,), "norm_1.bias": (d,),
        "W_query": (d, d), "W_key": (d, d), "W_value": (d, d), "W_output": (d, d),
        "norm_2.gain": (d,), "norm_2.bias": (d,), "W_up": (d, 4 * d), "b_up": (4 * d,),
        "W_down": (4 * d, d), "b_down": (d,), "norm.gain": (d,), "norm.bias": (d,),
    }  # fmt: skip
    made = {name: normal(*shape, seed=seed + i) for i, (name, shape) in enumerate(shapes.items())}
    for name in made:
        usual = 0.5 if name.startswith("W_") else 1.0
        made[name] = made[name] * changed.get(name, usual)
    for name in ("token_embedding", "positions"):
        made[name] = made[name] * scale
    return made


def gpt_of_the_package(tokens, weights):
    """Our GPT, with these weights poured in."""
    w = {name: tensor.double() for name, tensor in weights.items()}
    vocab_size, d = w["token_embedding"].shape
    config = GPTConfig(vocab_size=vocab_size, context_length=len(w["positions"]), n_layer=1,
                       n_head=1, d_model=d)  # fmt: skip
    with torch.random.fork_rng(devices=[]):  # the reader's random numbers go on undisturbed
        model = GPT(config)
    names = {
        "token_embedding.weight": w["token_embedding"],
        "positions.weight": w["positions"],
        "attention_norm.weight": w["norm_1.gain"],
        "attention_norm.bias": w["norm_1.bias"],
        "attention.query_key_value.weight": torch.cat(
            [w["W_query"].T, w["W_key"].T, w["W_value"].T]
        ),
        "attention.query_key_value.bias": w["b_down"].new_zeros(3 * d),
        "attention.output.weight": w["W_output"].T,
        "attention.output.bias": w["b_down"].new_zeros(d),
        "feed_forward_norm.weight": w["norm_2.gain"],
        "feed_forward_norm.bias": w["norm_2.bias"],
        "feed_forward.up.weight": w["W_up"].T,
        "feed_forward.up.bias": w["b_up"],
        "feed_forward.down.weight": w["W_down"].T,
        "feed_forward.down.bias": w["b_down"],
        "norm.weight": w["norm.gain"],
        "norm.bias": w["norm.bias"],
    }
    whole = ("token_embedding.weight", "positions.weight", "norm.weight", "norm.bias")
    state = {name if name in whole else f"blocks.0.{name}": w for name, w in names.items()}
    model.load_state_dict(state, assign=True)
    return model(tokens[None]).logits[0].detach()


def gpt_with(
    tokens, w, *, positions=True, mask=True, scale=None, gelu="none", norms=("_1", "_2", ""),
    residual=True, parallel=False, post=False, normed=False, eps=1e-5, correction=0,
    transposed=False, output=True, act=True, gains=True,
):  # fmt: skip
    """One-block logits in which one thing may be done wrong."""

    def norm(x, name):
        if name not in norms:
            return x
        variance = x.var(-1, keepdim=True, correction=correction)
        x = (x - x.mean(-1, keepdim=True)) / (variance + eps).sqrt()
        return x * w[f"norm{name}.gain"] + w[f"norm{name}.bias"] if gains else x

    def attend(x):
        query, key, value = (x @ (m.T if transposed else m)
                             for m in (w["W_query"], w["W_key"], w["W_value"]))  # fmt: skip
        scores = query @ key.T / (scale or math.sqrt(x.shape[1]))
        if mask:
            scores = scores.masked_fill(torch.ones_like(scores).triu(1) > 0, -math.inf)
        mixture = scores.softmax(-1) @ value
        return mixture @ w["W_output"] if output else mixture

    def feed(x):
        hidden = x @ w["W_up"] + w["b_up"]
        return (F.gelu(hidden, approximate=gelu) if act else hidden) @ w["W_down"] + w["b_down"]

    w = {name: tensor.double() for name, tensor in w.items()}
    x = w["token_embedding"][tokens] + (w["positions"][: len(tokens)] if positions else 0)
    if post:
        x = norm(x + attend(x), "_1")
        x = norm(x + feed(x), "_2")
    elif normed:
        x = norm(x, "_1")
        x = norm(x + attend(x), "_2")
        x = x + feed(x)
    else:
        after = x * residual + attend(norm(x, "_1"))
        x = after * residual + feed(norm(x if parallel else after, "_2"))
    return norm(x, "") @ w["token_embedding"].T


def mistaken(says: str, **wrong) -> Mistake:
    return Mistake(lambda tokens, weights: gpt_with(tokens, weights, **wrong), says)


def of(*tokens: int) -> torch.Tensor:
    return torch.tensor(tokens)


EXERCISES = (
    Exercise(
        id="08.1",
        title="A GPT on paper",
        level="easy",
        minutes=8,
        hints=(
            "Go through the block from its input to its output, and write down every matrix and "
            "every vector with its size.",
            "A block has four 4 by 4 matrices with a bias each, a matrix from 4 to 16 and one from "
            "16 to 4 with a bias each, and two layer norms of 4 gains and 4 biases.",
            "Attention: 4 * (16 + 4). Feed-forward: (64 + 16) + (64 + 4). Norms: 2 * 8. To the sum "
            "of all come the tables. What stands between the last block and the logits, and how "
            "many numbers does it have?",
        ),
        cases=(
            Case(expected=[244, 56, 308], rtol=0, atol=0.5, pointer="the answer has three whole "
                 "numbers: block, both tables together, all. Everything has a bias but the tables, "
                 "a last norm follows the block, and the head is the token table once more."),
        ),
        mistakes=(
            Mistake([208, 56, 272], "leaving out the biases of the six projections."),
            Mistake([200, 56, 260], "leaving out all biases. In GPT-2 projections and norms have "
                    "one."),
            Mistake([236, 56, 296], "giving the norms no biases."),
            Mistake([244, 56, 348], "giving the head a matrix of its own. It is tied: the token "
                    "table serves twice and counts once."),
            Mistake([244, 56, 340], "giving the head a matrix of its own, and leaving out the last "
                    "norm."),
            Mistake([244, 56, 300], "leaving out the last norm, between the block and the head."),
            Mistake([228, 56, 292], "leaving out 16 in the block: the two norms of the block, or "
                    "the biases of the four attention matrices."),
            Mistake([236, 56, 300], "counting one norm in the block. Attention and feed-forward "
                    "have one each."),
            Mistake([136, 56, 200], "taking d_ff = d_model. It is 16 here."),
            Mistake([224, 56, 288], "leaving out the output projection of the attention."),
            Mistake([244, 40, 292], "leaving out the table of positions."),
            Mistake([244, 56, 316], "counting the last norm twice."),
        ),
    ),
    Exercise(
        id="08.2",
        title="Count them",
        level="easy",
        minutes=8,
        call="count_gpt2(vocab_size, context_length, n_layer, d_model)",
        hints=(
            "Which part is there once for each layer, and which once for all of them?",
            "With d for d_model, a block has 12 * d * d in its matrices: four of d * d, and two of "
            "d * 4d. To that come the biases of the matrices and two norms of 2 * d.",
            "(vocab_size + context_length) * d + n_layer * (12 * d * d + ... * d) + 2 * d. How "
            "many vectors of length d are in a block: three biases of queries, keys and values, "
            "and which others?",
        ),
        reference=gpt2,
        cases=(
            exact((10, 4, 1, 4), "this is the model of exercise 08.1: 244 in the block, 56 in the "
                  "tables, 8 in the last norm.", 308),
            exact((10, 4, 2, 4), "a second block adds 244, and no second table and no second last "
                  "norm.", 552),
            exact((1, 1, 1, 1), "one of everything: 12 for the matrices of the block, 13 for its "
                  "vectors, 2 in the tables, 2 in the last norm.", 29),
            exact((11, 7, 3, 5), "each part by itself: tables, blocks, last norm."),
            exact((50257, 1024, 12, 768), "GPT-2 small.", 124_439_808),
            exact((50257, 1024, 48, 1600), "GPT-2 XL.", 1_557_611_200),
        ),
        mistakes=(
            off(gpt2, lambda V, P, L, d: V * d, "giving the head a matrix of its own. It is tied: "
                "the token table serves twice and counts once."),
            off(gpt2, lambda V, P, L, d: -2 * d, "leaving out the last norm, after the blocks."),
            off(gpt2, lambda V, P, L, d: (L - 1) * 2 * d, "counting the last norm in every block."),
            off(gpt2, lambda V, P, L, d: -d, "giving the last norm a gain and no bias."),
            off(gpt2, lambda V, P, L, d: -P * d, "leaving out the table of positions."),
            off(gpt2, lambda V, P, L, d: -9 * L * d, "leaving out the biases of the projections."),
            off(gpt2, lambda V, P, L, d: -11 * L * d - d, "leaving out all biases."),
            off(gpt2, lambda V, P, L, d: -2 * L * d - d, "giving the norms no biases."),
            off(gpt2, lambda V, P, L, d: -4 * L * d, "leaving out the two norms of each block."),
            off(gpt2, lambda V, P, L, d: -2 * L * d, "counting one norm in each block. Attention "
                "and feed-forward have one each."),
            off(gpt2, lambda V, P, L, d: -L * (6 * d * d + 3 * d), "taking d_ff = d_model. It is "
                "four times that."),
            off(gpt2, lambda V, P, L, d: -3 * L * d, "leaving out 3 * d biases in each block: "
                "those of queries, keys and values, or most of the wide layer's. It has 4 * d."),
            off(gpt2, lambda V, P, L, d: -L * (d * d + d), "leaving out the output projection of "
                "the attention."),
            Mistake(lambda V, P, L, d: gpt2(V, P, 1, d), "counting one block only."),
            Mistake(lambda V, P, L, d: L * gpt2(V, P, 1, d), "multiplying all by the number of "
                    "layers. Tables and last norm are there once."),
            Mistake(lambda V, P, L, d: 12 * L * d * d + V * d, "counting the large matrices only."),
            Mistake(lambda V, P, L, d: 12 * L * d * d + (V + P) * d, "counting the large matrices "
                    "only. Biases and norms are parameters too."),
        ),
    ),
    Exercise(
        id="08.3",
        title="From Conv1D to Linear",
        level="medium",
        minutes=10,
        call="as_linear(weight, bias)",
        hints=(
            "Which shape does nn.Linear(2, 3).weight have? Look, do not guess.",
            "nn.Linear computes x @ W.T + b, so its W is the transpose of what the file holds. "
            "Make the layer with the right sizes, then copy the numbers into it.",
            "layer = nn.Linear(n_in, n_out); with torch.no_grad(): layer.weight.copy_(...); "
            "layer.bias.copy_(bias). What is copied into the weight, and which of weight.shape's "
            "two numbers is n_in?",
        ),
        use=answers_of_layer,
        reference=lambda weight, bias: {
            "layer(x)": torch.addmm(bias, torch.eye(len(weight) + 1)[:, :-1], weight),
            "inputs unchanged": True, "weights of its own": True,
        },
        cases=(
            Case((torch.tensor([[2.0]]), torch.tensor([1.0])), "one number in, one out: y = 2 x + "
                 "1. Below, the layer is called with x = 1 and x = 0; then `weight` and `bias` are "
                 "changed, and it must not notice."),
            Case((torch.tensor([[0.0, 1.0], [2.0, 3.0]]), torch.tensor([0.0, 0.0])), "a square "
                 "matrix, which raises nothing when the transpose is forgotten: nn.Linear computes "
                 "x @ W.T."),
            Case((torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([0.0, 10.0, 20.0])), "one number "
                 "in, three out: weight.shape is (n_in, n_out)."),
            Case((normal(3, 3), normal(3, seed=1)), "square, and with a bias."),
            Case((normal(4, 12, seed=2), normal(12, seed=3)), "the layer is called with each unit "
                 "vector, and with zeros, which give the bias."),
            Case((normal(12, 4, seed=4), normal(4, seed=5)), "narrower than its input."),
        ),
        mistakes=(
            Mistake(lambda W, b: layer_with(W.T, b), "forgetting the transpose: nn.Linear computes "
                    "x @ W.T."),
            Mistake(lambda W, b: layer_with(W.T, b, own=False), "forgetting the transpose "
                    "(nn.Linear computes x @ W.T), and keeping the caller's memory."),
            Mistake(lambda W, b: layer_with(W, 0 * b), "leaving out the bias."),
            Mistake(lambda W, b: layer_with(W, b, own=False), "keeping the caller's memory: when "
                    "the caller changes `weight` or `bias`, the layer changes too. Copy the "
                    "numbers."),
            Mistake(lambda W, b: layer_with(W, 0 * b, own=False), "leaving out the bias, and "
                    "keeping the caller's memory."),
        ),
    ),
    Exercise(
        id="08.4",
        title="Across the batch",
        level="medium",
        minutes=15,
        call="mixes_batch(model, tokens)",
        hints=(
            "If the sequences do not meet, nothing that happens to the others can move the logits "
            "of one. What could happen to them?",
            "For each sequence i: copy tokens, put other ids in all other rows, and compare the "
            "logits of row i, at all positions. The number of ids is the length of the last axis "
            "of the logits; (token + something) % vocab_size is another id for sure.",
            "changed = (tokens + torch.randint(1, vocab_size, tokens.shape)) % vocab_size; "
            "changed[i] = tokens[i]; then torch.allclose(model(changed)[...], before[...], "
            "atol=1e-5). Which row do you compare, and what do you return if one of them moves?",
        ),
        cases=(
            Case((each_token_by_itself, ids(2, 1)), "the logits of a changed sequence may change: "
                 "compare those of the sequence that you left alone.", False),
            Case((less_the_mean_over_the_batch, ids(2, 1)), "the mean is taken over the batch, so "
                 "each sequence depends on the other.", True),
            Case((attention_over_time_without_a_mask, ids(4, 3)), "this model looks ahead, but "
                 "only within a sequence: that is another error, and not asked for.", False),
            Case((attention_over_the_batch, ids(1, 3)), "a batch of one: there is no other "
                 "sequence.", False),
            Case((attention_over_the_batch, ids(4, 3)), "attention along the wrong axis: the most "
                 "frequent way to mix a batch.", True),
            Case((only_the_last_output_mixes, ids(4, 3)), "only the logits at the last position "
                 "depend on the others: compare all positions.", True),
            Case((only_the_first_output_mixes, ids(4, 3)), "only the logits at the first position "
                 "depend on the others: compare all positions.", True),
            Case((only_first_tokens_are_mixed_in, ids(4, 3)), "only the first token of the others "
                 "matters: change all of their tokens.", True),
            Case((only_last_tokens_are_mixed_in, ids(4, 3)), "only the last token of the others "
                 "matters: change all of their tokens.", True),
            Case((only_the_first_sequence_reads_the_last, ids(4, 3)), "only the first sequence "
                 "reads, and only the last is read: go through all of them.", True),
            Case((only_the_third_sequence_reads_the_second, ids(4, 3)), "only the third sequence "
                 "reads, and only the second is read: go through all of them.", True),
            Case((axes_confused_by_a_reshape, ids(3, 4)), "a reshape in place of a transpose mixes "
                 "the sequences, here without any sum.", True),
            Case((add_the_sequence_before, torch.zeros(3, 4, dtype=torch.long)), "all sequences "
                 "are the same here. Put in other ids: reordering them, setting them to 0, or "
                 "running each alone changes nothing.", True),
            Case((attention_over_the_batch, torch.full((3, 2), 6)), "all tokens are the last of "
                 "the vocabulary. Put in other ids that exist.", True),
            Case((add_the_sequence_before, torch.full((3, 2), 3)), "all tokens are 3, in the "
                 "middle of the vocabulary: counted from the other end, it is 3 again. Put in "
                 "other ids.", True),
            Case((one_logit_of_the_sequence_before, ids(4, 3)), "one logit only depends on "
                 "another sequence: compare all of them.", True),
            Case((a_faint_trace_of_the_sequence_before, ids(3, 4)), "a faint trace of another "
                 "sequence is mixing: let the tolerance forgive rounding only.", True),
            Case((sum_so_far_up_to_rounding, ids(4, 3)), "the last digits differ here by rounding "
                 "only: compare with torch.allclose, not with ==.", False),
        ),
        mistakes=(
            Mistake(lambda model, tokens: True, "answering True whatever the model. Do you compare "
                    "the sequence that you changed? Its own logits may change."),
            Mistake(lambda model, tokens: False, "answering False whatever the model."),
            Mistake(lambda model, tokens: len(tokens) > 1, "answering True for every batch of two "
                    "or more. Do you compare the sequence that you changed? Its own logits may "
                    "change."),
        ),
    ),
    Exercise(
        id="08.5",
        title="Grouped queries",
        level="medium",
        minutes=15,
        call="grouped_attention(query, key, value)",
        hints=(
            "With as many key heads as query heads you know how to do it. Can you make that many "
            "out of few?",
            "Give every query head its own copy of the key head it uses. With 4 query heads and 2 "
            "key heads the order is 0, 0, 1, 1: each head repeated, not the row of heads repeated.",
            "key.repeat_interleave(n_head // n_kv_head, dim=...), the same for the values, then "
            "causal attention as always. Which axis holds the heads?",
        ),
        reference=torch_grouped,
        cases=(
            Case(heads(1, 1, 1, 1, 2), "one token sees itself: the output is its value.",
                 atol=1e-5),
            Case(heads(1, 1, 1, 3, 4, seed=3), "one head is causal attention: the scores divided "
                 "by the root of head_dim, the future at -inf before the softmax.", atol=1e-5),
            Case(heads(1, 2, 1, 3, 4, seed=6), "two query heads share the only key and value "
                 "head.", atol=1e-5),
            Case(heads(1, 4, 2, 3, 4, seed=9), "query heads 0 and 1 use key head 0, query heads 2 "
                 "and 3 use key head 1: neighbours share.", atol=1e-5),
            Case(heads(1, 3, 3, 4, 2, seed=12), "as many key heads as query heads: each has its "
                 "own.", atol=1e-5),
            Case(heads(2, 2, 2, 2, 2, seed=15), "all sizes are 2 here, so a wrong axis raises "
                 "nothing.", atol=1e-5),
            Case(heads(4, 4, 2, 4, 4, seed=18), "almost all sizes are 4 here, so a wrong axis "
                 "raises nothing: heads are the second one.", atol=1e-5),
            Case(heads(1, 2, 1, 4, 2, seed=21, spread=40.0), "scores in the thousands: what the "
                 "mask hides must be -inf, and the softmax must not overflow.", atol=1e-4),
            Case(heads(2, 6, 2, 5, 3, seed=24), "groups of three.", atol=1e-5),
            Case(heads(3, 6, 3, 4, 5, seed=27), "three groups of two.", atol=1e-5),
            Case(heads(2, 8, 1, 7, 4, seed=30), "one key head for all eight.", atol=1e-5),
        ),
        mistakes=(
            Mistake(lambda *qkv: grouped(*qkv, share=tiled), "repeating the row of heads (0, 1, 0, "
                    "1) and not each head (0, 0, 1, 1): repeat_interleave, not repeat."),
            Mistake(lambda *qkv: grouped(*qkv, shift=10**6), "leaving out the causal mask."),
            Mistake(lambda *qkv: grouped(*qkv, shift=-1), "hiding the token from itself."),
            Mistake(lambda *qkv: grouped(*qkv, shift=1), "letting a token see the one after it."),
            Mistake(lambda *qkv: grouped(*qkv, scale=1.0), "leaving the scores unscaled: divide by "
                    "the root of head_dim."),
            Mistake(lambda *qkv: grouped(*qkv, scale=qkv[0].shape[-1]), "dividing by head_dim, not "
                    "by its root."),
            Mistake(lambda *qkv: grouped(*qkv, share=first_only), "giving all query heads the "
                    "first key head."),
            Mistake(lambda q, k, v: grouped(q, v, k), "swapping key and value."),
        ),
    ),
    Exercise(
        id="08.6",
        title="Logits by hand",
        level="hard",
        minutes=25,
        call="gpt_logits(tokens, weights)",
        hints=(
            "Six lines do it: embed, normalise and attend, add, normalise and feed forward, add, "
            "normalise and compare with the table. What has the shape (time, d) all the way?",
            "x is the stream. Attention and feed-forward each read a normalised copy of x, and "
            "what they return is added to x itself. The logits are dot products of the last, "
            "normalised x with the rows of the token table.",
            "x = x + attend(norm(x, 'norm_1')); x = x + feed(norm(x, 'norm_2')); return norm(x, "
            "'norm') @ ...: which matrix, and which way round, turns (time, d) into (time, V)?",
        ),
        reference=gpt_of_the_package,
        cases=(
            Case((of(1), weights(4, 1, 3, W_output=0.0, W_down=0.0, b_down=0.0)), "one token, and "
                 "a block that adds nothing: token table and position added, the last norm, then "
                 "the dot product with each row of the token table.", atol=1e-5),
            Case((of(2, 0), weights(3, 4, 3, seed=1, W_output=0.0, W_down=0.0, b_down=0.0)), "two "
                 "tokens, and a block that adds nothing: the first token gets the first row of "
                 "`positions`, the second the second. There may be more rows than tokens.",
                 atol=1e-5),
            Case((of(1, 2, 0), weights(4, 4, 3, seed=120, scale=0.01, W_output=0.0, W_down=0.0,
                                       b_down=0.0)), "a small stream, and a block that adds "
                 "nothing: 1e-5 is added to the variance, under the root.", atol=1e-6),
            Case((of(2), weights(4, 2, 3, seed=20, W_down=0.0, b_down=0.0)), "one token, and no "
                 "feed-forward: the token attends to itself, so attention adds norm(x) @ W_value @ "
                 "W_output.", atol=1e-5),
            Case((of(0, 2, 1, 2), weights(4, 5, 3, seed=40, W_down=0.0, b_down=0.0)), "no "
                 "feed-forward: causal attention with scores divided by the root of d, on what "
                 "norm_1 gives, added to the stream.", atol=1e-5),
            Case((of(2, 1), weights(4, 2, 3, seed=60, W_output=0.0)), "no attention: the "
                 "feed-forward reads norm_2 of the stream, bends by GELU between its two "
                 "matrices, and is added.", atol=1e-5),
            Case((of(3, 0, 1), weights(4, 4, 3, seed=80)), "all together: the feed-forward reads "
                 "the stream to which attention has already been added.", atol=1e-5),
            Case((of(3, 1, 0, 2), weights(4, 4, 4, seed=100)), "V, P, d and time are all 4 here, "
                 "so a matrix the wrong way round raises nothing.", atol=1e-5),
            Case((of(*range(9), 4, 4, 0), weights(11, 16, 6, seed=140)), "sizes that all differ.",
                 atol=1e-5),
        ),
        mistakes=(
            mistaken("leaving out the positions.", positions=False),
            mistaken("leaving out the causal mask.", mask=False),
            mistaken("leaving the scores unscaled: divide by the root of d.", scale=1.0),
            mistaken("leaving out the last norm, before the logits.", norms=("_1", "_2")),
            mistaken("leaving out norm_1, before the attention.", norms=("_2", "")),
            mistaken("leaving out norm_2, before the feed-forward.", norms=("_1", "")),
            mistaken("leaving out all three norms.", norms=()),
            mistaken("leaving out the gains and biases of the norms.", gains=False),
            mistaken("replacing the stream by what a sublayer returns. It is added to the stream.",
                     residual=False),
            mistaken("giving the feed-forward the stream from before the attention.",
                     parallel=True),
            mistaken("adding to the normalised copy. It is read by the sublayer only; what comes "
                     "out is added to the stream itself.", normed=True),
            mistaken("normalising after each sum. GPT-2 normalises what a sublayer reads, and adds "
                     "its output to the stream as it is.", post=True),
            mistaken("using the tanh formula of GELU. The exact one, with the error function, is "
                     "wanted here.", gelu="tanh"),
            mistaken("leaving out the GELU.", act=False),
            mistaken("leaving out the epsilon of the norms.", eps=0.0),
            mistaken("dividing by d - 1 in the variance. A layer norm divides by d: "
                     "var(correction=0).", correction=1),
            mistaken("transposing the projections, as nn.Linear has them. Here it is x @ W.",
                     transposed=True),
            mistaken("leaving out W_output.", output=False),
        ),
    ),
    Exercise(
        id="08.7",
        title="A Llama's parameters",
        level="hard",
        minutes=15,
        call="count_llama(vocab_size, n_layer, n_head, n_kv_head, d_model, d_ff)",
        hints=(
            "What does a Llama not have that a GPT-2 has? And which of its matrices are not "
            "square?",
            "No biases and no table of positions. An RMS norm has d_model gains. Keys and values "
            "come out of d_model inputs and have n_kv_head * head_dim numbers each. SwiGLU has "
            "three matrices.",
            "Per layer: 2 * d * d for queries and output, 2 * d * n_kv_head * (d // n_head), ... * "
            "d * d_ff, and 2 * d for the norms. What stands for the dots, and what is there once "
            "for all layers?",
        ),
        reference=llama,
        cases=(
            exact((10, 1, 1, 1, 4, 6), "one head: four 4 by 4 matrices, three of 4 by 6, two norms "
                  "of 4; a table of 40, and a last norm of 4.", 188),
            exact((10, 2, 1, 1, 4, 6), "a second block adds 144, and nothing else.", 332),
            exact((10, 1, 2, 2, 4, 6), "as many key heads as query heads: however the 4 numbers "
                  "are cut into heads, the matrices are 4 by 4.", 188),
            exact((10, 1, 2, 1, 4, 6), "one key head for two query heads: keys and values have "
                  "2 numbers each, so their matrices are 4 by 2.", 172),
            exact((7, 3, 4, 2, 24, 32), "head_dim is d_model / n_head, here 6."),
            exact((7, 3, 6, 2, 24, 32), "head_dim is d_model / n_head, here 4."),
            exact((49152, 30, 9, 3, 576, 1536), "SmolLM2-135M.", 134_515_008),
            exact((32000, 22, 32, 4, 2048, 5632), "the shape of TinyLlama, tied."),
        ),
        mistakes=(
            off(llama, lambda V, L, h, k, d, f: V * d, "giving the head a matrix of its own. It is "
                "tied: the token table serves twice and counts once."),
            off(llama, lambda V, L, h, k, d, f: 2 * L * d * (d - k * d // h), "giving keys and "
                "values as many heads as queries."),
            off(llama, lambda V, L, h, k, d, f: -L * d * f, "counting two matrices in the "
                "feed-forward. SwiGLU has a gate as well."),
            off(llama, lambda V, L, h, k, d, f: -d, "leaving out the last norm."),
            off(llama, lambda V, L, h, k, d, f: -2 * L * d, "leaving out the two norms of each "
                "block."),
            off(llama, lambda V, L, h, k, d, f: -L * d, "counting one norm in each block."),
            off(llama, lambda V, L, h, k, d, f: -L * 2 * d - d, "leaving out the norms."),
            off(llama, lambda V, L, h, k, d, f: 2 * L * d + d, "giving the norms biases. An RMS "
                "norm has none."),
            off(llama, lambda V, L, h, k, d, f: L * d * (k * d // h - d), "making the output "
                "matrix as narrow as that of the keys. It goes from d_model to d_model."),
            off(llama, lambda V, L, h, k, d, f: -L * d * d, "leaving out the output projection of "
                "the attention."),
            off(llama, lambda V, L, h, k, d, f: -L * d * k * d // h, "counting keys and values as "
                "one matrix. Each has its own."),
            off(llama, lambda V, L, h, k, d, f: L * 2 * d * (k - k * d // h), "giving each key "
                "head one number. It has head_dim of them."),
        ),
    ),
)
