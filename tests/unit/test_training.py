import itertools
import json
import math
import re
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR

import llmcourse.training
from llmcourse.checkpoints import load_checkpoint
from llmcourse.data import TokenDataset
from llmcourse.generation import generate
from llmcourse.gpt import GPT, GPTConfig
from llmcourse.training import Trainer, TrainingConfig, configure_optimizer, cosine_schedule

TEXT = TokenDataset(torch.randint(10, (500,), generator=torch.Generator().manual_seed(9)) // 2)


class Bigram(nn.Module):
    """The least that a Trainer can train."""

    def __init__(self, dropout=0.0):
        super().__init__()
        self.embedding = nn.Embedding(5, 8)
        self.norm = nn.LayerNorm(8)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(8, 5)

    def forward(self, tokens, targets):
        logits = self.head(self.dropout(self.norm(self.embedding(tokens))))
        return SimpleNamespace(loss=F.cross_entropy(logits.flatten(0, 1), targets.flatten()))


def bigram(seed=0, dropout=0.0):
    torch.manual_seed(seed)
    return Bigram(dropout)


def config(**changes):
    defaults = dict(steps=12, batch_size=8, context_length=6, log_every=4, mixed_precision=False)
    return TrainingConfig(**{**defaults, **changes})


def trainer(model=None, *arguments, **changes):
    return Trainer(model or bigram(), config(**changes), TEXT, *arguments, progress=False)


def assert_same_weights(one, two):
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.fixture(autouse=True)
def on_the_cpu(monkeypatch):
    monkeypatch.setattr(llmcourse.training, "device", lambda: torch.device("cpu"))


# ------------------------------------------------------------------------- the schedule


@pytest.mark.parametrize(("steps", "warmup", "low"), [(50, 0, 0.0), (50, 7, 3e-4), (9, 8, 1e-5)])
def test_the_schedule_equals_pytorchs_warmup_and_cosine(steps, warmup, low):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=2e-3)
    parts = [
        LinearLR(optimizer, 1 / (warmup + 1), total_iters=warmup),
        CosineAnnealingLR(optimizer, steps - warmup, eta_min=low),
    ]
    # An older PyTorch goes wrong where the first of two parts has no steps.
    theirs = SequentialLR(optimizer, parts, [warmup]) if warmup else parts[1]
    for step in range(steps):
        ours = cosine_schedule(step, steps, 2e-3, warmup, low)
        assert ours == pytest.approx(theirs.get_last_lr()[0], rel=1e-9)
        optimizer.step()
        theirs.step()
    assert cosine_schedule(steps, steps, 2e-3, warmup, low) == pytest.approx(low)
    assert cosine_schedule(steps + 99, steps, 2e-3, warmup, low) == pytest.approx(low)


