"""The JSON schemas of a rule and of a rule file, generated from the field declarations."""

from __future__ import annotations

from typing import Any

from imagewatch.rules.model import RULE

DIALECT = "https://json-schema.org/draft/2020-12/schema"
RULE_FILE_NAME = "rule.schema.json"


def rule_schema() -> dict[str, Any]:
    """docs/rule.schema.json: an item of the WatchlistTable. Its `$defs/rule` is a rule as people write it, for which the id is
    optional."""
    written = RULE.schema
    return {
        "$schema": DIALECT,
        "title": "A rule of Imagewatch's watchlist",
        "description": "What to alert about. docs/watchlist.md explains each field with an example.",
        "$ref": "#/$defs/rule",
        "required": ["RuleId"],
        "$defs": {
            "rule": {
                "description": "A rule as people write it. Without RuleId, the id is made from the name.",
                **written,
                "required": [name for name in written["required"] if name != "RuleId"],
            },
            **RULE.definitions,
        },
    }


def rule_file_schema() -> dict[str, Any]:
    """docs/rule-file.schema.json: what `imagewatch rules import` reads and `export` writes."""
    rules = {"$ref": "#/$defs/rules"}
    return {
        "$schema": DIALECT,
        "title": "A file of Imagewatch's rules",
        "description": "One rule, a list of rules, or a list under rules. `imagewatch rules import` and `export` use it.",
        "oneOf": [
            rules,
            {"type": "object", "required": ["rules"], "additionalProperties": False, "properties": {"rules": rules}},
            {"$ref": f"{RULE_FILE_NAME}#/$defs/rule"},
        ],
        "$defs": {"rules": {"type": "array", "items": {"$ref": f"{RULE_FILE_NAME}#/$defs/rule"}}},
    }
