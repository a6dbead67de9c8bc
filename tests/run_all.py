"""Everything that is tested, in order: `make test`, or `python tests/run_all.py [SUITE …]`.

A suite that fails does not stop the next one.  Ends with a table and one line of totals; the exit
status is 1 if anything failed.
"""

import argparse
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / "_build" / "test-reports"

PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
NBVAL = [
    *PYTEST, "-p", "tests.notebooks.keep_outputs", "--nbval-lax", "--nbval-current-env",
    "--nbval-cell-timeout=120", "--nbval-sanitize-with=tests/notebooks/sanitize.cfg",
    "-n", "2", "--dist", "loadfile", "notebooks",
]  # fmt: skip
JUPYTER_BOOK = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()"]
BOOK = [*JUPYTER_BOOK, "build", ".", "-W", "-n", "--keep-going", "-q"]

# The notebooks are executed once, by nbval; what comes after uses its outputs (keep_outputs.py).
SUITES = {
    "unit": [*PYTEST, "tests/unit", "tests/exercises"],
    "nbval": NBVAL,
    "notebooks": [*PYTEST, "tests/notebooks"],
    "book": BOOK,
    "site": [*PYTEST, "tests/site"],
}

# Two kernels share two cores; with two threads each they wait for one another.
ENVIRONMENT = {"nbval": {"OMP_NUM_THREADS": "1"}}


@dataclass
class Result:
    """Counts of one suite; a command other than pytest counts as one test."""

    suite: str
    passed: int
    failed: int
    skipped: int
    seconds: float


def counts(report: Path, status: int) -> tuple[int, int, int]:
    """Passed, failed and skipped tests of a JUnit file; without one, the exit status decides."""
    if not report.exists():
        return (1, 0, 0) if status == 0 else (0, 1, 0)
    suite = ElementTree.parse(report).getroot().find("testsuite")
    total, skipped = int(suite.get("tests")), int(suite.get("skipped"))
    failed = int(suite.get("failures")) + int(suite.get("errors"))
    if status != 0 and failed == 0:
        failed = 1  # pytest itself failed: nothing collected, or a plugin's error
    return total - int(suite.get("failures")) - int(suite.get("errors")) - skipped, failed, skipped


def run(suite: str) -> Result:
    """Run one suite in the repository's root, its output shown as it comes."""
    command = SUITES[suite]
    report = REPORTS / f"{suite}.xml"
    report.unlink(missing_ok=True)
    if "pytest" in command:
        command = [*command, f"--junitxml={report}", "-o", "junit_family=xunit2"]
    environment = os.environ | {"PYTHONUTF8": "1"} | ENVIRONMENT.get(suite, {})
    print(f"\n=== {suite}", flush=True)
    start = time.perf_counter()
    status = subprocess.run(command, cwd=ROOT, env=environment).returncode
    seconds = time.perf_counter() - start
    return Result(suite, *counts(report, status), seconds)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("suites", nargs="*", choices=[*SUITES, []], help=", ".join(SUITES))
    REPORTS.mkdir(parents=True, exist_ok=True)
    results = [run(suite) for suite in parser.parse_args().suites or SUITES]
    print(f"\n{'suite':12}{'passed':>8}{'failed':>8}{'skipped':>9}{'seconds':>9}")
    for r in results:
        print(f"{r.suite:12}{r.passed:8}{r.failed:8}{r.skipped:9}{r.seconds:9.1f}")
    passed, failed, skipped = (
        sum(getattr(r, name) for r in results) for name in ("passed", "failed", "skipped")
    )
    tail = f", {skipped} skipped" if skipped else ""
    print(f"\n{passed} passed, {failed} failed{tail} in {sum(r.seconds for r in results):.0f}s")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
