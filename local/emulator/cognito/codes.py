"""One-time codes that users receive by e-mail."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass

from local.emulator.cognito.errors import code_mismatch, expired_code

CONFIRMATION_SECONDS = 24 * 3600
"""Source: Amazon Cognito developer guide, "Quotas": sign-up and attribute codes are valid for 24 hours."""
RECOVERY_SECONDS = 3600
"""Source: Amazon Cognito developer guide, "Recovering user accounts": the code is valid for one hour."""


@dataclass(frozen=True)
class Code:
    """A code of six digits, and the time (seconds since the epoch) at which it expires."""

    digits: str
    expires_at: float

    @staticmethod
    def new(now: float, seconds: float) -> Code:
        return Code(f"{secrets.randbelow(1_000_000):06}", now + seconds)


def check_code(code: Code | None, given: str, now: float) -> None:
    """Raises CognitoError if the code wasn't requested, is expired or is wrong."""
    if code is None or now >= code.expires_at:
        raise expired_code()
    if not hmac.compare_digest(code.digits.encode(), given.encode()):
        raise code_mismatch()
