"""The cases of the retry law: an error at a call, and the expected outcome."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

ALWAYS = 0
LABELS, MODERATION, TEXT = "DetectLabels", "DetectModeration", "DetectText"
VALIDATE, STORE, EVALUATE, ALERT = "ValidateImage", "StoreAnalysis", "EvaluateWatchlist", "SendAlert"
REJECTION, FAILURE, ALERT_FAILURE = "RecordRejection", "RecordFailure", "RecordAlertFailure"
MAX_ATTEMPTS = 4  # attempts of a task whose service always fails: the first, and three retries


@dataclass(frozen=True)
class Case:
    """One image with one error.

    `failures` is the number of attempts of the task that fail. With ALWAYS all fail, and `attempts` is the allowed number.
    `calls` is the number of calls in one attempt, with botocore's retries.
    """

    function: str
    service: str
    operation: str
    error: str
    failures: int = ALWAYS
    attempts: int = 1
    calls: int = 1
    within: bool = False
    """The function retries until it succeeds, so the workflow sees no failure. Only for the record of an alert."""
    status: str = "ANALYZED"
    reason: str = ""
    """A text that the record's Reason, Moderation.Reason, TextUnavailable or AlertFailure must contain."""
    alert: str = "SENT"
    alert_reason: str = ""
    body: str = ""
    """A text in the request's body, if a function makes the same call twice."""
    text: bool = False
    """Whether to upload a text instead of an image, which leads to Record Rejection."""
    also: tuple[dict[str, Any], ...] = field(default=())
    """Further faults, which lead to Record Failure."""

    @property
    def name(self) -> str:
        stays = (
            f"succeeds within the attempt, after {self.calls} calls" if self.within else f"permanent, {self.attempts} attempts"
        )
        kind = f"succeeds after {self.failures} failures" if self.failures else stays
        return f"{self.function}: {self.service} {self.operation} {self.error} {self.body} ({kind})".replace("  ", " ")

    @property
    def tries(self) -> int:
        """The total number of attempts of the task."""
        return self.failures + 1 if self.failures else self.attempts

    @property
    def faulty_calls(self) -> int:
        return self.calls * (self.failures or self.attempts)


def transient(function: str, service: str, operation: str, errors: dict[str, int], **more: Any) -> Iterator[Case]:
    """Transient errors with the number of failing attempts. botocore makes two calls in each attempt."""
    for error, failures in errors.items():
        yield Case(function, service, operation, error, failures=failures, calls=2, **more)


def permanent(
    function: str, service: str, operation: str, errors: dict[str, str], status: str = "FAILED", **more: Any
) -> Iterator[Case]:
    """Permanent errors with the text that the record must contain: one attempt, one call."""
    for error, reason in errors.items():
        yield Case(function, service, operation, error, status=status, reason=reason, **{"alert": "", **more})


def lambda_errors(function: str, **more: Any) -> Iterator[Case]:
    """Errors of the Lambda service, and a killed worker: all are transient."""
    for error in ("TooManyRequestsException", "ServiceException", "Crash"):
        yield Case(function, "lambda", "Invoke", error, failures=1, **more)


DENIED = {"service": "rekognition", "operation": "DetectLabels", "error": "AccessDeniedException"}
REJECTED = {"text": True, "status": "REJECTED", "reason": "It is text, not an image", "alert": ""}
FAILED = {"also": (DENIED,), "status": "FAILED", "reason": "Labels could not be detected: ", "alert": ""}
ALERTS_DENIED = {"service": "dynamodb", "operation": "PutItem", "error": "AccessDeniedException"}
UNSENT = {"also": (ALERTS_DENIED,), "alert": "", "reason": "(AccessDeniedException) when calling the PutItem operation"}
DENIED_IN_WORDS = "(AccessDeniedException) when calling the"
KEPT_FAILING = "An AWS service kept failing, and the retries are exhausted."

