"""How the cost grows: time against batch, width, length and tokens written, as exponents.

    python benchmarks/scaling.py
    python benchmarks/scaling.py --repeats 3 --plot scaling.svg

Time that grows as `size ** exponent` is a straight line on logarithmic axes, and its slope is the
exponent.  Beside it stands the exponent of the arithmetic (for decoding, of the memory that is
read): a time below it still pays a fixed cost at the small sizes, one above it does something that
the arithmetic does not ask for.  The last doubling alone says where the curve is heading.

"Attention alone" is the kernel, forward and backward, once for each layer; "all but attention" is
the same training step with the kernel replaced by its values, so that nothing in it looks at pairs.
"""

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from unittest import mock

import matplotlib.pyplot as plt
import numpy
import torch
import torch.nn.functional as F
from peers import interleaved, ours, spread
from training_step import make_step

from llmcourse.device import device
from llmcourse.generation import generate
from llmcourse.gpt import GPTConfig
from llmcourse.plots import KEY, QUERY, RESIDUAL, VALUE, use_house_style
from llmcourse.scaling import kv_cache_bytes, matmul_parameters, training_flops

BASE = GPTConfig(vocab_size=1024, context_length=256, n_layer=2, n_head=6, d_model=384)
BATCHES = (1, 2, 4, 8, 16, 32)
WIDTHS = (192, 384, 768, 1536)
LENGTHS = (256, 512, 1024, 2048, 4096)
WRITTEN = (64, 128, 256, 512, 1024)


@dataclass(frozen=True)
class Curve:
    """What is run at each size, and the operations or bytes that it takes on paper."""

    axis: str
    name: str
    color: str
    sizes: Sequence[int]
    run_at: Callable[[int], Callable[[], object]]
    cost: Callable[[int], float]


def of_width(width: int) -> GPTConfig:
    n_head = width // BASE.head_dim
    return replace(BASE, d_model=width, d_ff=4 * width, n_head=n_head, n_kv_head=n_head)


def of_length(length: int) -> GPTConfig:
    return replace(BASE, context_length=length)


def train(config: GPTConfig, batch: int) -> Callable[[], object]:
    return make_step("llmcourse", config, batch, "float32")


def train_without_attention(length: int) -> Callable[[], object]:
    step = train(of_length(length), 1)

    def run() -> None:
        kernel = "scaled_dot_product_attention"
        with mock.patch.object(F, kernel, lambda query, key, value, *_, **__: value):
            step()

    return run


def attention_alone(length: int) -> Callable[[], object]:
    shape = (1, BASE.n_head, length, BASE.head_dim)
    query, key, value, gradient = (
        torch.randn(shape, device=device(), requires_grad=True) for _ in range(4)
    )

    def run() -> None:
        for _ in range(BASE.n_layer):
            output = F.scaled_dot_product_attention(query, key, value, is_causal=True)
            torch.autograd.grad(output, (query, key, value), gradient)

    return run


def decode(n_new: int, use_cache: bool) -> Callable[[], object]:
    torch.manual_seed(0)
    model = ours(of_length(max(WRITTEN) + 1))[0].to(device()).eval()
    prompt = torch.zeros(1, 1, dtype=torch.long, device=device())
    return lambda: generate(model, prompt, n_new, temperature=0, use_cache=use_cache)


def attention_flops(length: int) -> float:
    return 12.0 * BASE.n_layer * length**2 * BASE.d_model


