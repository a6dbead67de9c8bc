"""A training run on disk: weights, optimiser and random numbers, whole and verified or not at all.

A checkpoint is a folder:

    checkpoint.json              step, configuration, and the SHA-256 of everything
    previous.json                the same of the checkpoint before it
    model-1f0c….safetensors      the weights
    state-93ab….safetensors      the optimiser's averages and the states of random generators

The data files carry their hash in their name, so a new checkpoint never overwrites the one before
it; replacing `checkpoint.json`, in one step, is what makes the new one count.  Should a disk spoil
the newest, renaming `previous.json` to `checkpoint.json` goes back to the one before it.  Nothing
is pickled: a pickle can run any code while it is loaded.
"""

import dataclasses
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file, save_model
from torch import Tensor

MANIFEST = "checkpoint.json"
PREVIOUS = "previous.json"
FORMAT = 1
_DATA_FILE = re.compile(r"(model|state)-[0-9a-f]{12}\.safetensors")


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """What `load_checkpoint` found: the number of steps done, the model's configuration, the names
    of the random generators, and how the model was trained."""

    step: int
    config: dict | None
    generators: tuple[str, ...] = ()
    training: dict | None = None


def has_checkpoint(folder: str | Path) -> bool:
    """Whether a folder holds a checkpoint, be it a damaged one: a new run has to leave it alone."""
    return any((Path(folder) / name).exists() for name in (MANIFEST, PREVIOUS))


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """The name to write under; `path` is replaced by it in one step, once all is on the disk.

    When the block fails, `path` stays as it was and nothing is left behind.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        yield partial
        with open(partial, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
        _sync_folder(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def save_checkpoint(
    path: str | Path,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer | None = None,
    step: int = 0,
    config=None,
    generators: dict[str, torch.Generator] | None = None,
    training: dict | None = None,
) -> None:
    """Write a checkpoint into the folder `path`, where it becomes the newest.

    The one before it stays; those older still are removed once the new one is whole.

    Args:
        path: a folder, made if it is missing.
        step: how many training steps are done.
        config: a dataclass or dict from which the model can be built again; by default
            `model.config`, where there is one.
        generators: random generators to go on from, by a name of your choice;
            `torch.default_generator` is the one that dropout on the CPU draws from.
        training: how the model is trained, as plain numbers and texts.

    Raises:
        OSError: when it cannot be written: the disk is full, or the folder may not be written to.
            An older checkpoint is still there, whole.
    """
    folder = Path(path)
    try:
        _save(folder, model, optimizer, step, config, generators, training)
    except (OSError, SafetensorError) as error:
        raise OSError(
            f"the checkpoint of step {step} could not be written into {folder} ({error}): make "
            "room on the disk or choose a folder that you may write to; an older checkpoint there "
            "is still whole"
        ) from error


def _save(folder: Path, model, optimizer, step, config, generators, training) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"generator.{name}": g.get_state() for name, g in (generators or {}).items()}
    manifest = {"format": FORMAT, "step": step, "config": _plain(config, model), "optimizer": None}
    manifest["generators"] = list(generators or {})
    manifest["training"] = None if training is None else json.loads(json.dumps(training))
    if optimizer is not None:
        state, manifest["optimizer"] = _take_apart(optimizer)
        tensors |= state
    manifest["files"] = {"model": _write(folder, "model", lambda file: save_model(model, file))}
    if tensors:
        manifest["files"]["state"] = _write(folder, "state", lambda file: save_file(tensors, file))
    manifest["sha256"] = _digest(manifest)
    if _files(folder / MANIFEST):
        with replacing(folder / PREVIOUS) as partial:
            shutil.copyfile(folder / MANIFEST, partial)
    with replacing(folder / MANIFEST) as partial:
        partial.write_text(json.dumps(manifest, indent=1), encoding="utf-8")

    # Not only those of older checkpoints: a run that was killed leaves some that never counted.
    kept = _files(folder / MANIFEST) | _files(folder / PREVIOUS)
    for file in folder.iterdir():
        if _DATA_FILE.fullmatch(file.name) and file.name not in kept:
            with suppress(OSError):  # Windows keeps a file that another program reads
                file.unlink()


def load_checkpoint(
    path: str | Path,
    model: torch.nn.Module | None = None,
    optimizer: torch.optim.Optimizer | None = None,
    config=None,
    generators: dict[str, torch.Generator] | None = None,
) -> Checkpoint:
    """Put what the folder `path` holds into `model`, `optimizer` and `generators`, in place.

    All is verified before any of them is touched.  Without a model it only tells the step and the
    configuration: `model = GPT(GPTConfig(**load_checkpoint(path).config))`.

    Args:
        config: what the checkpoint's configuration has to be; by default `model.config`, where
            there is one.

    Raises:
        FileNotFoundError: when the folder holds no checkpoint, or one of its files is missing.
        ValueError: for a file that is cut short or changed, for a model of another configuration
            or shape, and for an optimiser or generator that was not saved or does not fit.
    """
    folder = Path(path)
    manifest = _read_manifest(folder / MANIFEST)
    if model is not None:
        _check_config(manifest["config"], _plain(config, model))
        weights = _read(_verified(folder, manifest["files"]["model"]))
        _check_weights(weights, model.state_dict())

    tensors = {}
    if (optimizer is not None or generators) and "state" in manifest["files"]:
        tensors = _read(_verified(folder, manifest["files"]["state"]))
    missing = [name for name in generators or () if f"generator.{name}" not in tensors]
    if missing:
        raise ValueError(f"the checkpoint holds no random generator called {', '.join(missing)}")
    if optimizer is not None:
        _check_optimizer(manifest["optimizer"], optimizer)

    if model is not None:
        model.load_state_dict(weights, strict=False)  # tied weights are stored once
    if optimizer is not None:
        optimizer.load_state_dict(_put_together(tensors, manifest["optimizer"]))
    for name, generator in (generators or {}).items():
        generator.set_state(tensors[f"generator.{name}"])
    names = tuple(manifest.get("generators", ()))
    return Checkpoint(manifest["step"], manifest["config"], names, manifest.get("training"))


# ------------------------------------------------------------------------- files and hashes


def _sync_folder(folder: Path) -> None:
    """Have the new name of a file on the disk too; Windows does so by itself."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            with suppress(OSError):  # some network drives cannot
                os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _write(folder: Path, kind: str, save) -> dict:
    """Write a data file under a name that contains its hash, and describe it."""
    partial = folder / f".{kind}.partial"
    try:
        save(str(partial))
        with open(partial, "rb+") as file:
            os.fsync(file.fileno())
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        entry = {
            "name": f"{kind}-{sha256[:12]}.safetensors",
            "bytes": partial.stat().st_size,
            "sha256": sha256,
        }
        os.replace(partial, folder / entry["name"])
        return entry
    finally:
        partial.unlink(missing_ok=True)


