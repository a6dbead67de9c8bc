"""Run a mistake on purpose, show what it says, and insist that it does fail."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def breaks(message: str) -> Iterator[None]:
    """Run a block that must fail, and print its error in one line.

    Args:
        message: a short piece of the expected error's text; other releases word the rest otherwise.

    Raises:
        AssertionError: when the block runs through, or fails with another error: then the exhibit
            no longer shows what the text around it says.
    """
    try:
        yield
    except Exception as error:
        said = f"{type(error).__name__}: {' '.join(str(error).split())}"
        if message not in said:
            raise AssertionError(f"expected an error with {message!r}, but got  {said}") from error
        print(said)
    else:
        raise AssertionError(f"this was expected to fail with {message!r}, but it ran")
