"""Attention weights as a table to point at: HTML and CSS, without a script."""

import hashlib
import html
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from llmcourse.plots import QUERY


@dataclass(frozen=True, repr=False)
class AttentionTable:
    """The weights of heads over the tokens of a text; a notebook shows it as HTML and CSS.

    Point at a token, or tap it, or go there by the tabulator key: below, the tokens that it looks
    at are shaded, and each shows its weight when pointed at.
    """

    weights: list[list[list[float]]]  # head, query, key
    tokens: list[str]
    title: str

    def __repr__(self) -> str:
        lines = [self.title]
        for name, rows in self._heads():
            links = [f"  {self._strongest(query, row)}" for query, row in enumerate(rows)]
            lines += [f"{name}:" if name else "", *links]
        return "\n".join(line for line in lines if line)

    def _repr_html_(self) -> str:
        words = [html.escape(token) for token in self.tokens]
        rows, shades = [], set()
        for name, weights in self._heads():
            spans = []
            for query, row in enumerate(weights):
                numbers = [f"{weight:.2f}" for weight in row]
                while numbers and numbers[-1] == "0.00":  # the future, mostly
                    numbers.pop()
                shades.update(numbers)
                strip = "".join(
                    f"<i>{word}</i>" if number == "0.00" else f"<i title={number}>{word}</i>"
                    for word, number in zip(words, numbers)
                )
                label = html.escape(self._strongest(query, row))
                spans.append(
                    f'<span tabindex=0 role=img aria-label="{label}">{words[query]}'
                    f"<u>{strip}</u></span>"
                )
            rows.append(f"<div>{f'<em>{name}</em>' if name else ''}{''.join(spans)}</div>")
        content = f"<p>{html.escape(self.title)}</p>{''.join(rows)}"
        box = f"attention-{hashlib.sha256(content.encode()).hexdigest()[:8]}"
        red, green, blue = bytes.fromhex(QUERY[1:])
        # At most 0.6, so that dark text stays readable, and in a dark theme light text.
        shading = "".join(
            f'.{box} i[title="{s}"]{{background:rgba({red},{green},{blue},{0.6 * float(s):.2f})}}'
            for s in sorted(shades - {"0.00"})
        )
        style = _STYLE.replace("BOX", box).replace("COLOUR", QUERY)
        style = style.replace("INDENT", "4.5em" if len(self.weights) > 1 else "0")
        label = html.escape(self.title)
        return (
            f'<div class={box} role=group aria-label="{label}">'
            f"<style>{style}{shading}</style>{content}</div>"
        )

    def _heads(self) -> list[tuple[str, list[list[float]]]]:
        names = [f"head {i}" for i in range(len(self.weights))] if len(self.weights) > 1 else [""]
        return list(zip(names, self.weights, strict=True))

    def _strongest(self, query: int, row: list[float]) -> str:
        key = max(range(len(row)), key=row.__getitem__)
        target = "itself" if key == query else f"“{self.tokens[key]}”"
        return f"“{self.tokens[query]}” looks most at {target} ({row[key]:.2f})"


# The strip of shaded tokens belongs to a token, so that pointing at the strip keeps it open; it
# stands where its row has left room, so that nothing moves.  Printed, words stand for the shades.
_STYLE = """
.BOX{overflow-x:auto;line-height:1.6}
.BOX>p{margin:0;font-weight:bold}
.BOX>div{position:relative;width:max-content;white-space:nowrap;padding-bottom:2em}
.BOX em{display:inline-block;width:INDENT;font-style:normal}
.BOX span,.BOX i{display:inline-block;padding:0 .25em;border-radius:.2em;font-style:normal}
.BOX span{cursor:pointer}
.BOX span:hover,.BOX span:focus{box-shadow:inset 0 -.15em COLOUR}
.BOX u{display:none;position:absolute;left:INDENT;bottom:.4em;text-decoration:none}
.BOX span:hover>u,.BOX span:focus>u{display:block}
.BOX div:hover>span:focus:not(:hover)>u{display:none}
@media print{
.BOX>div{width:auto;white-space:normal;padding:0}
.BOX span{display:block;font-size:0}
.BOX span>u{display:none!important}
.BOX span::after{font-size:1rem;content:attr(aria-label)}
}
"""


def attention_table(weights: Tensor, tokens: Sequence[str], title: str) -> AttentionTable:
    """A table of attention weights that needs no script, and works on paper and for the ear too.

    Args:
        weights: (n_head, time, time), or one head's, (time, time); a row is a query's.
        tokens: the text of each.  A space in it is shown as `␣`, a new line as `↵`.
        title: what stands above.

    Raises:
        ValueError: when weights and tokens do not fit.
    """
    if weights.dim() not in (2, 3) or weights.shape[-2:] != (len(tokens), len(tokens)):
        raise ValueError(
            f"weights has shape {tuple(weights.shape)} and there are {len(tokens)} tokens: give "
            "(n_head, time, time) or (time, time) of one text, attention[layer, 0], say"
        )
    by_head = weights.detach().float().reshape(-1, len(tokens), len(tokens)).tolist()
    return AttentionTable(by_head, [_visible(token) for token in tokens], title)


def _visible(token: str) -> str:
    marks = {" ": "␣", "\n": "↵", "\t": "⇥"}
    return "".join(marks.get(c, c if c.isprintable() else f"\\x{ord(c):02x}") for c in token)
