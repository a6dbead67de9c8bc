"""Weights in eight bits, or in four: a quarter of the memory, or a seventh.

To write one token a model reads all its weights once, and that reading is what takes the time.  So
only the weights are quantised; what flows through the model stays floating-point.  Eight bits come
with one scale for each row and bring text sooner.  Four need a scale for every few numbers.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from llmcourse.gpt import GPT

_NO_TRAINING = (
    "a model with int{bits} weights cannot be trained, for steps smaller than an integer would be "
    "lost: train first and quantise then; to read with it, call model.eval()"
)


def quantize_rows(weight: Tensor, top: int = 127) -> tuple[Tensor, Tensor]:
    """The integers and scales for which `weight` is about `integers * scales[:, None]`.

    Every row has its own scale, so that its largest number becomes `top` or `-top`; each number is
    wrong by at most half a scale.

    Source: Dettmers et al., "LLM.int8(): 8-bit Matrix Multiplication for Transformers at Scale",
    2022, section 2.1, absmax quantisation.

    Args:
        weight: (rows, columns)
        top: 127 for eight bits, 7 for four.

    Returns:
        int8 (rows, columns), and bfloat16 (rows,).

    Raises:
        ValueError: for a weight that holds nan or infinity.
    """
    largest = weight.detach().float().abs().amax(-1)
    if not largest.isfinite().all():
        raise ValueError("the weight holds nan or infinity: go back to a checkpoint before it did")
    # Rounded before it divides, so that the scale in bfloat16 is the one that was used.
    scales = (largest / top).clamp(min=torch.finfo(torch.bfloat16).tiny).bfloat16()
    integers = (weight.detach().float() / scales.float()[:, None]).round().to(torch.int8)
    return integers.contiguous(), scales


class Int8Linear(nn.Module):
    """`x @ weight.T + bias` with a weight in eight bits.

    On a CPU the integers are multiplied as they lie in memory, and `x` is rounded to bfloat16 for
    it.  Elsewhere, and when `in` is no multiple of 32, they become floating-point first, which
    spares memory but no time.

    Args:
        integers, scales: as `quantize_rows` makes them; (out, in) and (out,).
        bias: (out,) or None.
    """

    def __init__(self, integers: Tensor, scales: Tensor, bias: Tensor | None = None):
        super().__init__()
        self.register_buffer("integers", integers)
        self.register_buffer("scales", scales)
        self.bias = bias

    def extra_repr(self) -> str:
        return f"in_features={self.integers.shape[1]}, out_features={self.integers.shape[0]}"

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out), in the dtype of `x`.

        Raises:
            RuntimeError: in training mode.
        """
        if self.training:
            raise RuntimeError(_NO_TRAINING.format(bits=8))
        if x.is_cpu and x.shape[-1] % 32 == 0:  # with others PyTorch's kernel reads past the end
            rows = x.reshape(-1, x.shape[-1]).bfloat16()
            y = torch._weight_int8pack_mm(rows, self.integers, self.scales.bfloat16())
            y = y.view(*x.shape[:-1], -1)
        else:
            y = F.linear(x, self.integers.to(x.dtype)) * self.scales.to(x.dtype)
        return (y if self.bias is None else y + self.bias).to(x.dtype)


class Int8Embedding(nn.Module):
    """Rows of a table in eight bits; ids (...) in, numbers (..., d_model) of the scales' dtype out.

    Unlike in `Int8Linear` the scales have the dtype of the model, and change with it.
    """

    def __init__(self, integers: Tensor, scales: Tensor):
        super().__init__()
        self.register_buffer("integers", integers)
        self.register_buffer("scales", scales)

    def forward(self, ids: Tensor) -> Tensor:
        return self.integers[ids].to(self.scales.dtype) * self.scales[ids][..., None]


def quantize_int8(model: GPT) -> GPT:
    """Put all matrices of a GPT into eight bits, in place, and return it.

    Norms, biases and learned positions stay as they are; embedding and head share one table if
    they did.  What is left takes no more gradients.  To load a saved one, quantise a new
    `GPT(config).eval()` and load into that.

    Raises:
        TypeError: for anything but a GPT.
        ValueError: for a model that is quantised already, or in training mode.
    """
    return _quantize(model, quantize_rows, Int8Linear, Int8Embedding)


def quantize_groups(weight: Tensor, group: int = 32) -> tuple[Tensor, Tensor]:
    """Integers from -7 to 7, and a scale for each `group` of neighbours in a row.

    As in `quantize_rows`, the largest of those that share a scale becomes 7 or -7, and each number
    is wrong by at most half a scale.  A large number spoils the precision of its own group only.

    Source: Dettmers and Zettlemoyer, "The case for 4-bit precision", 2022, section 2, block-wise
    quantisation.

    Args:
        weight: (rows, columns)
        group: a divisor of the columns; the columns themselves for one scale per row.

    Returns:
        int8 (rows, columns), and bfloat16 (rows, columns / group).

    Raises:
        ValueError: for a weight that holds nan or infinity, and a group that does not fit.
    """
    if group < 1 or weight.shape[-1] % group:
        raise ValueError(
            f"the weight has {weight.shape[-1]} columns and group is {group}: choose a divisor"
        )
    integers, scales = quantize_rows(weight.reshape(-1, group), top=7)
    return integers.view(weight.shape), scales.view(*weight.shape[:-1], -1)


