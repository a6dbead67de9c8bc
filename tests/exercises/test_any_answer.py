"""Whatever a reader hands to `check`, it ends, says what was wrong, and lets the notebook go on."""

import asyncio
import functools
import linecache
import signal
import sys
import threading
import time

import numpy as np
import pytest
import torch

from llmcourse.exercises import check, runner
from llmcourse.exercises.exercise import Case, Exercise, Mistake
from llmcourse.exercises.judging import Status, judge


def exercise(*cases, call="double(x)", **more):
    cases = cases or (Case((3,), "times two", 6), Case((torch.tensor([1.0, 2.0]),), "tensors"))
    more = {"reference": lambda x: 2 * x} | more
    return Exercise(
        id="99.1",
        title="Double",
        level="easy",
        minutes=1,
        call=call,
        hints=("a", "b", "c"),
        cases=cases,
        **more,
    )


DOUBLE = exercise()


def rejected(answer, asked=DOUBLE):
    verdict = judge(asked, answer)
    assert verdict.status is Status.WRONG, verdict
    return verdict.message


@pytest.fixture
def short_limit(monkeypatch):
    monkeypatch.setattr(runner, "TIME_LIMIT", 0.3)
    monkeypatch.setattr(runner, "GRACE", 0.3)


# ------------------------------------------------------------------ not attempted


def stub(x): ...


def stub_with_docstring(x):
    """Twice x."""


def stub_that_passes(x):
    pass


class StubModule(torch.nn.Module):
    def __init__(self):
        super().__init__()

    def forward(self, x): ...


@pytest.mark.parametrize(
    "answer",
    [..., stub, stub_with_docstring, stub_that_passes, lambda x: ..., StubModule, StubModule()],
    ids=repr,
)
def test_untouched_stub_is_not_attempted(answer):
    verdict = judge(DOUBLE, answer)
    assert verdict.status is Status.OPEN
    assert verdict.message.startswith("99.1 not attempted yet")
    assert 'hint("99.1")' in verdict.message


def test_short_answer_is_not_taken_for_a_stub():
    assert judge(DOUBLE, lambda x: 7).status is Status.WRONG
    assert judge(DOUBLE, lambda x: x).status is Status.WRONG


# ------------------------------------------------------------------ kinds of answer


class Doubler(torch.nn.Module):
    def forward(self, x):
        return x + x


class CallableDoubler:
    def __call__(self, x):
        return x + x

    def method(self, x):
        return x + x


@functools.cache
def cached_double(x):
    return x + x


@pytest.mark.parametrize(
    "answer",
    [
        lambda x: x * 2,
        lambda x, times=2: x * times,
        functools.partial(lambda times, x: x * times, 2),
        Doubler(),
        CallableDoubler(),
        CallableDoubler().method,
        cached_double,
    ],
    ids=lambda a: type(a).__name__,
)
def test_anything_that_can_be_called_is_a_function(answer):
    assert judge(DOUBLE, answer).status is Status.RIGHT


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (6, "You pass an int"),
        (torch.ones(2, 3), "You pass a tensor of shape (2, 3)"),
        (None, "You pass None"),
        ("double", "You pass a string"),
        (Doubler, "You pass the class Doubler"),
    ],
)
def test_answer_that_is_no_function_is_named(answer, says):
    message = rejected(answer)
    assert says in message
    assert 'check("99.1", double)' in message


@pytest.mark.parametrize("answer", [lambda: 1, lambda x, y: 1, lambda *, x: 1])
def test_wrong_signature_is_named(answer):
    message = rejected(answer)
    assert "called as double(x), and yours takes (" in message


def test_builtin_without_signature_is_called():
    assert "It raises TypeError" in rejected(torch.matmul)


def test_class_can_be_asked_for():
    asked = exercise(Case((3,), "times two", 6), use=lambda answer, x: answer()(x))
    assert judge(asked, Doubler).status is Status.RIGHT
    assert "expected" in rejected(lambda: lambda x: x, asked).lower()


