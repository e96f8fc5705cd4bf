"""Pages of lists that only operators read: the place of the next page as opaque text.

The place of a search is signed as well, see search/cursor.py.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence

from imagewatch.api.problems import Mistake, invalid

_FOREIGN = "cursor must be the NextCursor of a page of this list. Start again from the first page."


def write_cursor(place: Sequence[str]) -> str:
    """The cursor of a place."""
    return base64.urlsafe_b64encode(json.dumps(list(place)).encode()).decode().rstrip("=")


def read_cursor(text: str, parts: int) -> tuple[str, ...] | None:
    """The place of a cursor with this many parts; None for an empty one. Raises RequestRefused for any other text."""
    if not text:
        return None
    try:
        place = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        place = None
    if not isinstance(place, list) or len(place) != parts or not all(isinstance(part, str) and part for part in place):
        raise invalid([Mistake(_FOREIGN, parameter="cursor")])
    return tuple(place)
