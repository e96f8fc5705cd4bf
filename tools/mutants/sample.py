"""Generated mutants of functions/imagewatch: Cosmic Ray's operators at places that a seed chooses.

Only lines that a test of the unit or integration tier runs are changed, and only the tests that run the line are tried: coverage
is measured once for a commit, with the test of each line.
"""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cosmic_ray.ast import ast_nodes
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names
from parso import parse

from tools.mutants.checkout import PLACE, ROOT, Checkout

PACKAGE = "functions/imagewatch"
TIERS = ("tests/unit", "tests/integration")
MOST_TESTS = 40
"""Test functions that are tried on one mutant, those that run the fewest lines first."""
# Cosmic Ray's arithmetic makes hundreds of mutants of each "+", most of which raise a TypeError that every test notices.
EXCLUDED = ("BinaryOperator", "VariableReplacer", "VariableInserter", "ExceptionReplacer", "Decorator")


@dataclass(frozen=True)
class Generated:
    """One generated mutant."""

    name: str
    file: str
    text: str
    """The file's text with the change."""
    tests: tuple[str, ...]


def draw(checkout: Checkout, seed: int, count: int) -> Iterator[Generated]:
    """`count` mutants, the same ones for the same seed and commit."""
    dice = random.Random(seed)  # noqa: S311
    tests = _tests_by_line(checkout)
    operators = [name for name in operator_names() if not any(part in name for part in EXCLUDED)]
    places = [
        (file, name, number, line)
        for file in sorted(tests)
        for name in operators
        for number, line in enumerate(_lines(checkout.folder / file, name))
        if line in tests[file]
    ]
    for file, name, number, line in dice.sample(places, min(count, len(places))):
        text = (checkout.folder / file).read_text(encoding="utf-8")
        changed = mutate_code(text.encode(), get_operator(name)(), number)
        if changed is not None and changed != text:
            yield Generated(f"{file}:{line} {name.removeprefix('core/')}", file, changed, tuple(tests[file][line]))


def survives(checkout: Checkout, mutant: Generated) -> bool:
    """Whether all tests that run the changed line pass."""
    with checkout.changed(mutant.file, mutant.text):
        return checkout.test(mutant.tests).passed


def _lines(path: Path, operator: str) -> Iterator[int]:
    """The line of each place that the operator changes."""
    tree = parse(path.read_text(encoding="utf-8"))
    chosen = get_operator(operator)()
    for node in ast_nodes(tree):
        for start, _ in chosen.mutation_positions(node):
            yield start[0]


def _tests_by_line(checkout: Checkout) -> dict[str, dict[int, list[str]]]:
    """File -> line -> the test functions that run it (pytest's node ids), those that run the fewest lines first."""
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=checkout.folder, capture_output=True, text=True, check=True
    ).stdout.strip()  # fmt: skip
    kept = PLACE / f"coverage-{commit}.json"
    if not kept.exists():
        kept.write_text(json.dumps(_measure(checkout)), encoding="utf-8")
    found: dict[str, dict[str, list[str]]] = json.loads(kept.read_text(encoding="utf-8"))
    weight: dict[str, int] = {}
    for lines in found.values():
        for tests in lines.values():
            for test in tests:
                weight[test] = weight.get(test, 0) + 1
    return {
        file: {int(line): sorted(tests, key=lambda test: weight[test])[:MOST_TESTS] for line, tests in lines.items()}
        for file, lines in found.items()
    }


def _measure(checkout: Checkout) -> dict[str, dict[str, list[str]]]:
    """Runs the tiers once with coverage; tests are named by their contexts."""
    print(f"Measuring which tests run which lines ({', '.join(TIERS)}) ...", flush=True)
    settings = checkout.folder / "coverage.ini"
    settings.write_text(f"[run]\nsource = {PACKAGE}\ndynamic_context = test_function\nrelative_files = true\n", encoding="utf-8")
    run = checkout.run("-m", "coverage", "run", f"--rcfile={settings}", "-m", "pytest", "-q", "-p", "no:cacheprovider", *TIERS)
    if not run.passed:
        raise SystemExit(f"The tests fail without a mutant:\n{run.output[-3000:]}")
    report = checkout.run("-m", "coverage", "json", f"--rcfile={settings}", "--show-contexts", "-q", "-o", "coverage.json")
    if not report.passed:
        raise SystemExit(report.output)
    files = json.loads((checkout.folder / "coverage.json").read_text(encoding="utf-8"))["files"]
    return {file: _tests_of(data["contexts"]) for file, data in files.items()}


def _tests_of(contexts: dict[str, list[str]]) -> dict[str, list[str]]:
    """Line -> tests, for the lines that a test runs."""
    found = {line: sorted(filter(None, map(_node, names))) for line, names in contexts.items()}
    return {line: tests for line, tests in found.items() if tests}


def _node(context: str) -> str:
    """pytest's node id of a context such as tests.unit.test_x.test_y or tests.unit.test_x.TestZ.test_y; empty for an import."""
    module, _, name = context.rpartition(".")
    if not name.startswith("test"):
        return ""
    path = Path(*module.split("."))
    parts = [name]
    while not (ROOT / path.with_suffix(".py")).exists():
        parts.insert(0, path.name)
        path = path.parent
        if path == Path():
            return ""
    return "::".join([str(path.with_suffix(".py")), *parts])