def test_generator_and_coroutine_are_named():
    def generator(x):
        yield x

    async def coroutine(x):
        return x

    assert "got a generator" in rejected(generator)
    with pytest.warns(RuntimeWarning, match="never awaited"):
        assert "got a coroutine" in rejected(coroutine)
    assert asyncio.iscoroutinefunction(coroutine)


# ------------------------------------------------------------------ what is told


def test_smallest_failing_case_is_told_with_input_expected_got_and_pointer():
    message = rejected(lambda x: x + 3)
    assert "double(tensor [1.0000, 2.0000])" in message
    assert "Expected:  tensor [2.0000, 4.0000]" in message
    assert "Got:       tensor [4.0000, 5.0000]" in message
    assert "What to look at: tensors" in message
    assert 'hint("99.1")' in message


@pytest.mark.parametrize("answer", [3, [1], "6", (6, 1), float("nan"), torch.ones(2, 2)], ids=repr)
def test_answer_on_paper_is_not_told_what_was_expected(answer):
    asked = exercise(Case(expected=17.25, pointer="count again"), call="", reference=None)
    message = rejected(answer, asked)
    assert "Got: " in message and 'hint("99.1")' in message
    assert "17" not in message and "xpected" not in message and " / " not in message


def test_wrong_numbers_on_paper_get_the_pointer():
    asked = exercise(Case(expected=[1, 17], pointer="count again"), call="", reference=None)
    assert "What to look at: count again" in rejected([1, 2], asked)
    assert judge(asked, (1.0, torch.tensor([17]))).status is Status.RIGHT


def test_none_on_paper_is_not_asked_for_a_return():
    asked = exercise(Case(expected=17, pointer="count again"), call="", reference=None)
    message = rejected(None, asked)
    assert "None is no answer" in message and "set answer_99_1" in message
    assert "return`" not in message


def test_answer_on_paper_need_not_be_a_number():
    asked = exercise(Case(expected="B", pointer="read again"), call="", reference=None)
    assert judge(asked, "B").status is Status.RIGHT
    assert "'B'" not in rejected("A", asked) and "'B'" not in rejected(3, asked)


def test_wrong_kind_of_thing_gets_no_pointer_unless_the_first_case_passed():
    assert "What to look at" not in rejected(lambda x: (2 * x, x))
    assert "return the number only, not a tuple" in rejected(lambda x: (2 * x, x))
    assert "What to look at: tensors" in rejected(lambda x: 6 if isinstance(x, int) else None)


def test_known_mistake_is_named_only_if_it_explains_all_cases():
    asked = exercise(
        Case((2,), "pointer", 4),
        Case((3,), "pointer", 6),
        mistakes=(Mistake(lambda x: x, "copying."),),
    )
    assert "what one gets by copying" in rejected(lambda x: x, asked)
    assert "What to look at: pointer" in rejected(lambda x: 2, asked)


def test_property_says_what_is_wrong():
    def accept(got, x):
        return None if got > x else f"{got} is not above {x}"

    asked = exercise(Case((3,), "more"), reference=None, accept=accept)
    assert judge(asked, lambda x: x + 1).status is Status.RIGHT
    assert "The trouble: 2 is not above 3" in rejected(lambda x: x - 1, asked)
    assert "a string cannot be used here" in rejected(lambda x: "x", asked)


# ------------------------------------------------------------------ failures inside the function


def divides_by_zero(x):
    half = x / 2
    return half / (x - x)


def helper_that_fails(x):
    return int("no number")


def test_exception_is_told_with_the_readers_own_line():
    message = rejected(divides_by_zero)
    number = divides_by_zero.__code__.co_firstlineno + 2
    assert "It raises ZeroDivisionError: float division by zero" in message
    assert f"at your line {number}: return half / (x - x)" in message
    assert "Traceback" not in message


def test_line_is_the_innermost_that_the_reader_wrote():
    assert 'return int("no number")' in rejected(lambda x: helper_that_fails(x))
    assert "torch.stack([x])" in rejected(lambda x: torch.stack([x]))


