import collections

import pytest

from llmcourse.headlines import TOPICS, headlines
from llmcourse.reviews import reviews

SIZES = {"train": 200, "dev": 24, "test": 80, "chinese train": 20, "chinese test": 60}


@pytest.mark.parametrize("part", SIZES)
def test_half_are_in_favour(part):
    found = reviews(part)
    assert len(found) == SIZES[part]
    assert sum(review.label for review in found) == SIZES[part] / 2


def test_half_of_the_test_part_is_hard():
    assert sum(review.hard for review in reviews("test")) == 40
    assert sum(review.hard for review in reviews("chinese test")) == 20
    assert all(review.label is None for review in reviews("neutral"))


def test_no_text_occurs_twice_not_even_between_parts():
    texts = [r.text for part in (*SIZES, "neutral") for r in reviews(part)]
    assert len(texts) == len(set(texts))
    texts = [h.text for part in ("train", "dev", "test") for h in headlines(part)]
    assert len(texts) == len(set(texts)) == 180


def test_topics_are_balanced_in_every_part():
    for part, n in (("train", 20), ("dev", 4), ("test", 12)):
        count = collections.Counter(headline.label for headline in headlines(part))
        assert count == dict.fromkeys(range(len(TOPICS)), n)


def test_the_order_is_fixed_and_mixed():
    assert reviews("test") == reviews("test") and headlines("test") == headlines("test")
    labels = [review.label for review in reviews("train")]
    assert 20 < sum(a != b for a, b in zip(labels, labels[1:])) < 180


def test_another_part_is_refused():
    for ask in (reviews, headlines):
        with pytest.raises(ValueError, match="choose"):
            ask("validation")
