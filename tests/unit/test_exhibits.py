import pytest

from llmcourse.exhibits import breaks


def test_the_expected_error_is_printed_in_one_line(capsys):
    with breaks("cannot be"):
        raise RuntimeError("shapes\n cannot be multiplied")
    assert capsys.readouterr().out == "RuntimeError: shapes cannot be multiplied\n"


def test_an_exhibit_that_runs_after_all_is_reported():
    with pytest.raises(AssertionError, match="but it ran"), breaks("anything"):
        pass


def test_another_error_than_the_announced_one_is_reported():
    with pytest.raises(AssertionError, match="ZeroDivisionError"), breaks("cannot be"):
        raise ZeroDivisionError("division by zero")
