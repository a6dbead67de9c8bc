"""Which exercises are done, kept in a small JSON file of the reader's own.

The file is a convenience: nothing that happens to it may stand in the way of a check, so `load`
and `add` never raise for it, and say in a sentence what went wrong.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

done_this_session = set()


def path() -> Path:
    """progress.json in LLMCOURSE_HOME, or else where this operating system keeps user data."""
    if home := os.environ.get("LLMCOURSE_HOME"):
        return Path(home).expanduser() / "progress.json"
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "llmcourse" / "progress.json"


def load() -> tuple[set[str], str]:
    """The ids that are done, and a sentence if the file could not be used (else "")."""
    try:
        return done_this_session | read(), ""
    except ValueError:
        return set(done_this_session), f"(The record of your progress is damaged: {path()})"
    except (OSError, RuntimeError) as error:
        return set(done_this_session), f"(Your progress could not be read: {error})"


def add(id: str) -> str:
    """Remember that `id` is done.  Returns a sentence if that failed, else "".

    A damaged file is replaced; one that cannot be read is left alone.
    """
    done_this_session.add(id)
    try:
        try:
            done, trouble = read(), ""
        except ValueError:
            done = set()
            trouble = f"(The record of your progress was damaged and is begun anew: {path()})"
        write_whole(path(), json.dumps({"done": sorted(done | done_this_session)}))
    except (OSError, RuntimeError) as error:
        return f"(Your progress could not be saved, your answer is right all the same: {error})"
    return trouble


def read() -> set[str]:
    """The ids in the file; none if there is no file.

    Raises:
        ValueError: if the file does not hold what `add` writes.
        OSError, RuntimeError: if it cannot be read, or the reader has no home folder.
    """
    try:
        content = json.loads(path().read_text(encoding="utf-8"))
    except FileNotFoundError:
        return set()
    except RecursionError:
        raise ValueError("nested too deeply") from None
    done = content.get("done") if isinstance(content, dict) else None
    if not (isinstance(done, list) and all(isinstance(id, str) for id in done)):
        raise ValueError("no list of ids")
    return set(done)


def write_whole(target: Path, text: str) -> None:
    """Write all of the file or none: under another name first, which then takes its place."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=target.stem, suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