def test_the_schedule_rises_to_the_rate_and_is_half_way_down_in_the_middle():
    rates = [cosine_schedule(step, 104, 1.0, warmup_steps=4) for step in range(104)]
    assert rates[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert rates[54] == pytest.approx(0.5)
    assert rates[4:] == sorted(rates[4:], reverse=True)


# ------------------------------------------------------------------------- the optimiser


def test_only_matrices_decay_and_frozen_weights_are_left_out():
    model = bigram()
    model.embedding.weight.requires_grad_(False)
    decayed, kept = configure_optimizer(model, 1e-3, weight_decay=0.3).param_groups
    assert (decayed["weight_decay"], kept["weight_decay"]) == (0.3, 0.0)
    assert {id(w) for w in decayed["params"]} == {id(model.head.weight)}
    vectors = {id(w) for w in (model.norm.weight, model.norm.bias, model.head.bias)}
    assert {id(w) for w in kept["params"]} == vectors


def test_an_update_equals_adamw_by_its_paper():
    model = bigram()
    optimizer = configure_optimizer(model, 0.01, weight_decay=0.1, betas=(0.8, 0.9))
    weight = model.head.weight.detach().double().clone()
    first = second = torch.zeros_like(weight)
    for step in range(1, 4):
        optimizer.zero_grad()
        model(torch.arange(5)[None], torch.arange(5)[None]).loss.backward()
        gradient = model.head.weight.grad.double()
        first = 0.8 * first + 0.2 * gradient
        second = 0.9 * second + 0.1 * gradient**2
        move = first / (1 - 0.8**step) / ((second / (1 - 0.9**step)).sqrt() + 1e-8)
        weight = weight - 0.01 * move - 0.01 * 0.1 * weight
        optimizer.step()
        torch.testing.assert_close(model.head.weight.double(), weight, rtol=1e-5, atol=1e-6)


# ------------------------------------------------------------------------- the loop


def test_training_equals_a_loop_written_with_pytorchs_own_parts():
    model, reference = bigram(), bigram()
    run = trainer(model, warmup_steps=3, clip_norm=0.2, learning_rate=0.05, log_every=1)
    run.train()

    matrices = [reference.embedding.weight, reference.head.weight]
    vectors = [reference.norm.weight, reference.norm.bias, reference.head.bias]
    optimizer = torch.optim.AdamW(
        [{"params": matrices}, {"params": vectors, "weight_decay": 0.0}],
        lr=0.05, betas=(0.9, 0.95), weight_decay=0.1,
    )  # fmt: skip
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda s: (s + 1) / 4 if s < 3 else (1 + math.cos(math.pi * (s - 3) / 9)) / 2,
    )
    windows = torch.Generator().manual_seed(0)
    for line in run.history:
        starts = torch.randint(494, (8, 1), generator=windows)
        text = torch.as_tensor(TEXT.tokens)[starts + torch.arange(7)]
        loss = reference(text[:, :-1], text[:, 1:]).loss
        optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(reference.parameters(), 0.2)
        assert line["learning_rate"] == pytest.approx(schedule.get_last_lr()[0])
        assert line["loss"] == pytest.approx(loss.item(), rel=1e-5)
        assert line["gradient_norm"] == pytest.approx(norm.item(), rel=1e-4)
        optimizer.step()
        schedule.step()
    assert max(line["gradient_norm"] for line in run.history) > 0.2  # it was clipped
    for ours, theirs in zip(model.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("accumulate", [2, 4, 8])
def test_a_batch_in_pieces_gives_the_update_of_the_whole(accumulate):
    whole, pieces = trainer(clip_norm=0.3), trainer(accumulate=accumulate, clip_norm=0.3)
    whole.train()
    pieces.train()
    for a, b in zip(whole.model.parameters(), pieces.model.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)
    assert whole.history[-1]["loss"] == pytest.approx(pieces.history[-1]["loss"], rel=1e-5)


def test_without_clipping_the_gradient_is_left_alone():
    runs = [trainer(clip_norm=norm, log_every=1) for norm in (None, 1e9)]
    for run in runs:
        with torch.no_grad():
            run.model.head.weight *= 30
        assert run.train()[0]["gradient_norm"] > 2
    assert_same_weights(runs[0].model, runs[1].model)


def test_the_loss_falls_on_a_text_that_can_be_learned():
    run = Trainer(
        bigram(), config(steps=80, learning_rate=0.1), TokenDataset([0, 1, 2, 3, 4] * 50),
        progress=False,
    )  # fmt: skip
    history = run.train()
    assert history[0]["loss"] > 0.8 and history[-1]["loss"] < 0.05


def test_a_gpt_learns_to_count_and_a_saved_one_goes_on_counting(tmp_path):
    shape = GPTConfig(vocab_size=5, context_length=20, n_layer=1, n_head=2, d_model=16)
    torch.manual_seed(0)
    text = TokenDataset([0, 1, 2, 3, 4] * 50)
    settings = config(steps=60, learning_rate=0.02, warmup_steps=5)
    Trainer(GPT(shape), settings, text, text, tmp_path, progress=False).train()
    again = GPT(GPTConfig(**load_checkpoint(tmp_path).config))
    load_checkpoint(tmp_path, again)
    tokens = generate(again, torch.tensor([[3, 4]]), 18, temperature=0)
    assert tokens[0].tolist() == [3, 4] + [0, 1, 2, 3, 4] * 3 + [0, 1, 2]


@pytest.mark.parametrize("asked", [None, True, False])
@pytest.mark.parametrize("triton", [True, False])
@pytest.mark.parametrize("kind", ["cpu", "cuda"])
def test_a_model_is_compiled_by_itself_only_where_that_can_work(monkeypatch, kind, triton, asked):
    compiled = []
    monkeypatch.setattr(llmcourse.training, "device", lambda: torch.device(kind))
    monkeypatch.setattr(nn.Module, "to", lambda self, device: self)
    monkeypatch.setattr(torch, "compile", compiled.append)
    monkeypatch.setattr(
        llmcourse.training.importlib.util, "find_spec", lambda _: object() if triton else None
    )
    trainer(compile=asked)
    assert bool(compiled) == (kind == "cuda" and triton if asked is None else asked)


def test_bfloat16_products_train_to_about_the_same_loss():
    losses = [
        trainer(mixed_precision=mixed, steps=40).train()[-1]["loss"] for mixed in (False, True)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=0.03)


def test_evaluation_is_the_mean_over_the_same_windows_without_dropout():
    run = trainer(bigram(dropout=0.5), TEXT, evaluation_batches=3)
    first = run.evaluate()
    assert run.evaluate() == first and run.model.training
    windows, losses = torch.Generator().manual_seed(0), []
    run.model.eval()
    for _ in range(3):
        starts = torch.randint(494, (8, 1), generator=windows)
        text = torch.as_tensor(TEXT.tokens)[starts + torch.arange(7)]
        losses.append(run.model(text[:, :-1], text[:, 1:]).loss.item())
    assert first == pytest.approx(sum(losses) / 3)
    run.evaluate()
    assert not run.model.training


def test_evaluating_does_not_change_the_training():
    with_evaluation = trainer(bigram(dropout=0.2), TEXT, evaluate_every=1)
    with_evaluation.train()
    without = trainer(bigram(dropout=0.2))
    without.train()
    assert_same_weights(with_evaluation.model, without.model)


# ------------------------------------------------------------------------- stop and go on


@pytest.mark.parametrize("stop", [1, 5, 8])
def test_a_resumed_run_equals_one_that_never_stopped_bit_for_bit(tmp_path, stop):
    straight = trainer(bigram(dropout=0.3), TEXT, warmup_steps=2)
    straight.train()

    first = trainer(bigram(dropout=0.3), TEXT, tmp_path, warmup_steps=2)
    first.train(until=stop)
    torch.manual_seed(77)  # another process would stand somewhere else
    second = trainer(bigram(seed=5, dropout=0.3), TEXT, tmp_path, warmup_steps=2)
    second.train(resume=True)

    assert second.step == 12
    assert_same_weights(straight.model, second.model)
    assert straight.history[-1]["validation_loss"] == second.history[-1]["validation_loss"]


def test_a_run_saved_on_a_cpu_goes_on_on_a_gpu(tmp_path, monkeypatch):
    """The GPU's own generator, from which dropout draws there, is in no checkpoint of a CPU."""
    trainer(None, None, tmp_path).train(until=5)
    of_cpu, of_gpu = Trainer._generators, torch.Generator().manual_seed(3)
    monkeypatch.setattr(Trainer, "_generators", lambda run: of_cpu(run) | {"dropout_cuda": of_gpu})
    second = trainer(None, None, tmp_path)
    second.train(resume=True)
    monkeypatch.undo()
    straight = trainer()
    straight.train()
    assert second.step == 12 and of_gpu.initial_seed() == 3
    assert_same_weights(straight.model, second.model)


def test_the_log_has_each_step_once_after_a_crash(tmp_path):
    first = trainer(None, TEXT, tmp_path, save_every=4, log_every=2, evaluate_every=4)
    first.train(until=4)
    first.folder, saved = None, first.folder
    first.train(until=8)  # this part is lost: only its lines of the log were written
    with open(saved / "log.jsonl", "a") as log:
        log.writelines(json.dumps(line) + "\n" for line in first.history if line["step"] > 4)
        log.write('{"step": 10, "lo')  # and here the power failed
    second = trainer(None, TEXT, tmp_path, save_every=4, log_every=2, evaluate_every=4)
    second.train(resume=True)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert lines == second.history
    assert [line["step"] for line in lines] == [2, 4, 6, 8, 10, 12]
    assert [line["step"] for line in lines if "validation_loss" in line] == [4, 8, 12]
    assert all(line["tokens_per_second"] > 0 for line in lines)


def test_a_finished_run_is_not_overwritten_by_mistake(tmp_path):
    trainer(None, TEXT, tmp_path).train()
    with pytest.raises(FileExistsError, match=r"train\(resume=True\) goes on.*another folder"):
        trainer(None, TEXT, tmp_path).train()


def test_a_damaged_checkpoint_is_told_and_the_one_before_it_ends_as_if_nothing_was(tmp_path):
    straight = trainer()
    straight.train()
    trainer(None, None, tmp_path, save_every=3).train(until=6)
    manifest = json.loads((tmp_path / "checkpoint.json").read_text())
    newest = tmp_path / manifest["files"]["model"]["name"]
    newest.write_bytes(newest.read_bytes()[:-1] + b"!")
    for resume, told in [(True, "of step 3, by renaming previous.json"), (False, "goes on")]:
        with pytest.raises((ValueError, FileExistsError), match=told):
            trainer(None, None, tmp_path).train(resume)
    (tmp_path / "checkpoint.json").unlink()
    for resume, told in [(True, "of step 3, by renaming previous.json"), (False, "goes on")]:
        with pytest.raises((FileNotFoundError, FileExistsError), match=told):
            trainer(None, None, tmp_path).train(resume)
    (tmp_path / "previous.json").replace(tmp_path / "checkpoint.json")
    second = trainer(None, None, tmp_path)
    second.train(resume=True)
    assert second.step == 12
    assert_same_weights(straight.model, second.model)


def test_resuming_without_a_checkpoint_starts_a_new_run(tmp_path):
    (tmp_path / "log.jsonl").write_text("left by a run that never saved\n")
    run = trainer(None, None, tmp_path)
    run.train(resume=True)
    assert run.step == 12 and len((tmp_path / "log.jsonl").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"learning_rate": 0.5}, "learning_rate was 0.001 and is 0.5"),
        ({"steps": 20, "seed": 1}, "steps was 12 and is 20; seed was 0 and is 1"),
    ],
)
def test_going_on_with_another_configuration_is_refused_unless_loaded_by_hand(
    tmp_path, changes, told
):
    trainer(None, None, tmp_path).train(until=5)
    with pytest.raises(ValueError, match=f"{told}. Go on with what it was"):
        trainer(None, None, tmp_path, **changes).train(resume=True)
    by_hand = trainer(None, None, tmp_path, **changes)
    by_hand.load()
    assert by_hand.train()[-1]["step"] == changes.get("steps", 12)