def test_line_counts_within_the_cell():
    source = "def double(x):\n    y = x\n    return y + nothing\n"
    linecache.cache["<cell 7>"] = (len(source), None, source.splitlines(True), "<cell 7>")
    namespace = {"__name__": "__main__"}
    exec(compile(source, "<cell 7>", "exec"), namespace)
    message = rejected(namespace["double"])
    assert "NameError: name 'nothing' is not defined" in message
    assert "at your line 3: return y + nothing" in message


def test_line_without_source_is_told_by_number():
    namespace = {}
    exec("def double(x):\n    return nothing", namespace)
    assert "at your line 2\n" in rejected(namespace["double"])


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit, MemoryError])
def test_exit_and_interrupt_raised_by_the_function_are_reported(error):
    def double(x):
        raise error

    assert f"It raises {error.__name__}" in rejected(double)


def test_sys_exit_does_not_end_the_kernel():
    assert "It raises SystemExit: 0" in rejected(lambda x: sys.exit(0))


def test_exception_whose_text_raises_is_reported():
    class Odd(Exception):
        def __str__(self):
            raise RuntimeError

    def double(x):
        raise Odd

    assert "It raises Odd\n" in rejected(double)


def test_recursion_without_end_is_reported():
    def double(x):
        return double(x) + 1

    assert "RecursionError" in rejected(double)
    assert "return double(x) + 1" in rejected(double)


# ------------------------------------------------------------------ functions that do not end


def test_endless_loop_is_stopped_and_its_line_told(short_limit):
    def double(x):
        while True:
            x = x + 0

    before = threading.active_count()
    message = rejected(double)
    assert "ran out of time" in message
    assert "while True:" in message or "x = x + 0" in message
    assert "restart the kernel" not in message
    assert threading.active_count() == before


def test_endless_loop_that_swallows_exceptions_is_stopped(short_limit, monkeypatch):
    monkeypatch.setattr(runner, "GRACE", 5.0)

    def double(x):
        for _ in range(4):
            try:
                while True:
                    pass
            except:  # noqa: E722
                pass

    assert "ran out of time" in rejected(double)
    assert "restart the kernel" not in rejected(double)


def test_function_that_cannot_be_stopped_is_left_behind(short_limit):
    start = time.monotonic()
    message = rejected(lambda x: time.sleep(1.5))
    assert time.monotonic() - start < 1.4
    assert "time.sleep(1.5)" in message
    assert "restart the kernel" in message


def test_case_has_its_own_time_limit():
    asked = exercise(Case((3,), "times two", 6, seconds=0.1))
    start = time.monotonic()
    assert "ran out of time" in rejected(lambda x: [time.sleep(0.01) for _ in range(300)], asked)
    assert time.monotonic() - start < 2


def test_check_works_outside_the_main_thread(capsys):
    thread = threading.Thread(target=check, args=("01.1", 3))
    thread.start()
    thread.join(10)
    assert "01.1 Perplexity on paper: not yet" in capsys.readouterr().out


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no setitimer")
def test_interrupt_by_the_reader_stops_the_check():
    def double(x):
        while True:
            pass

    signal.setitimer(signal.ITIMER_REAL, 0.3)
    previous = signal.signal(signal.SIGALRM, signal.default_int_handler)
    before = threading.active_count()
    try:
        with pytest.raises(KeyboardInterrupt):
            judge(DOUBLE, double)
    finally:
        signal.signal(signal.SIGALRM, previous)
    assert threading.active_count() == before


# ------------------------------------------------------------------ side effects


def test_a_megabyte_of_printing_is_cut(capsys):
    def double(x):
        for i in range(20_000):
            print(f"line {i} " + "x" * 50)
        print("to stderr", file=sys.stderr)

    message = rejected(double)
    assert "It printed:" in message and "line 0 " in message
    assert "(20001 lines in all)" in message
    assert len(message.splitlines()) < 20 and len(message) < 3000
    assert capsys.readouterr() == ("", "")


def test_one_endless_line_of_printing_is_cut():
    message = rejected(lambda x: print("y" * 10**6))
    assert len(message) < 1000


def test_stdout_is_as_before_even_if_the_function_replaces_it():
    before = sys.stdout, sys.stderr

    def double(x):
        sys.stdout = sys.stderr = None

    rejected(double)
    assert (sys.stdout, sys.stderr) == before


