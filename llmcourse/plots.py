"""The figures that appear in more than one chapter, in one hand and one set of colours."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy
from cycler import cycler
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from llmcourse.evaluation import Rung

# Okabe and Ito's palette for all kinds of colour vision, one meaning each throughout the book.
QUERY = "#0072B2"
KEY = "#E69F00"
VALUE = "#009E73"
RESIDUAL = "#7F7F7F"
LOSS = "#CC79A7"
WRONG = "#D55E00"
INK = "#222222"


def use_house_style() -> None:
    """Set matplotlib up for the book: sizes that a phone can show, our colours, Chinese glyphs.

    Figures become SVG, sharp at every zoom.  Chinese needs the font of the package `zhplot`;
    without it Chinese labels show as boxes, and everything else works.
    """
    families = ["DejaVu Sans"]
    spec = importlib.util.find_spec("zhplot")
    if spec:
        font = Path(spec.submodule_search_locations[0]) / "fonts" / "NotoSansSC-Regular.ttf"
        font_manager.fontManager.addfont(font)
        families.append(font_manager.FontProperties(fname=font).get_name())
    matplotlib.rcParams.update(
        {
            "font.family": families,
            "font.size": 11,
            "figure.figsize": (5.6, 3.4),
            "figure.constrained_layout.use": True,
            "figure.facecolor": "white",
            "axes.prop_cycle": cycler(color=[QUERY, KEY, VALUE, LOSS, WRONG, RESIDUAL]),
            "axes.titlesize": 12,
            "axes.titlelocation": "left",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.edgecolor": RESIDUAL,
            "text.color": INK,
            "svg.hashsalt": "llmcourse",
        }
    )
    if importlib.util.find_spec("matplotlib_inline"):
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("svg")


def shades(color: str) -> LinearSegmentedColormap:
    """A colour map from white to `color`."""
    return LinearSegmentedColormap.from_list(color, ["white", color])


def heatmap(
    matrix,
    rows: Sequence[str] = (),
    columns: Sequence[str] = (),
    color: str = QUERY,
    title: str = "",
    decimals: int = 2,
    ax: Axes | None = None,
) -> Axes:
    """A matrix as coloured cells with the numbers in them; white is 0, `color` the largest size.

    Negative numbers are shaded like positive ones and told apart by their sign.

    Args:
        matrix: shape (n_rows, n_columns).
        rows, columns: labels; the columns' stand above, where a reader of matrices expects them.
        decimals: digits after the point; trailing zeros are dropped in a matrix of integers.
    """
    ax = ax or plt.subplots()[1]
    matrix = numpy.asarray(matrix, dtype=float)
    size = numpy.abs(matrix)
    top = size.max() or 1.0
    ax.imshow(size, cmap=shades(color), vmin=0, vmax=1.35 * top, aspect="auto")
    integers = bool((matrix == matrix.round()).all())
    for (i, j), number in numpy.ndenumerate(matrix):
        label = f"{number:.0f}" if integers else f"{number:.{decimals}f}"
        ax.text(j, i, label.replace("-", "−"), ha="center", va="center", color=INK)
    ax.set_xticks(range(len(columns)), columns)
    ax.set_yticks(range(len(rows)), rows)
    ax.tick_params(length=0, top=False, labeltop=True, bottom=False, labelbottom=False)
    ax.spines[:].set_visible(False)
    ax.set_title(title)
    return ax


def ladder(rungs: Sequence[Rung], title: str, ax: Axes | None = None) -> Axes:
    """The book's one ladder: bits per held-out byte of each model, the best at the bottom.

    The interval of a rung is drawn, though it is often narrower than the dot.
    """
    ax = ax or plt.subplots(figsize=(5.6, 0.8 + 0.42 * len(rungs)))[1]
    rungs = sorted(rungs, key=lambda rung: -rung.bits_per_byte)
    best = min(rung.bits_per_byte for rung in rungs)
    for height, rung in enumerate(rungs):
        color = LOSS if rung.bits_per_byte == best else RESIDUAL
        ax.plot([0, rung.bits_per_byte], [height] * 2, color=color, lw=6, alpha=0.35)
        ax.plot([rung.low, rung.high], [height] * 2, color=color, lw=2)
        ax.plot(rung.bits_per_byte, height, "o", color=color)
        ax.text(rung.bits_per_byte + 0.15, height, f"{rung.bits_per_byte:.2f}", va="center")
    ax.set_yticks(range(len(rungs)), [rung.name for rung in rungs])
    ax.set(xlim=(0, 9), ylim=(len(rungs) - 0.4, -0.6), xlabel="bits per byte (less is better)")
    ax.set_title(title)
    return ax


def surprise_strip(
    text: str, models: Sequence[str], bits: Sequence[Sequence[float]], title: str
) -> Figure:
    """A text letter by letter, once per model; the darker a letter, the more bits it cost.

    Args:
        text: a line of at most about 40 characters, each of one byte.
        models: the name of each model.
        bits: for each model the surprise of each character, in bits.
    """
    figure, ax = plt.subplots(figsize=(5.6, 0.7 + 0.52 * len(models)))
    image = ax.imshow(bits, cmap=shades(LOSS), vmin=0, vmax=9, aspect="auto")
    for row in range(len(models)):
        for column, letter in enumerate(text):
            ax.text(column, row, letter, ha="center", va="center", family="DejaVu Sans Mono")
    ax.set_yticks(range(len(models)), models)
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    figure.colorbar(image, ax=ax, label="bits", pad=0.01, ticks=[0, 4, 8])
    figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    return figure


def timeline(events: Sequence[tuple[float, str]], title: str) -> Figure:
    """Dated events from the oldest (top) to the newest, spaced evenly, the year written out."""
    figure, ax = plt.subplots(figsize=(5.6, 0.5 + 0.34 * len(events)))
    for row, (year, label) in enumerate(events):
        ax.plot(0, row, "o", color=QUERY)
        ax.text(-0.02, row, f"{year:.0f}", ha="right", va="center", color=QUERY)
        ax.text(0.02, row, label, ha="left", va="center")
    ax.plot([0, 0], [0, len(events) - 1], color=RESIDUAL, zorder=0)
    ax.set(xlim=(-0.12, 1), ylim=(len(events) - 0.5, -0.5))
    ax.axis("off")
    ax.set_title(title)
    return figure


def attention_steps(
    words: Sequence[str], x, query, key, value, scores, weights, output, title: str
) -> Figure:
    """Every matrix of one attention head, from the embeddings (top) to the output (bottom).

    Args:
        words: the tokens, one for each row of every matrix.
        x: (time, d_model); query, key, value, output: (time, head_dim); scores (already scaled)
            and weights: (time, time).
    """
    figure = plt.figure(figsize=(5.6, 8.6))
    grid = figure.add_gridspec(4, 6, height_ratios=[1, 1, 1.16, 1], hspace=0.08)
    panels = [
        (grid[0, 1:5], x, RESIDUAL, "embeddings  X", ()),
        (grid[1, 0:2], query, QUERY, "query  Q = X W$^Q$", ()),
        (grid[1, 2:4], key, KEY, "key  K = X W$^K$", ()),
        (grid[1, 4:6], value, VALUE, "value  V = X W$^V$", ()),
        (grid[2, 0:3], scores, RESIDUAL, "scores  Q K$^T$/√d", words),
        (grid[2, 3:6], weights, QUERY, "weights = softmax", words),
        (grid[3, 1:5], output, VALUE, "output = weights · V", ()),
    ]
    for place, matrix, color, name, columns in panels:
        ax = figure.add_subplot(place)
        first = place.colspan.start in (0, 1)
        heatmap(matrix, words if first else (), columns, color, name, ax=ax)
        ax.set_title(name, fontsize=11, pad=8)
        if not first:
            ax.set_yticks([])
    figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    return figure


def hull(points, labels: Sequence[str], ax: Axes, color: str = VALUE) -> None:
    """Points in the plane, labelled, with the polygon that encloses them (Andrew's monotone chain).

    Args:
        points: shape (n, 2).
    """
    points = numpy.asarray(points, dtype=float)
    order = sorted(map(tuple, points))

    def half(path):
        corners = []
        for x, y in path:
            while len(corners) > 1:
                (x0, y0), (x1, y1) = corners[-2:]
                if (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0) > 0:
                    break
                corners.pop()
            corners.append((x, y))
        return corners[:-1]

    ax.fill(*zip(*half(order) + half(order[::-1]), strict=True), color=color, alpha=0.15)
    ax.plot(*points.T, "o", color=color)
    for (x, y), label in zip(points, labels, strict=True):
        ax.annotate(label, (x, y), textcoords="offset points", xytext=(6, 6), color=color)


def training_curves(*histories: Sequence[dict], labels: Sequence[str] = ("",)) -> Figure:
    """Loss and gradient norm of one run or more against the step, from a Trainer's `history`.

    Held-out losses are dots; crosses mark the steps whose loss jumped.

    Raises:
        ValueError: when there is not one label for each history, or a history is empty.
    """
    if len(labels) != len(histories) or not all(histories):
        raise ValueError(
            f"there are {len(histories)} histories and {len(labels)} labels: give one label each, "
            "and histories of at least one line"
        )
    figure, (above, below) = plt.subplots(2, sharex=True, figsize=(5.6, 4.6))
    colors = [LOSS, QUERY, KEY, VALUE, RESIDUAL]
    for i, (history, label) in enumerate(zip(histories, labels, strict=True)):
        color, steps = colors[i % len(colors)], [line["step"] for line in history]
        above.plot(steps, [line["loss"] for line in history], color=color)
        above.annotate(
            f" {label}", (steps[-1], history[-1]["loss"]), color=color, annotation_clip=False
        )
        measured = [line for line in history if "validation_loss" in line]
        held_out = [line["validation_loss"] for line in measured]
        above.plot([line["step"] for line in measured], held_out, "o", color=color, ms=4)
        for spike in (spike for line in history for spike in line.get("spikes", ())):
            above.plot(spike["step"], spike["loss"], "x", color=WRONG)
        below.plot(steps, [line["gradient_norm"] for line in history], color=color)
    above.set(ylabel="loss (nats a token)")
    below.set(ylabel="gradient norm", xlabel="step", yscale="log")
    return figure
