"""Where the tensors live: the one place that names a device, a precision or a seed."""

import contextlib
import platform
import random

import numpy
import torch


def device() -> torch.device:
    """The fastest device of this machine: CUDA, then Apple's MPS, then the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def autocast(enabled: bool = True) -> contextlib.AbstractContextManager:
    """Run matrix products in bfloat16 where the device gains from it, everything else in float32.

    On a CPU, bfloat16 is only faster with hardware support (AVX-512 BF16, AMX, or Arm's BF16);
    without it this does nothing.  On MPS it does nothing either.
    """
    kind = device().type
    fast = kind == "cuda" or (kind == "cpu" and _cpu_is_fast_in_bfloat16())
    if not (enabled and fast):
        return contextlib.nullcontext()
    return torch.autocast(kind, dtype=torch.bfloat16)


def _cpu_is_fast_in_bfloat16() -> bool:
    if not torch.backends.mkldnn.is_available() or not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return False
    # oneDNN also says yes where AVX-512 only emulates bfloat16, which is slower than float32.
    on_arm = platform.machine().lower() not in ("x86_64", "amd64")
    return on_arm or getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)()


def seed_everything(seed: int = 0) -> torch.Generator:
    """Seed Python, NumPy and PyTorch, and return a seeded CPU generator for explicit use.

    Runs with one seed agree on one machine and one thread count; across machines, sums are taken in
    another order and the last digits differ.
    """
    random.seed(seed)
    numpy.random.seed(seed)
    torch.manual_seed(seed)
    return torch.Generator().manual_seed(seed)
