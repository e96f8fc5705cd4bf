"""Pages of sorted keys. A token names the last key of the page before it, so that deletions in between skip nothing."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable

from local.emulator.rekognition.errors import InvalidPaginationToken

PREFIX = "after:"


def page(keys: Iterable[str], limit: int, token: str | None) -> tuple[list[str], dict[str, str]]:
    """Returns one page of at most `limit` keys, and its NextToken as a part of the answer, which is empty on the last page."""
    last = _last_key(token) if token else ""
    rest = sorted(key for key in keys if key > last)
    found = rest[:limit]
    return found, ({"NextToken": _token(found[-1])} if len(rest) > limit else {})


def _token(key: str) -> str:
    return base64.urlsafe_b64encode((PREFIX + key).encode()).decode()


def _last_key(token: str) -> str:
    try:
        text = base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError):
        text = ""
    if not text.startswith(PREFIX):
        raise InvalidPaginationToken("The NextToken is not one of this operation's tokens. Call it again without a NextToken.")
    return text.removeprefix(PREFIX)
