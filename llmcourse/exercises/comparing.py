"""Is this the expected value, and if not, how does it differ?

Lenient about the container (list, tuple, NumPy, PyTorch) and the precision, strict about shape and
numbers.  Only types known here are looked into, and `==` of a reader's own class is never asked.
"""

from decimal import Decimal
from fractions import Fraction

import numpy
import torch

from llmcourse.exercises.showing import kind_of, show

MAX_DEPTH = 8
NOT_EQUAL = "the two are not equal"


def difference(expected: object, got: object, rtol: float = 1e-4, atol: float = 1e-6) -> str | None:
    """None if `got` equals `expected`, else a sentence that names the difference."""
    if complaint := kind_difference(expected, got):
        return complaint
    wanted = as_array(expected)
    if wanted is not None:
        return array_difference(wanted, as_array(got), rtol, atol)
    if isinstance(expected, dict) and isinstance(got, dict):
        return dict_difference(expected, got, rtol, atol)
    if isinstance(expected, list | tuple) and isinstance(got, list | tuple):
        return items_difference(expected, got, rtol, atol)
    if isinstance(expected, torch.nn.Module) or callable(expected):
        return None if got is expected else f"got {kind_of(got)}"
    # asked of the expected value's own type, so that no `__eq__` of the reader's has a say
    if type(expected).__eq__(expected, got) is True:
        return None
    if isinstance(got, type(expected)):
        return NOT_EQUAL
    return f"expected {kind_of(expected)}, got {kind_of(got)}"


def kind_difference(expected: object, got: object) -> str | None:
    """None if `got` could be right as far as its kind goes, else a sentence on what it is."""
    if got is None and expected is not None:
        return "you return None: is there a `return` on every path?"
    wanted = as_array(expected)
    if wanted is None:
        return None
    array = as_array(got)
    if isinstance(got, tuple) and (array is None or array.shape != wanted.shape):
        parts = [as_array(part) for part in got]
        if any(part is not None and part.shape == wanted.shape for part in parts):
            what = "output" if wanted.ndim else "number"
            return f"you return a tuple of length {len(got)}: return the {what} only, not a tuple"
    if array is None:
        what = f"numbers of shape {wanted.shape}" if wanted.ndim else "a number"
        return f"expected {what}, got {kind_of(got)}{contents(got)}"
    return None


def contents(value: object) -> str:
    """What keeps a list or tuple from being numbers, as the end of a sentence."""
    if not isinstance(value, list | tuple):
        return ""
    odd = [item for item in value if as_array(item) is None]
    return f" that holds {kind_of(odd[0])}" if odd else " whose items differ in shape"


def paper_difference(expected: object, got: object, rtol: float, atol: float) -> str | None:
    """As `difference`, for an answer found on paper: lenient on nesting, silent on what is right.

    What was expected is the whole exercise there, so only kind and number of the parts are told.
    """
    wanted, numbers = numbers_in(expected), numbers_in(got)
    if wanted is None:
        return None if difference(expected, got, rtol, atol) is None else NOT_EQUAL
    some = "a number is" if len(wanted) == 1 else f"{len(wanted)} numbers are"
    if numbers is None:
        return f"{some} wanted, got {kind_of(got)}{contents(got)}"
    if len(numbers) != len(wanted):
        return f"{some} wanted, and you give {len(numbers)}"
    complaint = array_difference(wanted, numbers, rtol, atol)
    return NOT_EQUAL if complaint and numpy.isfinite(numbers).all() else complaint


def numbers_in(value: object, depth: int = 0) -> numpy.ndarray | None:
    """All numbers in a value, nested as it may be, in a row; None if it holds anything else."""
    array = as_array(value)
    if array is not None:
        return array.reshape(-1).astype(complex if array.dtype.kind == "c" else float)
    if not isinstance(value, list | tuple | dict) or not value or depth >= MAX_DEPTH:
        return None
    items = value.values() if isinstance(value, dict) else value
    parts = [numbers_in(item, depth + 1) for item in items]
    return None if any(part is None for part in parts) else numpy.concatenate(parts)