def cached_bytes(n_new: int) -> float:
    return n_new * (4 * matmul_parameters(BASE) + kv_cache_bytes(BASE, time=n_new // 2))


def uncached_flops(n_new: int) -> float:
    read = n_new**2 / 2  # all tokens so far, for every new one
    return 2 * matmul_parameters(BASE) * read + 4 * BASE.n_layer * BASE.d_model * n_new**3 / 3


CURVES = [
    Curve(
        "sequences in a batch",
        "training step",
        QUERY,
        BATCHES,
        lambda batch: train(BASE, batch),
        lambda batch: training_flops(BASE, batch * BASE.context_length),
    ),
    Curve(
        "width",
        "training step",
        QUERY,
        WIDTHS,
        lambda width: train(of_width(width), 4),
        lambda width: training_flops(of_width(width), 4 * BASE.context_length),
    ),
    Curve(
        "tokens in a sequence",
        "training step",
        QUERY,
        LENGTHS,
        lambda length: train(of_length(length), 1),
        lambda length: training_flops(of_length(length), length),
    ),
    Curve(
        "tokens in a sequence", "attention alone", KEY, LENGTHS, attention_alone, attention_flops
    ),
    Curve(
        "tokens in a sequence",
        "all but attention",
        VALUE,
        LENGTHS,
        train_without_attention,
        lambda length: training_flops(of_length(length), length) - attention_flops(length),
    ),
    Curve(
        "tokens written",
        "with a cache",
        QUERY,
        WRITTEN,
        lambda n_new: decode(n_new, use_cache=True),
        cached_bytes,
    ),
    Curve(
        "tokens written",
        "without",
        RESIDUAL,
        WRITTEN[:3],
        lambda n_new: decode(n_new, use_cache=False),
        uncached_flops,
    ),
]


def exponents(sizes: Sequence[int], times) -> numpy.ndarray:
    """The slopes of log times, (..., n_sizes), against log sizes."""
    x = numpy.log(sizes) - numpy.log(sizes).mean()
    return numpy.log(times) @ x / (x @ x)


def plot(path: str, seconds: dict[tuple[str, str], numpy.ndarray]) -> None:
    """Medians on logarithmic axes with the fitted lines, one panel for each kind of size."""
    use_house_style()
    axes = list(dict.fromkeys(curve.axis for curve in CURVES))
    figure, panels = plt.subplots(math.ceil(len(axes) / 2), 2, figsize=(5.6, 5.6))
    for panel, axis in zip(panels.flat, axes, strict=True):
        curves = [curve for curve in CURVES if curve.axis == axis]
        for curve in curves:
            times = numpy.median(seconds[axis, curve.name], axis=0)
            slope, height = numpy.polyfit(numpy.log(curve.sizes), numpy.log(times), 1)
            line = numpy.exp(height) * numpy.array(curve.sizes) ** slope
            panel.plot(curve.sizes, 1e3 * times, "o", color=curve.color)
            label = f"{curve.name}: {slope:.2f}"
            panel.plot(curve.sizes, 1e3 * line, color=curve.color, alpha=0.5, label=label)
        panel.set(xscale="log", yscale="log")
        panel.set_xticks(curves[0].sizes, curves[0].sizes, fontsize=9)
        panel.minorticks_off()
        panel.set(xlabel=axis, ylabel="milliseconds")
        bottom, top = panel.get_ylim()
        panel.set_ylim(bottom, top * (top / bottom) ** 0.4)  # room for the legend
        panel.legend(fontsize=8, frameon=False, loc="upper left", handlelength=1)
    figure.suptitle("Time grows as size to the power of …", x=0.01, ha="left", fontsize=12)
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--cpu-seconds", action="store_true", help="see peers.interleaved")
    parser.add_argument("--plot", metavar="FILE", help="draw the curves into this .svg or .png")
    given = parser.parse_args()

    print(f"{BASE.n_layer} layers, width {BASE.d_model} unless it varies, float32, on {device()};")
    print(f"medians of {given.repeats} (quartiles)\n")
    print(f"{'time of':18} {'against':21} {'sizes':>9} {'exponent':>18} {'last':>5} {'paper':>6}")
    seconds = {}
    for curve in CURVES:
        runs = {size: curve.run_at(size) for size in curve.sizes}
        measured = interleaved(runs, given.repeats, device(), given.cpu_seconds)
        times = numpy.stack([measured[size] for size in curve.sizes], axis=-1)
        seconds[curve.axis, curve.name] = times
        last = numpy.median(exponents(curve.sizes[-2:], times[:, -2:]))
        paper = exponents(curve.sizes, [curve.cost(size) for size in curve.sizes])
        sizes = f"{curve.sizes[0]}-{curve.sizes[-1]}"
        slope = spread(exponents(curve.sizes, times))
        print(
            f"{curve.name:18} {curve.axis:21} {sizes:>9} {slope:>18} {last:5.2f} {paper:6.2f}",
            flush=True,
        )
    if given.plot:
        plot(given.plot, seconds)


if __name__ == "__main__":
    main()
