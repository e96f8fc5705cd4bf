"""The table of mutants fits the code: each one can be applied, and its tests exist. `make mutants` runs it."""

from __future__ import annotations

import pytest

from tools.mutants.table import Mutant, TableError, read

from .conftest import ROOT

MUTANTS = read()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_each_mutant_changes_its_file_and_names_tests_that_exist(mutant: Mutant) -> None:
    text = (ROOT / mutant.file).read_text(encoding="utf-8")
    assert mutant.applied_to(text) != text
    assert mutant.tests
    for test in mutant.tests:
        path, _, name = test.partition("::")
        assert (ROOT / path).exists(), test
        assert not name or f"def {name}(" in (ROOT / path).read_text(encoding="utf-8"), test


def test_names_are_unique() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


def test_a_mutant_whose_text_is_gone_is_an_error() -> None:
    with pytest.raises(TableError, match=r"a change: the text to replace is 2 times in f\.py, not once"):
        Mutant("a change", "f.py", "x", "y", ("t",)).applied_to("x x")
