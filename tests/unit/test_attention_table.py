import html.parser
import re

import pytest
import torch

from llmcourse.attention_table import attention_table


class Reader(html.parser.HTMLParser):
    """What a browser makes of a table: for each head and token its label, and the strip."""

    def __init__(self, text):
        super().__init__()
        self.open, self.heads, self.css, self.tags = [], [], "", []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)
        self.tags.append((tag, dict(attributes)))
        if tag == "div" and len(self.open) == 2:
            self.heads.append([])
        elif tag == "span":
            self.heads[-1].append((dict(attributes), []))
        elif tag == "i":
            number = float(dict(attributes).get("title", 0))
            self.heads[-1][-1][1].append([number, ""])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1] == "style":
            self.css += data
        elif self.open[-1] == "i":
            self.heads[-1][-1][1][-1][1] += data


WORDS = ["The", " cat", " sat", "<b>", "\n", ' "&']


def even_weights(n_head=2, time=6):
    torch.manual_seed(0)
    scores = torch.randn(n_head, time, time).masked_fill(~torch.ones(time, time).bool().tril(), -99)
    return scores.softmax(dim=-1)


def test_the_table_holds_every_weight_and_every_token():
    weights = even_weights()
    read = Reader(attention_table(weights, WORDS, "Two heads")._repr_html_())
    assert not read.open and len(read.heads) == 2
    for head, expected in zip(read.heads, weights, strict=True):
        for (_, strip), row in zip(head, expected, strict=True):
            found = [number for number, _ in strip] + [0.0] * (6 - len(strip))
            torch.testing.assert_close(torch.tensor(found), row, atol=0.00501, rtol=0)
            shown = ["The", "␣cat", "␣sat", "<b>", "↵", '␣"&']
            assert [text for _, text in strip] == shown[: len(strip)]


def test_every_token_can_be_reached_by_keyboard_and_is_read_out_in_words():
    weights = torch.tensor([[1.0, 0.0], [0.75, 0.25]])
    table = attention_table(weights, ["it's", ' "x"'], "A head")
    ((first, second),) = Reader(table._repr_html_()).heads
    for token, _ in (first, second):
        assert token["tabindex"] == "0" and token["role"] == "img"
    assert first[0]["aria-label"] == "“it's” looks most at itself (1.00)"
    assert second[0]["aria-label"] == '“␣"x"” looks most at “it\'s” (0.75)'
    assert repr(table).splitlines() == [
        "A head",
        "  “it's” looks most at itself (1.00)",
        '  “␣"x"” looks most at “it\'s” (0.75)',
    ]
    assert "head 1:" in repr(attention_table(even_weights(), WORDS, "Two"))


def test_the_table_runs_no_script_and_fetches_nothing():
    title = "<script>alert(1)</script> & co"
    text = attention_table(even_weights(), ["<script>", "<!--", "</i>", "'", "\x00", "é"], title)
    read = Reader(text._repr_html_())
    assert {tag for tag, _ in read.tags} <= {"div", "style", "p", "em", "span", "u", "i"}
    names = {name for _, attributes in read.tags for name in attributes}
    assert names <= {"class", "role", "aria-label", "tabindex", "title"}
    assert not re.search(r"url\(|@import|https?:", read.css)


def test_two_tables_on_a_page_do_not_share_a_style_and_a_table_made_twice_is_the_same():
    one, two = even_weights(), even_weights().flip(0)
    tables = [attention_table(w, WORDS, "Heads")._repr_html_() for w in (one, one, two)]
    assert tables[0] == tables[1]
    boxes = [re.match(r"<div class=(attention-[0-9a-f]{8}) ", table)[1] for table in tables]
    assert boxes[0] != boxes[2]
    for rule in re.findall(r"[^{}]+(?=\{)", Reader(tables[0]).css):
        assert rule.strip() == "@media print" or rule.strip().startswith(f".{boxes[0]}")


def test_a_larger_weight_is_a_deeper_shade_and_text_stays_readable_on_the_deepest():
    weights = torch.tensor([[1.0, 0.0], [0.3, 0.7]])
    css = Reader(attention_table(weights, ["a", "b"], "Shades")._repr_html_()).css
    shades = re.findall(r'title="([\d.]+)"\]\{background:rgba\((\d+),(\d+),(\d+),([\d.]+)\)', css)
    alphas = {float(weight): float(alpha) for weight, *_, alpha in shades}
    assert list(alphas) == [0.3, 0.7, 1.0] and list(alphas.values()) == sorted(alphas.values())
    color = [int(part) for part in shades[0][1:4]]
    for page, ink in (255, 34), (17, 238):  # dark on light, and light on dark
        mixed = [alphas[1.0] * part + (1 - alphas[1.0]) * page for part in color]
        assert contrast(mixed, [ink] * 3) > 4.5


def contrast(one, two):
    """WCAG 2.2, "contrast ratio" and "relative luminance"."""
    luminances = []
    for color in one, two:
        parts = [p / 255 for p in color]
        parts = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        luminances.append(0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2])
    return (max(luminances) + 0.05) / (min(luminances) + 0.05)


def test_eight_heads_over_sixteen_tokens_take_less_than_60_kb():
    tokens = [f" word{i}" for i in range(16)]
    text = attention_table(even_weights(8, 16), tokens, "Eight heads")._repr_html_()
    assert len(text.encode()) < 60_000


@pytest.mark.parametrize("shape", [(2, 5, 5), (1, 2, 6, 6), (6, 5), (6,)])
def test_weights_that_do_not_fit_the_tokens_are_refused(shape):
    with pytest.raises(ValueError, match="there are 6 tokens.*attention.layer, 0., say"):
        attention_table(torch.zeros(shape), WORDS, "No")
