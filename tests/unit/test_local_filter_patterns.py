"""CloudWatch Logs' filter patterns, as in `aws logs filter-log-events --filter-pattern`."""

from __future__ import annotations

import json

import pytest

from local.emulator.logs.filter_patterns import PatternError, compiled

LINE = json.dumps(
    {
        "level": "ERROR",
        "message": 'Not an image: "shopping list"',
        "image_id": "0068985115087cf1792dd7292ed05d97",
        "width": 80,
        "owner": None,
        "converted": True,
        "rule": {"names": ["Cat on camera", "Person"]},
    }
)


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "ERROR",
        "ERROR image_id",
        "?WARNING ?ERROR",
        "ERROR -INFO",
        '"Not an image"',
        "0068985115087cf1792dd7292ed05d97",
        "%00689[0-9a-f]+%",
        '{ $.image_id = "0068985115087cf1792dd7292ed05d97" }',
        '{$.image_id="0068985115087cf1792dd7292ed05d97"}',
        "{ $.image_id = 0068* }",
        "{ $.image_id = %^0068% }",
        '{ $.level = "ERROR" && $.width >= 80 }',
        '{ $.level = "INFO" || $.width = 80 }',
        '{ ($.level = "INFO" || $.level = "ERROR") && $.width < 81 }',
        '{ $.level != "INFO" }',
        "{ $.owner IS NULL }",
        "{ $.converted IS TRUE }",
        "{ $.reason NOT EXISTS }",
        "{ $.width EXISTS }",
        '{ $.rule.names[0] = "Cat*" }',
    ],
)
def test_matches_the_line(pattern: str) -> None:
    assert compiled(pattern)(LINE)


@pytest.mark.parametrize(
    "pattern",
    [
        "WARNING",
        "ERROR -image_id",
        "?WARNING ?INFO",
        '"Not a picture"',
        '{ $.image_id = "other" }',
        "{ $.image_id = *0068 }",
        "{ $.width > 80 }",
        '{ $.width = "80" }',
        '{ $.level = "ERROR" && $.width > 80 }',
        '{ $.level = "INFO" && $.width = 80 || $.width = 81 }',
        '{ $.reason != "INFO" }',
        "{ $.width IS NULL }",
        '{ $.rule.names[7] = "Cat*" }',
        '{ $.rule.names.length = "Cat*" }',
    ],
)
def test_does_not_match_the_line(pattern: str) -> None:
    assert not compiled(pattern)(LINE)


def test_a_json_pattern_does_not_match_lines_that_are_not_json_objects() -> None:
    assert not compiled("{ $.level = * }")("START RequestId: 1")
    assert not compiled("{ $.level NOT EXISTS }")("[1, 2]")


@pytest.mark.parametrize(
    "pattern",
    [
        "[ip, user]",
        "{ $.level }",
        "{ level = 1 }",
        "{ $.level = }",
        "{ $.width ~ 1 }",
        "{ ($.width = 1 }",
        "{ $.width IS ODD }",
        '"open',
    ],
)
def test_unsupported_patterns_are_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        compiled(pattern)
