"""The word list: what it finds, where, and that no exception is left over."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.prose.__main__ import ROOT, tracked, unused_exemptions
from tools.prose.checking import check
from tools.prose.extraction import prose_of
from tools.prose.word_list import WordList, WordListError, load_word_list

GLOSSARY = """| Word | Meaning | Not |
|---|---|---|
| lease | Ownership. | `grab`, hold |
"""
WORDS = """[ignored]
"LICENSE" = "a licence"
[mannered]
"fond of" = "name the thing"
"""


def word_list(folder: Path, words: str = WORDS, glossary: str = GLOSSARY) -> WordList:
    for name, text in (("words.toml", words), ("glossary.md", glossary)):
        (folder / name).write_text(text, encoding="utf-8")
    return load_word_list(folder / "glossary.md", folder / "words.toml")


def found(folder: Path, name: str, text: str, words: str = WORDS) -> list[str]:
    (folder / name).write_text(text, encoding="utf-8")
    return [str(finding) for finding in check(folder, [name], word_list(folder, words)).findings.get(name, [])]


def test_a_word_of_the_glossary_and_a_mannered_one_are_found_with_their_lines(tmp_path: Path) -> None:
    text = "A lease.\nFond of it? A hold.\nTwo executions grab it.\n"
    assert found(tmp_path, "page.md", text) == ["page.md:3: 'grab' -> lease", "page.md:2: 'Fond of' -> name the thing"]


def test_a_phrase_that_continues_on_the_next_comment_line_is_found(tmp_path: Path) -> None:
    assert found(tmp_path, "code.py", "x = 1\n# fond\n# of it\n") == ["code.py:2: 'fond of' -> name the thing"]
    assert found(tmp_path, "code.yaml", "x: 1 # fond\n  # of it\n") == ["code.yaml:1: 'fond of' -> name the thing"]


def test_texts_and_names_are_prose_and_other_code_is_not(tmp_path: Path) -> None:
    for code in (
        '"""A grab."""',
        "def grab_it(): ...",
        "class NewGrab: ...",
        "their_grab = 1",
        'x = f"a grab of {x}"',
        'x["Grab"]',
    ):
        assert found(tmp_path, "code.py", f"{code}\n") == [f"code.py:1: '{'Grab' if 'Grab' in code else 'grab'}' -> lease"], code
    for code in (
        "def f(fond: int, of: int): ...",
        "module.grab(1)",
        'x = f"a lease of {grab}"',
        "grabbing = 1",
        'x = "a\\ngrabs"',
    ):
        assert found(tmp_path, "code.py", f"{code}\n") == [], code


def test_prose_has_as_many_lines_as_its_file(tmp_path: Path) -> None:
    path = tmp_path / "code.py"
    path.write_text('"""One.\n\nTwo.\n"""\n\nx = 1  # three\n', encoding="utf-8")
    assert [line.strip() for line in prose_of(path).split("\n")] == ["One.", "", "Two.", "", "", "x; three", ""]


def test_an_exemption_covers_one_word_in_one_place_and_must_be_needed(tmp_path: Path) -> None:
    words = WORDS + '[[exemption]]\npath = "page.md"\nword = "grab"\nreason = "a reason"\n'
    assert found(tmp_path, "page.md", "A grab. Fond of it?", words) == ["page.md:1: 'Fond of' -> name the thing"]
    assert found(tmp_path, "other.md", "A grab.", words) == ["other.md:1: 'grab' -> lease"]
    loaded = word_list(tmp_path, words)
    assert unused_exemptions(check(tmp_path, ["page.md"], loaded), loaded) == []
    assert len(unused_exemptions(check(tmp_path, ["other.md"], loaded), loaded)) == 1


def test_an_exemption_without_a_reason_is_refused(tmp_path: Path) -> None:
    for words in (
        WORDS + '[[exemption]]\npath = "page.md"\nword = "grab"\nreason = " "\n',
        WORDS.replace('"a licence"', '""'),
        WORDS.replace('"name the thing"', '""'),
    ):
        with pytest.raises(WordListError):
            word_list(tmp_path, words)


def test_ignored_and_exempt_places_exist() -> None:
    loaded = load_word_list(ROOT / "docs" / "glossary.md")
    for path in (*loaded.ignored, *(entry.path for entry in loaded.exemptions)):
        assert (ROOT / path).exists(), f"words.toml names {path}"


def test_no_word_that_is_ruled_out_is_in_any_file() -> None:
    loaded = load_word_list(ROOT / "docs" / "glossary.md")
    result = check(ROOT, tracked(ROOT, []), loaded)
    assert [str(f) for findings in result.findings.values() for f in findings] == []
    assert unused_exemptions(result, loaded) == []
