"""`python -m local.sign_in`: says how to sign in to the local stack, or prints an access token for scripts."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from local import STACK_NAME, sample_operator
from local.__main__ import REPOSITORY
from local.emulator.cognito.srp_client import sign_in
from local.emulator.ports import port_from
from local.viewer.stack import Stack, StackNotReadyError


def parser() -> argparse.ArgumentParser:
    arguments = argparse.ArgumentParser(prog="python -m local.sign_in", description=__doc__, allow_abbrev=False)
    port = port_from("PORT", 4566)
    arguments.add_argument("--endpoint", default=f"http://localhost:{port}", metavar="URL", help="Default: %(default)s.")
    arguments.add_argument("--state", type=Path, default=REPOSITORY / ".local", metavar="FOLDER", help="The stack's folder.")
    arguments.add_argument("--token", action="store_true", help="Print only an access token, which is valid for 15 minutes.")
    arguments.add_argument("--email", help="The account. Default: the sample operator.")
    arguments.add_argument("--password", help="The account's password. Default: the sample operator's.")
    return arguments


def access_token(stack: Stack, email: str, password: str) -> str:
    """An access token of an account. Raises ClientError if the password is wrong, ValueError if a further step is needed."""
    outputs = stack.outputs
    result = sign_in(stack.client("cognito-idp"), outputs["UserPoolId"], outputs["WebClientId"], email, password)
    if "AccessToken" not in result:
        raise ValueError(f"{email} must complete {result['ChallengeName']} first")
    return str(result["AccessToken"])


def _short(path: Path) -> Path:
    """The path relative to the working directory, if it is below it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def main() -> int:
    options = parser().parse_args()
    operator = sample_operator.read(options.state)
    email = options.email or (operator or {}).get("email")
    password = options.password or (operator or {}).get("password")
    if not email or not password:
        print(f"No account is known: {options.state / sample_operator.FILE} is missing. Run make up first.", file=sys.stderr)
        return 1
    if not options.token:
        print(f"Sign in as {email} with the password {password} ({_short(options.state / sample_operator.FILE)}).")
        return 0
    try:
        print(access_token(Stack(options.endpoint), email, password))
    except (BotoCoreError, ClientError, StackNotReadyError, ValueError) as error:
        print(f"{STACK_NAME}: signing in as {email} failed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
