"""Put any value on a line or a few, without trusting it.

Only types known here are asked for their contents: the `repr` of a reader's own class may raise,
never end, or fill the screen.
"""

import math
from decimal import Decimal
from fractions import Fraction

import numpy
import torch

MAX_ITEMS = 8
MAX_NUMBERS = 40
MAX_CHARACTERS = 120
MAX_DEPTH = 4


def show(value: object, depth: int = 0) -> str:
    """A short text for `value`: tensors with 4 decimals, big ones as shape and first numbers."""
    if isinstance(value, torch.Tensor | numpy.ndarray):
        return show_array(value)
    if isinstance(value, numpy.generic):
        value = value.item()
    if isinstance(value, bool) or value is None or value is ...:
        return repr(value)
    if isinstance(value, float):
        return show_float(float(value))
    if isinstance(value, int):
        return f"{int(value)}" if abs(value) < 10**20 else "an integer of more than 20 digits"
    if type(value) in (complex, Fraction, Decimal):
        return str(value)
    if isinstance(value, str | bytes):
        kind, full = ("characters", str(value)) if isinstance(value, str) else ("bytes", value)
        rest = f"... ({len(full):,} {kind})" if len(full) > MAX_CHARACTERS else ""
        return repr(full[:MAX_CHARACTERS]) + rest
    if type(value) in (list, tuple, set, frozenset, dict):
        return show_items(value, depth)
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if callable(value):
        name = getattr(value, "__name__", None) if type(value).__module__ == "builtins" else None
        return name or article(type(value).__name__)
    return article(type(value).__name__)


def show_float(value: float) -> str:
    """As Python writes it if that is short, else 6 digits."""
    return repr(value) if len(repr(value)) <= 10 else f"{value:.6g}"


def show_items(value: list | tuple | set | frozenset | dict, depth: int) -> str:
    opening, closing = {list: "[]", tuple: "()"}.get(type(value), "{}")
    if depth >= MAX_DEPTH:
        return f"{opening}...{closing}"
    items = []
    for item, _ in zip(value, range(MAX_ITEMS), strict=False):
        text = show(item, depth + 1)
        items.append(f"{text}: {show(value[item], depth + 1)}" if type(value) is dict else text)
    if len(value) > MAX_ITEMS:
        items.append(f"... {len(value):,} in all")
    trailing = "," if type(value) is tuple and len(value) == 1 else ""
    return f"{opening}{', '.join(items)}{trailing}{closing}"


def show_array(value: torch.Tensor | numpy.ndarray) -> str:
    """Shape, then all numbers if they are few, else the first."""
    kind = "tensor" if isinstance(value, torch.Tensor) else "array"
    shape = tuple(value.shape)
    size = math.prod(shape)
    if isinstance(value, torch.Tensor):
        value = value.detach().flatten()[: MAX_NUMBERS + 1].cpu()
        value = (value.double() if value.is_floating_point() else value).numpy()
    flat = value.reshape(-1)
    if flat.dtype.kind == "O":
        return f"{kind} of shape {shape} that holds Python objects"
    if size > MAX_NUMBERS or len(shape) > 2:
        first = ", ".join(show_number(number) for number in flat[:6])
        return f"{kind} of shape {shape}, starting {first}, ..."
    text = numpy.array2string(
        flat.reshape(shape),
        separator=", ",
        max_line_width=100,
        formatter={"all": show_number},
    )
    return f"{kind} {text}" if len(shape) < 2 else f"{kind} of shape {shape}\n{text}"


def show_number(value: object) -> str:
    """A number within a tensor: 4 decimals, or 4 digits where those would hide it."""
    if not isinstance(value, float | numpy.floating):
        return str(value)
    plain = value == 0 or 1e-3 <= abs(value) < 1e5
    return f"{value:.4f}" if plain else f"{value:.4g}"


def article(noun: str) -> str:
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def kind_of(value: object) -> str:
    """What sort of thing it is, for a sentence: "a tensor of shape (2, 3)", "a function"."""
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, numpy.ndarray):
        return f"an array of shape {value.shape}"
    if value is None:
        return "None"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    names = {"str": "a string", "builtin_function_or_method": "a function", "bool": "a bool"}
    name = type(value).__name__
    return names.get(name) or article(name)
