"""The emulator's queues with many threads: no message is lost, and deleted messages stay deleted."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from moto.sqs.exceptions import ReceiptHandleIsInvalid
from moto.sqs.models import Message, SQSBackend

from local.emulator.moto_patches import sqs_queues

MESSAGES, SENDERS = 120, 4


@pytest.fixture
def backend() -> Iterator[SQSBackend]:
    """moto's SQS with the replaced operations and one queue, `intake`."""
    restore = sqs_queues.install()
    backend = SQSBackend("us-east-1", "123456789012")
    backend.create_queue("intake", {})
    yield backend
    restore()


def test_no_message_is_lost_while_others_are_deleted(backend: SQSBackend) -> None:
    received, done = list[str](), threading.Event()

    def send(sender: int) -> None:
        for number in range(MESSAGES):
            backend.send_message("intake", f"{sender}-{number}")

    def receive() -> None:
        while not (done.is_set() and not backend.get_queue("intake").messages):
            for message in backend.receive_message("intake", 10, 0, 30):
                received.append(message.body)
                backend.delete_message("intake", message.receipt_handle)

    with ThreadPoolExecutor(SENDERS + 3) as pool:
        receivers = [pool.submit(receive) for _ in range(3)]
        for sending in [pool.submit(send, sender) for sender in range(SENDERS)]:
            sending.result()
        done.set()
        for receiving in receivers:
            receiving.result()
    assert len(received) == SENDERS * MESSAGES
    assert len(set(received)) == SENDERS * MESSAGES
    assert backend.get_queue("intake")._messages == []


def test_a_change_of_the_timeout_keeps_the_queues_policy(backend: SQSBackend) -> None:
    policy = '{"Statement": [{"Effect": "Allow"}]}'
    backend.set_queue_attributes("intake", {"Policy": policy})
    backend.set_queue_attributes("intake", {"VisibilityTimeout": "2"})
    assert backend.get_queue("intake").policy == policy
    assert backend.get_queue("intake").visibility_timeout == 2


def test_a_long_poll_ends_with_the_first_message(backend: SQSBackend) -> None:
    threading.Timer(0.2, backend.send_message, ("intake", "late")).start()
    assert [message.body for message in backend.receive_message("intake", 10, 5, 30)] == ["late"]


def test_deleting_a_message_twice_succeeds_and_an_unknown_handle_is_an_error(backend: SQSBackend) -> None:
    backend.send_message("intake", "one")
    (message,) = backend.receive_message("intake", 10, 0, 30)
    backend.delete_message("intake", message.receipt_handle)
    backend.delete_message("intake", message.receipt_handle)
    with pytest.raises(ReceiptHandleIsInvalid):
        backend.delete_message("intake", "never")


def test_a_queue_counts_visible_messages_and_messages_in_flight(backend: SQSBackend) -> None:
    for number in range(5):
        backend.send_message("intake", str(number))
    backend.send_message("intake", "later", delay_seconds=60)
    received = backend.receive_message("intake", 2, 0, 30)
    assert [message.body for message in received] == ["0", "1"]
    counted = backend.get_queue_attributes("intake", ["All"])
    names = ("", "NotVisible", "Delayed")
    assert [counted[f"ApproximateNumberOfMessages{name}"] for name in names] == [3, 2, 1]


def test_the_work_for_a_message_does_not_grow_with_the_queue(backend: SQSBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = itertools.count()
    visible = Message.visible.fget
    monkeypatch.setattr(Message, "visible", property(lambda message: (next(looks), visible(message))[1]))
    for number in range(500):
        backend.send_message("intake", str(number))
    for _ in range(20):
        (message,) = backend.receive_message("intake", 1, 0, 30)
        backend.delete_message("intake", message.receipt_handle)
    assert next(looks) < 100
