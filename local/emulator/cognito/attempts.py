"""Limits of attempts: the lockout after failed sign-ins, and the number of codes that a user may request or enter."""

from __future__ import annotations

from dataclasses import dataclass, field

from local.emulator.cognito.errors import limit_exceeded, not_authorized

FREE_FAILURES = 5
LONGEST_LOCKOUT = 900.0
HOUR = 3600.0
CODES_PER_HOUR = 5
"""AWS allows between 5 and 20. Source: Amazon Cognito developer guide, "Forgot password behavior"."""


@dataclass
class _Failures:
    count: int = 0
    last_attempt: float = 0
    locked_until: float = 0


@dataclass
class Lockouts:
    """The lockouts after failed sign-ins, by user name. Times are in seconds.

    After n failures the user is locked out for 2^(n-5) seconds, at most 15 minutes. 15 minutes without an attempt forget them.
    Source: Amazon Cognito developer guide, "Lockout behavior for failed sign-in attempts".
    """

    _failures: dict[str, _Failures] = field(default_factory=dict)

    def check(self, name: str, now: float) -> None:
        """Raises CognitoError during a lockout."""
        failures = self._failures.get(name)
        if failures is None:
            return
        if now - failures.last_attempt >= LONGEST_LOCKOUT:
            del self._failures[name]
            return
        failures.last_attempt = now
        if now < failures.locked_until:
            raise not_authorized("Password attempts exceeded")

    def failed(self, name: str, now: float) -> None:
        failures = self._failures.setdefault(name, _Failures())
        failures.count += 1
        failures.last_attempt = now
        if failures.count >= FREE_FAILURES:
            failures.locked_until = now + min(2.0 ** (failures.count - FREE_FAILURES), LONGEST_LOCKOUT)

    def succeeded(self, name: str) -> None:
        self._failures.pop(name, None)


@dataclass
class HourlyLimit:
    """A number of attempts within an hour, by name."""

    limit: int = CODES_PER_HOUR
    _times: dict[str, list[float]] = field(default_factory=dict)

    def use(self, name: str, now: float) -> None:
        """Count one attempt. Raises CognitoError above the limit."""
        times = [at for at in self._times.get(name, []) if now - at < HOUR]
        if len(times) >= self.limit:
            raise limit_exceeded()
        self._times[name] = [*times, now]

    def forget(self, name: str) -> None:
        self._times.pop(name, None)