CASES = [
    # Rekognition
    *transient(
        LABELS, "rekognition", "DetectLabels",
        {"ThrottlingException": 2, "ProvisionedThroughputExceededException": 2, "InternalServerError": 2},
    ),
    *permanent(
        LABELS, "rekognition", "DetectLabels",
        {
            "InvalidImageFormatException": "Rekognition could not read the image: ",
            "ImageTooLargeException": "Rekognition refused the image as too large: ",
        },
        "REJECTED",
    ),
    *permanent(
        LABELS, "rekognition", "DetectLabels",
        {
            "InvalidParameterException": "Labels could not be detected: An error occurred (InvalidParameterException)",
            "AccessDeniedException": "Labels could not be detected: An error occurred (AccessDeniedException)",
            "InvalidS3ObjectException": "Labels could not be detected: An error occurred (InvalidS3ObjectException)",
        },
    ),
    Case(
        LABELS, "rekognition", "DetectLabels", "InternalServerError", attempts=MAX_ATTEMPTS, calls=2,
        status="FAILED", reason=f"Labels could not be detected: {KEPT_FAILING}", alert="",
    ),
    *transient(MODERATION, "rekognition", "DetectModerationLabels", {"ThrottlingException": 1, "InternalServerError": 1}),
    *permanent(
        MODERATION, "rekognition", "DetectModerationLabels",
        {
            "AccessDeniedException": "Moderation could not be checked: An error occurred (AccessDeniedException)",
            "InvalidParameterException": "Moderation could not be checked: An error occurred (InvalidParameterException)",
        },
        "ANALYZED",
        alert="SENT",
    ),
    *permanent(
        MODERATION, "rekognition", "DetectModerationLabels",
        {"InvalidImageFormatException": "Rekognition could not read the image: "},
        "REJECTED",
    ),
    Case(
        MODERATION, "rekognition", "DetectModerationLabels", "InternalServerError", attempts=MAX_ATTEMPTS, calls=2,
        reason=f"Moderation could not be checked: {KEPT_FAILING}",
    ),
    *transient(
        TEXT, "rekognition", "DetectText",
        {"ThrottlingException": 2, "ProvisionedThroughputExceededException": 1, "InternalServerError": 1},
    ),
    *permanent(
        TEXT, "rekognition", "DetectText",
        {
            "AccessDeniedException": "Text could not be read: An error occurred (AccessDeniedException)",
            "InvalidParameterException": "Text could not be read: An error occurred (InvalidParameterException)",
        },
        "ANALYZED",
        alert="SENT",
    ),
    *permanent(
        TEXT, "rekognition", "DetectText",
        {"ImageTooLargeException": "Rekognition refused the image as too large: "},
        "REJECTED",
    ),
    Case(
        TEXT, "rekognition", "DetectText", "InternalServerError", attempts=MAX_ATTEMPTS, calls=2,
        reason=f"Text could not be read: {KEPT_FAILING}",
    ),
    # Lambda
    *(case for function in (VALIDATE, LABELS, MODERATION, TEXT, STORE, EVALUATE, ALERT) for case in lambda_errors(function)),
    *lambda_errors(REJECTION, **REJECTED),
    *lambda_errors(FAILURE, **FAILED),
    *(
        Case(STORE, "lambda", "Invoke", error, attempts=MAX_ATTEMPTS, status="FAILED", reason=reason, alert="")
        for error, reason in {
            "ServiceException": "ServiceException: an injected fault",
            "Crash": "A function's process ended unexpectedly",
        }.items()
    ),
    Case(STORE, "lambda", "Invoke", "TooManyRequestsException", failures=MAX_ATTEMPTS),  # throttles have more retries than faults
    Case(FAILURE, "lambda", "Invoke", "ServiceException", attempts=MAX_ATTEMPTS, **FAILED),  # EventBridge triggers the record
    Case(ALERT, "lambda", "Invoke", "ServiceException", attempts=MAX_ATTEMPTS, alert="", reason="an injected fault"),
    *lambda_errors(ALERT_FAILURE, **UNSENT),
    Case(ALERT_FAILURE, "lambda", "Invoke", "ServiceException", attempts=MAX_ATTEMPTS, **{**UNSENT, "reason": ""}),
    # DynamoDB
    *transient(
        STORE, "dynamodb", "UpdateItem",
        {"ProvisionedThroughputExceededException": 1, "ThrottlingException": 1, "InternalServerError": 1},
    ),
    *transient(STORE, "dynamodb", "BatchWriteItem", {"ProvisionedThroughputExceededException": 1, "InternalServerError": 1}),
    *transient(EVALUATE, "dynamodb", "UpdateItem", {"ThrottlingException": 1}),
    *transient(ALERT, "dynamodb", "PutItem", {"ThrottlingException": 1, "InternalServerError": 1}),
    *permanent(ALERT, "dynamodb", "PutItem", {"AccessDeniedException": f"{DENIED_IN_WORDS} PutItem"}, "ANALYZED"),
    *(  # the message is sent: a retry by the workflow would send it again
        Case(ALERT, "dynamodb", "UpdateItem", error, calls=6, within=True, body='"SENT"')
        for error in ("ProvisionedThroughputExceededException", "ThrottlingException", "InternalServerError")
    ),
    *transient(REJECTION, "dynamodb", "UpdateItem", {"ThrottlingException": 1, "InternalServerError": 1}, **REJECTED),
    *transient(FAILURE, "dynamodb", "UpdateItem", {"ThrottlingException": 1, "InternalServerError": 1}, **FAILED),
    *transient(ALERT_FAILURE, "dynamodb", "UpdateItem", {"ThrottlingException": 1, "InternalServerError": 1}, **UNSENT),
    *(
        case
        for function, operation in ((STORE, "UpdateItem"), (STORE, "BatchWriteItem"), (EVALUATE, "UpdateItem"))
        for case in permanent(function, "dynamodb", operation, {"AccessDeniedException": f"{DENIED_IN_WORDS} {operation}"})
    ),
    *permanent(REJECTION, "dynamodb", "UpdateItem", {"AccessDeniedException": f"{DENIED_IN_WORDS} UpdateItem"}, text=True),
    Case(
        STORE, "dynamodb", "UpdateItem", "InternalServerError", attempts=MAX_ATTEMPTS, calls=2,
        status="FAILED", reason=KEPT_FAILING, alert="",
    ),
    # S3
    *(
        case
        for operation in ("GetObject", "HeadObject", "PutObject")
        for case in transient(VALIDATE, "s3", operation, {"SlowDown": 1, "InternalError": 1})
    ),
    *permanent(VALIDATE, "s3", "GetObject", {"AccessDenied": "(AccessDenied) when calling the GetObject"}),
    *permanent(VALIDATE, "s3", "PutObject", {"AccessDenied": "(AccessDenied) when calling the PutObject"}),
    *permanent(VALIDATE, "s3", "HeadObject", {"AccessDenied": "(403) when calling the HeadObject"}),  # HEAD has no body
    # SNS
    Case(ALERT, "sns", "Publish", "InternalError", failures=1),
    Case(ALERT, "sns", "Publish", "Throttled", failures=2),  # the application treats this code as a throttle
    *(
        Case(ALERT, "sns", "Publish", error, alert="FAILED", alert_reason=f"Could not be sent: An error occurred ({error})")
        for error in ("AuthorizationError", "InvalidParameter")
    ),
    Case(
        ALERT, "sns", "Publish", "InternalError", attempts=MAX_ATTEMPTS, reason=KEPT_FAILING,
        alert="PENDING", alert_reason="Not sent yet: ",
    ),
]  # fmt: skip
