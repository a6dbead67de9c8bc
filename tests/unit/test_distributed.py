"""Two real processes on this machine's CPU do what one does on the same global batch."""

import json
import time

import pytest
import torch

from llmcourse.distributed import (
    World,
    average_gradients,
    distribute,
    launch,
    mean_over_processes,
    processes,
    shard_of,
    world_size,
)
from llmcourse.gpt import GPT, GPTConfig
from llmcourse.slices import (
    full_optimizer_state,
    full_state_dict,
    load_full_optimizer_state,
    load_full_state_dict,
)
from llmcourse.training import configure_optimizer

CONFIG = GPTConfig(vocab_size=50, context_length=16, n_layer=2, n_head=2, d_model=32)

SCRIPT = """
import copy
import json
import sys

import torch
from torch.nn.utils import clip_grad_norm_

from llmcourse.distributed import *
from llmcourse.slices import *
from llmcourse.gpt import GPT, GPTConfig
from llmcourse.training import configure_optimizer

CONFIG = GPTConfig(vocab_size=50, context_length=16, n_layer=2, n_head=2, d_model=32)
tokens = torch.randint(50, (8, 17), generator=torch.Generator().manual_seed(0))
HOW = ("hand", "ddp", "fsdp")


def run(how, world, steps=4, seed=0, state=None, averages=None):
    torch.manual_seed(seed)
    model = GPT(CONFIG)
    plain = how in ("one", "hand")
    model = model if plain else distribute(model, how)
    optimizer = configure_optimizer(model, 0.01)
    if state is not None:
        load_full_state_dict(model, state)
        load_full_optimizer_state(model, optimizer, averages)
    losses, norms = [], []
    for _ in range(steps):
        rows = tokens if how == "one" else shard_of(tokens, world)
        loss = model(rows[:, :-1], rows[:, 1:]).loss
        loss.backward()
        if how == "hand":
            average_gradients(model)
        norm = clip_grad_norm_(model.parameters(), 1.0)
        norms.append(float(norm.full_tensor() if hasattr(norm, "full_tensor") else norm))
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item() if how == "one" else mean_over_processes(loss.item()))
    here = sum(w.to_local().numel() if hasattr(w, "to_local") else w.numel()
               for w in model.parameters())
    state, averages = full_state_dict(model), full_optimizer_state(model, optimizer)
    return dict(losses=losses, norms=norms, here=here), state, averages


with processes(timeout=60) as world:
    torch.set_num_threads(1)
    report, states = {"size": world.size, "device": str(world.device)}, {}
    for how in ("one", *HOW):
        # Each process has another seed: all have to start from the weights of the first.
        report[how], *kept = run(how, world, seed=0 if how in ("one", "hand") else world.rank)
        states[how] = copy.deepcopy(kept)
        assert world.rank == 0 or kept == [{}, {}], "only the first process keeps a state"
        report[how]["more"] = run(how, world, 2, 7 + world.rank, *kept)[0]["losses"]
        if world.rank == 0:
            assert all(type(w) is torch.Tensor for s in kept[1]["state"].values()
                       for w in s.values()), "a state that was loaded has been changed"
    model = GPT(CONFIG)
    model.norm.weight.requires_grad_(False)
    (model.token_embedding.weight.sum() * world.rank).backward()
    average_gradients(model)
    report["halved"] = model.token_embedding.weight.grad.flatten()[0].item()
    report["missing"] = model.positions.weight.grad.abs().sum().item()
    report["frozen"] = model.norm.weight.grad is None
    report["mean"] = mean_over_processes(world.rank)
    if world.rank == 0:
        torch.save(states, sys.argv[1])
        print(json.dumps(report))
"""


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """What two processes report, and the states that they collected."""
    folder = tmp_path_factory.mktemp("distributed")
    (folder / "script.py").write_text(SCRIPT, encoding="utf-8")
    script, states = folder / "script.py", folder / "states.pt"
    output = launch(script, 2, states, timeout=120, cpu=True)
    return json.loads(output), torch.load(states)


