"""The same `Trainer`, and the same command, on one, two and four real processes of this CPU."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from itertools import product

import pytest
import torch

from llmcourse.checkpoints import load_checkpoint
from llmcourse.data import TokenDataset
from llmcourse.distributed import launch
from llmcourse.gpt import GPT, GPTConfig
from llmcourse.training import Trainer, TrainingConfig

SCRIPT = """
import sys
from pathlib import Path

import torch

from llmcourse.data import TokenDataset
from llmcourse.distributed import processes
from llmcourse.gpt import GPT, GPTConfig
from llmcourse.training import Trainer, TrainingConfig


def trainer(how, folder, accumulate):
    torch.manual_seed(0)
    text = torch.randint(50, (3000,), generator=torch.Generator().manual_seed(1))
    model = GPT(GPTConfig(vocab_size=50, context_length=16, n_layer=2, n_head=2, d_model=32))
    config = TrainingConfig(
        steps=8, batch_size=16, context_length=16, learning_rate=0.01, mixed_precision=False,
        compile=False, log_every=1, save_every=4, evaluate_every=4, accumulate=accumulate,
    )
    data, held_out = TokenDataset(text[:2500]), TokenDataset(text[2500:])
    return Trainer(model, config, data, held_out, folder, progress=False, how=how)


if __name__ == "__main__":
    until, root = int(sys.argv[1]), Path(sys.argv[2])
    with processes(timeout=60):
        torch.set_num_threads(1)
        for how, accumulate in (("ddp", 1), ("fsdp", 1), ("ddp", 2), ("fsdp", 2)):
            folder = root / f"{how}-{accumulate}"
            trainer(how, folder, accumulate).train(folder.exists(), until)
"""
RUNS = [f"{how}-{accumulate}" for how, accumulate in product(("ddp", "fsdp"), (1, 2))]


def one(folder=None):
    torch.manual_seed(0)
    text = torch.randint(50, (3000,), generator=torch.Generator().manual_seed(1))
    model = GPT(GPTConfig(vocab_size=50, context_length=16, n_layer=2, n_head=2, d_model=32))
    config = TrainingConfig(
        steps=8, batch_size=16, context_length=16, learning_rate=0.01, mixed_precision=False,
        compile=False, log_every=1, save_every=4, evaluate_every=4,
    )  # fmt: skip
    data, held_out = TokenDataset(text[:2500]), TokenDataset(text[2500:])
    return Trainer(model, config, data, held_out, folder, progress=False)


@pytest.fixture(scope="module")
def straight():
    """One process, never interrupted."""
    trainer = one()
    trainer.train()
    return trainer


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Folders that two processes wrote half way, and the same after four have gone on."""
    root = tmp_path_factory.mktemp("runs")
    script = root / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    launch(script, 2, 4, root, timeout=200, cpu=True)
    half = root / "half"
    for name in RUNS:
        shutil.copytree(root / name, half / name)
    launch(script, 4, 8, root, timeout=200, cpu=True)
    return half, root


def same(trainer, straight):
    for key in ("loss", "gradient_norm", "learning_rate", "validation_loss"):
        ours = [line[key] for line in trainer.history if key in line]
        theirs = [line[key] for line in straight.history if key in line]
        assert ours == pytest.approx(theirs, rel=1e-4), key
    expected = straight.model.state_dict()
    for name, weight in trainer.model.state_dict().items():
        assert torch.allclose(weight, expected[name], atol=2e-4), name
    ours, theirs = trainer.optimizer.state_dict(), straight.optimizer.state_dict()
    assert ours["param_groups"] == theirs["param_groups"]
    for index, kept in theirs["state"].items():
        for name, value in kept.items():
            assert torch.allclose(ours["state"][index][name], value, atol=1e-4), name


@pytest.mark.parametrize("name", RUNS)
def test_two_processes_and_then_one_train_as_one_does(runs, straight, name):
    half, _ = runs
    assert load_checkpoint(half / name).step == 4
    trainer = one(half / name)
    trainer.train(resume=True)
    same(trainer, straight)


