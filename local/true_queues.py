"""moto's queues, made safe for threads and true to SQS: no message is lost or stays behind, and a policy lasts.

moto makes a queue's list of messages anew whenever one is deleted, without a lock: what was sent meanwhile was gone.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable
from typing import Any

from moto.sqs.models import Message, Queue, SQSBackend

LONGEST_NAP_SECONDS = 0.25  # a message that becomes visible again wakes nobody
_turn = threading.RLock()


def install() -> None:
    """Replace the parts of moto's SQS that this is about; doing it again changes nothing."""
    if getattr(SQSBackend, "is_true", False):
        return
    SQSBackend.is_true = True
    Queue._set_attributes = _keeping_the_policy(Queue._set_attributes)
    Queue.add_message = _in_turn(Queue.add_message)
    Queue.delete_message = _in_turn(Queue.delete_message)
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
