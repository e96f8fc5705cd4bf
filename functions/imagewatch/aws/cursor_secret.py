"""The key that signs the cursors of searches: random, made once for each stack, and kept in the SearchIndexTable."""

from __future__ import annotations

import functools
import secrets

from imagewatch.aws.dynamodb import conditional_update
from imagewatch.aws.settings import setting

_KEY = {"Posting": "secret", "Position": "cursors"}
_HEXADECIMAL_DIGITS = 64


@functools.cache
def read() -> bytes:
    """The key. The first call of a stack makes it."""
    made = secrets.token_hex(_HEXADECIMAL_DIGITS // 2)
    written = conditional_update(
        setting("SEARCH_INDEX_TABLE"), _KEY, "SET #Secret = if_not_exists(#Secret, :made)", values={":made": made}
    )
    return bytes.fromhex(written.item["Secret"])