def test_right_answer_that_changes_its_input_is_rejected():
    def double(x):
        x *= 2
        return x

    message = rejected(double)
    assert "It changes its input `x` in place" in message
    assert "tensor [1.0000, 2.0000] became tensor [2.0000, 4.0000]" in message


@pytest.mark.parametrize(
    "change", [list.pop, list.reverse, list.clear, lambda x: x.append(1), lambda x: x[0].append(1)]
)
def test_changed_list_is_noticed(change):
    def double(x):
        change(x)
        return 0

    asked = exercise(Case(([[1], [2, 3]],), "p", 0))
    assert "in place" in rejected(double, asked)


def test_cases_survive_an_answer_that_changes_them():
    asked = exercise(Case((np.array([1.0, 2.0]),), "p"))

    def spoil(x):
        x[:] = np.nan
        return x

    rejected(spoil, asked)
    assert judge(asked, lambda x: x + x).status is Status.RIGHT


def test_random_numbers_of_the_notebook_go_on_undisturbed():
    import random

    def numbers():
        return random.random(), np.random.rand(), torch.rand(()).item()

    def seed():
        random.seed(1), np.random.seed(1), torch.manual_seed(1)

    seed()
    expected = numbers()
    seed()
    judge(DOUBLE, lambda x: numbers() and 2 * x)
    assert numbers() == expected


def test_verdict_on_a_random_answer_is_always_the_same():
    asked = exercise(Case((3,), "p", 6, repeat=3))
    messages = {rejected(lambda x: torch.rand(()).item(), asked) for _ in range(3)}
    assert len(messages) == 1


# ------------------------------------------------------------------ odd results


class ReprRaises:
    def __repr__(self):
        raise RuntimeError("no")

    __str__ = __repr__


class ReprNeverEnds:
    def __repr__(self):
        while True:
            pass


class EqualToAll:
    def __eq__(self, other):
        return True

    __hash__ = None
    __array__ = __float__ = __int__ = lambda self, *a: 6


class Liar(str):
    def __eq__(self, other):
        return True

    __hash__ = str.__hash__


class BrokenList(list):
    def __iter__(self):
        raise RuntimeError

    def __len__(self):
        return -1


class BrokenTensor(torch.Tensor):
    @classmethod
    def __torch_function__(cls, *args, **kwargs):
        raise RuntimeError("no")


def itself():
    inner = []
    inner.append(inner)
    return inner


@pytest.mark.parametrize(
    ("got", "says"),
    [
        (ReprRaises(), "a ReprRaises"),
        (ReprNeverEnds(), "a ReprNeverEnds"),
        (EqualToAll(), "an EqualToAll"),
        (Liar("6"), "got a Liar"),
        (BrokenList([1]), "BrokenList"),
        (torch.ones(2).as_subclass(BrokenTensor), "BrokenTensor"),
        (itself(), "[[[["),
        (None, "you return None"),
        (lambda: 6, "got a function"),
        (float("nan"), "got nan"),
        (10**5000, "more than 20 digits"),
        (list(range(10**6)), "1,000,000 in all"),
        ("z" * 10**6, "(1,000,000 characters)"),
        (torch.zeros(1000, 1000), "tensor of shape (1000, 1000), starting 0.0000"),
        (torch.zeros(2, 2).to_sparse(), "a tensor of shape (2, 2)"),
        (torch.zeros(2, device="meta"), "a tensor of shape (2,)"),
        ({"a": ReprRaises()}, "a ReprRaises"),
        ([ReprRaises()] * 3, "[a ReprRaises, a ReprRaises"),
        (np.array([None, 1], dtype=object), "Python objects"),
    ],
    ids=lambda value: "" if isinstance(value, str) else type(value).__name__,
)
def test_odd_result_is_rejected_in_few_words(got, says):
    message = rejected(lambda x: got)
    assert says in message
    assert len(message) < 2500


def test_string_that_claims_to_equal_anything_is_not_believed():
    asked = exercise(Case((3,), "p", "six"))
    assert "Difference" not in rejected(lambda x: Liar("seven"), asked)
    assert judge(asked, lambda x: "six").status is Status.RIGHT
