"""Explains errors from AWS and from the disk in sentences for the user."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from boto3.exceptions import S3UploadFailedError
from botocore import exceptions as aws
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from uploader.aws.session import LOCAL_ENDPOINT, is_loopback
from uploader.errors import CommandError

AWS_ERRORS = (ClientError, BotoCoreError, S3UploadFailedError, ResponseParserError)
"""Everything that a call through boto3 raises on purpose."""

_SIGN_IN = "Sign in again (for example `aws sso login`) or choose other credentials with --profile."
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
_UNKNOWN = {"InvalidAccessKeyId", "InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch",
            "AuthFailure", "InvalidToken"}  # fmt: skip
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403", "AllAccessDisabled"}
_NO_BUCKET = {"NoSuchBucket"}
_BUSY = {"SlowDown", "503", "ServiceUnavailable", "RequestLimitExceeded", "ThrottlingException", "InternalServerError",
         "ProvisionedThroughputExceededException"}  # fmt: skip
_SIGN_IN_ERRORS = (aws.SSOError, aws.LoginError, aws.TokenRetrievalError, aws.CredentialRetrievalError)
_NETWORK_ERRORS = (aws.ConnectionError, aws.HTTPClientError)
NOT_AWS = "the endpoint doesn't answer as AWS does (a web page, for example). Check --endpoint-url and AWS_ENDPOINT_URL."


@dataclass(frozen=True)
class Reason:
    """Why something failed."""

    text: str
    affects_all: bool = False
    """Whether every other call fails for the same reason."""
    transient: bool = False
    """Whether a later call may succeed."""


@contextmanager
def aws_call(action: str) -> Iterator[None]:
    """Turns the errors of a call through boto3 into a CommandError; `action` as for `explain`."""
    try:
        yield
    except AWS_ERRORS as error:
        raise CommandError(explain(error, action).text) from error


def explain(error: Exception, action: str) -> Reason:
    """The reason for an error from boto3 or the disk; `action` completes "may not ..." ("write to s3://b/k")."""
    cause = (error.__cause__ or error.__context__) if isinstance(error, S3UploadFailedError) else error
    if isinstance(cause, ClientError):
        return _explain_refusal(cause, action)
    if isinstance(cause, BotoCoreError):
        return _explain_no_answer(cause)
    if isinstance(cause, ResponseParserError):
        return Reason(NOT_AWS, affects_all=True)
    if isinstance(cause, FileNotFoundError):
        return Reason("it is no longer there")
    if isinstance(cause, PermissionError):
        return Reason("permission denied: this user may not read it")
    if isinstance(cause, OSError):
        return Reason(f"it can't be read: {cause.strerror or cause}")
    return Reason(str(cause or error))


def _explain_refusal(error: ClientError, action: str) -> Reason:
    """The reason for an error response. Codes: S3 API reference, "Error responses"."""
    details = error.response.get("Error", {})
    code, message = details.get("Code", "unknown"), details.get("Message", "").strip().rstrip(".")
    if code in _EXPIRED:
        return Reason(f"the AWS credentials have expired. {_SIGN_IN}", affects_all=True)
    if code in _UNKNOWN:
        return Reason(f"AWS doesn't accept the credentials ({code}). {_SIGN_IN}", affects_all=True)
    if code == "RequestTimeTooSkewed":
        return Reason("AWS refused the request because this machine's clock is wrong. Set the clock.", affects_all=True)
    if code in _DENIED:
        return Reason(f"access denied: these credentials may not {action}")
    if code in _NO_BUCKET:
        bucket = details.get("BucketName", "")
        return Reason(f"the images bucket {bucket} is gone. Deploy the stack again".replace("  ", " "), affects_all=True)
    if code == "EntityTooLarge":
        return Reason("S3 refused it because it is too large")
    if code in _BUSY:
        return Reason(f"AWS was too busy, even after several attempts ({code}). Try again later", transient=True)
    if code.isdigit() and code.startswith("5"):  # botocore's code for a response without one, such as a proxy's error page
        return Reason(f"HTTP {code} {message}: {NOT_AWS}")
    return Reason(f"{code}: {message}" if message else code)


def _explain_no_answer(error: BotoCoreError) -> Reason:
    """The reason when there was no response: no credentials, no region, no network."""
    if isinstance(error, aws.NoCredentialsError | aws.PartialCredentialsError):
        return Reason(
            "no AWS credentials were found. Sign in (for example `aws sso login` or `aws configure`), choose a "
            f"--profile, or use the local stack with --endpoint-url {LOCAL_ENDPOINT}.",
            affects_all=True,
        )
    if isinstance(error, _SIGN_IN_ERRORS):
        return Reason(f"the AWS sign-in failed ({_sentence(error)}). {_SIGN_IN}", affects_all=True)
    if isinstance(error, aws.ProfileNotFound):
        return Reason(f"{_sentence(error)}. `aws configure list-profiles` shows those that exist.", affects_all=True)
    if isinstance(error, aws.NoRegionError):
        return Reason(
            "no AWS region is set. Give one with --region or AWS_REGION, or use the local stack with "
            f"--endpoint-url {LOCAL_ENDPOINT}.",
            affects_all=True,
        )
    if isinstance(error, _NETWORK_ERRORS):
        return _explain_network(error)
    return Reason(_sentence(error))


def _explain_network(error: BotoCoreError) -> Reason:
    endpoint = str(error.kwargs.get("endpoint_url", ""))
    if is_loopback(endpoint):
        return Reason(f"nothing answers at {endpoint}. Is the local stack running (`make up`)?", affects_all=True)
    return Reason(f"network: {_sentence(error)}", transient=True)


def _sentence(error: BaseException) -> str:
    return " ".join(str(error).split()).rstrip(".")
