"""Check Sign Up: the addresses that may sign up."""

from __future__ import annotations

from typing import Any

import pytest

from imagewatch.errors import SignUpRefused

from .conftest import Event, Stack


@pytest.fixture
def event(sample: Any) -> Event:
    event: Event = sample("check_sign_up")
    return event


def test_without_domains_every_address_may_sign_up(stack: Stack, event: Event) -> None:
    assert stack.handler("CheckSignUp")(event) == event


def test_an_address_outside_the_domains_is_refused(stack: Stack, event: Event) -> None:
    stack.environments.change("CheckSignUp", SIGN_UP_DOMAINS="example.org")
    with pytest.raises(SignUpRefused, match=r"Sign up with an address of example\.org"):
        stack.handler("CheckSignUp")(event)


def test_an_address_in_one_of_the_domains_may_sign_up(stack: Stack, event: Event) -> None:
    stack.environments.change("CheckSignUp", SIGN_UP_DOMAINS="example.org,example.com")
    assert stack.handler("CheckSignUp")(event) == event


def test_an_account_that_an_administrator_creates_is_not_limited(stack: Stack, event: Event) -> None:
    stack.environments.change("CheckSignUp", SIGN_UP_DOMAINS="example.org")
    created = {**event, "triggerSource": "PreSignUp_AdminCreateUser"}
    assert stack.handler("CheckSignUp")(created) == created