def test_going_on_with_another_text_is_refused_and_with_another_log_is_not(tmp_path):
    trainer(None, None, tmp_path).train(until=5)
    other = Trainer(bigram(), config(), TokenDataset([1, 2] * 30), None, tmp_path, progress=False)
    with pytest.raises(ValueError, match="train_tokens was 500 and is 60"):
        other.train(resume=True)
    same_length = Trainer(
        bigram(), config(), TokenDataset([1, 2] * 250), None, tmp_path, progress=False
    )
    with pytest.raises(ValueError, match="train_text was [0-9a-f]{16} and is"):
        same_length.train(resume=True)
    trainer(None, None, tmp_path, log_every=1, save_every=3).train(resume=True)


class BreaksAt(Bigram):
    """From one call on, its loss, or only its gradient, is not finite."""

    def __init__(self, call, where):
        super().__init__()
        self.calls, self.call, self.where = itertools.count(), call, where

    def forward(self, tokens, targets):
        loss = super().forward(tokens, targets).loss
        if next(self.calls) >= self.call:
            if self.where == "loss":
                loss = loss * math.nan
            else:
                loss.register_hook(lambda gradient: gradient * math.inf)
        return SimpleNamespace(loss=loss)


@pytest.mark.parametrize(
    ("where", "found"), [("loss", "loss is nan"), ("gradient", "norm (nan|inf)")]
)
def test_a_loss_that_is_not_finite_stops_with_step_and_rate(tmp_path, where, found):
    torch.manual_seed(0)
    run = trainer(BreaksAt(6, where), None, tmp_path, learning_rate=0.02, save_every=4)
    rate = f"{cosine_schedule(6, 12, 0.02):.2e}"
    with pytest.raises(FloatingPointError, match=f"at step 6, with .* {rate}, .*{found}.*lower"):
        run.train()
    again = trainer(None, None, tmp_path)
    again.load()
    assert again.step == 4 and all(w.isfinite().all() for w in again.model.parameters())


