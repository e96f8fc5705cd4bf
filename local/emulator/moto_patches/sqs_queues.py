"""moto's queues, made safe for threads and true to SQS: no message is lost or stays behind, and a policy lasts.

moto makes a queue's list of messages anew whenever one is deleted, without a lock: what was sent meanwhile was gone. It also
goes through the whole queue to send, receive or delete a message: with 800 waiting that was a third of the server's work.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from moto.sqs.exceptions import ReceiptHandleIsInvalid
from moto.sqs.models import Message, Queue, SQSBackend

LONGEST_NAP_SECONDS = 0.25  # a message that becomes visible again wakes nobody
HANDLES_REMEMBERED = 10_000  # of deleted messages: to delete one again is no error
_turn = threading.RLock()


def install() -> None:
    """Replace the parts of moto's SQS that this is about; doing it again changes nothing."""
    if getattr(SQSBackend, "is_true", False):
        return
    SQSBackend.is_true = True
    Queue._set_attributes = _keeping_the_policy(Queue._set_attributes)
    Queue.add_message = _in_turn(Queue.add_message)
    Queue.delete_message = _in_turn(_delete)
    Queue.messages = property(_Receivable)
    Queue.attributes = property(functools.partial(_Attributes, Queue.attributes.fget))
    for name in ("change_message_visibility", "purge_queue"):
        setattr(SQSBackend, name, _in_turn(getattr(SQSBackend, name)))
    SQSBackend.receive_message = _receiving_in_turn(SQSBackend.receive_message)


def _in_turn(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def alone(*arguments: Any, **named: Any) -> Any:
        with _turn:
            return original(*arguments, **named)

    return alone


def _receiving_in_turn(original: Callable[..., list[Message]]) -> Callable[..., list[Message]]:
    """Each look into the queue is one turn; between looks others have theirs."""

    def receive(
        backend: SQSBackend, queue_name: str, count: int, wait_seconds_timeout: int, visibility_timeout: int, *more: Any
    ) -> list[Message]:
        end = time.monotonic() + int(wait_seconds_timeout or 0)
        while True:
            with _turn:
                found = original(backend, queue_name, count, 0, visibility_timeout, *more)
            left = end - time.monotonic()
            if found or left <= 0:
                return found
            backend.get_queue(queue_name).wait_for_messages(min(left, LONGEST_NAP_SECONDS))

    return receive


def _keeping_the_policy(original: Callable[..., None]) -> Callable[..., None]:
    """moto takes a queue's policy away when another attribute is set; S3 then may not send to it any more."""

    def set_attributes(queue: Queue, attributes: dict[str, Any], *more: Any) -> None:
        policy = queue.policy if hasattr(queue, "_policy_json") else None
        original(queue, {"Policy": policy, **attributes}, *more)

    return set_attributes


class _Receivable:
    """A queue's messages that can be received now, looked for only as far as somebody wants them."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def __iter__(self) -> Iterator[Message]:
        return (message for message in self._queue._messages if message.visible and not message.delayed)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __bool__(self) -> bool:
        return any(True for _ in self)


class _Attributes(Mapping[str, Any]):
    """A queue's attributes; moto makes all, with three counts of the messages, for the one that it asks at each message."""

    def __init__(self, original: Callable[[Queue], dict[str, Any]], queue: Queue) -> None:
        self._original = original
        self._queue = queue

    def __getitem__(self, name: str) -> Any:
        if name in Queue.FIFO_ATTRIBUTES and not self._queue.fifo_queue:
            raise KeyError(name)  # asked when a message is sent
        if name == "MessageRetentionPeriod":  # asked when one is received
            return self._queue.message_retention_period
        return self._original(self._queue)[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._original(self._queue))

    def __len__(self) -> int:
        return len(self._original(self._queue))

    def items(self) -> Any:
        return self._original(self._queue).items()


def _delete(queue: Queue, receipt_handle: str) -> None:
    """Take the message out of the list as it is. Those in flight are at its front."""
    if receipt_handle in queue.deleted_messages:
        return
    found = ((place, one) for place, one in enumerate(queue._messages) if one.had_receipt_handle(receipt_handle))
    place, message = next(found, (0, None))
    if message is None:
        raise ReceiptHandleIsInvalid
    del queue._messages[place]
    queue.pending_messages.discard(message)
    if len(queue.deleted_messages) >= HANDLES_REMEMBERED:
        queue.deleted_messages.clear()
    queue.deleted_messages.update(handle for handle in message.all_receipt_handles if handle)
