"""Hand a number or a figure from a cell to the text of a page."""

import io
import json
import math

from IPython.display import display
from matplotlib.figure import Figure

PREFIX = "application/papermill.record/"


def glue(name: str, value: float | str | Figure) -> None:
    """Record `value` under `name`; a chapter's text shows it by `<data value="name:.2f">…</data>`.

    Tensors of one element are unpacked.  A figure can be shown on another page of the book.  The
    output is the mime bundle of `myst_nb.glue`, so that the book's build finds it, and shows
    nothing in the notebook itself.

    Raises:
        TypeError: for anything but a number, a string or a figure.
        ValueError: for nan or infinity, which no sentence should quote by accident.
    """
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, Figure):
        svg = io.StringIO()
        value.savefig(svg, format="svg")
        bundle = {"image/svg+xml": svg.getvalue()}
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"glue({name!r}, {value}): not a finite number; look at what computed it")
    elif isinstance(value, int | float | str):
        bundle = {"text/plain": json.dumps(value)}
    else:
        kind = type(value).__name__
        raise TypeError(f"glue({name!r}, …) takes a number, a string or a figure, not a {kind}")
    display(
        {PREFIX + mime: data for mime, data in bundle.items()},
        raw=True,
        metadata={"scrapbook": {"name": name, "mime_prefix": PREFIX}},
    )
