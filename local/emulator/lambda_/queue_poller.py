"""Polls queues for functions as Lambda does: batches, batching windows, maximum concurrency, partial batch responses.

moto's event source mapping isn't used: it would start a container inside SendMessage. Failed messages stay in flight until their
visibility timeout ends. moto's queue moves them to the dead-letter queue after maxReceiveCount.
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from moto.sqs.exceptions import QueueDoesNotExist, ReceiptHandleIsInvalid
from moto.sqs.models import Message, sqs_backends

from local.emulator.cloudformation import QueueMapping
from local.emulator.lambda_.runner import InvokeFault, LambdaRunner
from local.emulator.lambda_.workers import Result
from tools.sam_template import ACCOUNT_ID

log = logging.getLogger(__name__)

LONG_POLL_SECONDS = 1
ACTIONS = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
DenialReason = Callable[[str, str, str], str | None]


class QueuePoller:
    """The poller of one event source mapping.

    `denial_reason(role ARN, action, resource ARN)` is the reason why the role may not do the action, or None.
    """

    def __init__(self, mapping: QueueMapping, runner: LambdaRunner, region: str, denial_reason: DenialReason) -> None:
        self.mapping = mapping
        self.problem: str | None = None
        self._runner = runner
        self._region = region
        self._denial_reason = denial_reason
        self._queue_name = mapping.queue_arn.rsplit(":", 1)[-1]
        self._sqs = sqs_backends[ACCOUNT_ID][region]
        self._slots = threading.BoundedSemaphore(mapping.maximum_concurrency)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._poll, name=f"poll-{self._queue_name}", daemon=True)

    def start(self) -> None:
        role = self._runner.function(self.mapping.function_name).role_arn
        denials = [self._denial_reason(role, action, self.mapping.queue_arn) for action in ACTIONS]
        self.problem = next((reason for reason in denials if reason), None)
        if self.problem:
            log.error("%s can't be polled for %s: %s", self._queue_name, self.mapping.function_name, self.problem)
        elif self.mapping.enabled:
            self._thread.start()

    def stop(self) -> None:
        self._stopping.set()

    def _poll(self) -> None:
        while not self._stopping.is_set():
            self._slots.acquire()
            messages = self._batch()
            if not messages:
                self._slots.release()
                continue
            threading.Thread(target=self._deliver, args=(messages,), daemon=True).start()

    def _batch(self) -> list[Message]:
        """Up to BatchSize messages. With a batching window, waits that long for a full batch."""
        size = self.mapping.batch_size
        messages = self._receive(min(size, 10), LONG_POLL_SECONDS)
        if messages and self.mapping.window_seconds:
            end = time.monotonic() + self.mapping.window_seconds
            while len(messages) < size and time.monotonic() < end and not self._stopping.is_set():
                messages += self._receive(size - len(messages), 0)
                time.sleep(0.02)
        return messages

    def _receive(self, count: int, wait: int) -> list[Message]:
        try:
            visibility = int(self._sqs.get_queue(self._queue_name).visibility_timeout)
            return list(self._sqs.receive_message(self._queue_name, count, wait, visibility))
        except QueueDoesNotExist:
            self._stopping.wait(1)
            return []
        except (RuntimeError, ValueError) as error:
            # The queue changed while moto read it. Received messages become visible again after their timeout.
            log.debug("receiving from %s failed: %r", self._queue_name, error)
            return []

    def _deliver(self, messages: list[Message]) -> None:
        try:
            event = json.dumps({"Records": [self._record(message) for message in messages]}).encode()
            result = self._runner.invoke(self.mapping.function_name, event)
            for message in succeeded(messages, result, self.mapping.report_failures):
                self._delete(message)
        except (InvokeFault, TimeoutError) as error:
            log.warning("%s was not invoked; its messages become visible again: %s", self.mapping.function_name, error)
        finally:
            self._slots.release()

    def _delete(self, message: Message) -> None:
        try:
            self._sqs.delete_message(self._queue_name, str(message.receipt_handle))
        except (ReceiptHandleIsInvalid, QueueDoesNotExist):
            log.debug("message %s was already deleted", message.id)

    def _record(self, message: Message) -> dict[str, Any]:
        attributes = {
            "ApproximateReceiveCount": str(message.approximate_receive_count),
            "SentTimestamp": str(message.sent_timestamp),
            "SenderId": message.sender_id,
            "ApproximateFirstReceiveTimestamp": str(message.approximate_first_receive_timestamp),
        }
        return {
            "messageId": message.id,
            "receiptHandle": message.receipt_handle,
            "body": message.body,
            "attributes": attributes,
            "messageAttributes": {},
            "md5OfBody": message.body_md5,
            "eventSource": "aws:sqs",
            "eventSourceARN": self.mapping.queue_arn,
            "awsRegion": self._region,
        }


def succeeded(messages: list[Message], result: Result, report_failures: bool) -> list[Message]:
    """The messages to delete: all, none, or all except those that the function reported as failed."""
    if result.error is not None:
        return []
    if not report_failures:
        return messages
    try:
        answer = json.loads(result.payload or b"null") or {}
        failed = {item["itemIdentifier"] for item in answer.get("batchItemFailures") or []}
    except (ValueError, KeyError, TypeError, AttributeError):
        return []  # an invalid response counts as a failed batch
    if failed - {message.id for message in messages}:
        return []  # so does a response with an unknown message id
    return [message for message in messages if message.id not in failed]
