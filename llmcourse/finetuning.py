"""Fine-tuning: a head for labels, low-rank updates, a loss on answers only, and preferences.

A model that was trained to go on with text is changed a little: it gets another head
(`ClassifierHead`), a small update beside frozen weights (`apply_lora`), answers to imitate
(`sft_loss`), or pairs of answers of which one is preferred (`dpo_loss`).
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from llmcourse.checkpoints import replacing
from llmcourse.gpt import GPT
from llmcourse.layers import choose, cross_entropy


class ClassifierOutput(NamedTuple):
    """Logits of shape (batch, n_classes), and the loss, a scalar in nats, or None."""

    logits: Tensor
    loss: Tensor | None


class ClassifierHead(nn.Module):
    """A body that reads, and a linear layer that says which of `n_classes` a text belongs to.

    Source: Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language
    Understanding", 2018, section 4.1 (first token); Radford et al., "Improving Language
    Understanding by Generative Pre-Training", 2018, section 3.2 (last token).

    Args:
        body: a `BERT` or a `GPT`; its weights are trained along unless you freeze them.
        n_classes: different labels.
        pool: which token's vector is read, `"first"`, `"last"` (the last *real* one, not the
            padding after it), or `"mean"` over all real tokens.

    Raises:
        ValueError: for an unknown pool, for fewer than two classes, and for the first token of a
            GPT, which has read nothing but itself.
    """

    def __init__(self, body: nn.Module, n_classes: int, pool: str = "mean"):
        super().__init__()
        choose("pool", pool, ("first", "mean", "last"))
        if n_classes < 2:
            raise ValueError(f"n_classes is {n_classes}: choose 2 or more")
        if pool == "first" and isinstance(body, GPT):
            raise ValueError(
                "pool is 'first', but the first token of a GPT has read nothing but itself: choose "
                "'last' or 'mean'"
            )
        self.body, self.pool = body, pool
        self.head = nn.Linear(body.config.d_model, n_classes)
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    def forward(
        self, tokens: Tensor, mask: Tensor | None = None, labels: Tensor | None = None
    ) -> ClassifierOutput:
        """Logits for each text, and the mean loss if labels are given.

        Args:
            tokens: ids, (batch, time).
            mask: boolean, True = a real token, False = padding, (batch, time).
            labels: the right class of each text, (batch,).

        Raises:
            ValueError: for a text without a real token, labels of another shape, and as the body.
        """
        if labels is not None and labels.shape != tokens.shape[:1]:
            raise ValueError(
                f"labels has shape {tuple(labels.shape)}, but there are {len(tokens)} texts: give "
                "one label for each"
            )
        logits = self.head(self.features(tokens, mask))
        return ClassifierOutput(logits, None if labels is None else F.cross_entropy(logits, labels))

    def features(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """What the head reads, (batch, d_model)."""
        gpt = isinstance(self.body, GPT)
        hidden = self.body.hidden(tokens, mask) if gpt else self.body(tokens, mask).hidden
        if mask is None:
            mask = torch.ones_like(tokens, dtype=torch.bool)
        if not mask.any(-1).all():
            raise ValueError("a text has no real token: its mask is False throughout")
        if self.pool == "mean":
            weights = mask[..., None].to(hidden.dtype)
            return (hidden * weights).sum(1) / weights.sum(1)
        places = torch.arange(mask.shape[1], device=mask.device)
        if self.pool == "first":
            place = places.where(mask, len(places)).amin(-1)
        else:
            place = places.where(mask, -1).amax(-1)
        return hidden[torch.arange(len(hidden), device=hidden.device), place]


# -------------------------------------------------------------------------------- LoRA


class LoRALinear(nn.Module):
    """A frozen linear layer, and beside it a product of two thin matrices, which is trained.

    `linear(x) + alpha / rank * x A^T B^T`.  A starts as a linear layer does and B at zero, so that
    nothing changes before the first step.

    Source: Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021, section 4.1.

    Args:
        linear: the layer, (..., d_in) to (..., d_out); it is kept, not copied, and frozen.
        rank: rows of A, (rank, d_in), and columns of B, (d_out, rank).
        alpha: the update is scaled by `alpha / rank`; by default `rank`, a scale of 1.

    Raises:
        ValueError: for a rank below 1, or above what the layer's matrix can have.
    """

    def __init__(self, linear: nn.Linear, rank: int, alpha: float | None = None):
        super().__init__()
        d_out, d_in = linear.weight.shape
        if not 1 <= rank <= min(d_in, d_out):
            raise ValueError(
                f"rank is {rank}, but a matrix of {d_out} x {d_in} has ranks of 1 to "
                f"{min(d_in, d_out)}: choose one of those, usually 4 to 64"
            )
        self.linear = linear.requires_grad_(False)
        self.rank, self.alpha = rank, float(rank if alpha is None else alpha)
        like = {"device": linear.weight.device, "dtype": linear.weight.dtype}
        self.A = nn.Parameter(torch.empty(rank, d_in, **like))
        self.B = nn.Parameter(torch.zeros(d_out, rank, **like))
        nn.init.kaiming_uniform_(self.A, a=math.sqrt(5))

    @property
    def scale(self) -> float:
        return self.alpha / self.rank

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) + self.scale * F.linear(F.linear(x, self.A), self.B)

    def update(self) -> Tensor:
        """What is added to the layer's weight, (d_out, d_in)."""
        return self.scale * self.B @ self.A


