"""The user pool, called as the person who is signed in: their access token is the permission."""

from __future__ import annotations

from imagewatch.aws.clients import client, translated


def delete_user(access_token: str) -> None:
    """Deletes the person's account. Source: Cognito user pools API reference, "DeleteUser" (needs no IAM permission)."""
    with translated():
        client("cognito-idp").delete_user(AccessToken=access_token)
