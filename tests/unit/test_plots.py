import matplotlib
import matplotlib.pyplot as plt
import numpy
import pytest
import torch

from llmcourse import plots
from llmcourse.evaluation import Rung

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def clean_figures():
    with matplotlib.rc_context():
        plots.use_house_style()
        yield
    plt.close("all")


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_heatmap_prints_every_number_in_its_cell():
    ax = plots.heatmap(torch.tensor([[0.25, -1.0], [3.0, 0.5]]), ["a", "b"], ["c", "d"])
    assert texts(ax) == ["0.25", "−1.00", "3.00", "0.50"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["c", "d"]


def test_heatmap_of_integers_has_no_decimals():
    assert texts(plots.heatmap([[1, 2], [0, -3]])) == ["1", "2", "0", "−3"]


def test_heatmap_of_zeros_draws():
    plots.heatmap(numpy.zeros((2, 2))).figure.canvas.draw()


@pytest.mark.filterwarnings("error")  # matplotlib warns of a glyph that no font has
def test_chinese_labels_have_glyphs():
    ax = plots.heatmap(numpy.eye(4), list("狗咬人。"), list("狗咬人。"), title="狗咬人")
    ax.figure.canvas.draw()


def test_ladder_shows_the_worst_first_and_writes_each_number():
    rungs = [Rung("good", "02", 1.2, 1.1, 1.3), Rung("bad", "01", 8.0, 8.0, 8.0)]
    ax = plots.ladder(rungs, "A ladder")
    assert [label.get_text() for label in ax.get_yticklabels()] == ["bad", "good"]
    assert texts(ax) == ["8.00", "1.20"]


def test_surprise_strip_writes_the_text_once_per_model():
    figure = plots.surprise_strip("a dog", ["one", "two"], numpy.ones((2, 5)), "Surprise")
    assert "".join(texts(figure.axes[0])) == "a doga dog"


def test_timeline_names_every_year():
    figure = plots.timeline([(1913, "Markov"), (1948, "Shannon")], "History")
    assert texts(figure.axes[0]) == ["1913", "Markov", "1948", "Shannon"]


def test_attention_steps_draws_seven_matrices():
    qkv, square = torch.ones(3, 2), torch.ones(3, 3)
    figure = plots.attention_steps("abc", torch.ones(3, 4), qkv, qkv, qkv, square, square, qkv, "T")
    assert len(figure.axes) == 7
    figure.canvas.draw()


def test_hull_encloses_every_point():
    points = torch.randn(40, 2, generator=torch.Generator().manual_seed(0)).numpy()
    ax = plt.subplots()[1]
    plots.hull(points, [""] * 40, ax)
    corners = ax.patches[0].get_xy()
    for (x0, y0), (x1, y1) in zip(corners, corners[1:], strict=False):
        cross = (x1 - x0) * (points[:, 1] - y0) - (y1 - y0) * (points[:, 0] - x0)
        assert (cross >= -1e-6).all()  # every point lies to the left of every edge


def test_training_curves_draw_losses_held_out_losses_and_spikes():
    history = [
        {"step": i, "loss": 3 / i, "gradient_norm": 1 / i, "validation_loss": 3.1 / i}
        for i in range(1, 9)
    ]
    history[4]["spikes"] = [{"step": 4, "loss": 2.5, "gradient_norm": 9.0}]
    figure = plots.training_curves(history, history[:5], labels=("one", "two"))
    figure.canvas.draw()
    above, below = figure.axes
    assert above.lines[0].get_xdata().tolist() == list(range(1, 9))
    assert [line.get_marker() for line in above.lines] == ["None", "o", "x", "None", "o", "x"]
    assert len(below.lines) == 2
    with pytest.raises(ValueError, match="2 histories and 1 labels"):
        plots.training_curves(history, history)
    plt.close(figure)