@pytest.mark.parametrize("how", ["hand", "ddp", "fsdp"])
def test_two_processes_train_as_one_does_on_the_whole_batch(two, how):
    report, states = two
    assert report["size"] == 2
    assert report[how]["losses"] == pytest.approx(report["one"]["losses"], rel=1e-5)
    assert report[how]["norms"] == pytest.approx(report["one"]["norms"], rel=1e-4)
    for name, weight in states["one"][0].items():
        torch.testing.assert_close(states[how][0][name], weight, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("how", ["hand", "ddp", "fsdp"])
def test_weights_and_optimiser_go_on_where_they_were(two, how):
    report, _ = two
    assert report[how]["more"] == pytest.approx(report["one"]["more"], rel=1e-4)
    assert report["one"]["more"][0] < report["one"]["losses"][-1]


def test_with_fsdp_a_process_holds_half_of_the_weights(two):
    report, _ = two
    n = sum(weight.numel() for weight in GPT(CONFIG).parameters())
    assert report["ddp"]["here"] == report["hand"]["here"] == n
    assert report["fsdp"]["here"] == n / 2


@pytest.mark.parametrize("how", ["hand", "ddp", "fsdp"])
def test_what_two_have_saved_one_can_load(two, how):
    _, states = two
    weights, averages = states[how]
    model = GPT(CONFIG)
    model.load_state_dict(weights)
    optimizer = configure_optimizer(model, 0.01)
    load_full_optimizer_state(model, optimizer, averages)
    embedding = optimizer.state[model.token_embedding.weight]
    assert embedding["step"] == 4 and embedding["exp_avg"].shape == (50, 32)
    assert embedding["exp_avg"].abs().sum() > 0


def test_a_gradient_is_averaged_where_only_one_has_it(two):
    report, _ = two
    assert report["halved"] == 0.5
    assert report["missing"] == 0 and report["frozen"] and report["mean"] == 0.5


def test_alone_everything_works_too(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    with processes() as world:
        assert (world.rank, world.size) == (0, 1) and world_size() == 1
        model = GPT(CONFIG)
        assert distribute(model, "ddp") is model and distribute(model, "fsdp") is model
        tokens = torch.arange(12).view(4, 3)
        assert torch.equal(shard_of(tokens, world), tokens)
        model(tokens, tokens).loss.backward()
        before = model.norm.weight.grad.clone()
        average_gradients(model)
        assert torch.equal(before, model.norm.weight.grad)
        assert mean_over_processes(2.5) == 2.5
        optimizer = configure_optimizer(model, 0.01)
        optimizer.step()
        other = GPT(CONFIG)
        load_full_state_dict(other, full_state_dict(model))
        assert torch.equal(other.norm.weight, model.norm.weight)
        second = configure_optimizer(other, 0.01)
        load_full_optimizer_state(other, second, full_optimizer_state(model, optimizer))
        assert second.state[other.norm.weight]["step"] == 1


@pytest.mark.parametrize("size", [1, 2, 3, 6])
def test_shards_are_the_whole_batch_in_order(size):
    batch = torch.randn(6, 2)
    shards = [shard_of(batch, World(rank, size, torch.device("cpu"))) for rank in range(size)]
    assert torch.equal(torch.cat(shards), batch)
    pair = shard_of((batch, batch + 1), World(size - 1, size, torch.device("cpu")))
    assert torch.equal(pair[0] + 1, pair[1])


def test_rows_that_cannot_be_shared_out_are_refused():
    with pytest.raises(ValueError, match="7 rows and there are 2 processes: choose a batch size"):
        shard_of(torch.zeros(7, 2), World(0, 2, torch.device("cpu")))


def test_there_are_two_ways_to_distribute():
    with pytest.raises(ValueError, match="how is 'zero': choose 'ddp'"):
        distribute(GPT(CONFIG), "zero")


def test_an_error_of_the_script_is_told(tmp_path):
    script = tmp_path / "broken.py"
    script.write_text("print('here')\nraise ValueError('unwell\\nin two lines')", encoding="utf-8")
    with pytest.raises(
        RuntimeError, match=r"failed as 1 processes:\n(?s:.*)unwell\nin two"
    ) as info:
        launch(script, 1)
    assert "ChildFailedError" not in str(info.value)


def test_a_script_that_waits_for_ever_is_stopped(tmp_path):
    script = tmp_path / "waits.py"
    script.write_text("import time\ntime.sleep(600)", encoding="utf-8")
    start = time.monotonic()
    with pytest.raises(RuntimeError, match="was stopped after 5 s: perhaps one process waits"):
        launch(script, 1, timeout=5)
    assert time.monotonic() - start < 60


def test_a_script_that_is_not_there_is_missed(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no script"):
        launch(tmp_path / "nothing.py", 2)
