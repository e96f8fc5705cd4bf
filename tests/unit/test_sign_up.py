"""The addresses that may sign up."""

from __future__ import annotations

import pytest

from imagewatch.errors import SignUpRefused
from imagewatch.sign_up import check_address


@pytest.mark.parametrize("email", ["ann@example.com", "Ann@EXAMPLE.com", ' "a@b"@example.com '])
@pytest.mark.parametrize("domains", ["example.com", " Example.COM ,example.org", ""])
def test_an_address_of_an_allowed_domain_may_sign_up(email: str, domains: str) -> None:
    check_address(email, domains)


@pytest.mark.parametrize(
    "email",
    ["ann@example.net", "ann@sub.example.com", "ann@notexample.com", "ann@example.com.evil.net", "ann@example.com@evil.net",
     "example.com", "", "ann@", "ann@example.com."],
)  # fmt: skip
def test_every_other_address_is_refused(email: str) -> None:
    with pytest.raises(SignUpRefused, match=r"Sign up with an address of example\.com, example\.org"):
        check_address(email, "example.org,example.com")


def test_without_domains_every_address_may_sign_up() -> None:
    check_address("ann@anywhere.test", "")
