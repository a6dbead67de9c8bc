"""What Hugging Face calls the settings and weights of GPT-2, Llama and BERT, and what we call them.

Their q, k and v projections, and Llama's gate and up, are one matrix each in our models; GPT-2's
projections are stored the other way round.
"""

import dataclasses
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from llmcourse import bert
from llmcourse.bert import BERT, BERTConfig
from llmcourse.gpt import GPT, GPTConfig

Config = GPTConfig | BERTConfig
Weights = dict[str, Tensor]

_BERT_HEAD = "cls.predictions.bias"  # where a BERT has it, it predicts tokens


@dataclass(frozen=True, kw_only=True)
class Family:
    """One architecture of the library beside ours.

    Args:
        name: `model_type` in `config.json`.
        architecture: the library's class.
        model, config: our classes.
        our_weights, their_weights: what renames and reshapes the weights of the other side.
        fields: our name of a setting, and theirs.
        activations: our name of an activation, and theirs.
        defaults: what the library takes where `config.json` says nothing.
        needed: settings of theirs without which a model computes something that ours does not.
        fixed: settings of ours that all models of the family have.
        also_dropout: theirs that `fields["dropout"]` leaves out, where we have one for all.
    """

    name: str
    architecture: str
    model: type[GPT | BERT]
    config: type[Config]
    our_weights: Callable[[Weights, Config], Weights]
    their_weights: Callable[[Weights, Config], Weights]
    fields: dict[str, str]
    activations: dict[str, str]
    defaults: dict = field(default_factory=dict)
    needed: dict = field(default_factory=dict)
    fixed: dict = field(default_factory=dict)
    also_dropout: tuple[str, ...] = ()

    def our_config(self, settings: dict, weights: Collection[str]) -> Config:
        """Our config for what `config.json` says; `weights` are the names of those beside it.

        Raises:
            ValueError: when a setting is missing, or asks for what our model does not do.
        """
        settings = self.defaults | _flat(settings)
        needed = dict(self.needed)
        if settings.get("head_dim"):
            needed["head_dim"] = settings["hidden_size"] // settings["num_attention_heads"]
        for name, value in needed.items():
            if settings.get(name, value) != value:
                raise ValueError(
                    f"config.json has {name} {settings[name]!r}, but our {self.name} models are "
                    f"those with {value!r}: use transformers for this one"
                )
        missing = [theirs for theirs in self.fields.values() if theirs not in settings]
        if missing:
            raise ValueError(f"config.json lacks {', '.join(missing)}: fetch the whole file again")
        ours = {name: settings[theirs] for name, theirs in self.fields.items()} | self.fixed
        names = {theirs: name for name, theirs in self.activations.items()}
        if ours["activation"] not in names:
            raise ValueError(
                f"config.json has the activation {ours['activation']!r}, but our {self.name} "
                f"models have {', '.join(names)}: use transformers for this one"
            )
        ours["activation"] = names[ours["activation"]]
        if self.config is BERTConfig:
            ours["predict_tokens"] = _BERT_HEAD in weights
        return self.config(**ours)

    def their_settings(self, config: Config) -> dict:
        """What `config.json` says for our config.

        Raises:
            ValueError: when no model of the family has this shape.
        """
        settings = {theirs: getattr(config, name) for name, theirs in self.fields.items()}
        any_activation = next(iter(self.activations.values()))
        activation = self.activations.get(config.activation, any_activation)
        settings[self.fields["activation"]] = activation
        headless = isinstance(config, BERTConfig) and not config.predict_tokens
        back = dataclasses.asdict(self.our_config(settings, () if headless else (_BERT_HEAD,)))
        wrong = [
            f"{name} is {value!r} instead of {back[name]!r}"
            for name, value in dataclasses.asdict(config).items()
            if value != back[name]
        ]
        if wrong:
            raise ValueError(
                f"the library's {self.name} cannot express this model: {', '.join(wrong)}"
            )
        architecture = "BertModel" if headless else self.architecture
        # Token ids of a start and an end are the tokenizer's matter; the library's defaults may
        # lie outside the vocabulary.
        ids = {"bos_token_id": None, "eos_token_id": None}
        settings |= dict.fromkeys(self.also_dropout, config.dropout)
        return {"architectures": [architecture], "model_type": self.name} | ids | settings