def as_array(value: object, depth: int = 0) -> numpy.ndarray | None:
    """Numbers in any container as an array of bool, int64, float64 or complex128; else None."""
    if isinstance(value, torch.Tensor):
        if value.is_sparse or value.is_quantized or value.device.type == "meta":
            return None
        value = value.detach().cpu().resolve_conj().resolve_neg()
        value = (value.double() if value.is_floating_point() else value).numpy()
    elif isinstance(value, int) and abs(value) >= 2**63:
        value = Fraction(value)
    if isinstance(value, Fraction | Decimal):
        try:
            value = float(value)
        except OverflowError:
            return None
    if isinstance(value, numpy.ndarray | numpy.generic | bool | int | float | complex):
        array = numpy.asarray(value)
    elif type(value) is list and {type(item) for item in value} <= {int, float, bool}:
        array = numpy.array(value)
    elif isinstance(value, list | tuple | range) and depth < MAX_DEPTH:
        parts = []
        for item in value:
            parts.append(as_array(item, depth + 1))
            if parts[-1] is None or parts[-1].shape != parts[0].shape:
                return None
        array = numpy.array(parts)
    else:
        return None
    wide = {"b": bool, "i": "int64", "u": "int64", "f": "float64", "c": "complex128"}
    return array.astype(wide[array.dtype.kind]) if array.dtype.kind in wide else None


def array_difference(
    expected: numpy.ndarray, array: numpy.ndarray, rtol: float, atol: float
) -> str | None:
    if array.shape != expected.shape:
        return f"the shape is {array.shape}, and should be {expected.shape}"
    if expected.size == 0:
        return None
    if array.dtype.kind == "f" and expected.dtype.kind in "bi" and numpy.isnan(array).any():
        return where_wrong(expected, array, numpy.isnan(array))
    if complaint := dtype_difference(expected.dtype.kind, array.dtype.kind):
        return complaint
    if expected.dtype.kind == "b":
        wrong = array != expected
    else:
        with numpy.errstate(invalid="ignore", over="ignore"):
            wrong = ~numpy.isclose(array, expected, rtol=rtol, atol=atol, equal_nan=True)
    if not wrong.any():
        return None
    return where_wrong(expected, array, wrong)


def dtype_difference(expected: str, got: str) -> str | None:
    """Compare NumPy's dtype kinds: "b" bool, "i" integer, "f" float, "c" complex."""
    if got == expected or got in "bi" and expected in "fc" or (expected, got) == ("c", "f"):
        return None
    names = {"b": "True or False", "i": "integer", "f": "real", "c": "complex"}
    return f"the dtype is wrong: got {names[got]}, expected {names[expected]}"


def where_wrong(expected: numpy.ndarray, got: numpy.ndarray, wrong: numpy.ndarray) -> str:
    """Name nan and inf as such, else the first place that differs and how many do."""
    for name, is_odd in (("nan", numpy.isnan), ("inf", numpy.isinf)):
        odd = is_odd(got) & wrong if got.dtype.kind in "fc" else numpy.zeros_like(wrong)
        if odd.any():
            place = tuple(numpy.argwhere(odd)[0].tolist())
            where = f" at {list(place)} ({odd.sum()} of {odd.size} are {name})" if place else ""
            return f"got {name}{where}"
    place = tuple(numpy.argwhere(wrong)[0].tolist())
    one, other = expected[place].item(), got[place].item()
    if got.ndim > 0:
        return (
            f"{wrong.sum()} of {wrong.size} differ, the first at {list(place)}: "
            f"expected {show(one)}, got {show(other)}"
        )
    if isinstance(one, float) and one and numpy.isfinite(one):
        return f"got / expected = {other / one:.4g}"
    return NOT_EQUAL


def dict_difference(expected: dict, got: dict, rtol: float, atol: float) -> str | None:
    missing = [show(key) for key in expected if key not in got]
    surplus = [show(key) for key in got if key not in expected]
    if missing or surplus:
        parts = [f"{len(missing)} keys are missing, such as {missing[0]}"] if missing else []
        parts += [f"{len(surplus)} should not be there, such as {surplus[0]}"] if surplus else []
        return "; ".join(parts)
    for key, value in expected.items():
        if complaint := difference(value, got[key], rtol, atol):
            return f"under the key {show(key)}: {complaint}"
    return None


def items_difference(expected: list | tuple, got: list | tuple, rtol, atol) -> str | None:
    if len(got) != len(expected):
        return f"the length is {len(got)}, and should be {len(expected)}"
    for i, (one, other) in enumerate(zip(expected, got, strict=True)):
        if complaint := difference(one, other, rtol, atol):
            return f"at index {i}, expected {show(one)}, got {show(other)}: {complaint}"
    return None