def _verified(folder: Path, entry: dict) -> Path:
    """The data file that `entry` describes, after reading all of it once."""
    file = folder / Path(entry["name"]).name
    if not file.exists():
        raise FileNotFoundError(f"{file} is missing: {_way_out(folder)}")
    if file.stat().st_size != entry["bytes"]:
        raise ValueError(
            f"{file} has {file.stat().st_size} bytes instead of {entry['bytes']}, so that it was "
            f"cut short on the way: {_way_out(folder)}"
        )
    with open(file, "rb") as opened:
        if hashlib.file_digest(opened, "sha256").hexdigest() != entry["sha256"]:
            raise ValueError(
                f"{file} was changed after it was saved, for its SHA-256 is not the one in "
                f"{MANIFEST}: {_way_out(folder)}"
            )
    return file


def _read(file: Path) -> dict[str, Tensor]:
    try:
        return load_file(file)
    except SafetensorError as error:
        raise ValueError(
            f"{file} is no file of safetensors ({error}): {_way_out(file.parent)}"
        ) from error


def _way_out(folder: Path) -> str:
    """What to do about a checkpoint that is damaged."""
    try:
        step = _read_manifest(folder / PREVIOUS)["step"]
    except (FileNotFoundError, ValueError):
        return "copy the checkpoint's whole folder again"
    return (
        "copy the checkpoint's whole folder again, or go back to the checkpoint before it, of step "
        f"{step}, by renaming {PREVIOUS} to {MANIFEST}"
    )


