"""Runs that are killed, told to stop, or cannot write: what is left goes on as if nothing was."""

import errno
import json
import multiprocessing
import os
import random
import re
import signal
import sys
import threading
import time

import pytest
import torch

import llmcourse.training
from llmcourse.checkpoints import MANIFEST, load_checkpoint, save_checkpoint
from llmcourse.data import TokenDataset
from llmcourse.gpt import GPT, GPTConfig
from llmcourse.interruption import stop_requests
from llmcourse.training import Trainer, TrainingConfig

# Where there is one, a server forks the processes, so that only the first has to import PyTorch.
CONTEXT = multiprocessing.get_context("spawn" if sys.platform == "win32" else "forkserver")
if sys.platform != "win32":
    CONTEXT.set_forkserver_preload(["pytest", "torch._dynamo", "llmcourse.training"])


def run(folder, pause, begins):
    """In a process of its own, save at each step; each file takes a pause to write, so that a
    signal at a random moment often falls into a save."""
    torch.set_num_threads(1)
    written = os.fsync
    os.fsync = lambda file: (written(file), time.sleep(pause))
    llmcourse.training.device = lambda: torch.device("cpu")
    torch.manual_seed(0)
    shape = GPTConfig(vocab_size=5, context_length=8, n_layer=1, n_head=1, d_model=8, dropout=0.2)
    text = TokenDataset([0, 1, 2, 3, 4, 4, 1, 0] * 30)
    config = TrainingConfig(
        steps=60, batch_size=4, context_length=8, warmup_steps=4, save_every=1, log_every=3
    )
    trainer = Trainer(GPT(shape), config, text, text, folder, progress=False)
    begins.set()
    trainer.train(resume=True)


def start(folder, pause=0.01):
    begins = CONTEXT.Event()
    process = CONTEXT.Process(target=run, args=(folder, pause, begins), daemon=True)
    process.start()
    assert begins.wait(60)
    return process


def ends(process):
    process.join(60)
    return process.exitcode


def result(folder):
    """Names of data files carry their hash: equal names are equal weights and optimisers."""
    manifest = json.loads((folder / MANIFEST).read_text())
    assert all((folder / entry["name"]).exists() for entry in manifest["files"].values())
    return manifest["step"], {kind: entry["name"] for kind, entry in manifest["files"].items()}


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    folder = tmp_path_factory.mktemp("straight")
    assert ends(start(folder, 0)) == 0
    return result(folder)


def test_a_run_killed_at_ten_random_moments_ends_as_one_that_never_was(tmp_path, straight):
    moments, kills, partial = random.Random(3), 0, 0
    for _ in range(10):
        process = start(tmp_path)
        time.sleep(moments.uniform(0.02, 0.2))
        process.kill()
        kills += ends(process) != 0
        partial += any(tmp_path.glob(".*.partial"))
        if (tmp_path / "checkpoint.json").exists():
            load_checkpoint(tmp_path)
    assert ends(start(tmp_path, 0)) == 0
    assert result(tmp_path) == straight
    assert kills >= 5 and partial >= 1, f"{kills} killed, {partial} of them during a save"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no such signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_the_step_and_leaves_and_the_run_goes_on(tmp_path, straight, number):
    process = start(tmp_path)
    time.sleep(0.1)
    os.kill(process.pid, number)
    assert ends(process) == (1 if number == signal.SIGINT else 128 + number)
    assert 0 < load_checkpoint(tmp_path).step < 60
    assert not list(tmp_path.glob(".*"))
    assert ends(start(tmp_path, 0)) == 0
    assert result(tmp_path) == straight


@pytest.mark.parametrize(
    ("number", "left"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)]
)
def test_the_first_signal_is_noted_the_second_leaves_and_handlers_come_back(number, left):
    before = signal.getsignal(number)
    with pytest.raises(left), stop_requests() as request:
        signal.raise_signal(number)
        assert request.number == number
        signal.raise_signal(number)
    assert signal.getsignal(number) is before


def test_another_thread_hears_no_signals_and_changes_no_handlers():
    before, found = signal.getsignal(signal.SIGINT), []

    def work():
        with stop_requests() as request:
            found.extend([request.number, signal.getsignal(signal.SIGINT)])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [None, before]


# ------------------------------------------------------------------------- disks


def saved(folder, step):
    torch.manual_seed(step)
    save_checkpoint(folder, torch.nn.Linear(40, 40), step=step)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limits of this kind")
def test_a_full_disk_is_told_and_the_older_checkpoint_stays(tmp_path):
    import resource

    saved(tmp_path, 1)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, before[1]))
    try:
        with pytest.raises(OSError, match="step 2 could not be written.*make room.*still whole"):
            saved(tmp_path, 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert load_checkpoint(tmp_path, torch.nn.Linear(40, 40)).step == 1
    assert not list(tmp_path.glob(".*"))


def test_no_space_left_is_told_and_the_older_checkpoint_stays(tmp_path, monkeypatch):
    saved(tmp_path, 1)

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("llmcourse.checkpoints.save_model", full)
        with pytest.raises(OSError, match="step 2 .*(?i:no space left).*make room"):
            saved(tmp_path, 2)
    assert load_checkpoint(tmp_path, torch.nn.Linear(40, 40)).step == 1


@pytest.mark.skipif(
    sys.platform == "win32" or getattr(os, "geteuid", lambda: 0)() == 0,
    reason="the administrator may write everywhere",
)
def test_a_folder_that_may_only_be_read_is_told(tmp_path):
    saved(tmp_path, 1)
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OSError, match="choose a folder that you may write to"):
            saved(tmp_path, 2)
    finally:
        tmp_path.chmod(0o700)
    assert load_checkpoint(tmp_path).step == 1


def test_a_file_where_the_folder_should_be_is_told(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OSError, match="could not be written into .*file.*choose a folder"):
        saved(tmp_path / "file", 1)
    assert (tmp_path / "file").read_text() == "mine"


def test_what_a_killed_save_left_is_removed_by_the_next(tmp_path):
    saved(tmp_path, 1)
    (tmp_path / "model-0123456789ab.safetensors").write_text("never counted")
    (tmp_path / ".model.partial").write_text("half")
    saved(tmp_path, 2)
    names = sorted(re.sub("-.*", "", file.name) for file in tmp_path.iterdir())
    assert names == ["checkpoint.json", "model", "model", "previous.json"]
