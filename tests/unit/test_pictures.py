import collections

import pytest
import torch

from llmcourse.checkpoints import load_checkpoint
from llmcourse.pictures import (
    COLORS,
    RARE,
    WORDS,
    PictureGPT,
    caption_ids,
    patches,
    picture_mask,
    pictures,
)
from llmcourse.pretrained import WEIGHTS


def test_the_parts_keep_the_green_triangle_for_the_rare_one():
    for part, rare in (("train", False), ("test", False), ("rare", True)):
        for picture in pictures(300, part):
            a, b, _, c, d, _ = picture.caption
            assert (RARE in ((a, b), (c, d))) == rare, picture.caption


def test_pictures_are_the_same_for_a_seed_and_differ_between_parts():
    first, again = pictures(3, "train", 1), pictures(3, "train", 1)
    assert all(torch.equal(a.pixels, b.pixels) for a, b in zip(first, again, strict=True))
    others = {p.pixels.sum().item() for part in ("train", "test") for p in pictures(50, part)}
    assert len(others) == 100


def test_the_caption_says_what_is_drawn():
    for picture in pictures(60, "test", 3):
        first, _, relation, second, *_ = picture.caption
        places = []
        for color in (first, second):
            near = (picture.pixels - torch.tensor(COLORS[color])[:, None, None]).abs().sum(0) < 0.4
            ys, xs = near.nonzero().T
            places.append((ys.float().mean(), xs.float().mean()))
        if first == second:
            continue
        (y1, x1), (y2, x2) = places
        if relation == "left-of":
            assert x1 < x2 and abs(y1 - y2) < 3
        else:
            assert y1 < y2 and abs(x1 - x2) < 3


def test_words_and_relations_are_balanced():
    count = collections.Counter(w for p in pictures(2000) for w in p.caption)
    assert 900 < count["left-of"] < 1100
    assert count["."] == 2000
    assert set(count) == set(WORDS) - {"<start>"}


def test_patches_are_cut_row_by_row():
    pixels = torch.arange(2 * 3 * 24 * 24.0).view(2, 3, 24, 24)
    cut = patches(pixels)
    assert cut.shape == (2, 36, 48)
    for row, column in ((0, 0), (0, 5), (3, 2), (5, 5)):
        part = pixels[:, :, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
        assert torch.equal(cut[:, 6 * row + column], part.flatten(1))


def test_words_do_not_see_later_words_and_patches_see_no_words():
    torch.manual_seed(0)
    model, shown = PictureGPT(16, 2, 2).eval(), pictures(2)
    pixels = torch.stack([p.pixels for p in shown])
    words = caption_ids([p.caption for p in shown])
    before = model(pixels, words)
    changed = words.clone()
    changed[:, 4] = (changed[:, 4] + 1) % len(WORDS)
    after = model(pixels, changed)
    assert torch.allclose(before[:, :4], after[:, :4], atol=1e-6)
    assert not torch.allclose(before[:, 4:], after[:, 4:], atol=1e-4)
    assert not torch.allclose(model(pixels.flip(3), words), before, atol=1e-4)
    mask = picture_mask(3, 2)
    assert mask[:3, :3].all() and not mask[:3, 3:].any() and mask[4].all() and not mask[3, 4]


def test_a_blind_model_gives_every_picture_the_same_answer():
    torch.manual_seed(0)
    pixels = torch.stack([p.pixels for p in pictures(5)])
    assert len(set(PictureGPT(16, 1, 2).eval().describe(pixels, blind=True))) == 1


def test_the_model_that_comes_with_the_package_reads_pictures_it_never_saw():
    model = PictureGPT()
    assert load_checkpoint(WEIGHTS / "course-pictures", model).step == 1500
    shown = pictures(100, "test", seed=5)
    said = model.eval().describe(torch.stack([p.pixels for p in shown]))
    assert sum(a == p.caption for a, p in zip(said, shown, strict=True)) >= 97


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: pictures(3, "dev"), "choose 'train'"),
        (lambda: pictures(0), "at least one"),
        (lambda: patches(torch.zeros(1, 3, 10, 24)), "multiples of 4"),
        (lambda: patches(torch.zeros(3, 24, 24)), "batch, 3"),
    ],
)
def test_what_cannot_be_is_told(call, told):
    with pytest.raises(ValueError, match=told):
        call()