@pytest.mark.parametrize("name", RUNS)
def test_two_processes_and_then_four_train_as_one_does(runs, straight, name):
    _, whole = runs
    trainer = one(whole / name)
    trainer.load()
    assert trainer.step == 8
    same(trainer, straight)


def test_a_checkpoint_of_slices_is_one_of_a_plain_model(runs):
    half, _ = runs
    manifests = [json.loads((half / n / "checkpoint.json").read_text()) for n in RUNS]
    kept = ("config", "step", "optimizer", "generators")
    for manifest in manifests[1:]:
        assert [manifest[k] for k in kept] == [manifests[0][k] for k in kept]
        assert manifest["files"]["model"]["bytes"] == manifests[0]["files"]["model"]["bytes"]


def test_a_batch_that_cannot_be_shared_out_is_told_before_the_first_step(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.replace("batch_size=16", "batch_size=6"), encoding="utf-8")
    with pytest.raises(RuntimeError, match="there are 4 processes"):
        launch(script, 4, 8, tmp_path, timeout=120, cpu=True)


COMMAND = [
    *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1"),
    *("--nproc-per-node", "2", "-m", "llmcourse", "train"),
]
SMALL = "--vocab-size 260 --n-layer 1 --n-head 1 --d-model 8 --context-length 8 --batch-size 4"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to send")
@pytest.mark.parametrize("how", ["ddp", "fsdp"])
def test_the_command_on_two_processes_saves_on_sigterm_and_goes_on(tmp_path, how):
    text, folder = tmp_path / "text.txt", tmp_path / "model"
    text.write_text("the cat sat on the mat. " * 80, encoding="utf-8")
    interface = "lo0" if sys.platform == "darwin" else "lo"
    settings = {
        "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": interface, "CUDA_VISIBLE_DEVICES": "",
    }  # fmt: skip
    command = [*COMMAND, str(text), "--folder", str(folder), "--distribute", how, *SMALL.split()]
    long = [*command, "--steps", "100000", "--save-every", "100000"]
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(long, env=os.environ | settings, **quiet)
    deadline, log = time.monotonic() + 120, folder / "log.jsonl"
    while not (log.exists() and log.stat().st_size) and time.monotonic() < deadline:
        assert process.poll() is None, process.stderr.read()[-2000:]
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=120)
    stopped = load_checkpoint(folder).step
    assert 0 < stopped < 100000 and stopped % 10 == 0, errors[-2000:]

    again = [*long, "--resume"]
    process = subprocess.Popen(again, env=os.environ | settings, **quiet)
    while time.monotonic() < deadline + 120:
        lines = log.read_text().splitlines()
        if lines and json.loads(lines[-1])["step"] > stopped:
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=120)
    assert load_checkpoint(folder).step > stopped


def test_when_the_first_process_cannot_write_all_leave(tmp_path):
    script = tmp_path / "script.py"
    cannot = "import llmcourse.training as t\n\n\ndef full(*a, **k):\n    raise OSError('full')\n"
    script.write_text(f"{cannot}\n\nt.save_checkpoint = full\n{SCRIPT}", encoding="utf-8")
    began = time.monotonic()
    with pytest.raises(RuntimeError, match="OSError: (full|the first process could not write)"):
        launch(script, 2, 8, tmp_path, timeout=120, cpu=True)
    assert time.monotonic() - began < 100


def test_a_run_of_one_process_does_not_collect(tmp_path):
    trainer = one(tmp_path / "run")
    assert trainer.world.size == 1 and trainer._whole is None
    model = GPT(GPTConfig(vocab_size=50, context_length=16, n_layer=1, n_head=1, d_model=8))
    config = TrainingConfig(steps=1, batch_size=2, context_length=8)
    data, folder = TokenDataset(torch.arange(50).repeat(4)), tmp_path / "alone"
    alone = Trainer(model, config, data, folder=folder, progress=False, how="fsdp")
    alone.train()
    assert load_checkpoint(folder).step == 1
