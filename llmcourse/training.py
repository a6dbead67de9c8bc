"""Training a model: the schedule of the learning rate, the optimiser, and the loop around them."""

import copy
import dataclasses
import importlib.util
import json
import math
import signal
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from llmcourse.checkpoints import has_checkpoint, load_checkpoint, replacing, save_checkpoint
from llmcourse.data import TokenDataset, get_batch, window_starts
from llmcourse.device import autocast, device
from llmcourse.distributed import (
    distribute,
    gradients_stay_here,
    mean_over_processes,
    means_over_processes,
    shard_of,
    this_process,
)
from llmcourse.generation import evaluating
from llmcourse.interruption import StopRequest, stop_requests
from llmcourse.slices import collect, hand_out

LOG = "log.jsonl"
SPIKE = 1.5  # a loss this many times that of the line before is noted
# What a run may change when it goes on: none of it changes what is learned.
FREE_TO_CHANGE = {
    *("accumulate", "compile", "log_every", "evaluate_every", "save_every", "evaluation_batches")
}


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How a model is trained.

    Args:
        steps: updates of the weights.
        batch_size: windows per update.
        context_length: tokens per window.
        accumulate: in how many pieces a batch is computed, one after the other; more pieces need
            less memory and give the same update.
        learning_rate, min_learning_rate, warmup_steps: see `cosine_schedule`.
        weight_decay, betas: see `configure_optimizer`.
        clip_norm: the gradient, all of it as one vector, is shortened to this length where it is
            longer; None leaves it.
        mixed_precision: matrix products in bfloat16 where the device gains from it.
        compile: whether to compile the model; by default on a GPU only, where the minute that it
            takes is soon won back, and there only with Triton, which Windows lacks.
        log_every, evaluate_every, save_every: steps between two lines of the log, two evaluations,
            and two checkpoints.
        evaluation_batches: batches that one evaluation takes, the same ones every time.
        seed: of the windows that are drawn.

    Raises:
        ValueError: for a value that makes no sense; the message says what to change.
    """

    steps: int
    batch_size: int
    context_length: int
    accumulate: int = 1
    learning_rate: float = 1e-3
    min_learning_rate: float = 0.0
    warmup_steps: int = 0
    weight_decay: float = 0.1
    betas: tuple[float, float] = (0.9, 0.95)
    clip_norm: float | None = 1.0
    mixed_precision: bool = True
    compile: bool | None = None
    log_every: int = 10
    evaluate_every: int = 100
    save_every: int = 1000
    evaluation_batches: int = 10
    seed: int = 0

    def __post_init__(self):
        counts = ("steps", "batch_size", "context_length", "accumulate", "log_every")
        for name in (*counts, "evaluate_every", "save_every", "evaluation_batches"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: choose 1 or more")
        if self.batch_size % self.accumulate:
            raise ValueError(
                f"batch_size is {self.batch_size} and accumulate is {self.accumulate}: choose an "
                "accumulate that divides batch_size, so that all pieces count the same"
            )
        if not 0 <= self.warmup_steps < self.steps:
            raise ValueError(
                f"warmup_steps is {self.warmup_steps}: choose 0 to {self.steps - 1}, fewer than "
                "all steps"
            )
        if not 0 <= self.min_learning_rate <= self.learning_rate or self.learning_rate == 0:
            raise ValueError(
                f"learning_rate is {self.learning_rate} and min_learning_rate is "
                f"{self.min_learning_rate}: choose 0 <= min_learning_rate <= learning_rate, the "
                "latter above 0"
            )
        if self.weight_decay < 0:
            raise ValueError(f"weight_decay is {self.weight_decay}: choose 0 or more")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas are {self.betas}: choose both from 0 to below 1")
        if self.clip_norm is not None and self.clip_norm <= 0:
            raise ValueError(f"clip_norm is {self.clip_norm}: choose a length above 0, or None")


def cosine_schedule(
    step: int,
    steps: int,
    learning_rate: float,
    warmup_steps: int = 0,
    min_learning_rate: float = 0.0,
) -> float:
    """The learning rate of a step, counted from 0.

    It rises linearly over `warmup_steps` steps and reaches `learning_rate` in the next one, then
    falls along half a cosine, which would reach `min_learning_rate` at step `steps`.

    Source: Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2016,
    equation 5, without restarts.
    """
    if step < warmup_steps:
        return learning_rate * (step + 1) / (warmup_steps + 1)
    progress = min(1.0, (step - warmup_steps) / (steps - warmup_steps))
    height = (1 + math.cos(math.pi * progress)) / 2
    return min_learning_rate + height * (learning_rate - min_learning_rate)


def configure_optimizer(
    model: nn.Module,
    learning_rate: float,
    weight_decay: float = 0.1,
    betas: tuple[float, float] = (0.9, 0.95),
) -> torch.optim.AdamW:
    """AdamW over all weights that are trained; only matrices decay.

    Biases and the gains of norms are vectors that are not there to be small.  The update is fused
    into one kernel where PyTorch has one.

    Source: Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2017, algorithm 2.
    """
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    groups = [
        {"params": [w for w in trained if w.dim() >= 2], "weight_decay": weight_decay},
        {"params": [w for w in trained if w.dim() < 2], "weight_decay": 0.0},
    ]
    fused = all(weight.device.type in ("cpu", "cuda") for weight in trained)
    return torch.optim.AdamW(groups, lr=learning_rate, betas=betas, fused=fused)


class Trainer:
    """Trains a model on random windows of a text.

    It moves the model to `llmcourse.device()`.  With a folder it keeps there a log, one JSON object
    a line, and a checkpoint, from which a run goes on as if it had never stopped.

    Inside `llmcourse.distributed.processes` all processes train together: each computes its rows of
    every batch, the first writes, and all read the folder.  A checkpoint does not depend on how
    many they were: another number of them can go on from it.

    Args:
        model: called as `model(tokens, targets)`, it returns an object with a `.loss`.
        config: how to train it.
        train: the text.
        validation: held-out text, for the evaluations.
        folder: for the log and the checkpoint.
        progress: whether to show a progress bar.
        how: "ddp" or "fsdp", for several processes: see `distribute`.

    Raises:
        ValueError: when a batch cannot be shared out among the processes and their pieces.

    Attributes:
        step: steps done.
        history: the lines of the log, as dicts: `step` (steps done), `loss` (the mean since the
            line before, in nats), `learning_rate` and `gradient_norm` (before clipping) of the
            last step, `largest_gradient_norm` since the line before, `tokens_per_second`, and where
            it was evaluated `validation_loss`.  Where a step's loss was more than 1.5 times that of
            the line before, `spikes` tells which.
    """

    def __init__(
        self,
        model: nn.Module,
        config: TrainingConfig,
        train: TokenDataset,
        validation: TokenDataset | None = None,
        folder: str | Path | None = None,
        progress: bool = True,
        how: str = "ddp",
    ):
        self.device, self.world = device(), this_process()
        if config.batch_size % (config.accumulate * self.world.size):
            raise ValueError(
                f"batch_size is {config.batch_size}, accumulate is {config.accumulate} and there "
                f"are {self.world.size} processes: choose a batch_size that both together divide"
            )
        self.model = model.to(self.device)
        # The shape of the whole model, without its numbers, to collect slices in.
        sliced = how == "fsdp" and self.world.size > 1
        self._whole = copy.deepcopy(model).to("meta") if sliced else None
        self._parallel = distribute(self.model, how)
        self.config, self.train_data, self.validation_data = config, train, validation
        self.folder = None if folder is None else Path(folder)
        self.progress = progress and self.world.rank == 0
        self.optimizer = self._optimizer_of(self.model)
        compiled = config.compile
        if compiled is None:
            compiled = self.device.type == "cuda" and importlib.util.find_spec("triton") is not None
        # Not model.compile(): what the reader does with the model later stays uncompiled.
        self._forward = torch.compile(self._parallel) if compiled else self._parallel
        self.windows = torch.Generator().manual_seed(config.seed)
        self.step, self.history = 0, []

    def train(self, resume: bool = False, until: int | None = None) -> list[dict]:
        """Train up to step `until`, by default to the end, and return the history.

        Args:
            resume: go on from the checkpoint in the folder, if there is one.

        Raises:
            FileExistsError: when the folder holds a checkpoint that would be overwritten.
            ValueError: when it is to be resumed, but is damaged, or of a run with another
                `TrainingConfig` or text.  How often something is logged or saved may differ.
            FloatingPointError: when the loss or the gradient is no longer finite.  The checkpoint
                is of a step before that.
            KeyboardInterrupt, SystemExit: after SIGINT (Ctrl-C) or SIGTERM.  With a folder, the
                step is finished and saved before; a second signal leaves at once.
            OSError: when a checkpoint cannot be written.
        """
        until = self.config.steps if until is None else min(until, self.config.steps)
        if self.step == 0 and self.folder is not None:
            self._begin(resume)
        with stop_requests() if self.folder is not None else nullcontext() as request:
            self._train(until, request)
        if request is not None and request.number is not None:
            request.leave()
        return self.history

    def _train(self, until: int, request: StopRequest | None) -> None:
        self.model.train()
        pending, started = [], time.perf_counter()
        steps = range(self.step, until)
        bar = tqdm(steps, initial=self.step, total=until, unit="step", disable=not self.progress)
        for _ in bar:
            pending.append(self._update())
            stop = request is not None and request.number is not None
            if self.world.size > 1:  # leave together, at a step where all wait for each other
                stop = self.step % self.config.log_every == 0 and mean_over_processes(stop) > 0
                if stop and request.number is None:
                    request.number = signal.SIGTERM
            due = {
                name: self.step % getattr(self.config, name) == 0 or self.step == until or stop
                for name in ("log_every", "evaluate_every", "save_every")
            }
            if not any(due.values()):
                continue
            # Only here does the processor wait for the GPU.
            line = self._summary(pending, time.perf_counter() - started)
            if due["evaluate_every"] and not stop and self.validation_data is not None:
                line["validation_loss"] = self.evaluate()
            self._write(line)
            bar.set_postfix(loss=f"{line['loss']:.3f}")
            if due["save_every"] and self.folder is not None:
                self.save()
            if stop:
                return
            pending, started = [], time.perf_counter()

    def evaluate(self) -> float:
        """The mean loss, in nats a token, on windows of the held-out text, always the same ones."""
        if self.validation_data is None:
            raise ValueError("there is no held-out text: give the Trainer one as validation")
        windows, losses = torch.Generator().manual_seed(self.config.seed), []
        with evaluating(self.model), torch.no_grad(), autocast(self.config.mixed_precision):
            for _ in range(self.config.evaluation_batches):
                losses.append(self._forward(*self._batch(self.validation_data, windows)).loss)
        return mean_over_processes(torch.stack(losses).mean().item())

    def save(self) -> None:
        """Write a checkpoint into the folder.  Of several processes, all have to call it."""
        self._check_folder()
        model, optimizer = self.model, self.optimizer
        if self._whole is not None:
            whole = self._empty()
            collect(model, optimizer, *whole)
            model, optimizer = whole
        error = None
        if self.world.rank == 0:
            try:
                save_checkpoint(
                    self.folder,
                    model,
                    optimizer,
                    self.step,
                    generators=self._generators(),
                    training=self._described(),
                )
            except OSError as failed:
                error = failed
        if mean_over_processes(error is not None) > 0:  # all leave, or the others wait for ever
            raise error or OSError("the first process could not write the checkpoint")

    def load(self) -> None:
        """Go back to the checkpoint in the folder: weights, optimiser, random numbers and log.

        A run that was saved on a CPU can go on on a GPU, only with other random numbers in dropout.

        Called by hand, before `train`, it also lets a run go on under another `TrainingConfig`.

        Raises:
            ValueError: for a checkpoint that is damaged, or of another model.
        """
        self._check_folder()
        saved = load_checkpoint(self.folder).generators
        generators = {name: g for name, g in self._generators().items() if name in saved}
        model, optimizer = self.model, self.optimizer
        if self._whole is not None:
            model, optimizer = self._empty()
        checkpoint = load_checkpoint(self.folder, model, optimizer, generators=generators)
        if self._whole is not None:
            hand_out(self.model, self.optimizer, model, optimizer)
        log, self.step = self.folder / LOG, checkpoint.step
        text = log.read_text(encoding="utf-8") if log.exists() else ""
        whole = [json.loads(line) for line in text.splitlines() if line.endswith("}")]
        self.history = [line for line in whole if line["step"] <= self.step]
        mean_over_processes(0)  # all have read it
        if self.world.rank:
            return
        with replacing(log) as partial:
            lines = "".join(json.dumps(line) + "\n" for line in self.history)
            partial.write_text(lines, encoding="utf-8")

    def _described(self) -> dict:
        """What a run is, next to its model: it goes on only with the same."""
        text = {"train_tokens": len(self.train_data), "train_text": self.train_data.fingerprint()}
        described = dataclasses.asdict(self.config) | text
        return json.loads(json.dumps(described))  # as it comes back from a file

    def _check_same_run(self, saved: dict | None) -> None:
        here = self._described()
        changed = [
            f"{name} was {saved[name]} and is {here[name]}"
            for name in here
            if saved and name in saved and saved[name] != here[name] and name not in FREE_TO_CHANGE
        ]
        if changed:
            raise ValueError(
                f"{self.folder} holds a run that was trained otherwise: {'; '.join(changed)}. Go "
                "on with what it was, or begin a new run in another folder; load() before train() "
                "goes on nevertheless"
            )

    def _begin(self, resume: bool) -> None:
        if not has_checkpoint(self.folder):
            if self.world.rank == 0:
                self.folder.mkdir(parents=True, exist_ok=True)
                (self.folder / LOG).unlink(missing_ok=True)
        elif resume:
            self._check_same_run(load_checkpoint(self.folder).training)
            self.load()
        else:
            raise FileExistsError(
                f"{self.folder} holds the checkpoint of another run: train(resume=True) goes on "
                "from it; for a new run choose another folder"
            )

    def _update(self) -> tuple[float, Tensor, Tensor]:
        """One step: the learning rate, and on the device the loss and the gradient's norm."""
        config = self.config
        learning_rate = cosine_schedule(
            self.step,
            config.steps,
            config.learning_rate,
            config.warmup_steps,
            config.min_learning_rate,
        )
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        tokens, targets = self._batch(self.train_data, self.windows)
        if self.world.size > 1:  # so that dropout differs between processes, and goes on as it was
            torch.manual_seed((config.seed * config.steps + self.step) * 4096 + self.world.rank)
        loss, last = 0.0, config.accumulate - 1
        pieces = zip(tokens.chunk(config.accumulate), targets.chunk(config.accumulate))
        for i, piece in enumerate(pieces):
            with gradients_stay_here(self._parallel, i < last):
                with autocast(config.mixed_precision):
                    part = self._forward(*piece).loss / config.accumulate
                part.backward()
            loss += part.detach()
        weights = self.model.parameters()
        norm = nn.utils.clip_grad_norm_(weights, config.clip_norm or math.inf)
        norm = norm.full_tensor() if hasattr(norm, "full_tensor") else norm
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.step += 1
        return learning_rate, loss, norm

    def _check_folder(self) -> None:
        if self.folder is None:
            raise ValueError("there is no place for a checkpoint: give the Trainer a folder")

    def _batch(self, data: TokenDataset, windows: torch.Generator) -> tuple[Tensor, Tensor]:
        config = self.config
        batch = get_batch(data, config.batch_size, config.context_length, windows, self.device)
        return shard_of(batch, self.world)

    def _summary(self, pending: list[tuple[float, Tensor, Tensor]], seconds: float) -> dict:
        rates, losses, norms = zip(*pending)
        losses = means_over_processes(torch.stack(losses).tolist())
        norms = torch.stack(norms).tolist()  # of the mean gradient: the same on all
        first, spikes = self.step - len(pending), []
        for step, rate, loss, norm in zip(range(first, self.step), rates, losses, norms):
            if not (math.isfinite(loss) and math.isfinite(norm)):
                raise FloatingPointError(
                    f"at step {step}, with a learning rate of {rate:.2e}, the loss is {loss} and "
                    f"the gradient's norm {norm}; the batch's windows begin at the tokens "
                    f"{self._starts(step)}: lower learning_rate, lengthen warmup_steps or set a "
                    "smaller clip_norm, and go on from an older checkpoint"
                )
        if self.history:
            usual = self.history[-1]["loss"]
            for step, loss, norm in zip(range(first, self.step), losses, norms):
                if loss > SPIKE * usual:
                    spikes.append({"step": step, "loss": loss, "gradient_norm": norm})
        tokens = len(pending) * self.config.batch_size * self.config.context_length
        line = {
            "step": self.step,
            "loss": sum(losses) / len(losses),
            "learning_rate": rates[-1],
            "gradient_norm": norms[-1],
            "largest_gradient_norm": max(norms),
            "tokens_per_second": round(tokens / seconds),
        }
        return line | {"spikes": spikes} if spikes else line

    def _starts(self, step: int) -> list[int]:
        """Where in the text the windows of a step begin: all are drawn again up to it."""
        windows = torch.Generator().manual_seed(self.config.seed)
        for _ in range(step + 1):
            starts = window_starts(
                self.train_data, self.config.batch_size, self.config.context_length, windows
            )
        return starts.tolist()

    def _write(self, line: dict) -> None:
        self.history.append(line)
        if self.folder is not None and self.world.rank == 0:
            with open(self.folder / LOG, "a", encoding="utf-8") as log:
                log.write(json.dumps(line) + "\n")

    def _generators(self) -> dict[str, torch.Generator]:
        """All that a run draws from: windows of the text, and dropout."""
        generators = {"windows": self.windows, "dropout": torch.default_generator}
        if self.device.type == "cuda":
            generators["dropout_cuda"] = torch.cuda.default_generators[torch.cuda.current_device()]
        return generators

    def _optimizer_of(self, model: nn.Module) -> torch.optim.AdamW:
        config = self.config
        return configure_optimizer(model, config.learning_rate, config.weight_decay, config.betas)

    def _empty(self) -> tuple[nn.Module, torch.optim.AdamW]:
        """A whole model on the CPU and its optimiser, to be filled."""
        model = copy.deepcopy(self._whole).to_empty(device="cpu")
        return model, self._optimizer_of(model)
