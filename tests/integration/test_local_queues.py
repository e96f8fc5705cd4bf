"""The local stack's queues: with many threads at them, what is sent is received, and what is deleted stays away."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from moto.sqs.models import SQSBackend

from local import true_queues

MESSAGES, SENDERS = 120, 4


def queue() -> SQSBackend:
    true_queues.install()
    backend = SQSBackend("us-east-1", "123456789012")
    backend.create_queue("intake", {})
    return backend


def test_no_message_is_lost_while_others_are_deleted() -> None:
    backend, received, done = queue(), list[str](), threading.Event()

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


def test_a_queues_policy_outlives_a_change_of_its_timeout() -> None:
    backend = queue()
    policy = '{"Statement": [{"Effect": "Allow"}]}'
    backend.set_queue_attributes("intake", {"Policy": policy})
    backend.set_queue_attributes("intake", {"VisibilityTimeout": "2"})
    assert backend.get_queue("intake").policy == policy
    assert backend.get_queue("intake").visibility_timeout == 2


def test_a_long_poll_ends_with_the_first_message() -> None:
    backend = queue()
    threading.Timer(0.2, backend.send_message, ("intake", "late")).start()
    assert [message.body for message in backend.receive_message("intake", 10, 5, 30)] == ["late"]