def test_the_windows_of_the_batch_that_broke_are_named():
    torch.manual_seed(0)
    run = trainer(BreaksAt(6, "loss"))
    windows = torch.Generator().manual_seed(0)
    starts = [torch.randint(494, (8, 1), generator=windows).flatten().tolist() for _ in range(7)]
    with pytest.raises(FloatingPointError, match=re.escape(f"begin at the tokens {starts[6]}")):
        run.train()


class JumpsAt(Bigram):
    """Its loss is ten times as large at one call."""

    calls = 0

    def forward(self, tokens, targets):
        self.calls += 1
        loss = super().forward(tokens, targets).loss
        return SimpleNamespace(loss=loss * (10 if self.calls == 7 else 1))


def test_a_loss_that_jumps_is_noted_with_its_step_and_gradient():
    torch.manual_seed(0)
    history = trainer(JumpsAt()).train()
    (spike,) = history[1]["spikes"]
    assert spike["step"] == 6 and spike["loss"] > 5 * history[0]["loss"]
    assert spike["gradient_norm"] > 5 * history[0]["gradient_norm"]
    assert not any("spikes" in history[i] for i in (0, 2))


def test_no_gradient_is_lost_between_two_lines_of_the_log():
    often = [line["gradient_norm"] for line in trainer(log_every=1).train()]
    seldom = trainer(log_every=6).train()
    assert [line["gradient_norm"] for line in seldom] == often[5::6]
    assert [line["largest_gradient_norm"] for line in seldom] == [max(often[:6]), max(often[6:])]


