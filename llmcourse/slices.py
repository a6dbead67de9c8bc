"""A model whose weights lie in slices on several processes, made whole for a checkpoint and back.

Without other processes there are no slices, and all of this works just the same.
"""

import torch
from torch import Tensor, nn

from llmcourse.distributed import this_process, world_size

# What collects slices takes a second to import, so that it waits for who needs it.


def collect(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    whole: nn.Module,
    whole_optimizer: torch.optim.Optimizer,
) -> None:
    """Fill `whole` and its optimiser, on the first process, with what all hold.  All call it.

    Args:
        model, optimizer: in slices, as `distribute(model, "fsdp")` makes them.
        whole, whole_optimizer: the same model and optimiser, not distributed, on the CPU.
    """
    weights = full_state_dict(model)
    averages = full_optimizer_state(model, optimizer)
    if this_process().rank:
        return
    whole.load_state_dict(weights)
    names = {id(weight): name for name, weight in whole.named_parameters()}
    kept = []
    for group, here in zip(whole_optimizer.param_groups, optimizer.param_groups):
        group["lr"] = here["lr"]
        kept += [averages["state"][names[id(weight)]] for weight in group["params"]]
    groups = whole_optimizer.state_dict()["param_groups"]
    whole_optimizer.load_state_dict({"state": dict(enumerate(kept)), "param_groups": groups})


def hand_out(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    whole: nn.Module,
    whole_optimizer: torch.optim.Optimizer,
) -> None:
    """Give each process its slices of what the first has as a whole: `collect` backwards."""
    weights, averages = {}, {}
    if this_process().rank == 0:
        names = {id(weight): name for name, weight in whole.named_parameters()}
        groups = [
            group | {"params": [names[id(weight)] for weight in group["params"]]}
            for group in whole_optimizer.param_groups
        ]
        weights = whole.state_dict()
        state = {name: whole_optimizer.state[w] for name, w in whole.named_parameters()}
        averages = {"state": state, "param_groups": groups}
    load_full_state_dict(model, weights)
    load_full_optimizer_state(model, optimizer, averages)


def full_state_dict(model: nn.Module) -> dict[str, Tensor]:
    """All weights, whole and on the CPU, by the names of the plain model: for the first process.

    All processes have to call it, for slices are collected; the others get an empty dict.
    """
    from torch.distributed.checkpoint import state_dict

    return state_dict.get_model_state_dict(model, options=_whole(state_dict))


def load_full_state_dict(model: nn.Module, state: dict[str, Tensor]) -> None:
    """Put back what `full_state_dict` gave.  All call it; only the first needs to have a state."""
    from torch.distributed.checkpoint import state_dict

    state_dict.set_model_state_dict(model, dict(state), options=_spread(state_dict))


def full_optimizer_state(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict:
    """The optimiser's state, whole and by the names of the weights: for the first process."""
    from torch.distributed.checkpoint import state_dict

    return state_dict.get_optimizer_state_dict(model, optimizer, options=_whole(state_dict))


def load_full_optimizer_state(
    model: nn.Module, optimizer: torch.optim.Optimizer, state: dict
) -> None:
    """Put back what `full_optimizer_state` gave; as with the weights, all have to call it."""
    from torch.distributed.checkpoint import state_dict

    if state:  # PyTorch puts slices into the dicts that it is given: let it have its own
        state = state | {"state": {name: dict(kept) for name, kept in state["state"].items()}}
    state_dict.set_optimizer_state_dict(model, optimizer, state, options=_spread(state_dict))


def _whole(state_dict):
    return state_dict.StateDictOptions(full_state_dict=True, cpu_offload=True)


def _spread(state_dict):
    return state_dict.StateDictOptions(
        full_state_dict=True, broadcast_from_rank0=world_size() > 1, strict=True
    )
