"""Turns what botocore and the disk raise into a sentence for the person at the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from boto3.exceptions import S3UploadFailedError
from botocore import exceptions as aws
from botocore.exceptions import BotoCoreError, ClientError

from uploader.aws.session import LOCAL_ENDPOINT, is_this_machine
from uploader.errors import CommandError

AWS_ERRORS = (ClientError, BotoCoreError, S3UploadFailedError)
"""Everything that a call through boto3 raises on purpose."""

_SIGN_IN = "Sign in again (for example `aws sso login`) or choose others with --profile."
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
_UNKNOWN = {"InvalidAccessKeyId", "InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch",
            "AuthFailure", "InvalidToken"}  # fmt: skip
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403", "AllAccessDisabled"}
_GONE = {"NoSuchBucket"}
_BUSY = {"SlowDown", "503", "ServiceUnavailable", "RequestLimitExceeded", "ThrottlingException", "InternalServerError",
         "ProvisionedThroughputExceededException"}  # fmt: skip
_SIGN_IN_ERRORS = (aws.SSOError, aws.LoginError, aws.TokenRetrievalError, aws.CredentialRetrievalError)
_NETWORK_ERRORS = (aws.ConnectionError, aws.HTTPClientError)


@dataclass(frozen=True)
class Reason:
    """Why something failed; `hopeless` when every further call would fail the same way, `passing` when a later one
    may well succeed.
    """

    text: str
    hopeless: bool = False
    passing: bool = False


@contextmanager
def aws_call(doing: str) -> Iterator[None]:
    """Turns what a call through boto3 raises into a CommandError; `doing` as for `explain`."""
    try:
        yield
    except AWS_ERRORS as error:
        raise CommandError(explain(error, doing).text) from error


def explain(error: Exception, doing: str) -> Reason:
    """The reason behind an error from boto3 or the disk; `doing` completes "may not ..." ("write to s3://b/k")."""
    cause = (error.__cause__ or error.__context__) if isinstance(error, S3UploadFailedError) else error
    if isinstance(cause, ClientError):
        return _explain_answer(cause, doing)
    if isinstance(cause, BotoCoreError):
        return _explain_no_answer(cause)
    if isinstance(cause, FileNotFoundError):
        return Reason("it is no longer there")
    if isinstance(cause, PermissionError):
        return Reason("permission denied: this user may not read it")
    if isinstance(cause, OSError):
        return Reason(f"it can't be read: {cause.strerror or cause}")
    return Reason(str(cause or error))


def _explain_answer(error: ClientError, doing: str) -> Reason:
    """An answer that says no. Codes: S3 API reference, "Error responses"."""
    details = error.response.get("Error", {})
    code, message = details.get("Code", "unknown"), details.get("Message", "").strip().rstrip(".")
    if code in _EXPIRED:
        return Reason(f"the AWS credentials have expired. {_SIGN_IN}", hopeless=True)
    if code in _UNKNOWN:
        return Reason(f"AWS doesn't accept the credentials ({code}). {_SIGN_IN}", hopeless=True)
    if code == "RequestTimeTooSkewed":
        return Reason("AWS refuses the request because this machine's clock is wrong; set it.", hopeless=True)
    if code in _DENIED:
        return Reason(f"access denied: these credentials may not {doing}")
    if code in _GONE:
        bucket = details.get("BucketName", "")
        return Reason(f"the images bucket {bucket} is gone; deploy the stack again".replace("  ", " "), hopeless=True)
    if code == "EntityTooLarge":
        return Reason("S3 refuses it because it is too large")
    if code in _BUSY:
        return Reason(f"AWS was too busy, also after several attempts ({code}); try again later", passing=True)
    return Reason(f"{code}: {message}" if message else code)


def _explain_no_answer(error: BotoCoreError) -> Reason:
    """No answer at all: nobody to ask as, or nobody to ask."""
    if isinstance(error, aws.NoCredentialsError | aws.PartialCredentialsError):
        return Reason(
            "no AWS credentials were found. Sign in (for example `aws sso login` or `aws configure`), choose a "
            f"--profile, or use the local stack with --endpoint-url {LOCAL_ENDPOINT}.",
            hopeless=True,
        )
    if isinstance(error, _SIGN_IN_ERRORS):
        return Reason(f"the AWS sign-in didn't work ({_sentence(error)}). {_SIGN_IN}", hopeless=True)
    if isinstance(error, aws.ProfileNotFound):
        return Reason(f"{_sentence(error)}. `aws configure list-profiles` shows those that exist.", hopeless=True)
    if isinstance(error, aws.NoRegionError):
        return Reason(
            "no AWS region is set. Give one with --region or AWS_REGION, or use the local stack with "
            f"--endpoint-url {LOCAL_ENDPOINT}.",
            hopeless=True,
        )
    if isinstance(error, _NETWORK_ERRORS):
        return _explain_network(error)
    return Reason(_sentence(error))


def _explain_network(error: BotoCoreError) -> Reason:
    endpoint = str(error.kwargs.get("endpoint_url", ""))
    if is_this_machine(endpoint):
        return Reason(f"nothing answers at {endpoint}: is the local stack running (`make up`)?", hopeless=True)
    return Reason(f"network: {_sentence(error)}", passing=True)


def _sentence(error: BaseException) -> str:
    return " ".join(str(error).split()).rstrip(".")
