"""One run of chaos: uploads, faults, killed intakes, dead letters and their redrive, and the check of all promises."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from tests.local.pipeline import Pipeline
from tests.local.running_stack import started

from .courier import Courier, attributes
from .findings import Evidence, gather, items
from .plan import RULES, UNREADABLE, Subject, subjects
from .verdict import broken_promises, harm_done

THROTTLE_RATE, CRASH_RATE = 0.2, 0.05
LATEST_CRASH = 8  # a crash follows at most this many calls of a handler
VISIBILITY_SECONDS = 2
INTAKES_TO_KILL, LONGEST_INTAKE_DOWN_SECONDS = 4, 10.0
LONGEST_DIGEST_LOCK_SECONDS = 260.0
ALERT_RATE = 9
CRASHED_ALERTS, ALERTS_TO_QUEUE, LONGEST_SILENCE_SECONDS = 2, 3, 15.0
IMAGE_RATE = 200  # images a second; the rate limiter has its own tests
Progress = Callable[[str, int, int], None]


@dataclass
class Outcome:
    """What a run counted, and the promises that were broken, as sentences."""

    seed: int
    counts: dict[str, int] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)


def run(images: int, seed: int, folder: Path, progress: Progress) -> Outcome:
    """Starts a stack in `folder`, sends `images` keys through it and checks every promise."""
    recordings, state = folder / "recordings", folder / "state"
    recordings.mkdir()
    state.mkdir()
    planned = subjects(images, seed, recordings)
    options = (
        "--recorded",
        str(recordings),
        "--parameter",
        f"MaxImagesPerSecond={IMAGE_RATE}",
        "--parameter",
        f"MaxAlertsPerSecond={ALERT_RATE}",
    )
    with started(state, *options) as stack:
        return Storm(Pipeline(stack), planned, seed, progress).outcome()


class Storm:
    """A run on a running stack."""

    def __init__(self, pipeline: Pipeline, planned: list[Subject], seed: int, progress: Progress) -> None:
        self.pipeline, self.planned, self.progress = pipeline, planned, progress
        self.dice = random.Random(seed)
        self.result = Outcome(seed)
        self.sqs = pipeline.stack.client("sqs")
        self.intake, self.dead = pipeline.outputs["IntakeQueueUrl"], pipeline.outputs["DeadLetterQueueUrl"]
        self.versions: dict[str, list[str]] = {}
        self.limit = time.monotonic() + 300 + len(planned)

    def outcome(self) -> Outcome:
        for rule, label in RULES.items():
            self.pipeline.watch(label.lower())
            assert rule == f"watch-{label.lower()}"
        self.sqs.set_queue_attributes(QueueUrl=self.intake, Attributes={"VisibilityTimeout": str(VISIBILITY_SECONDS)})
        time.sleep(3)  # a poll that has begun still uses the old visibility timeout
        with self.courier() as courier:
            self.crash_around_the_publishing_of_alerts()
            self.throttle_and_crash()
            for body in UNREADABLE:
                self.sqs.send_message(QueueUrl=self.intake, MessageBody=body)
            with ThreadPoolExecutor(2) as pool:
                uploading = pool.submit(self.upload)
                self.kill_the_intake_in_the_middle()
                self.silence_the_channel()
                uploading.result()
            self.wait_for_rest("analysing", courier)
            self.result.counts |= {"S3 events": courier.events, "repeated deliveries": courier.copies}
            deaths = self.faults_met()
            self.remove_all_faults()
            self.send_digest()
            self.judge(deaths)
            self.redrive(courier)
        return self.result

    @contextmanager
    def courier(self) -> Iterator[Courier]:
        courier = Courier(self.pipeline, self.dice.randrange(2**32))
        try:
            yield courier
        finally:
            courier.stop()

    def throttle_and_crash(self) -> None:
        half = THROTTLE_RATE / 2
        for error, rate in (("ThrottlingException", half), ("ProvisionedThroughputExceededException", half / (1 - half))):
            self.fault(service="rekognition", operation="*", error=error, rate=rate)
        share = CRASH_RATE / (LATEST_CRASH + 1)
        for calls in range(LATEST_CRASH + 1):
            # A rule sees only the invocations that the earlier rules let pass.
            self.crash(calls, rate=share / (1 - calls * share))

    def crash_around_the_publishing_of_alerts(self) -> None:
        """Crashes after publishing and before the record, and after the record and before the answer. Random crashes seldom do.

        On an idle channel, publishing is the fifth call. A busy machine can miss a slot; then the next image is used.
        """
        fits = [one for one in self.planned if len(one.uploads) == 1 and not one.removed and len(one.uploads[0].rules) == 1]
        for calls, wanted in ((5, "sns:Publish"), (6, "dynamodb:UpdateItem")):
            hit = 0
            while fits and hit < CRASHED_ALERTS:
                number = self.crash(calls, count=1, match=self.pipeline.function("SendAlert"))
                self.put(fits.pop(0), 0)
                self.pipeline.eventually(partial(self.deaths_of, number), "No alert was interrupted.")
                (death,) = self.deaths_of(number)
                hit += death["calls"][-1] == wanted and len(death["calls"]) == calls

    def deaths_of(self, number: int) -> list[dict[str, Any]]:
        return next(rule["deaths"] for rule in self.faults() if rule["id"] == number)

    def crash(self, after_calls: int, **fault: Any) -> int:
        return self.fault(service="lambda", operation="Invoke", error="Crash", after_calls=after_calls, **fault)

    def fault(self, **fault: Any) -> int:
        """Adds a fault; returns its number."""
        self.pipeline.fault(**fault, seed=self.dice.randrange(2**32))
        return int(self.faults()[-1]["id"])

    def faults(self) -> list[dict[str, Any]]:
        with urlopen(f"{self.pipeline.stack.endpoint}/_local/faults") as answer:
            return list(json.load(answer))

    def upload(self) -> None:
        """Uploads every version of every key in random order. A key's later versions follow much later."""
        s3 = self.pipeline.stack.client("s3")
        steps = [
            (place + (step * 3 if step else 0) + self.dice.random(), subject, step)
            for place, subject in enumerate(self.planned)
            for step in range(len(subject.uploads) + subject.removed)
            if step or subject.key not in self.versions
        ]
        for done, (_, subject, step) in enumerate(sorted(steps, key=lambda entry: entry[0]), 1):
            if step < len(subject.uploads):
                self.put(subject, step)
            else:
                s3.delete_object(Bucket=self.pipeline.bucket, Key=subject.key)
            self.progress("uploading", done, len(steps))

    def put(self, subject: Subject, step: int) -> None:
        s3, body = self.pipeline.stack.client("s3"), subject.uploads[step].body
        answer = s3.put_object(Bucket=self.pipeline.bucket, Key=subject.key, Body=body)
        self.versions.setdefault(subject.key, []).append(answer["VersionId"])

    def kill_the_intake_in_the_middle(self) -> None:
        """After a third of the uploads, crashes every intake within its batch, several times, and stops."""
        while len(self.versions) < len(self.planned) / 3:
            time.sleep(0.05)
        intake = self.pipeline.function("StartAnalysis")
        numbers = [self.crash(calls, rate=rate, match=intake) for rate, calls in ((0.34, 2), (0.5, 5), (1, 11))]
        killed: list[dict[str, Any]] = []
        until = time.monotonic() + LONGEST_INTAKE_DOWN_SECONDS
        while sum(bool(death["calls"]) for death in killed) < INTAKES_TO_KILL and time.monotonic() < until:
            time.sleep(0.2)
            met = {rule["id"]: rule.get("deaths", []) for rule in self.faults()}
            killed = [death for number in numbers for death in met[number]]
        for number in numbers:
            self.remove_fault(number)
        self.result.counts["intakes crashed within a batch"] = len(killed)
        if not any(death["calls"] for death in killed):
            self.result.broken.append("The run proves nothing about the intake: none crashed in the middle of a batch.")

    def silence_the_channel(self) -> None:
        """Takes e-mail's slots until some alerts wait for a digest."""
        dynamodb, until = self.pipeline.stack.client("dynamodb"), time.monotonic() + LONGEST_SILENCE_SECONDS
        queued = 0
        while queued < ALERTS_TO_QUEUE and time.monotonic() < until:
            dynamodb.update_item(
                TableName=self.pipeline.outputs["ChannelsTableName"],
                Key={"ChannelId": {"S": "email"}},
                UpdateExpression="SET NextSlot = :then",
                ExpressionAttributeValues={":then": {"N": str(round((time.time() + 2) * 1_000_000))}},
            )
            time.sleep(0.2)
            queued = sum(alert["Status"] == "QUEUED" for alert in items(self.pipeline, "AlertsTable") if "RuleId" in alert)

    def send_digest(self) -> None:
        """Runs Send Digest as the schedule does. After a crashed run, waits until the lock expires."""
        function, answer = self.pipeline.function("SendDigest"), {"Busy": True}
        while answer.get("Busy") and time.monotonic() < self.limit + LONGEST_DIGEST_LOCK_SECONDS:
            payload = self.pipeline.stack.client("lambda").invoke(FunctionName=function, Payload=b"{}")["Payload"]
            answer = json.load(payload)
            time.sleep(1 if answer.get("Busy") else 0)

    def remove_fault(self, number: int) -> None:
        body = json.dumps({"id": number}).encode()
        urlopen(Request(f"{self.pipeline.stack.endpoint}/_local/faults", body, method="DELETE")).close()

    def remove_all_faults(self) -> None:
        urlopen(Request(f"{self.pipeline.stack.endpoint}/_local/faults", method="DELETE")).close()

    def faults_met(self) -> list[dict[str, Any]]:
        """Counts throttles and crashes; returns the crashes."""
        rules = self.faults()
        deaths = [death for rule in rules for death in rule.get("deaths", [])]
        self.result.counts["throttles"] = sum(rule["hits"] for rule in rules if rule["service"] == "rekognition")
        self.result.counts["crashes"] = len(deaths)
        self.result.counts["crashes after at least one call"] = sum(bool(death["calls"]) for death in deaths)
        if not (deaths and self.result.counts["throttles"]):
            self.result.broken.append("The run proves nothing: there were no crashes, or no throttles.")
        return deaths

    def waiting(self, courier: Courier) -> int:
        """The number of undelivered and unread messages and of running executions."""
        queue = attributes(self.sqs, self.intake)
        messages = int(queue["ApproximateNumberOfMessages"]) + int(queue["ApproximateNumberOfMessagesNotVisible"])
        with urlopen(f"{self.pipeline.stack.endpoint}/_local/health") as answer:
            running = json.load(answer)["components"]["executions"]["running"]
        return int(courier.backlog + messages + running)

    def wait_for_rest(self, stage: str, courier: Courier) -> None:
        """Returns when nothing is under way four times in a row, or records a broken promise when the time limit is reached."""
        calm, most = 0, 1
        while calm < 4:
            left = self.waiting(courier)
            most = max(most, left)
            self.progress(stage, most - left, most)
            calm = calm + 1 if left == 0 else 0
            if time.monotonic() > self.limit:
                self.result.broken.append(f"{left} messages and executions were still under way at the time limit ({stage}).")
                return
            time.sleep(0.5 if left else 0.3)

    def judge(self, deaths: list[dict[str, Any]]) -> None:
        self.evidence = gather(self.pipeline)
        counts, broken = broken_promises(self.evidence, self.planned, self.versions, deaths)
        self.result.counts |= counts
        self.result.broken += broken

    def redrive(self, courier: Courier) -> None:
        """Redrives every dead letter. Unreadable messages become dead letters again, and nothing else changes."""
        before, letters = self.evidence, self.dead_letters()
        self.result.counts["dead letters"] = len(letters)
        missing = [body for body in UNREADABLE if letters.count(body) != 1]
        self.result.broken += [f"Not exactly once among the dead letters: {body}" for body in missing]
        arn = attributes(self.sqs, self.dead)["QueueArn"]
        self.sqs.start_message_move_task(SourceArn=arn)
        self.wait_for_rest("redriving", courier)
        again = self.dead_letters()
        if sorted(again) != sorted(UNREADABLE):
            self.result.broken.append(f"After the redrive there are {len(again)} dead letters instead of {len(UNREADABLE)}.")
        after: Evidence = gather(self.pipeline)
        self.result.broken += harm_done(before, after, rescued=len(letters) > len(UNREADABLE))

    def dead_letters(self) -> list[str]:
        """The bodies in the dead-letter queue. The messages stay in the queue."""
        bodies: dict[str, str] = {}
        for _ in range(200):
            answer = self.sqs.receive_message(QueueUrl=self.dead, MaxNumberOfMessages=10, VisibilityTimeout=2)
            if not answer.get("Messages"):
                break
            bodies |= {message["MessageId"]: message["Body"] for message in answer["Messages"]}
        time.sleep(2.1)
        return list(bodies.values())
