"""Weights in eight bits: a quarter of the memory, and text that comes sooner.

To write one token a model reads all its weights once, and that reading is what takes the time.  So
only the weights are quantised; what flows through the model stays floating-point.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from llmcourse.gpt import GPT


def quantize_rows(weight: Tensor) -> tuple[Tensor, Tensor]:
    """The integers and scales for which `weight` is about `integers * scales[:, None]`.

    Every row has its own scale, so that its largest number becomes 127 or -127; each number is
    wrong by at most half a scale.

    Source: Dettmers et al., "LLM.int8(): 8-bit Matrix Multiplication for Transformers at Scale",
    2022, section 2.1, absmax quantisation.

    Args:
        weight: (rows, columns)

    Returns:
        int8 (rows, columns), and bfloat16 (rows,).

    Raises:
        ValueError: for a weight that holds nan or infinity.
    """
    largest = weight.detach().float().abs().amax(-1)
    if not largest.isfinite().all():
        raise ValueError("the weight holds nan or infinity: go back to a checkpoint before it did")
    # Rounded before it divides, so that the scale in bfloat16 is the one that was used.
    scales = (largest / 127).clamp(min=torch.finfo(torch.bfloat16).tiny).bfloat16()
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
            raise RuntimeError(
                "a model with int8 weights cannot be trained, for steps smaller than an integer "
                "would be lost: train first and quantise then; to read with it, call model.eval()"
            )
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
    if not isinstance(model, GPT):
        raise TypeError(f"model is a {type(model).__name__}: only a GPT can be quantised here")
    if isinstance(model.token_embedding, Int8Embedding):
        raise ValueError("the model has int8 weights already: quantise a model only once")
    if model.training:
        raise ValueError("the model is in training mode: finish, call model.eval(), then quantise")
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Linear):
                quantized = Int8Linear(*quantize_rows(child.weight), child.bias)
                setattr(module, name, quantized.eval())
    table = model.token_embedding.weight
    integers, scales = quantize_rows(table)
    model.token_embedding = Int8Embedding(integers, scales.to(table.dtype)).eval()
    if model.head is None:
        model.head = Int8Linear(integers, scales).eval()
    return model.requires_grad_(False)
