"""Attention: every token collects a weighted mean of values, the weights being its own choice."""

import math

import torch
from torch import Tensor


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
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
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


def _check_mask(mask: Tensor) -> None:
    if mask.dtype != torch.bool:
        raise TypeError(
            f"mask has dtype {mask.dtype}, but a mask here is boolean with True = may attend: "
            "write  mask.bool()  if 1 means keep, or  mask == 0  if it is added to the scores"
        )
