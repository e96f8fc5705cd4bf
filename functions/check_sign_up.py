"""Check Sign Up: before Cognito creates an account, refuses an address outside the domains that may sign up."""

from __future__ import annotations

from typing import Any

from imagewatch import sign_up
from imagewatch.aws.settings import setting
from imagewatch.observability import logger, logs_invocation

SIGN_UP = "PreSignUp_SignUp"  # the trigger also reports accounts that administrators create


@logs_invocation
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Takes the event of Cognito's trigger PreSignUp; returns it unchanged, or raises SignUpRefused.

    Source: Amazon Cognito developer guide, "Pre sign-up Lambda trigger".
    """
    if event["triggerSource"] == SIGN_UP:
        sign_up.check_address(event["request"]["userAttributes"].get("email", ""), setting("SIGN_UP_DOMAINS"))
        logger.info("A sign-up is allowed.", user=event["userName"])
    return event