def pack_int4(integers: Tensor) -> Tensor:
    """Two integers from -8 to 7 in each byte: int8 (..., columns) -> uint8 (..., columns / 2).

    The first of two neighbours is in the lower half.

    Raises:
        ValueError: for an odd number of columns.
    """
    if integers.shape[-1] % 2:
        raise ValueError(f"{integers.shape[-1]} columns cannot be packed in pairs: add one")
    halves = (integers + 8).to(torch.uint8)  # 0 to 15
    return halves[..., ::2] | halves[..., 1::2] << 4


def unpack_int4(packed: Tensor) -> Tensor:
    """What `pack_int4` was given: uint8 (..., columns / 2) -> int8 (..., columns)."""
    return torch.stack([packed & 15, packed >> 4], dim=-1).flatten(-2).to(torch.int8) - 8


def _times_scales(packed: Tensor, scales: Tensor, dtype: torch.dtype) -> Tensor:
    grouped = unpack_int4(packed).to(dtype).unflatten(-1, (scales.shape[-1], -1))
    return (grouped * scales.to(dtype)[..., None]).flatten(-2)


class Int4Linear(nn.Module):
    """`x @ weight.T + bias` with a weight in four bits.

    The whole weight becomes floating-point for each product, which spares memory between products,
    but no time: that would take a kernel that unpacks as it multiplies.

    Args:
        packed, scales: (out, in / 2) of `pack_int4`; (out, in / group) of `quantize_groups`.
        bias: (out,) or None.
    """

    def __init__(self, packed: Tensor, scales: Tensor, bias: Tensor | None = None):
        super().__init__()
        self.register_buffer("packed_integers", packed)
        self.register_buffer("scales", scales)
        self.bias = bias

    def extra_repr(self) -> str:
        rows, columns = self.packed_integers.shape[0], 2 * self.packed_integers.shape[1]
        return (
            f"in_features={columns}, out_features={rows}, group={columns // self.scales.shape[1]}"
        )

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out), in the dtype of `x`.

        Raises:
            RuntimeError: in training mode.
        """
        if self.training:
            raise RuntimeError(_NO_TRAINING.format(bits=4))
        y = F.linear(x, _times_scales(self.packed_integers, self.scales, x.dtype))
        return (y if self.bias is None else y + self.bias).to(x.dtype)


class Int4Embedding(nn.Module):
    """Rows of a table in four bits; ids (...) in, numbers (..., d_model) of the scales' dtype out.

    Unlike in `Int4Linear` the scales have the dtype of the model, and change with it.
    """

    def __init__(self, packed: Tensor, scales: Tensor):
        super().__init__()
        self.register_buffer("packed_integers", packed)
        self.register_buffer("scales", scales)

    def forward(self, ids: Tensor) -> Tensor:
        return _times_scales(self.packed_integers[ids], self.scales[ids], self.scales.dtype)


def quantize_int4(model: GPT, group: int | None = 32) -> GPT:
    """Put all matrices of a GPT into four bits, in place, and return it; as `quantize_int8` does.

    Args:
        group: how many neighbours share a scale of 16 bits, which is `16 / group` bits for each
            number besides its four; None for one scale per row, which costs precision.

    Raises:
        TypeError: for anything but a GPT.
        ValueError: for a model that is quantised already, or in training mode; for a group that
            does not divide the columns of all its matrices.
    """

    def quantize(weight: Tensor) -> tuple[Tensor, Tensor]:
        integers, scales = quantize_groups(weight, group or weight.shape[-1])
        return pack_int4(integers), scales

    columns = {m.weight.shape[1] for m in model.modules() if isinstance(m, nn.Linear)}
    odd = sorted(n for n in columns if n % (group or 2) or n % 2)
    if odd:  # before anything is changed
        raise ValueError(
            f"group is {group}, but matrices have {odd[0]} columns: choose a divisor"
            if group and odd[0] % group
            else f"matrices have {odd[0]} columns, which cannot be packed in pairs"
        )
    return _quantize(model, quantize, Int4Linear, Int4Embedding)


def _quantize(
    model: GPT, quantize: Callable, linear: type[nn.Module], embedding: type[nn.Module]
) -> GPT:
    if not isinstance(model, GPT):
        raise TypeError(f"model is a {type(model).__name__}: only a GPT can be quantised here")
    if isinstance(model.token_embedding, Int8Embedding | Int4Embedding):
        bits = 8 if isinstance(model.token_embedding, Int8Embedding) else 4
        raise ValueError(f"the model has int{bits} weights already: quantise a model only once")
    if model.training:
        raise ValueError("the model is in training mode: finish, call model.eval(), then quantise")
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Linear):
                setattr(module, name, linear(*quantize(child.weight), child.bias).eval())
    table = model.token_embedding.weight
    integers, scales = quantize(table)
    model.token_embedding = embedding(integers, scales.to(table.dtype)).eval()
    if model.head is None:
        model.head = linear(integers, scales).eval()
    return model.requires_grad_(False)