def _read_manifest(file: Path) -> dict:
    if not file.exists():
        there = file.name == MANIFEST and (file.parent / PREVIOUS).exists()
        way_out = _way_out(file.parent) if there else "give the folder that save_checkpoint wrote"
        raise FileNotFoundError(
            f"there is no checkpoint in {file.parent}: {file.name} is missing; {way_out}"
        )
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
        intact = manifest.pop("sha256") == _digest(manifest)
    except (ValueError, KeyError, AttributeError, TypeError):
        intact = False
    if not intact:
        way_out = f": {_way_out(file.parent)}" if file.name == MANIFEST else ""
        raise ValueError(f"{file} was cut short or changed after it was saved{way_out}")
    if manifest["format"] != FORMAT:
        raise ValueError(
            f"{file} has format {manifest['format']}, but this version of llmcourse reads format "
            f"{FORMAT}: install the version that wrote it"
        )
    return manifest


def _files(manifest: Path) -> set[str]:
    """The names of the data files of a checkpoint, if its manifest is a good one."""
    try:
        return {Path(entry["name"]).name for entry in _read_manifest(manifest)["files"].values()}
    except (FileNotFoundError, ValueError):
        return set()


def _digest(manifest: dict) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


# ---------------------------------------------------------------- configurations and weights


def _plain(config, model) -> dict | None:
    """A configuration as it comes back from JSON."""
    config = getattr(model, "config", None) if config is None else config
    if dataclasses.is_dataclass(config):
        config = dataclasses.asdict(config)
    return json.loads(json.dumps(config))


def _check_config(saved: dict | None, here: dict | None) -> None:
    if saved is None or here is None or saved == here:
        return
    differences = [
        f"{name} is {saved.get(name)!r} there and {here.get(name)!r} here"
        for name in sorted(saved.keys() | here.keys())
        if saved.get(name) != here.get(name)
    ]
    raise ValueError(
        f"the checkpoint is of another configuration: {'; '.join(differences)}. Build the model "
        "from the checkpoint's own, load_checkpoint(path).config"
    )


def _check_weights(saved: dict[str, Tensor], here: dict[str, Tensor]) -> None:
    filled = {here[name].data_ptr() for name in saved if name in here}
    problems = [f"{name} is in the checkpoint only" for name in saved if name not in here]
    for name, weight in here.items():
        if name not in saved and weight.data_ptr() not in filled:
            problems.append(f"{name} is in the model only")
        elif name in saved and saved[name].shape != weight.shape:
            shapes = tuple(saved[name].shape), tuple(weight.shape)
            problems.append(f"{name} has shape {shapes[0]} there and {shapes[1]} here")
    if problems:
        raise ValueError(
            f"the checkpoint is of another model: {'; '.join(problems[:3])}"
            f"{' …' if len(problems) > 3 else ''}. Build the model that was saved"
        )


# ------------------------------------------------------------------------------ optimiser


def _take_apart(optimizer: torch.optim.Optimizer) -> tuple[dict[str, Tensor], dict]:
    """The tensors of an optimiser's state, for safetensors, and everything else, for JSON."""
    state_dict = optimizer.state_dict()
    tensors, numbers = {}, {}
    for index, values in state_dict["state"].items():
        for name, value in values.items():
            kind = tensors if isinstance(value, Tensor) else numbers
            kind[f"optimizer.{index}.{name}"] = value
    groups = [
        {k: v.item() if isinstance(v, Tensor) else v for k, v in group.items()}
        for group in state_dict["param_groups"]
    ]
    return tensors, {"groups": groups, "numbers": numbers}


def _put_together(tensors: dict[str, Tensor], described: dict) -> dict:
    state = {}
    for key, value in (tensors | described["numbers"]).items():
        kind, index, *name = key.split(".", 2)
        if kind == "optimizer":  # a copy, for what was read is still a view of the file
            value = value.clone() if isinstance(value, Tensor) else value
            state.setdefault(int(index), {})[name[0]] = value
    groups = [
        {k: tuple(v) if isinstance(v, list) and k != "params" else v for k, v in group.items()}
        for group in described["groups"]
    ]
    return {"state": state, "param_groups": groups}


def _check_optimizer(described: dict | None, optimizer: torch.optim.Optimizer) -> None:
    if described is None:
        raise ValueError("the checkpoint holds no optimiser: load it with optimizer=None")
    there = [len(group["params"]) for group in described["groups"]]
    here = [len(group["params"]) for group in optimizer.param_groups]
    if there != here:
        raise ValueError(
            f"the checkpoint's optimiser has groups of {there} tensors and this one of {here}: "
            "build it as it was built for the run, with configure_optimizer"
        )