def apply_lora(
    model: nn.Module,
    rank: int,
    alpha: float | None = None,
    targets: Sequence[str] = ("query_key_value", "output"),
) -> nn.Module:
    """Freeze a model and give its linear layers of certain names an update to learn, in place.

    Our attention computes queries, keys and values by one layer, so they share their A here, where
    three layers would have one each.

    Args:
        rank, alpha: as in `LoRALinear`.
        targets: names of layers, without what stands before the last dot; those of a block are
            `query_key_value` and `output` (attention), `up` and `down` (feed-forward).

    Returns:
        The model.

    Raises:
        ValueError: when a name fits no linear layer, or the model has updates already.
    """
    if any(isinstance(module, LoRALinear) for module in model.modules()):
        raise ValueError("the model has low-rank updates already: merge_lora(model) comes first")
    linears = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    known = {name.rpartition(".")[2] for name in linears}
    missing = [name for name in targets if name not in known]
    if missing or not targets:
        raise ValueError(
            f"targets is {tuple(targets)!r}, and {missing if targets else 'nothing'} fits no "
            f"linear layer: choose from {', '.join(sorted(known))}"
        )
    model.requires_grad_(False)
    for name in linears:
        parent, _, last = name.rpartition(".")
        if last in targets:
            layer = model.get_submodule(name)
            setattr(model.get_submodule(parent), last, LoRALinear(layer, rank, alpha))
    return model


def merge_lora(model: nn.Module) -> nn.Module:
    """Add the updates to their layers' weights, in place, and return the model.

    It has its old names and shapes again, costs nothing more, and all of it can be trained.
    """
    for name, module in list(model.named_modules()):
        if isinstance(module, LoRALinear):
            with torch.no_grad():
                module.linear.weight += module.update()
            parent, _, last = name.rpartition(".")
            setattr(model.get_submodule(parent), last, module.linear)
    return model.requires_grad_(True)


def save_adapter(model: nn.Module, path: str | Path) -> None:
    """Write the updates only, with their rank, alpha and names, into a safetensors file.

    Raises:
        ValueError: when there are none.
    """
    layers = {n: m for n, m in model.named_modules() if isinstance(m, LoRALinear)}
    if not layers:
        raise ValueError("the model has no low-rank updates to save: apply_lora(model, rank)")
    first = next(iter(layers.values()))
    targets = sorted({name.rpartition(".")[2] for name in layers})
    settings = {"rank": first.rank, "alpha": first.alpha, "targets": targets}
    tensors = {f"{name}.A": layer.A.detach().cpu() for name, layer in layers.items()}
    tensors |= {f"{name}.B": layer.B.detach().cpu() for name, layer in layers.items()}
    with replacing(Path(path)) as partial:
        save_file(tensors, partial, {"lora": json.dumps(settings)})


def load_adapter(model: nn.Module, path: str | Path) -> nn.Module:
    """`apply_lora` with what `save_adapter` wrote, and return the model.

    Raises:
        ValueError: for a file that holds no updates, or those of another model; then the model is
            left as it was.
    """
    with safe_open(path, "pt") as file:
        settings = (file.metadata() or {}).get("lora")
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    if settings is None:
        raise ValueError(f"{path} holds no low-rank updates: give a file that save_adapter wrote")
    settings = json.loads(settings)
    linears = {n: m for n, m in model.named_modules() if isinstance(m, nn.Linear)}
    wanted = {n: m for n, m in linears.items() if n.rpartition(".")[2] in settings["targets"]}
    shapes = {f"{n}.A": (settings["rank"], m.in_features) for n, m in wanted.items()}
    shapes |= {f"{n}.B": (m.out_features, settings["rank"]) for n, m in wanted.items()}
    if shapes != {name: tuple(tensor.shape) for name, tensor in tensors.items()}:
        raise ValueError(f"{path} holds updates of another model: load the model it was made for")
    apply_lora(model, **settings)
    model.load_state_dict(tensors, strict=False)
    return model


