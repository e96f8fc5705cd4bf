"""How Slack's sections end: with a paragraph, a line or a word, never within a link; and nothing is left out in silence."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from imagewatch.alerts.slack_text import MAX_SECTION, MAX_TEXT, sections

LINK = "https://watch.example.com/images/" + "a" * 300
CUT = "The rest of this message is too long for Slack."


def test_a_text_that_fits_is_one_section() -> None:
    assert sections("one\n\ntwo") == ["one\n\ntwo"]
    assert sections("x" * MAX_SECTION) == ["x" * MAX_SECTION]
    assert sections("") == sections("\n\n") == [" "]


def test_sections_end_where_paragraphs_do_and_else_where_lines_do() -> None:
    paragraph = "\n".join(f"  line {n}" for n in range(100))
    assert sections(f"{paragraph}\n\n" * 5) == ["\n\n".join([paragraph] * 3), "\n\n".join([paragraph] * 2)]
    lines = [f"  line {n}" for n in range(600)]
    parts = sections("\n".join(lines))
    assert len(parts) > 1
    assert [line for part in parts for line in part.split("\n")] == lines


@given(st.lists(st.sampled_from([LINK, f"({LINK})", "word", "\n", "\n\n", "  ", "字" * 700, "x" * 2500]), max_size=60))
def test_links_stay_whole_and_what_is_left_out_is_said(pieces: list[str]) -> None:
    text = " ".join(pieces)
    parts = sections(text)
    assert max(map(len, parts)) <= MAX_SECTION
    assert sum(map(len, parts)) <= MAX_TEXT
    assert {link.rstrip(")") for part in parts for link in re.findall(r"https?://\S*", part)} <= {LINK}
    shown = "".join("".join(parts).split())
    if parts[-1] == CUT:
        assert "".join(text.split()).startswith(shown.removesuffix("".join(CUT.split())))
    else:
        assert shown == "".join(text.split())


def test_a_link_that_no_section_holds_is_replaced_by_its_length() -> None:
    (part,) = sections("See https://example.com/" + "x" * 4000 + " there")
    assert part == "See (a link of 4020 characters, too long for Slack) there"
