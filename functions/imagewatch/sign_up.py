"""Who may sign up: addresses in the allowed domains."""

from __future__ import annotations

from imagewatch.errors import SignUpRefused


def check_address(email: str, domains: str) -> None:
    """Raises SignUpRefused if the address is in none of the domains, which are separated by commas.

    A subdomain is a separate domain. Without domains, every address is allowed. Case and spaces around a domain don't count.
    """
    allowed = {domain.strip().lower() for domain in domains.split(",")} - {""}
    _, at, domain = email.strip().rpartition("@")
    if not allowed or (at and domain.lower() in allowed):
        return
    names = ", ".join(sorted(allowed))
    raise SignUpRefused(f"Addresses of this domain can't sign up. Sign up with an address of {names}, or ask an administrator.")
