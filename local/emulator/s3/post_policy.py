"""Enforces the policy of form uploads (presigned POST), which moto ignores: expiration, size range, field conditions.

Source of rules and messages: "Creating a POST policy" in the S3 documentation.
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import io
import json
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from local.emulator.gateway.s3_calls import bucket_and_key
from local.emulator.gateway.wire_errors import s3_error_xml
from local.emulator.s3.forms import PostForm, is_form_upload, read_form

# Fields that need no condition in the policy.
_FREE_FIELDS = frozenset({"awsaccesskeyid", "x-amz-signature", "signature", "file", "policy"})
_DOCUMENTED_MESSAGES = {
    "EntityTooLarge": "Your proposed upload exceeds the maximum allowed size",
    "EntityTooSmall": "Your proposed upload is smaller than the minimum allowed size",
}
_NO_KEY = "Bucket POST must contain a field named 'key'.  If it is specified, please check the order of the fields."
_BAD_SIGNATURE = (
    "The request signature we calculated does not match the signature you provided. Check your key and signing method."
)
_BAD_DIGEST = "The SHA256 you specified did not match the calculated checksum."
_STATUS = {"AccessDenied": 403, "SignatureDoesNotMatch": 403}

SecretOf = Callable[[str], "str | None"]


@dataclass(frozen=True, slots=True)
class PostRefusal:
    """S3's error for an upload: code, message, and further elements of the error document."""

    code: str
    message: str
    details: dict[str, str] = field(default_factory=dict)

    @property
    def status(self) -> int:
        return _STATUS.get(self.code, 400)


def refuse(form: PostForm, bucket: str, now: datetime, secret_of: SecretOf | None = None) -> PostRefusal | None:
    """The error for a form upload to `bucket` at `now` (aware), or None if its policy permits it.

    `secret_of` returns the secret of an access key. If it does, the policy's signature is checked.
    """
    if "key" not in form.fields:
        return PostRefusal("InvalidArgument", _NO_KEY)
    if form.size is None:
        return PostRefusal("InvalidArgument", "POST requires exactly one file upload per request.")
    encoded = form.fields.get("policy")
    if encoded is None:
        return PostRefusal("AccessDenied", "Access Denied")
    try:
        policy = json.loads(base64.b64decode(encoded, validate=True))
        expires = datetime.fromisoformat(policy["expiration"])
        conditions = policy["conditions"]
    except (ValueError, KeyError, TypeError, binascii.Error):
        return PostRefusal("InvalidPolicyDocument", "Invalid Policy: Invalid JSON.")
    if not _signed(form, encoded, secret_of):
        return PostRefusal("SignatureDoesNotMatch", _BAD_SIGNATURE)
    if now >= (expires if expires.tzinfo else expires.replace(tzinfo=UTC)):
        return PostRefusal("AccessDenied", "Invalid according to Policy: Policy expired.")
    return _check_conditions(conditions, form, bucket) or _check_digest(form)


def _check_digest(form: PostForm) -> PostRefusal | None:
    """Source: S3 API reference, "POST Object" (x-amz-checksum-sha256), and "Error responses" (BadDigest)."""
    expected = form.fields.get("x-amz-checksum-sha256")
    return PostRefusal("BadDigest", _BAD_DIGEST) if expected not in (None, form.sha256) else None


def _check_conditions(conditions: Iterable[Any], form: PostForm, bucket: str) -> PostRefusal | None:
    given = {**form.fields, "key": form.key, "bucket": bucket}
    named: set[str] = {"bucket"}
    for kind, subject, value in _rules(conditions):
        if kind == "content-length-range":
            refusal = _check_size(form.size or 0, int(subject), int(value))
        elif kind in ("eq", "starts-with"):
            name = subject.removeprefix("$").lower()
            named.add(name)
            refusal = _check_field(kind, name, value, given.get(name, ""))
        else:
            refusal = PostRefusal("InvalidPolicyDocument", f"Invalid Policy: Invalid condition: {kind}.")
        if refusal:
            return refusal
    free = _FREE_FIELDS | named
    if extra := sorted(name for name in form.fields if name not in free and not name.startswith("x-ignore-")):
        return PostRefusal("AccessDenied", f"Invalid according to Policy: Extra input fields: {', '.join(extra)}")
    return None


