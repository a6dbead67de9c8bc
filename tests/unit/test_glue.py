import json
import math

import matplotlib.pyplot as plt
import pytest
import torch

from llmcourse import glue


@pytest.fixture
def glued(monkeypatch):
    def record(name, value):
        shown = {}
        monkeypatch.setitem(
            glue.__globals__, "display", lambda data, **kw: shown.update(kw, d=data)
        )
        glue(name, value)
        assert shown["raw"] and shown["metadata"]["scrapbook"]["name"] == name
        return shown["d"]

    return record


def test_numbers_words_and_tensors_of_one_element_are_recorded(glued):
    for value, expected in [(1.5, 1.5), (torch.tensor(3), 3), ("dog", "dog")]:
        (bundle,) = glued("x", value).items()
        assert bundle[0].endswith("text/plain") and json.loads(bundle[1]) == expected


def test_nothing_shows_in_the_notebook(glued):
    assert all(mime.startswith("application/papermill.record/") for mime in glued("x", 1))


def test_a_figure_is_recorded_as_what_the_notebook_would_show(glued):
    figure = plt.figure()
    data = glued("figure", figure)
    assert data and all(mime.startswith("application/papermill.record/") for mime in data)
    plt.close(figure)


def test_what_prose_cannot_hold_is_refused():
    with pytest.raises(TypeError, match="not a list"):
        glue("x", [1, 2])
    with pytest.raises(ValueError, match="not a finite number"):
        glue("x", math.nan)
