import platform
import random
from types import SimpleNamespace

import numpy
import pytest
import torch

from llmcourse import autocast, device, seed_everything


def test_device_is_the_fastest_present():
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    expected = "mps" if torch.backends.mps.is_available() else expected
    assert device().type == expected


def test_one_seed_gives_the_same_numbers_everywhere():
    def draw():
        generator = seed_everything(7)
        own = torch.rand(3, generator=generator).tolist()
        return random.random(), numpy.random.rand(), torch.rand(2).tolist(), own

    assert draw() == draw()


@pytest.mark.parametrize(
    ("machine", "built_in", "onednn", "avx512", "fast"),
    [
        ("x86_64", True, True, True, True),
        ("AMD64", True, True, False, False),  # AVX-512 without bfloat16: oneDNN emulates it
        ("x86_64", True, False, False, False),
        ("aarch64", True, True, False, True),
        ("arm64", False, None, False, False),  # PyTorch without oneDNN, and without its operators
    ],
)
def test_autocast_lowers_matrix_products_only_where_the_cpu_gains(
    monkeypatch, machine, built_in, onednn, avx512, fast
):
    operators = SimpleNamespace(_is_mkldnn_bf16_supported=lambda: onednn) if built_in else object()
    for accelerator in (torch.cuda, torch.backends.mps):
        monkeypatch.setattr(accelerator, "is_available", lambda: False)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: built_in)
    monkeypatch.setattr(torch.ops, "mkldnn", operators)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)
    x = torch.ones(8, 8)
    with autocast():
        assert (x @ x).dtype == (torch.bfloat16 if fast else torch.float32)
    with autocast(enabled=False):
        assert (x @ x).dtype == torch.float32
