"""One model on several processes, over `torch.distributed`: start them, split the work, join it.

The same script runs alone, as two processes on a laptop's CPU, and with one process for each GPU of
a node: `torchrun` says through the environment which of them a process is.
"""

import contextlib
import datetime
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from llmcourse.device import device as fastest_device

# FSDP takes a second to import, so that it waits for who needs it.

TIMEOUT = 300.0


@dataclass(frozen=True)
class World:
    """Which process this is, from 0, of how many, and the device that is its own."""

    rank: int
    size: int
    device: torch.device


@contextlib.contextmanager
def processes(timeout: float = TIMEOUT) -> Iterator[World]:
    """Join the processes that `torchrun` has started, and leave them at the end.

    They talk over gloo on CPUs and over NCCL on CUDA, where a process takes the GPU of its local
    rank.  Without `torchrun` this is one process on `llmcourse.device()`, and everything else in
    this module works just the same.

    Args:
        timeout: seconds after which waiting for the others is given up.

    Raises:
        RuntimeError: when there are more processes on this machine than GPUs.
    """
    if "RANK" not in os.environ:
        yield World(0, 1, fastest_device())
        return
    device, local = torch.device("cpu"), int(os.environ.get("LOCAL_RANK", 0))
    if torch.cuda.is_available():
        if local >= torch.cuda.device_count():
            raise RuntimeError(
                f"process {local} of this machine finds {torch.cuda.device_count()} GPUs: start as "
                "many processes as there are GPUs, or launch(script, n, cpu=True)"
            )
        device = torch.device("cuda", local)
        torch.cuda.set_device(device)
    gpu = device.type == "cuda"
    dist.init_process_group(
        "nccl" if gpu else "gloo",
        timeout=datetime.timedelta(seconds=timeout),
        device_id=device if gpu else None,
    )
    try:
        yield World(dist.get_rank(), dist.get_world_size(), device)
    finally:
        dist.destroy_process_group()


def this_process() -> World:
    """Which process this is; the only one outside of `processes`."""
    if world_size() == 1:
        return World(0, 1, fastest_device())
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    return World(dist.get_rank(), dist.get_world_size(), torch.device(device))


