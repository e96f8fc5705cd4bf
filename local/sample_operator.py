"""The sample operator of the local stack: an account that can sign in at once. Its random password is in .local/operator.json."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from local import OPERATOR_EMAIL
from local.emulator.cloudformation import Deployment
from local.emulator.cognito.passwords import generate_password
from local.emulator.cognito.settings import PasswordPolicy

FILE = "operator.json"
GROUP = "operators"


def create(deployment: Deployment, state: Path) -> None:
    """Create the account in the deployed user pool, if there is one. A password from an earlier start stays the same."""
    pool = deployment.output("UserPoolId")
    if pool is None:
        return
    credentials = read(state) or _new_credentials(state)
    email = credentials["email"]
    client: Any = deployment.client("cognito-idp")
    attributes = [{"Name": "email", "Value": email}, {"Name": "email_verified", "Value": "true"}]
    client.admin_create_user(UserPoolId=pool, Username=email, UserAttributes=attributes, MessageAction="SUPPRESS")
    client.admin_set_user_password(UserPoolId=pool, Username=email, Password=credentials["password"], Permanent=True)
    client.admin_add_user_to_group(UserPoolId=pool, Username=email, GroupName=GROUP)


def read(state: Path) -> dict[str, str] | None:
    """The account's e-mail and password; None if there is no usable file."""
    try:
        found = json.loads((state / FILE).read_text(encoding="utf-8"))
        return {"email": str(found["email"]), "password": str(found["password"])}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _new_credentials(state: Path) -> dict[str, str]:
    credentials = {"email": OPERATOR_EMAIL, "password": generate_password(PasswordPolicy(minimum_length=20))}
    path = state / FILE
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(credentials, file)
    return credentials
