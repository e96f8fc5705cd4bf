"""Makes moto's queues thread-safe and faster, and keeps their policies.

moto rebuilds a queue's message list for each deletion, without a lock, and so loses messages that are sent at the same time. It
also walks the whole queue to send, receive or delete a message: with 800 messages, a third of the emulator's time.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from moto.sqs.exceptions import ReceiptHandleIsInvalid
from moto.sqs.models import Message, Queue, SQSBackend

from local.emulator.moto_patches.replacing import Restore, replace

MAX_WAIT_SECONDS = 0.25  # moto doesn't notify waiting receivers when a message becomes visible again
MAX_DELETED_HANDLES = 10_000  # handles of deleted messages that are kept; deleting one again is no error
_lock = threading.RLock()


def install() -> Restore:
    """Replace moto's queue operations. A second call does nothing. Returns a function that restores moto."""
    if getattr(SQSBackend, "is_patched", False):
        return replace()
    return replace(
        (SQSBackend, "is_patched", True),
        (SQSBackend, "receive_message", _receive_locked(SQSBackend.receive_message)),
        (SQSBackend, "change_message_visibility", _locked(SQSBackend.change_message_visibility)),
        (SQSBackend, "purge_queue", _locked(SQSBackend.purge_queue)),
        (Queue, "_set_attributes", _keep_policy(Queue._set_attributes)),
        (Queue, "add_message", _locked(Queue.add_message)),
        (Queue, "delete_message", _locked(_delete)),
        (Queue, "messages", property(_Receivable)),
        (Queue, "attributes", property(functools.partial(_Attributes, Queue.attributes.fget))),
    )


def _locked(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def locked(*arguments: Any, **named: Any) -> Any:
        with _lock:
            return original(*arguments, **named)

    return locked


def _receive_locked(original: Callable[..., list[Message]]) -> Callable[..., list[Message]]:
    """Hold the lock for each attempt to receive, not while waiting between attempts."""

    def receive(
        backend: SQSBackend, queue_name: str, count: int, wait_seconds_timeout: int, visibility_timeout: int, *more: Any
    ) -> list[Message]:
        end = time.monotonic() + int(wait_seconds_timeout or 0)
        while True:
            with _lock:
                found = original(backend, queue_name, count, 0, visibility_timeout, *more)
            left = end - time.monotonic()
            if found or left <= 0:
                return found
            backend.get_queue(queue_name).wait_for_messages(min(left, MAX_WAIT_SECONDS))

    return receive


def _keep_policy(original: Callable[..., None]) -> Callable[..., None]:
    """Keep the policy when another attribute is set. moto removes it."""

    def set_attributes(queue: Queue, attributes: dict[str, Any], *more: Any) -> None:
        policy = queue.policy if hasattr(queue, "_policy_json") else None
        original(queue, {"Policy": policy, **attributes}, *more)

    return set_attributes


class _Receivable:
    """The messages that can be received now, found lazily."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def __iter__(self) -> Iterator[Message]:
        return (message for message in self._queue._messages if message.visible and not message.delayed)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __bool__(self) -> bool:
        return any(True for _ in self)


class _Attributes(Mapping[str, Any]):
    """A queue's attributes, computed when read. moto computes all, with three message counts, to read one for each message."""

    def __init__(self, original: Callable[[Queue], dict[str, Any]], queue: Queue) -> None:
        self._original = original
        self._queue = queue

    def __getitem__(self, name: str) -> Any:
        if name in Queue.FIFO_ATTRIBUTES and not self._queue.fifo_queue:
            raise KeyError(name)  # read for each sent message
        if name == "MessageRetentionPeriod":  # read for each received message
            return self._queue.message_retention_period
        return self._original(self._queue)[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._original(self._queue))

    def __len__(self) -> int:
        return len(self._original(self._queue))

    def items(self) -> Any:
        return self._original(self._queue).items()


def _delete(queue: Queue, receipt_handle: str) -> None:
    """Remove the message from the list in place. Messages in flight are at the front."""
    if receipt_handle in queue.deleted_messages:
        return
    found = ((place, one) for place, one in enumerate(queue._messages) if one.had_receipt_handle(receipt_handle))
    place, message = next(found, (0, None))
    if message is None:
        raise ReceiptHandleIsInvalid
    del queue._messages[place]
    queue.pending_messages.discard(message)
    if len(queue.deleted_messages) >= MAX_DELETED_HANDLES:
        queue.deleted_messages.clear()
    queue.deleted_messages.update(handle for handle in message.all_receipt_handles if handle)
