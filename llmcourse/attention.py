"""Attention: every token collects a weighted mean of values, the weights being its own choice."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def scaled_dot_product_attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """`softmax(query @ key.T / sqrt(head_dim)) @ value`, and the weights beside it.

    Source: Vaswani et al., "Attention Is All You Need", 2017, section 3.2.1, equation 1.

    Args:
        query: (..., n_query, head_dim)
        key: (..., n_key, head_dim)
        value: (..., n_key, value_dim)
        mask: boolean, True = may attend, broadcastable to (..., n_query, n_key).

    Returns:
        The output (..., n_query, value_dim), and the weights (..., n_query, n_key), whose rows sum
        to 1.  A query that may attend to nothing gets a row of zeros, not of nan.

    Raises:
        ValueError: when query and key differ in their last axis, or key and value in their length.
        TypeError: for a mask that is not boolean.
    """
    if query.shape[-1] != key.shape[-1]:
        raise ValueError(
            f"a query has {query.shape[-1]} numbers but a key has {key.shape[-1]}: they are "
            "compared by a dot product, so project both to the same head_dim"
        )
    if key.shape[-2] != value.shape[-2]:
        raise ValueError(
            f"there are {key.shape[-2]} keys but {value.shape[-2]} values: each key points to one"
        )
    # Scaled before the product: float16 ends at 65,504, and a dot product may pass that.
    scores = (query / math.sqrt(query.shape[-1])) @ key.transpose(-2, -1)
    if mask is None:
        weights = torch.softmax(scores, dim=-1)
    else:
        _check_mask(mask)
        scores = scores.masked_fill(~mask, -math.inf)
        # A row of nothing but -inf has no softmax; where nothing is allowed, nothing is collected.
        weights = torch.softmax(scores, dim=-1).masked_fill(~mask.any(-1, keepdim=True), 0.0)
    return weights @ value, weights


def causal_mask(n_query: int, n_key: int | None = None, device=None) -> Tensor:
    """True where a token may look: at itself and at what came before, shape (n_query, n_key).

    With `n_key > n_query` the queries are the last ones of a longer text, as in cached generation.

    Raises:
        ValueError: when there are more queries than keys.
    """
    n_key = n_query if n_key is None else n_key
    if n_query > n_key:
        raise ValueError(
            f"{n_query} queries but {n_key} keys: each token attends at least to itself"
        )
    allowed = torch.ones(n_query, n_key, dtype=torch.bool, device=device)
    return allowed.tril(diagonal=n_key - n_query)


def padding_mask(lengths: Tensor, n_key: int | None = None) -> Tensor:
    """True for real tokens, False for the padding behind them, shape (batch, 1, n_key).

    The middle axis broadcasts over queries, so it combines with a causal mask by `&`.

    Args:
        lengths: how many tokens of each sequence are real, shape (batch,).
        n_key: padded length; by default the longest sequence.

    Raises:
        ValueError: when a sequence is longer than `n_key`.
    """
    longest = int(lengths.max())
    n_key = longest if n_key is None else n_key
    if longest > n_key:
        raise ValueError(f"a sequence has {longest} tokens, more than the padded length {n_key}")
    return (torch.arange(n_key, device=lengths.device) < lengths[:, None])[:, None, :]


class MultiHeadAttention(nn.Module):
    """Several attentions side by side, each over its own projection of the input.

    With `n_kv_head < n_head`, groups of `n_head // n_kv_head` query heads share one key and one
    value head; `n_kv_head = 1` is multi-query attention.

    Source: Vaswani et al., "Attention Is All You Need", 2017, section 3.2.2; Ainslie et al.,
    "GQA: Training Generalized Multi-Query Transformer Models", 2023, section 2.2.

    Args:
        d_model: numbers per token.
        n_head: query heads; each has `head_dim = d_model // n_head` numbers.
        n_kv_head: key and value heads; by default as many as query heads.
        bias: whether the projections add one.
        dropout: probability with which weights, and numbers of the output, drop out in training.

    Attributes:
        attention_dropout: the probability for the weights alone; at 0 the fused kernels serve,
            which on a CPU halves the time of a training step.

    Raises:
        ValueError: when heads do not divide `d_model`, or key heads do not divide query heads.
    """

    def __init__(
        self,
        d_model: int,
        n_head: int,
        n_kv_head: int | None = None,
        bias: bool = True,
        dropout: float = 0.0,
    ):
        super().__init__()
        n_kv_head = n_head if n_kv_head is None else n_kv_head
        check_heads(d_model, n_head, n_kv_head)
        self.n_head, self.n_kv_head, self.head_dim = n_head, n_kv_head, d_model // n_head
        # One product instead of three: first the rows of the queries, then of keys, then of values.
        self.query_key_value = nn.Linear(
            d_model, (n_head + 2 * n_kv_head) * self.head_dim, bias=bias
        )
        self.output = nn.Linear(d_model, d_model, bias=bias)
        self.attention_dropout = dropout
        self.dropout = nn.Dropout(dropout)

    def heads(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Queries of `x`, and keys and values of `context` (by default `x`): three tensors of shape
        (batch, n_head, time, head_dim), the last two with `n_kv_head` heads."""
        n_query, n_both = self.n_head * self.head_dim, 2 * self.n_kv_head * self.head_dim
        if context is None:
            query, key_value = self.query_key_value(x).split((n_query, n_both), dim=-1)
        else:
            weight, bias = self.query_key_value.weight, self.query_key_value.bias
            of_query, of_both = (None, None) if bias is None else bias.split((n_query, n_both))
            query = F.linear(x, weight[:n_query], of_query)
            key_value = F.linear(context, weight[n_query:], of_both)
        key, value = key_value.chunk(2, dim=-1)
        return tuple(
            t.unflatten(-1, (-1, self.head_dim)).transpose(1, 2) for t in (query, key, value)
        )

    def forward(
        self,
        x: Tensor,
        context: Tensor | None = None,
        mask: Tensor | None = None,
        causal: bool = False,
        rotate: Callable[[Tensor], Tensor] | None = None,
        score_bias: Tensor | None = None,
        cache: "KVCache | None" = None,
    ) -> Tensor:
        """What every token of `x` collects from `x`, or from `context`.

        Args:
            x: (batch, time, d_model)
            context: (batch, n_key, d_model), for cross-attention: what keys and values are made of.
            mask: boolean, True = may attend, (n_query, n_key), (batch, n_query, n_key) or
                (batch, n_head, n_query, n_key); axes of size 1 broadcast.
            causal: whether a token may only look at itself and back; combines with `mask`.
            rotate: turns queries and keys by their positions (`RotaryPositions.at`).
            score_bias: added to the scores before the softmax, (n_head, n_query, n_key)
                (`alibi_bias`).
            cache: keys and values of earlier tokens; those of `x` are added to it.

        Returns:
            (batch, time, d_model).  A token that may attend to nothing collects zeros.

        Raises:
            TypeError: for a mask that is not boolean.
            ValueError: for a cache in cross-attention, or one that is full.
        """
        if cache is not None and context is not None:
            raise ValueError(
                "cross-attention got a cache: its keys come from context, which is complete from "
                "the start, so leave the cache to the self-attention"
            )
        query, key, value = self.heads(x, context)
        if rotate is not None:
            query, key = rotate(query), rotate(key)
        if cache is not None:
            key, value = cache.append(key, value)

        n_query, n_key = query.shape[-2], key.shape[-2]
        if causal and n_query == 1:
            causal = False  # the newest token may look at everything
        # SDPA aligns its own causal mask with the first key and does not combine it with another.
        if causal and not (n_query == n_key and mask is None and score_bias is None):
            allowed = causal_mask(n_query, n_key, x.device)
            mask, causal = allowed if mask is None else mask & allowed, False
        output = F.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=_additive(mask, score_bias, query.dtype),
            dropout_p=self.attention_dropout if self.training else 0.0,
            is_causal=causal,
            enable_gqa=self.n_kv_head != self.n_head,
        )
        return self.dropout(self.output(output.transpose(1, 2).flatten(2)))