def world_size() -> int:
    """How many processes have joined; 1 outside of `processes`."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def shard_of(batch: Tensor | tuple[Tensor, ...], world: World) -> Tensor | tuple[Tensor, ...]:
    """The rows of a global batch that are this process's: one consecutive stretch.

    Args:
        batch: (batch, ...), the same on all processes; or a tuple of such tensors.

    Raises:
        ValueError: when the rows cannot be shared out evenly.
    """
    if isinstance(batch, tuple | list):
        return tuple(shard_of(part, world) for part in batch)
    if len(batch) % world.size:
        raise ValueError(
            f"the batch has {len(batch)} rows and there are {world.size} processes: choose a batch "
            "size that is a multiple, so that all rows count the same in the mean of the gradients"
        )
    return batch.chunk(world.size)[world.rank]


def average_gradients(model: nn.Module) -> None:
    """Replace each gradient by its mean over all processes, in place.

    All travel together, in one flat buffer for each dtype, because a message costs time even when
    it is short.  If each process had the mean loss of equally many targets, the result is the
    gradient of the mean over all of them.  Where one process has no gradient, it counts as zero.
    """
    if world_size() == 1:
        return
    by_dtype = {}
    for weight in model.parameters():
        if weight.requires_grad:
            weight.grad = torch.zeros_like(weight) if weight.grad is None else weight.grad
            by_dtype.setdefault(weight.dtype, []).append(weight.grad)
    for gradients in by_dtype.values():
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(flat)
        pieces = (flat / world_size()).split([gradient.numel() for gradient in gradients])
        for gradient, piece in zip(gradients, pieces, strict=True):
            gradient.copy_(piece.view_as(gradient))


def mean_over_processes(value: float) -> float:
    """The mean of a number, a loss for example, over all processes, which wait for each other."""
    return means_over_processes([value])[0]


def means_over_processes(values: Sequence[float]) -> list[float]:
    """The means of several numbers, equally many on each process, in one message."""
    if world_size() == 1:
        return [float(value) for value in values]
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    total = torch.tensor([float(v) for v in values], dtype=torch.float64, device=device)
    dist.all_reduce(total)
    return (total / world_size()).tolist()


def distribute(model: nn.Module, how: str = "ddp") -> nn.Module:
    """Make a model train on all processes at once; each then feeds it rows of its own.

    "ddp" keeps a copy on each process, equal from the start, and averages gradients during the
    backward pass (Li et al., "PyTorch Distributed", 2020, section 3).  "fsdp" gives each process a
    slice of every weight, and so of its gradient and optimiser state; a block's weights are
    gathered when it computes and dropped again (Rajbhandari et al., "ZeRO", 2020, stage 3).  That
    changes the model in place: build the optimiser afterwards, for it has to own the slices.

    Alone, without other processes, a model is returned as it is.

    Args:
        model: on the device of its process; for "fsdp" its `blocks`, where it has any, are sharded
            one by one, and what remains as a whole.
        how: "ddp" or "fsdp".

    Raises:
        ValueError: for another `how`.
    """
    if how not in ("ddp", "fsdp"):
        raise ValueError(f"how is {how!r}: choose 'ddp' (copies) or 'fsdp' (slices)")
    if world_size() == 1:
        return model
    if how == "ddp":
        return DistributedDataParallel(model)
    from torch.distributed.fsdp import fully_shard

    for tensor in (*model.parameters(), *model.buffers()):
        dist.broadcast(tensor.detach(), src=0)  # one start for all, as DDP does
    mesh = dist.init_device_mesh(next(model.parameters()).device.type, (world_size(),))
    for block in getattr(model, "blocks", ()):
        fully_shard(block, mesh=mesh)
    return fully_shard(model, mesh=mesh)


@contextlib.contextmanager
def gradients_stay_here(model: nn.Module, here: bool = True) -> Iterator[None]:
    """Inside, a distributed model's backward pass only adds to the gradients of its process.

    For all pieces of a batch but the last, so that the sum travels once.
    """
    if here and isinstance(model, DistributedDataParallel):
        with model.no_sync():
            yield
        return
    if hasattr(model, "set_requires_gradient_sync"):
        model.set_requires_gradient_sync(not here)
    yield


def launch(
    script: str | Path, n: int, *arguments: object, timeout: float = TIMEOUT, cpu: bool = False
) -> str:
    """Run a Python script as `n` processes of this machine, and return what they printed.

    It is `torchrun --standalone --nproc-per-node n script arguments...`, which finds a free port by
    itself; the cores are shared out among the processes, and only the loopback interface is used.

    Args:
        script: a file.
        n: how many processes.
        timeout: seconds after which all are stopped.
        cpu: hide the GPUs from them, where there are fewer than `n`.

    Raises:
        FileNotFoundError: when there is no such file.
        RuntimeError: when the script fails, with its error; when it takes longer than `timeout`.
    """
    if not Path(script).is_file():
        raise FileNotFoundError(f"there is no script {script}")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    settings = {"OMP_NUM_THREADS": str(max(1, (cores or 1) // n)), "PYTHONIOENCODING": "utf-8"}
    if sys.platform == "win32":
        settings["USE_LIBUV"] = "0"  # PyTorch for Windows asks for libuv, and is built without it
    else:
        settings["GLOO_SOCKET_IFNAME"] = "lo0" if sys.platform == "darwin" else "lo"
    hidden = {"CUDA_VISIBLE_DEVICES": ""} if cpu else {}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--local-addr", "127.0.0.1", "--nproc-per-node", str(n), str(script)]
    process = subprocess.Popen(
        [*command, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=settings | os.environ | hidden,
        encoding="utf-8",
        errors="replace",
    )
    try:
        output, errors = process.communicate(timeout=timeout)
    except BaseException as error:  # also when the reader interrupts the cell
        _stop(process)
        if not isinstance(error, subprocess.TimeoutExpired):
            raise
        raise RuntimeError(
            f"{script} was stopped after {timeout:g} s: perhaps one process waits for a message "
            "that another never sends; if it is only slow, raise timeout"
        ) from None
    if process.returncode:
        # What follows is torchrun's own error, which says that there was an error.
        said = re.split(r"^E\d{4} .*failed \(exitcode", errors, maxsplit=1, flags=re.M)[0]
        said = "\n".join(x for x in said.splitlines() if not re.match(r"[WI]\d{4} ", x))
        raise RuntimeError(f"{script} failed as {n} processes:\n{said or errors}")
    return re.sub(r"^\[Gloo\] .*\n", "", output, flags=re.M)  # what PyTorch 2.9 prints on its own


def _stop(process: subprocess.Popen) -> None:
    """Stop torchrun and all that it has started."""
    if sys.platform == "win32":  # where to terminate a process leaves its children alone
        tree = ["taskkill", "/F", "/T", "/PID", str(process.pid)]
        subprocess.run(tree, capture_output=True, check=False)
    process.terminate()  # elsewhere torchrun hears this, and stops the others first
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=40)
    process.kill()