def test_evaluation_leaves_a_part_that_was_frozen_in_its_mode_as_it_was():
    run = trainer(None, TEXT)
    run.model.norm.eval()
    run.evaluate()
    assert run.model.training and run.model.head.training and not run.model.norm.training


# ------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0}, "steps is 0: choose 1 or more"),
        ({"batch_size": -1}, "batch_size is -1: choose 1 or more"),
        ({"accumulate": 3}, "batch_size is 8 and accumulate is 3: choose an accumulate that div"),
        ({"warmup_steps": 12}, "warmup_steps is 12: choose 0 to 11"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0 .*above 0"),
        ({"min_learning_rate": 1.0}, "choose 0 <= min_learning_rate <= learning_rate"),
        ({"weight_decay": -0.1}, "weight_decay is -0.1: choose 0 or more"),
        ({"betas": (0.9, 1.0)}, r"betas are \(0.9, 1.0\): choose both"),
        ({"clip_norm": 0.0}, "clip_norm is 0.0: choose a length above 0, or None"),
    ],
)
def test_a_config_that_makes_no_sense_says_what_to_change(changes, message):
    with pytest.raises(ValueError, match=message):
        config(**changes)


def test_a_config_cannot_be_changed():
    with pytest.raises(AttributeError):
        config().steps = 5


def test_evaluating_without_held_out_text_says_what_is_missing():
    with pytest.raises(ValueError, match="give the Trainer one as validation"):
        trainer().evaluate()


def test_without_a_folder_there_is_no_checkpoint():
    for action in (trainer().save, trainer().load):
        with pytest.raises(ValueError, match="give the Trainer a folder"):
            action()


def test_a_text_shorter_than_a_window_is_refused():
    run = Trainer(bigram(), config(), TokenDataset([1, 2, 3]), progress=False)
    with pytest.raises(ValueError, match="3 tokens, but a window of 6"):
        run.train()
