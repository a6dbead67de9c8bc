"""Looking inside a GPT: what each part adds to the residual stream, and what goes without it."""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from llmcourse.attention import causal_mask
from llmcourse.gpt import GPT
from llmcourse.layers import choose


class Activations(NamedTuple):
    """What a GPT computed on its way; `residual[l + 1] - residual[l]` is what block `l` added: the
    sum of its heads, the bias of their output projection, if any, and its feed-forward.

    - `residual`, (n_layer + 1, batch, time, d_model): the stream before the first block and after
      each.
    - `attention`, (n_layer, batch, n_head, time, time): the weights of every head; a row is a
      query's, and sums to 1.
    - `head_output`, (n_layer, batch, n_head, time, d_model): what each head adds.
    - `feed_forward`, (n_layer, batch, time, d_model): what each feed-forward adds.
    - `logits`, (batch, time, vocab_size).
    """

    residual: Tensor
    attention: Tensor
    head_output: Tensor
    feed_forward: Tensor
    logits: Tensor


@torch.no_grad()
def record_activations(model: GPT, tokens: Tensor) -> Activations:
    """Run the model on `tokens` (batch, time), in evaluation mode, and keep what is in between.

    Inside of `ablate_heads` and `patch_residual` it records what is then computed; the weights are
    those that an ablated head would have used.

    Raises:
        TypeError, ValueError: for tokens that the model cannot read, as the model does, and for
            quantised weights, which have no parts that could be taken apart.
    """
    if not all(hasattr(block.attention.output, "weight") for block in model.blocks):
        raise ValueError("the model has quantised weights: record it before it is quantised")
    residual, attention, head_output, feed_forward = [], [], [], []

    def before_attention(module, args, kwargs):
        query, key, _ = module.heads(args[0])
        if (rotate := kwargs["rotate"]) is not None:
            query, key = rotate(query), rotate(key)
        key = key.repeat_interleave(module.n_head // module.n_kv_head, dim=1)
        scores = query @ key.transpose(-2, -1) / math.sqrt(module.head_dim)
        if kwargs["score_bias"] is not None:
            scores = scores + kwargs["score_bias"]
        allowed = causal_mask(tokens.shape[1], device=tokens.device)
        attention.append(scores.masked_fill(~allowed, -math.inf).softmax(dim=-1))

    def before_output(module, args):
        by_head = (model.config.n_head, model.config.head_dim)
        collected = args[0].unflatten(-1, by_head)  # (batch, time, n_head, head_dim)
        weight = module.weight.unflatten(-1, by_head)  # (d_model, n_head, head_dim)
        head_output.append(torch.einsum("bthi,dhi->bhtd", collected, weight))

    def before_block(_, args):
        residual.append(args[0])

    def after_feed_forward(_, __, output):
        feed_forward.append(output)

    def after_last_block(_, __, output):
        residual.append(output)

    modes = [(module, module.training) for module in model.modules()]
    with ExitStack() as hooks:
        for block in model.blocks:
            here = block.attention
            for handle in (
                block.register_forward_pre_hook(before_block),
                here.register_forward_pre_hook(before_attention, with_kwargs=True),
                here.output.register_forward_pre_hook(before_output),
                block.feed_forward.register_forward_hook(after_feed_forward),
            ):
                hooks.callback(handle.remove)
        hooks.callback(model.blocks[-1].register_forward_hook(after_last_block).remove)
        try:
            logits = model.eval()(tokens).logits
        finally:
            for module, mode in modes:
                module.training = mode
    stacked = map(torch.stack, (residual, attention, head_output, feed_forward))
    return Activations(*stacked, logits)


@torch.no_grad()
def logit_lens(model: GPT, residual: Tensor) -> Tensor:
    """The logits, were the stream final here: last norm and head, (..., d_model) to (...,
    vocab_size).

    Source: nostalgebraist, "interpreting GPT: the logit lens", LessWrong, 2020.

    Raises:
        ValueError: when the last axis is not `d_model`.
    """
    if residual.shape[-1] != model.config.d_model:
        raise ValueError(
            f"residual has shape {tuple(residual.shape)}, but its last axis must be d_model, "
            f"{model.config.d_model}: give one of record_activations(model, tokens).residual"
        )
    x = model.norm(residual)
    return F.linear(x, model.token_embedding.weight) if model.head is None else model.head(x)


@contextmanager
def ablate_heads(
    model: GPT, heads: Iterable[tuple[int, int]], value: str = "zero"
) -> Iterator[None]:
    """Inside of this context, the heads `(layer, head)` add nothing to the stream, or a constant.

    Args:
        heads: pairs, counted from 0.  The bias of the output projection belongs to no head, and
            stays.
        value: `"zero"`; or `"mean"`, what the head would add, averaged over all sequences and
            positions that the model is given at once.  A mean tells every position the same, but
            it has seen the later ones too, and with a cache only the newest.

    Raises:
        ValueError: for a head that does not exist, another `value`, or the mean of one position.
    """
    choose("value", value, ("zero", "mean"))
    n_layer, n_head, head_dim = model.config.n_layer, model.config.n_head, model.config.head_dim
    of_layer: dict[int, list[int]] = {}
    for pair in heads:
        if not (isinstance(pair, Sequence) and len(pair) == 2):
            raise ValueError(f"heads holds {pair!r}: give pairs (layer, head), [(0, 3)] for one")
        layer, head = pair
        if not (0 <= layer < n_layer and 0 <= head < n_head):
            raise ValueError(
                f"there is no head {head} in layer {layer}: layers are 0 to {n_layer - 1}, and "
                f"heads 0 to {n_head - 1}"
            )
        of_layer.setdefault(layer, []).append(head)

    def replacing(chosen: list[int]):
        def before_output(_, args):
            collected = args[0].unflatten(-1, (n_head, head_dim)).clone()
            if value == "zero":
                collected[:, :, chosen] = 0.0
            elif collected.shape[0] * collected.shape[1] == 1:
                raise ValueError(
                    "the mean over a single position is that position, so nothing would be "
                    'ablated: give a longer text at once, or choose value="zero"'
                )
            else:
                collected[:, :, chosen] = collected[:, :, chosen].mean(dim=(0, 1))
            return collected.flatten(-2)

        return before_output

    with ExitStack() as hooks:
        for layer, chosen in of_layer.items():
            output = model.blocks[layer].attention.output
            hooks.callback(output.register_forward_pre_hook(replacing(chosen)).remove)
        yield


@contextmanager
def patch_residual(model: GPT, layer: int, position: int, vector: Tensor) -> Iterator[None]:
    """Inside of this context, the stream after `layer` blocks is `vector` at one position.

    Several may be nested, for several positions.

    Source: Meng et al., "Locating and Editing Factual Associations in GPT", 2022, section 2.1, who
    restore single states of a run in another one.

    Args:
        layer: 0, before the first block, to `n_layer`, after the last: `residual[layer]` of
            `record_activations`.
        position: of the token; below 0 it counts from the end of what the model is given at once.
            With a cache it is the position in the whole text.
        vector: (d_model,), or one for each sequence, (batch, d_model).

    Raises:
        ValueError: for a layer or position that does not exist, or a vector of another size.
    """
    n_layer, d_model = model.config.n_layer, model.config.d_model
    if not 0 <= layer <= n_layer:
        raise ValueError(f"layer is {layer}, but there is a stream after 0 to {n_layer} blocks")
    if vector.dim() not in (1, 2) or vector.shape[-1] != d_model:
        raise ValueError(
            f"vector has shape {tuple(vector.shape)}, but it must be ({d_model},) or (batch, "
            f"{d_model}): residual[{layer}, :, {position}], say"
        )

    def patched(x: Tensor, cache, past: int) -> Tensor:
        time = x.shape[1]
        index = position - past if position >= 0 else time + position
        if 0 <= index < time:
            x = x.clone()
            x[:, index] = vector.to(x)
        elif cache is None:
            raise ValueError(f"position is {position}, but the model is given {time} tokens")
        return x

    def before_block(_, args):
        x, *_, cache = args
        return (patched(x, cache, cache.length if cache else 0), *args[1:])

    def after_block(_, args, x):
        cache = args[-1]
        return patched(x, cache, cache.length - x.shape[1] if cache else 0)

    if layer == 0:
        handle = model.blocks[0].register_forward_pre_hook(before_block)
    else:
        handle = model.blocks[layer - 1].register_forward_hook(after_block)
    try:
        yield
    finally:
        handle.remove()


def induction_scores(attention: Tensor, period: int) -> Tensor:
    """How far each head looks to what came after the same token, half a text before.

    The text is twice the same `period` tokens.  In its second half, position t holds the token of
    `t - period`, and an induction head looks at the one after that, `t - period + 1`; the score is
    the mean weight which it gives to that, 1 at most.

    Source: Olsson et al., "In-context Learning and Induction Heads", 2022, their "prefix
    matching".

    Args:
        attention: (n_layer, batch, n_head, time, time), with a time of `2 * period`.

    Returns:
        (n_layer, n_head)

    Raises:
        ValueError: for another time, or a period below 2.
    """
    _check_attention(attention)
    if period < 2 or attention.shape[-1] != 2 * period:
        raise ValueError(
            f"attention is over {attention.shape[-1]} tokens and period is {period}: the text is "
            "the same 2 or more tokens twice; cut off what stands before, attention[..., 1:, 1:]"
        )
    # The first entry of the diagonal belongs to the last token of the first half.
    after = attention.diagonal(offset=1 - period, dim1=-2, dim2=-1)[..., 1:]
    return after.mean(dim=(1, 3))


def attention_rollout(attention: Tensor) -> Tensor:
    """What of each input has reached each position of the last layer, if attention moved it.

    Heads are averaged; half of what a layer hands on is its input; layers are multiplied.

    Source: Abnar and Zuidema, "Quantifying Attention Flow in Transformers", ACL 2020, section 3,
    arXiv:2005.00928.

    Args:
        attention: (n_layer, batch, n_head, time, time)

    Returns:
        (batch, time, time), whose rows sum to 1.
    """
    _check_attention(attention)
    identity = torch.eye(attention.shape[-1], dtype=attention.dtype, device=attention.device)
    rollout = identity.expand(attention.shape[1], -1, -1)
    for layer in attention.mean(dim=2):
        rollout = (layer + identity) / 2 @ rollout
    return rollout


def _check_attention(attention: Tensor) -> None:
    if attention.dim() != 5 or attention.shape[-1] != attention.shape[-2]:
        raise ValueError(
            f"attention has shape {tuple(attention.shape)}, but it must be "
            "(n_layer, batch, n_head, time, time): give record_activations(model, tokens).attention"
        )