def _flat(settings: dict) -> dict:
    """The settings with those of the rotary positions among them, whichever version wrote them."""
    rope = settings.get("rope_parameters") or settings.get("rope_scaling") or {}
    kind = rope.get("rope_type", rope.get("type", "default"))
    return settings | {"rope_type": kind} | {k: v for k, v in rope.items() if k == "rope_theta"}


# ------------------------------------------------------------------------------- weights


def _gpt2_names(config: GPTConfig) -> Iterator[tuple[str, list[str]]]:
    """Our name of each weight, and theirs: where these are several, ours stacks their rows."""
    yield "token_embedding.weight", ["transformer.wte.weight"]
    yield "positions.weight", ["transformer.wpe.weight"]
    for i in range(config.n_layer):
        for ours, theirs in (
            ("attention_norm", "ln_1"),
            ("attention.query_key_value", "attn.c_attn"),
            ("attention.output", "attn.c_proj"),
            ("feed_forward_norm", "ln_2"),
            ("feed_forward.up", "mlp.c_fc"),
            ("feed_forward.down", "mlp.c_proj"),
        ):
            for kind in ("weight", "bias"):
                yield f"blocks.{i}.{ours}.{kind}", [f"transformer.h.{i}.{theirs}.{kind}"]
    for kind in ("weight", "bias"):
        yield f"norm.{kind}", [f"transformer.ln_f.{kind}"]
    if not config.tie_embeddings:
        yield "head.weight", ["lm_head.weight"]


def _llama_names(config: GPTConfig) -> Iterator[tuple[str, list[str]]]:
    yield "token_embedding.weight", ["model.embed_tokens.weight"]
    for i in range(config.n_layer):
        for ours, theirs in (
            ("attention_norm", ["input_layernorm"]),
            ("attention.query_key_value", [f"self_attn.{part}_proj" for part in "qkv"]),
            ("attention.output", ["self_attn.o_proj"]),
            ("feed_forward_norm", ["post_attention_layernorm"]),
            ("feed_forward.up", ["mlp.gate_proj", "mlp.up_proj"]),
            ("feed_forward.down", ["mlp.down_proj"]),
        ):
            yield f"blocks.{i}.{ours}.weight", [f"model.layers.{i}.{t}.weight" for t in theirs]
    yield "norm.weight", ["model.norm.weight"]
    if not config.tie_embeddings:
        yield "head.weight", ["lm_head.weight"]


def _turned(name: str, tensor: Tensor) -> Tensor:
    """GPT-2's projections are (in, out), those of `nn.Linear` (out, in)."""
    return tensor.T if ".c_" in name and tensor.dim() == 2 else tensor


def _our_weights(names: Callable, weights: Weights, config: GPTConfig) -> Weights:
    if "wte.weight" in weights:  # as in the files of 2019
        weights = {f"transformer.{name}": tensor for name, tensor in weights.items()}
    groups = dict(names(config))
    known = {name for group in groups.values() for name in group}
    # Masks and angles are no weights, and a tied head is there already.
    tied = ("lm_head.weight",) if config.tie_embeddings else ()
    ignored = (".attn.bias", ".attn.masked_bias", ".rotary_emb.inv_freq", *tied)
    extra = sorted(n for n in weights.keys() - known if not n.endswith(ignored))
    missing = sorted(known - weights.keys())
    if missing or extra:
        raise ValueError(
            "the weights are not those that config.json speaks of: missing are "
            f"{', '.join(missing[:3]) or 'none'}, unknown are {', '.join(extra[:3]) or 'none'}"
        )
    return {ours: torch.cat([_turned(n, weights[n]) for n in g]) for ours, g in groups.items()}


