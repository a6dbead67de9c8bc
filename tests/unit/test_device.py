import random

import numpy
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


def test_autocast_lowers_matrix_products_only_where_the_device_gains():
    x = torch.ones(8, 8, device=device())
    with autocast():
        assert (x @ x).dtype in (torch.bfloat16, torch.float32)
    with autocast(enabled=False):
        assert (x @ x).dtype == torch.float32