# ----------------------------------------------------------------- answers and preferences


def answer_labels(
    tokens: Tensor, prompt_lengths: Sequence[int] | Tensor, mask: Tensor | None = None
) -> Tensor:
    """The tokens, with -100 in place of each prompt and of padding, (batch, time).

    As in transformers, labels stand where their tokens stand; the losses below do the shift.

    Args:
        tokens: prompt and answer of each row, padded on the right, (batch, time).
        prompt_lengths: of how many tokens each prompt consists, (batch,).
        mask: boolean, True = a real token, (batch, time).

    Raises:
        ValueError: for another number of lengths, or an empty prompt, which leaves the first token
            of the answer without anything to be predicted from.
    """
    lengths = torch.as_tensor(prompt_lengths, device=tokens.device)
    if lengths.shape != tokens.shape[:1] or lengths.min() < 1:
        raise ValueError(
            f"prompt_lengths is {lengths.tolist()} for {len(tokens)} rows: give one length for "
            "each, 1 or more"
        )
    counts = torch.arange(tokens.shape[1], device=tokens.device) >= lengths[:, None]
    return tokens.where(counts if mask is None else counts & mask, -100)


def sft_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """The mean surprise of the answers' tokens, a scalar in nats (supervised fine-tuning).

    Args:
        logits: (batch, time, vocab_size).
        labels: from `answer_labels`, (batch, time), not shifted: the token at t is predicted at
            t - 1.

    Raises:
        ValueError: for labels of another shape, or without any answer.
    """
    if labels.shape != logits.shape[:-1]:
        raise ValueError(
            f"labels has shape {tuple(labels.shape)}, but there are logits for "
            f"{tuple(logits.shape[:-1])}: give one label for each position, not shifted"
        )
    if not (labels[:, 1:] != -100).any():
        raise ValueError("all labels are -100: there is no answer to learn from")
    return cross_entropy(logits[:, :-1], labels[:, 1:])


def answer_log_probs(logits: Tensor, labels: Tensor) -> Tensor:
    """log P(answer | prompt) of each row, in nats, (batch,): summed over its tokens, not averaged.

    Args: as `sft_loss`.
    """
    targets = labels[:, 1:]
    surprise = F.cross_entropy(
        logits[:, :-1].float().transpose(1, 2), targets, ignore_index=-100, reduction="none"
    )
    return -surprise.sum(-1)


class DPOOutput(NamedTuple):
    """The loss, a scalar; the implicit rewards of both answers, each (batch,), without gradient."""

    loss: Tensor
    chosen_rewards: Tensor
    rejected_rewards: Tensor


def dpo_loss(
    chosen: Tensor, rejected: Tensor, reference_chosen: Tensor, reference_rejected: Tensor,
    beta: float,
) -> DPOOutput:  # fmt: skip
    """Direct preference optimisation: make the chosen answers likelier, compared to a reference.

    An answer's implicit reward is `beta * (log P(answer) - log P_reference(answer))`; the loss is
    the mean of `-log sigmoid(reward of the chosen - reward of the rejected)`.

    Source: Rafailov et al., "Direct Preference Optimization: Your Language Model is Secretly a
    Reward Model", 2023, equation 7.

    Args:
        chosen, rejected: log-probabilities of the answers (`answer_log_probs`), (batch,).
        reference_chosen, reference_rejected: the same under the frozen model one starts from.
        beta: how dearly one pays for leaving the reference; a larger one holds back more.

    Raises:
        ValueError: for a beta that is not above 0, or tensors of different shapes.
    """
    if not beta > 0:
        raise ValueError(f"beta is {beta}: choose a number above 0, usually 0.01 to 0.5")
    shapes = {tuple(t.shape) for t in (chosen, rejected, reference_chosen, reference_rejected)}
    if len(shapes) > 1:
        raise ValueError(f"got shapes {sorted(shapes)}: give one log-probability for each pair")
    chosen_rewards = beta * (chosen - reference_chosen)
    rejected_rewards = beta * (rejected - reference_rejected)
    loss = -F.logsigmoid(chosen_rewards - rejected_rewards).mean()
    return DPOOutput(loss, chosen_rewards.detach(), rejected_rewards.detach())