def _check_size(size: int, least: int, most: int) -> PostRefusal | None:
    if size > most:
        code, limit = "EntityTooLarge", {"ProposedSize": str(size), "MaxSizeAllowed": str(most)}
    elif size < least:
        code, limit = "EntityTooSmall", {"ProposedSize": str(size), "MinSizeAllowed": str(least)}
    else:
        return None
    return PostRefusal(code, _DOCUMENTED_MESSAGES[code], limit)


def _rules(conditions: Iterable[Any]) -> Iterator[tuple[str, str, str]]:
    """Each condition as (kind, subject, value). {"name": value} stands for an exact match."""
    for condition in conditions:
        if isinstance(condition, dict):
            yield from (("eq", f"${name}", str(value)) for name, value in condition.items())
        elif isinstance(condition, list) and len(condition) == 3:
            yield str(condition[0]).lower(), str(condition[1]), str(condition[2])
        else:
            yield json.dumps(condition), "", ""


def _check_field(kind: str, name: str, wanted: str, value: str) -> PostRefusal | None:
    if kind == "eq":
        fits = value == wanted
    elif name == "content-type":
        # Each content type in a list must match.
        fits = all(part.startswith(wanted) for part in value.split(","))
    else:
        fits = value.startswith(wanted)
    if fits:
        return None
    shown = json.dumps([kind, f"${name}", wanted], ensure_ascii=False)
    return PostRefusal("AccessDenied", f"Invalid according to Policy: Policy Condition failed: {shown}")


def _signed(form: PostForm, encoded_policy: str, secret_of: SecretOf | None) -> bool:
    """Whether the signature (version 4 or 2) of the encoded policy is valid. True if the key's secret is unknown."""
    secret = secret_of(form.access_key or "") if secret_of else None
    if secret is None:
        return True
    if "awsaccesskeyid" in form.fields:
        digest = hmac.new(secret.encode(), encoded_policy.encode(), hashlib.sha1).digest()
        return hmac.compare_digest(base64.b64encode(digest).decode(), form.fields.get("signature", ""))
    key = f"AWS4{secret}".encode()
    for part in form.fields.get("x-amz-credential", "").split("/")[1:]:
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    expected = hmac.new(key, encoded_policy.encode(), hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, form.fields.get("x-amz-signature", ""))


class PostPolicyMiddleware:
    """WSGI middleware that answers refused form uploads and passes all other requests on unchanged."""

    def __init__(
        self,
        app: Callable[..., Iterable[bytes]],
        secret_of: SecretOf | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._app, self._secret_of, self._clock = app, secret_of, clock

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        content_type = environ.get("CONTENT_TYPE", "")
        if not is_form_upload(environ["REQUEST_METHOD"], content_type):
            return self._app(environ, start_response)
        bucket, key = bucket_and_key(environ.get("HTTP_HOST", ""), environ.get("PATH_INFO", "/"))
        if not bucket or key:
            return self._app(environ, start_response)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        refusal = refuse(read_form(content_type, body), bucket, self._clock(), self._secret_of)
        if refusal is None:
            return self._app({**environ, "wsgi.input": io.BytesIO(body)}, start_response)
        request_id = str(uuid.uuid4())
        answer = s3_error_xml(refusal.code, refusal.message, request_id, **refusal.details)
        headers = [("Content-Type", "application/xml"), ("Content-Length", str(len(answer)))]
        reason = {403: "Forbidden"}.get(refusal.status, "Bad Request")
        start_response(f"{refusal.status} {reason}", [*headers, ("x-amz-request-id", request_id)])
        return [answer]
