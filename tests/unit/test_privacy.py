"""Exposure, gradients of single examples, and the accountant of DP-SGD, against other ways."""

import math

import numpy
import pytest
import torch

from llmcourse.gpt import GPT, GPTConfig
from llmcourse.privacy import (
    exposure,
    per_example_gradients,
    privacy_loss,
    private_gradients,
    renyi_divergence,
)


def squared(model, rows):
    return (model(rows[:, :3]) - rows[:, 3:]).square().mean()


def test_exposure_of_the_first_is_all_bits_and_of_the_last_none():
    log_probs = -torch.arange(1024.0)
    assert exposure(log_probs, 0) == 10
    assert exposure(log_probs, 1023) == 0
    assert exposure(log_probs, 31) == 5


def test_a_model_that_finds_all_alike_exposes_nothing():
    assert exposure(torch.zeros(64), 0) == 0


def test_mean_exposure_of_an_unknown_secret_is_about_log2_e():
    log_probs = torch.randn(4096, generator=torch.Generator().manual_seed(0))
    mean = numpy.mean([exposure(log_probs, i) for i in range(4096)])
    assert mean == pytest.approx(math.log2(math.e), abs=0.01)


@pytest.mark.parametrize("secret", [-1, 4])
def test_secret_outside_of_the_candidates_is_refused(secret):
    with pytest.raises(ValueError, match="place of the secret"):
        exposure(torch.zeros(4), secret)


def test_per_example_gradients_are_those_of_a_loop():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))
    batch = torch.randn(5, 5)
    gradients = per_example_gradients(model, squared, batch)
    for i, row in enumerate(batch):
        model.zero_grad()
        squared(model, row[None]).backward()
        for name, parameter in model.named_parameters():
            torch.testing.assert_close(gradients[name][i], parameter.grad)


def test_per_example_gradients_of_a_gpt_add_up_to_the_gradient_of_the_batch():
    class Unchecked(GPT):
        def _check(self, *arguments):
            pass

    torch.manual_seed(0)
    model = Unchecked(
        GPTConfig(vocab_size=11, context_length=6, n_layer=1, n_head=2, d_model=8, dropout=0.0)
    )
    tokens = torch.randint(11, (4, 6))

    def loss(model, rows):
        return model(rows[:, :-1], targets=rows[:, 1:]).loss

    gradients = per_example_gradients(model, loss, tokens)
    loss(model, tokens).backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(gradients[name].mean(0), parameter.grad, rtol=1e-4, atol=1e-6)


def test_without_noise_and_with_a_wide_clip_a_private_step_is_the_plain_one():
    gradients = {"a": torch.randn(6, 3, 2), "b": torch.randn(6, 4)}
    private = private_gradients(gradients, clip=1e6, noise=0.0, expected_batch=6)
    for name, g in gradients.items():
        torch.testing.assert_close(private[name], g.mean(0))


def test_no_example_moves_the_sum_by_more_than_the_clip():
    gradients = {"a": 100 * torch.randn(6, 3, 2), "b": torch.randn(6, 4)}
    with_all = private_gradients(gradients, 0.5, 0.0, 1)
    without = private_gradients({name: g[1:] for name, g in gradients.items()}, 0.5, 0.0, 1)
    moved = torch.cat([(with_all[name] - without[name]).flatten() for name in gradients])
    assert moved.norm() == pytest.approx(0.5, rel=1e-4)


def test_noise_has_the_deviation_that_was_asked_for():
    silent = {"a": torch.zeros(3, 20_000)}
    noise = private_gradients(silent, 2.0, 1.5, 10, torch.Generator().manual_seed(0))["a"]
    assert noise.std().item() == pytest.approx(2.0 * 1.5 / 10, rel=0.03)


def test_an_empty_batch_is_noise():
    assert private_gradients({"a": torch.zeros(0, 5)}, 1.0, 1.0, 4)["a"].abs().sum() > 0


@pytest.mark.parametrize("settings", [(0, 1, 1), (1, -1, 1), (1, 1, 0)])
def test_settings_that_make_no_sense_are_refused(settings):
    with pytest.raises(ValueError, match="have to be positive"):
        private_gradients({"a": torch.zeros(1, 2)}, *settings)


@pytest.mark.parametrize(("rate", "noise", "order"), [(0.1, 1.0, 2), (0.02, 0.8, 5), (0.3, 2, 9)])
def test_renyi_divergence_is_the_integral_that_defines_it(rate, noise, order):
    x = numpy.linspace(-40, 60, 400_001)
    without = -(x**2) / (2 * noise**2)
    with_it = numpy.logaddexp(
        math.log1p(-rate) + without, math.log(rate) - (x - 1) ** 2 / (2 * noise**2)
    )
    density = numpy.exp(order * with_it + (1 - order) * without) / (noise * math.sqrt(2 * math.pi))
    integral = density.sum() * (x[1] - x[0])
    expected = math.log(integral) / (order - 1)
    assert renyi_divergence(rate, noise, order) == pytest.approx(expected, rel=1e-6)


def test_a_full_batch_is_the_gaussian_mechanism():
    assert renyi_divergence(1, 2.0, 8) == 8 / (2 * 2.0**2)
    assert renyi_divergence(1 - 1e-12, 2.0, 8) == pytest.approx(1.0, rel=1e-6)


def test_privacy_loss_is_the_one_that_abadi_and_others_print():
    assert privacy_loss(rate=0.01, noise=4, steps=10_000, delta=1e-5) == pytest.approx(
        1.26, abs=5e-3
    )


def test_more_noise_costs_less_and_more_steps_more():
    noises = [privacy_loss(0.05, noise, 100, 1e-5) for noise in (0.5, 1, 2, 4)]
    steps = [privacy_loss(0.05, 1.0, n, 1e-5) for n in (0, 1, 10, 100)]
    assert noises == sorted(noises, reverse=True) and steps == sorted(steps)
    assert steps[0] == 0 and privacy_loss(0.05, 0, 1, 1e-5) == math.inf
    assert privacy_loss(0, 1.0, 10, 1e-5) == 0


def test_little_noise_overflows_nothing():
    assert math.isfinite(privacy_loss(0.1, 0.05, 10, 1e-5))


@pytest.mark.parametrize("bad", [(2, 1, 2), (0.1, 0, 2), (0.1, 1, 1), (0.1, 1, 2.5)])
def test_divergence_says_what_it_wants(bad):
    with pytest.raises(ValueError, match="give a share"):
        renyi_divergence(*bad)


def test_delta_has_to_be_a_probability():
    with pytest.raises(ValueError, match="0 < delta < 1"):
        privacy_loss(0.1, 1.0, 10, 0)
