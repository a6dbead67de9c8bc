"""Mails to a shop: the parts share nothing, and the answer can be read off the text."""

import json
import re

import pytest

from llmcourse import mails as module
from llmcourse.mails import TEAMS, mails


def test_the_same_seed_gives_the_same_mails():
    assert mails(20, seed=3) == mails(20, seed=3) != mails(20, seed=4)


@pytest.mark.parametrize("part", ["train", "held out"])
def test_every_mail_holds_its_order_number_once(part):
    for mail in mails(300, part):
        assert re.findall(r"\d{4}", mail.text) == [str(mail.order)]
        assert "{" not in mail.text


def test_the_answer_is_json_with_team_and_order():
    for mail in mails(50):
        assert json.loads(mail.answer) == {"team": mail.team, "order": mail.order}


def test_all_teams_come_about_equally_often():
    teams = [mail.team for mail in mails(4000)]
    assert set(teams) == set(TEAMS)
    assert all(900 < teams.count(team) < 1100 for team in TEAMS)


def test_no_held_out_template_or_item_occurs_in_training():
    train, held = (
        {text for texts in module._TEXTS[part].values() for text in texts}
        for part in ("train", "held out")
    )
    assert not train & held
    assert not set(module._ITEMS["train"]) & set(module._ITEMS["held out"])
    assert not set(module._DAYS["train"]) & set(module._DAYS["held out"])


@pytest.mark.parametrize("wrong", [{"n": 0}, {"n": 3, "part": "test"}])
def test_impossible_wishes_are_explained(wrong):
    with pytest.raises(ValueError, match=r"part is 'test'|n is 0"):
        mails(**wrong)
