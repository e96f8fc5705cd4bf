"""Cursors: where the next page of a search goes on, as opaque text that is bound to one viewer and one query.

The place is encrypted with a key stream (HMAC-SHA-256 in counter mode, RFC 2104 and NIST SP 800-38A) and then signed, so that a
cursor neither shows the key of an image nor can be made or changed by anyone without the secret.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from collections.abc import Sequence
from typing import Any

from imagewatch.errors import InvalidCursor
from imagewatch.search.planner import Place
from imagewatch.search.query import Query
from imagewatch.search.render import render

MAX_LENGTH = 500  # characters
_NONCE, _TAG = 12, 16  # bytes


def write(place: Place, query: Query, viewer: str, min_confidence: float, secret: bytes) -> str:
    """The cursor of a place. The same place gives another text each time."""
    nonce = secrets.token_bytes(_NONCE)
    hidden = _cipher(json.dumps(place).encode(), nonce, secret)
    return (
        base64.urlsafe_b64encode(nonce + hidden + _tag(nonce + hidden, query, viewer, min_confidence, secret))
        .decode()
        .rstrip("=")
    )


def read(text: str, query: Query, viewer: str, min_confidence: float, secret: bytes) -> Place:
    """The place of a cursor. Raises InvalidCursor for one that was changed, or belongs to another query or viewer."""
    try:
        data = base64.urlsafe_b64decode(text[:MAX_LENGTH] + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        data = b""
    nonce, hidden, tag = data[:_NONCE], data[_NONCE:-_TAG], data[-_TAG:]
    expected = _tag(nonce + hidden, query, viewer, min_confidence, secret)
    if len(text) > MAX_LENGTH or not hidden or not hmac.compare_digest(tag, expected):
        raise InvalidCursor("This cursor does not belong to this search. Start again from the first page.")
    place: Sequence[Any] = json.loads(_cipher(hidden, nonce, secret))
    return tuple(place)


def _tag(body: bytes, query: Query, viewer: str, min_confidence: float, secret: bytes) -> bytes:
    bound = json.dumps([render(query), viewer, float(min_confidence)]).encode()
    return hmac.new(secret, b"tag" + bound + b"\0" + body, hashlib.sha256).digest()[:_TAG]


def _cipher(data: bytes, nonce: bytes, secret: bytes) -> bytes:
    blocks = (len(data) + 31) // 32
    stream = b"".join(
        hmac.new(secret, b"key" + nonce + block.to_bytes(4, "big"), hashlib.sha256).digest() for block in range(blocks)
    )
    return bytes(a ^ b for a, b in zip(data, stream, strict=False))