def _their_weights(names: Callable, weights: Weights, config: GPTConfig) -> Weights:
    key_rows = config.n_kv_head * config.head_dim
    rows = {2: [config.d_ff] * 2, 3: [config.d_model, key_rows, key_rows]}
    theirs = {}
    for ours, group in names(config):
        parts = weights[ours].split(rows[len(group)]) if len(group) > 1 else [weights[ours]]
        theirs |= {name: _turned(name, part) for name, part in zip(group, parts, strict=True)}
    return theirs


# ------------------------------------------------------------------------------ families

GPT2 = Family(
    name="gpt2",
    architecture="GPT2LMHeadModel",
    model=GPT,
    config=GPTConfig,
    our_weights=partial(_our_weights, _gpt2_names),
    their_weights=partial(_their_weights, _gpt2_names),
    fields={
        "vocab_size": "vocab_size",
        "context_length": "n_positions",
        "n_layer": "n_layer",
        "n_head": "n_head",
        "d_model": "n_embd",
        "d_ff": "n_inner",
        "activation": "activation_function",
        "dropout": "resid_pdrop",
        "tie_embeddings": "tie_word_embeddings",
        "norm_eps": "layer_norm_epsilon",
    },
    activations={"gelu_tanh": "gelu_new", "gelu": "gelu", "relu": "relu"},
    defaults={"n_inner": None, "tie_word_embeddings": True},
    needed={"scale_attn_weights": True, "scale_attn_by_inverse_layer_idx": False},
    also_dropout=("attn_pdrop", "embd_pdrop"),
)

LLAMA = Family(
    name="llama",
    architecture="LlamaForCausalLM",
    model=GPT,
    config=GPTConfig,
    our_weights=partial(_our_weights, _llama_names),
    their_weights=partial(_their_weights, _llama_names),
    fields={
        "vocab_size": "vocab_size",
        "context_length": "max_position_embeddings",
        "n_layer": "num_hidden_layers",
        "n_head": "num_attention_heads",
        "n_kv_head": "num_key_value_heads",
        "d_model": "hidden_size",
        "d_ff": "intermediate_size",
        "activation": "hidden_act",
        "dropout": "attention_dropout",
        "tie_embeddings": "tie_word_embeddings",
        "rope_theta": "rope_theta",
        "norm_eps": "rms_norm_eps",
    },
    activations={"swiglu": "silu"},
    defaults={
        "num_key_value_heads": None,
        "attention_dropout": 0.0,
        "tie_word_embeddings": False,
        "rope_theta": 10000.0,
    },
    needed={"rope_type": "default", "attention_bias": False, "mlp_bias": False},
    fixed={"norm": "rms", "position": "rope", "bias": False},
)

BERT_FAMILY = Family(
    name="bert",
    architecture="BertForMaskedLM",
    model=BERT,
    config=BERTConfig,
    our_weights=bert.weights_from_huggingface,
    their_weights=bert.weights_to_huggingface,
    fields={
        "vocab_size": "vocab_size",
        "context_length": "max_position_embeddings",
        "n_layer": "num_hidden_layers",
        "n_head": "num_attention_heads",
        "d_model": "hidden_size",
        "d_ff": "intermediate_size",
        "n_segment": "type_vocab_size",
        "activation": "hidden_act",
        "dropout": "hidden_dropout_prob",
        "norm_eps": "layer_norm_eps",
    },
    activations={"gelu": "gelu", "gelu_tanh": "gelu_new", "relu": "relu"},
    needed={
        "position_embedding_type": "absolute",
        "is_decoder": False,
        "tie_word_embeddings": True,
    },
    also_dropout=("attention_probs_dropout_prob",),
)

FAMILIES = {family.name: family for family in (GPT2, LLAMA, BERT_FAMILY)}
