"""Checks passwords against a pool's policy, and generates temporary passwords.

Source: Amazon Cognito developer guide, "Adding user pool password requirements".
"""

from __future__ import annotations

import secrets
import string

from local.emulator.cognito.errors import CognitoError
from local.emulator.cognito.settings import PasswordPolicy

SYMBOLS = "^$*.[]{}()?-\"!@#%&/\\,><':;|_~`+= "
TEMPORARY_SYMBOLS = "!@#%_-+="


def check_password(password: str, policy: PasswordPolicy) -> None:
    """Raises CognitoError with the first rule of the policy that the password breaks."""
    rules = (
        (len(password) >= policy.minimum_length, "Password not long enough"),
        (not policy.numbers or _has(password, string.digits), "Password must have numeric characters"),
        (not policy.symbols or _has(password, SYMBOLS), "Password must have symbol characters"),
        (not policy.lowercase or _has(password, string.ascii_lowercase), "Password must have lowercase characters"),
        (not policy.uppercase or _has(password, string.ascii_uppercase), "Password must have uppercase characters"),
    )
    for kept, problem in rules:
        if not kept:
            raise CognitoError("InvalidPasswordException", f"Password did not conform with policy: {problem}")


def generate_password(policy: PasswordPolicy) -> str:
    """A random password that conforms with every policy of this length."""
    kinds = (string.digits, TEMPORARY_SYMBOLS, string.ascii_lowercase, string.ascii_uppercase)
    characters = [secrets.choice(kind) for kind in kinds]
    letters = string.ascii_letters + string.digits
    characters += [secrets.choice(letters) for _ in range(max(policy.minimum_length, 16) - len(characters))]
    secrets.SystemRandom().shuffle(characters)
    return "".join(characters)


def _has(password: str, characters: str) -> bool:
    return any(character in characters for character in password)
