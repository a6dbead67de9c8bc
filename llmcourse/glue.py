"""Hand a number from a cell to the prose of the same page."""

import json
import math

from IPython.display import display

MIME = "application/papermill.record/text/plain"


def glue(name: str, value: object) -> None:
    """Record `value` under `name`, for `<data value="name:.2f">…</data>` in the chapter's text.

    The output is the mime bundle of `myst_nb.glue`, so the book's build finds it, and shows nothing
    in the notebook itself.  `value` is a number or a string; tensors of one element are unpacked.

    Raises:
        TypeError: for anything else, since prose holds numbers and words only.
        ValueError: for nan or infinity, which no sentence should quote by accident.
    """
    value = value.item() if hasattr(value, "item") else value
    if not isinstance(value, int | float | str):
        kind = type(value).__name__
        raise TypeError(f"glue({name!r}, …) takes a number or a string, not a {kind}")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"glue({name!r}, {value}): the number is not finite; look at the cell above")
    display(
        {MIME: json.dumps(value)},
        raw=True,
        metadata={"scrapbook": {"name": name, "mime_prefix": "application/papermill.record/"}},
    )
