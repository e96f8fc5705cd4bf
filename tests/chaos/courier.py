"""Delivers S3's notifications only as well as S3 promises: at least once, in any order, some much later."""

from __future__ import annotations

import heapq
import itertools
import json
import random
import threading
import time
from typing import Any

from tests.local.pipeline import Pipeline


class Courier:
    """Replaces the intake queue as the bucket's destination, and forwards each message late, some of them several times."""

    def __init__(self, pipeline: Pipeline, seed: int) -> None:
        self._sqs = pipeline.stack.client("sqs")
        self._intake = pipeline.outputs["IntakeQueueUrl"]
        self._dice = random.Random(seed)
        self._due: list[tuple[float, int, str]] = []
        self._numbers = itertools.count()
        self._stopping = threading.Event()
        self.events = self.copies = 0
        self._queue = self._take_over(pipeline)
        self._thread = threading.Thread(target=self._run, name="courier", daemon=True)
        self._thread.start()

    def _take_over(self, pipeline: Pipeline) -> str:
        url: str = self._sqs.create_queue(QueueName="chaos-courier")["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "s3.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self._sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        s3 = pipeline.stack.client("s3")
        configuration = s3.get_bucket_notification_configuration(Bucket=pipeline.bucket)["QueueConfigurations"]
        redirected = [{**entry, "QueueArn": arn} for entry in configuration]
        s3.put_bucket_notification_configuration(
            Bucket=pipeline.bucket, NotificationConfiguration={"QueueConfigurations": redirected}
        )
        return url

    @property
    def backlog(self) -> int:
        """The number of messages that are still to be delivered, repetitions included."""
        return len(self._due)

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._stopping.is_set():
            answer = self._sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10, WaitTimeSeconds=0)
            messages = answer.get("Messages", [])
            for message in messages:
                self._plan(message["Body"])
                self._sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
            self._deliver()
            if not messages:
                time.sleep(0.02)

    def _plan(self, body: str) -> None:
        if '"s3:TestEvent"' not in body:
            self.events += 1
        copies = self._dice.choices([1, 2, 3], [0.5, 0.35, 0.15])[0]
        self.copies += copies - 1
        for copy in range(copies):
            # The first delivery comes soon, in random order. A repetition can come much later.
            wait = self._dice.uniform(0, 1.5) if copy == 0 else self._dice.choice([0.0, 0.5, 3.0, 8.0]) * self._dice.random()
            heapq.heappush(self._due, (time.monotonic() + wait, next(self._numbers), body))

    def _deliver(self) -> None:
        now, entries = time.monotonic(), []
        while self._due and self._due[0][0] <= now and len(entries) < 10:
            entries.append({"Id": str(len(entries)), "MessageBody": heapq.heappop(self._due)[2]})
        if entries:
            self._sqs.send_message_batch(QueueUrl=self._intake, Entries=entries)


def attributes(sqs: Any, url: str) -> dict[str, str]:
    """All attributes of a queue."""
    return dict(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"])