def check_heads(d_model: int, n_head: int, n_kv_head: int) -> None:
    """Raise a ValueError unless so many heads can share `d_model` numbers, and keys."""
    if n_head < 1 or d_model % n_head:
        raise ValueError(
            f"d_model is {d_model} and n_head is {n_head}: every head gets d_model / n_head "
            "numbers, so choose an n_head that divides d_model"
        )
    if n_kv_head < 1 or n_head % n_kv_head:
        raise ValueError(
            f"n_head is {n_head} and n_kv_head is {n_kv_head}: every key head serves "
            "n_head / n_kv_head query heads, so choose an n_kv_head that divides n_head"
        )


class KVCache:
    """The keys and values that one attention layer has already computed.

    The buffers are allocated once; a step writes its keys in place, and attention reads a view.
    Setting `length` back forgets the tokens behind it.

    Args:
        batch: sequences that are processed side by side.
        n_kv_head: key and value heads.
        max_length: most tokens that fit.
        head_dim: numbers per head.
        device, dtype: of the buffers.
    """

    def __init__(
        self,
        batch: int,
        n_kv_head: int,
        max_length: int,
        head_dim: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ):
        shape = (batch, n_kv_head, max_length, head_dim)
        self.key = torch.empty(shape, device=device, dtype=dtype)
        self.value = torch.empty(shape, device=device, dtype=dtype)
        self.length = 0

    @property
    def max_length(self) -> int:
        return self.key.shape[2]

    def append(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Store keys and values (batch, n_kv_head, time, head_dim) of new tokens, and return those
        of all tokens so far, as views of shape (batch, n_kv_head, length, head_dim).

        Raises:
            ValueError: when they do not fit, or come in another batch size.
        """
        start, end = self.length, self.length + key.shape[2]
        if end > self.max_length:
            raise ValueError(
                f"the cache holds {start} of {self.max_length} tokens and gets "
                f"{key.shape[2]} more: make it with a larger max_length"
            )
        if key.shape[0] != self.key.shape[0]:
            raise ValueError(
                f"the cache was made for a batch of {self.key.shape[0]}, but gets {key.shape[0]} "
                "sequences: make a new one, or change its rows with select"
            )
        self.key[:, :, start:end], self.value[:, :, start:end] = key, value
        self.length = end
        return self.key[:, :, :end], self.value[:, :, :end]

    def select(self, rows: Tensor) -> None:
        """Keep these rows of the batch, in this order, repeats allowed: `rows` is (new batch,)."""
        self.key, self.value = self.key[rows], self.value[rows]


def _additive(mask: Tensor | None, score_bias: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """Mask and bias as the one `attn_mask` of SDPA, with an axis for the heads."""
    if mask is not None:
        _check_mask(mask)
        if mask.dim() == 3:
            mask = mask[:, None]
    if score_bias is None:
        return mask
    score_bias = score_bias.to(dtype)
    return score_bias if mask is None else score_bias.masked_fill(~mask, -math.inf)


def _check_mask(mask: Tensor) -> None:
    if mask.dtype != torch.bool:
        raise TypeError(
            f"mask has dtype {mask.dtype}, but a mask here is boolean with True = may attend: "
            "write  mask.bool()  if 1 means keep, or  mask == 0  if it is added to the scores"
        )
