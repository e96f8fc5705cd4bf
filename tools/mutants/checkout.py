"""A second checkout of the present commit, in which mutants are applied and tests run. The working tree is never changed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / ".local" / "mutants"
TIMEOUT_SECONDS = 600


@dataclass(frozen=True)
class Run:
    """The outcome of a test run."""

    passed: bool
    seconds: float
    output: str


class Checkout:
    """A checkout of the present commit in a separate folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def test(self, tests: Sequence[str], timeout: float = TIMEOUT_SECONDS) -> Run:
        """Runs these tests (pytest's node ids) up to the first failure. A run that takes too long counts as failed."""
        return self.run("-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--no-header", *tests, timeout=timeout)

    def run(self, *arguments: str, timeout: float = 3600) -> Run:
        """Runs Python in the checkout, with its packages before those that are installed."""
        command = [sys.executable, *arguments]
        paths = os.pathsep.join(str(self.folder / name) for name in ("functions", ""))
        environment = os.environ | {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}
        started = time.monotonic()
        try:
            done = subprocess.run(
                command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=timeout, check=False
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return Run(False, time.monotonic() - started, f"stopped after {timeout:.0f} s")
        return Run(done.returncode == 0, time.monotonic() - started, done.stdout + done.stderr)

    @contextmanager
    def changed(self, path: str, text: str) -> Iterator[None]:
        """The file has this text inside the context."""
        file = self.folder / path
        before = file.read_text(encoding="utf-8")
        file.write_text(text, encoding="utf-8")
        try:
            yield
        finally:
            file.write_text(before, encoding="utf-8")


@contextmanager
def checkout() -> Iterator[Checkout]:
    """A checkout of the present commit. It is removed at the end."""
    folder = PLACE / f"checkout-{os.getpid()}"
    _git("worktree", "add", "--quiet", "--detach", str(folder), "HEAD")
    try:
        yield Checkout(folder)
    finally:
        _git("worktree", "remove", "--force", str(folder))


def _git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=ROOT, check=True)
