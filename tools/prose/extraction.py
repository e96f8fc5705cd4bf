"""Extracts the prose of a file: comments, texts and names, on the lines on which they stand in the file.

Everything else is left out, so that a phrase that continues on the next comment line is found, and code counts as no word.
"""

from __future__ import annotations

import io
import re
import tokenize
from pathlib import Path

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_ESCAPE = re.compile(r"\\[nrt]")
_PLACEHOLDER = re.compile(r"\{[^{}]*\}")
_PREFIX = re.compile(r"^[rbfuRBFU]*")
_STRINGS = {tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}  # f-strings have tokens from Python 3.12 on


def prose_of(path: Path) -> str:
    """The prose of the file, with as many lines as the file; names are split into words."""
    source = path.read_text(encoding="utf-8")
    text = _python(source) if path.suffix == ".py" else re.sub(r"(?m)^[ \t]*(#|//|\*)+", "", source)
    return _CAMEL.sub(" ", text.replace("_", " "))


def _python(source: str) -> str:
    lines = [""] * (source.count("\n") + 1)
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    for before, token, after in zip([tokens[0], *tokens], tokens, [*tokens[1:], tokens[-1]], strict=False):
        if text := _text(before, token, after):
            for number, line in enumerate(text.split("\n"), token.start[0] - 1):
                lines[number] += f"; {line}" if lines[number] else line  # no phrase spans two names of a line
    return "\n".join(lines)


def _text(before: tokenize.TokenInfo, token: tokenize.TokenInfo, after: tokenize.TokenInfo) -> str:
    """The prose in one token: a comment, a text without its placeholders, or a name where it gets its meaning."""
    if token.type == tokenize.COMMENT:
        return token.string.lstrip("# ")
    if token.type in _STRINGS:
        prefix = _PREFIX.match(token.string) if token.type == tokenize.STRING else None
        formatted = prefix is not None and "f" in prefix[0].lower()
        text = token.string[prefix.end() :].strip("\"'") if prefix else token.string
        return _ESCAPE.sub("  ", _PLACEHOLDER.sub(" ", text) if formatted else text)
    defined = token.type == tokenize.NAME and (before.string in ("def", "class") or after.string in ("=", ":", ":="))
    return token.string if defined else ""
