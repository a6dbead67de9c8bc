"""Where a token stands: attention alone does not know, so it is told in one of four ways."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn


def sinusoidal_positions(time: int, d_model: int, device: torch.device | None = None) -> Tensor:
    """Waves of `d_model / 2` wavelengths, from 2 pi to 10000 * 2 pi, to be added to embeddings.

    `table[t, 2i] = sin(t / 10000^(2i / d_model))`, and `table[t, 2i + 1]` its cosine.

    Source: Vaswani et al., "Attention Is All You Need", 2017, section 3.5.

    Returns:
        float32, shape (time, d_model).

    Raises:
        ValueError: for an odd `d_model`.
    """
    if d_model % 2:
        raise ValueError(f"d_model is {d_model}, but sines and cosines come in pairs: make it even")
    angles = _angles(torch.arange(time, device=device), d_model, 10000.0)
    return torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(-2)


class LearnedPositions(nn.Embedding):
    """A learned vector for every position below `context_length`, to be added to embeddings.

    Call it with integer positions (..., time); it returns (..., time, d_model).

    Source: Gehring et al., "Convolutional Sequence to Sequence Learning", 2017, section 3.1; so
    GPT-2 and BERT.
    """

    def __init__(self, context_length: int, d_model: int):
        super().__init__(context_length, d_model)


class RotaryPositions(nn.Module):
    """Turns pairs of numbers of a query or key by angles that grow with its position.

    A query at position m and a key at position n then meet under the angle of n - m, so that their
    dot product knows the distance and nothing else.  Pair i turns by `theta^(-2i / head_dim)` per
    position.  It holds no tensors: angles are computed for the positions that are asked for.

    Source: Su et al., "RoFormer: Enhanced Transformer with Rotary Position Embedding", 2021,
    section 3.2.

    Args:
        head_dim: numbers per head, even.
        theta: base of the angles; larger ones reach further.
        interleaved: which numbers make a pair: 2i and 2i + 1, as in the paper and in Llama's own
            weights; or else i and i + head_dim / 2, as in GPT-NeoX and in Hugging Face's Llama.

    Raises:
        ValueError: for an odd `head_dim`.
    """

    def __init__(self, head_dim: int, theta: float = 10000.0, interleaved: bool = False):
        super().__init__()
        if head_dim % 2:
            raise ValueError(
                f"head_dim is {head_dim}, but rotary positions turn pairs of numbers: "
                "choose d_model and n_head so that d_model / n_head is even"
            )
        self.head_dim, self.theta, self.interleaved = head_dim, theta, interleaved

    def extra_repr(self) -> str:
        return f"{self.head_dim}, theta={self.theta}, interleaved={self.interleaved}"

    def forward(self, x: Tensor, positions: Tensor | None = None) -> Tensor:
        """`x` of shape (batch, n_head, time, head_dim), turned; by default from position 0."""
        if positions is None:
            positions = torch.arange(x.shape[-2], device=x.device)
        return self.at(positions)(x)

    def at(self, positions: Tensor) -> Callable[[Tensor], Tensor]:
        """The turn for these positions, as a function that every layer can apply.

        Args:
            positions: integers, shape (time,) or (batch, time).
        """
        angles = _angles(positions, self.head_dim, self.theta).unsqueeze(-3)  # one for all heads
        cos, sin = angles.cos(), angles.sin()

        def rotate(x: Tensor) -> Tensor:
            c, s = cos.to(x.dtype), sin.to(x.dtype)
            a, b = (x[..., ::2], x[..., 1::2]) if self.interleaved else x.chunk(2, dim=-1)
            pair = a * c - b * s, a * s + b * c
            return torch.stack(pair, -1).flatten(-2) if self.interleaved else torch.cat(pair, -1)

        return rotate


def alibi_bias(
    n_head: int, n_query: int, n_key: int | None = None, device: torch.device | None = None
) -> Tensor:
    """A penalty for distance, to be added to attention scores: `-slope * |query - key|`.

    With `n_key > n_query` the queries are the last ones of a longer text.

    Source: Press et al., "Train Short, Test Long: Attention with Linear Biases Enables Input Length
    Extrapolation", 2021, section 3.  For 8 heads the slopes are 1/2, 1/4, ..., 1/256; for a number
    of heads that is no power of two, the authors' code takes those of the next lower power, and
    between them every other one of twice as many.

    Returns:
        float32, shape (n_head, n_query, n_key).
    """
    n_key = n_query if n_key is None else n_key
    power = 2 ** math.floor(math.log2(n_head))
    regular = torch.arange(1, power + 1, device=device) * 2
    between = torch.arange(n_head - power, device=device) * 2 + 1
    slopes = 2.0 ** (torch.cat((regular, between)) * (-4 / power))
    query = torch.arange(n_key - n_query, n_key, device=device)
    distance = (query[:, None] - torch.arange(n_key, device=device)).abs()
    return -slopes[:, None, None] * distance


def _angles(positions: Tensor, n: int, base: float) -> Tensor:
    """`position / base^(2i / n)` for i below n / 2, shape (..., n / 2)."""
    exponents = torch.arange(0, n, 2, device=positions.device, dtype=torch.float32) / n
    return positions[..., None] * (1 / base**exponents)
