"""After a crash between any two writes of the functions that notify people, the next attempt reaches the same end.

Every story lists its writes. The crash is made before the first and after each, one by one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from imagewatch.aws import secrets
from imagewatch.aws.channels import http
from imagewatch.images.version import ImageVersion

from .alerting import SECOND, Crash, VirtualClock, Wire, cooldown, matches, rule
from .conftest import Event, Stack, leased, sample_event
from .rehearsal import picture
from .test_crash_recovery import STORIES as STORIES_OF_IMAGES

OPEN, ALERT, COOLDOWN = "PutItem AlertsTable", "UpdateItem AlertsTable", "UpdateItem CooldownsTable"
ALERTS = "TransactWriteItems"  # several alerts at once
CHANNEL, IMAGE = "UpdateItem ChannelsTable", "UpdateItem ImagesTable"
SLOT = [CHANNEL] * 2  # the next slot, or else the present moment
MAIL, POST, NOTICE = "Publish AlertsTopic", "POST", "Publish OperationsTopic"
REPORT = [CHANNEL, NOTICE, CHANNEL]  # leases the report that a channel was disabled, sends it, completes it
SENDS = {MAIL, POST, NOTICE}
NOTIFY = {"SendAlert": SENDS, "SendDigest": SENDS, "EvaluatePage": SENDS, "CheckChannels": {NOTICE}}  # and not its pings
RENDITIONS = "imagewatch-renditions-123456789012-us-east-1"
BEGIN = END = FINISH = MARK = CREATE = ALERT  # a digest's own record, and the run's, lie in the same table
CHANGED = "UpdateItem SearchIndexTable"  # the mark by which Index Changes finds the image
# Functions that write nothing.
WRITE_NOTHING = {"DetectLabels", "DetectModeration", "DetectText", "CheckSignUp", "ApiRoot", "ApiLabels", "ApiStats", "ApiExport"}
# A person's request: its sender sees that it failed, and repeats it. The tests of each function repeat its requests.
BY_REQUEST = {"ApiUploads", "ApiImages", "ApiWatchlist", "ApiAlerts", "ApiChannels", "ApiMe"}
ELSEWHERE = {"IndexChanges"}  # tests/integration/test_index_changes.py
QUIET = cooldown()


@dataclass
class World:
    """The functions that notify people, a clock, and a receiver for their channels."""

    stack: Stack
    wire: Wire
    time: VirtualClock
    gone: bool = False
    """Whether the receiver says that its address no longer exists."""
    tag: str = ""

    @property
    def rule_id(self) -> str:
        return f"rule-{self.tag}"

    @property
    def channel(self) -> str:
        return f"channel-{self.tag}"

    def run(self, function: str, event: Event) -> Any:
        return self.stack.handler(function)(event)

    def send(self, name: str, **more: Any) -> Any:
        return self.run("SendAlert", self.match(name, **more))

    def match(self, name: str, **more: Any) -> Event:
        return matches(f"{self.tag}-{name}", rule(self.rule_id, **more))

    def post(self, *_: Any) -> http.Answer:
        with self.wire.writing(POST, {}):
            """The receiver has the message."""
        return http.Answer(410, "") if self.gone else http.Answer(200, "ok")

    def busy(self, seconds: int = 2) -> None:
        """No channel has a slot before then."""
        self.stack.client("dynamodb").update_item(
            TableName="ChannelsTable",
            Key={"ChannelId": {"S": "email"}},
            UpdateExpression="SET NextSlot = :then",
            ExpressionAttributeValues={":then": {"N": str(self.time.now + seconds * SECOND)}},
        )

    def queue(self, *names: str, **more: Any) -> None:
        self.busy()
        for name in names:
            assert self.send(name, **more)["Queued"] == 1
        self.time.pass_seconds(60)

    def add_channel(self) -> None:
        name = f"/imagewatch/imagewatch/channels/{self.channel}"
        self.stack.client("ssm").put_parameter(Name=name, Value="a secret between us", Type="SecureString")
        record = {"ChannelId": self.channel, "Kind": "webhook", "Enabled": True, "Status": "ok", "SecretParameter": name}
        self.stack.put_item("ChannelsTable", record | {"Url": "https://hooks.example.com/here"})


@pytest.fixture
def world(stack: Stack, monkeypatch: pytest.MonkeyPatch, quick_moto: None) -> Iterator[World]:
    secrets.clear_cache()
    world = World(stack, Wire(monkeypatch), VirtualClock(monkeypatch))
    monkeypatch.setattr(http, "post", world.post)
    sqs = stack.client("sqs").get_queue_attributes(QueueUrl=stack.name("MailboxQueue"), AttributeNames=["QueueArn"])
    queue = sqs["Attributes"]["QueueArn"]
    stack.client("sns").subscribe(TopicArn=stack.name("OperationsTopic"), Protocol="sqs", Endpoint=queue)
    yield world
    secrets.clear_cache()


@dataclass(frozen=True)
class Story:
    """`before` undisturbed, then `function` with the crash, and once more as AWS would; and the writes that it makes.

    `may_leave` names attributes of a cooldown that a crash may leave behind, because they don't matter any more.
    """

    function: str
    before: Callable[[World], Any]
    event: Callable[[World], Event]
    writes: list[str]
    may_leave: tuple[str, ...] = ()


def nothing(world: World) -> None:
    pass


def the_event(**more: Any) -> Callable[[World], Event]:
    return lambda world: world.match("then", **more)


def a_schedule(world: World) -> Event:
    return {}


def suppress_two(world: World) -> None:
    """An alert, and two that its cooldown suppresses."""
    world.send("first", **QUIET)
    for n in range(2):
        assert world.send(f"kept-{n}", **QUIET)["Suppressed"] == 1


def suppressed_long_ago(world: World) -> None:
    suppress_two(world)
    world.time.pass_seconds(600 + 3600)


def a_count_for_a_channel_that_is_gone(world: World) -> None:
    world.add_channel()
    for name in ("first", "kept"):
        world.send(name, **both(world, world.channel, "email"), **QUIET)
        world.time.pass_seconds(5)
    world.time.pass_seconds(600 + 3600)
    world.gone = True


def a_picture_to_show(world: World) -> None:
    world.add_channel()
    image = ImageVersion.from_state(leased(world.stack, world.match("then")["Image"]))
    world.stack.client("s3").put_object(Bucket=RENDITIONS, Key=image.thumbnail_key, Body=picture("red"))


def a_channel_that_is_gone(world: World) -> None:
    world.add_channel()
    world.gone = True


def crashes_after(writes: int, **more: Any) -> Callable[[World], None]:
    """The sender of an alert crashes, and its retry never comes."""

    def die(world: World) -> None:
        world.send("first", **more)
        world.time.pass_seconds(60)
        interrupted(world, "SendAlert", world.match("then", **more), writes)
        world.time.pass_seconds(3600)

    return die


def queued_with_a_count(world: World) -> None:
    suppress_two(world)
    world.time.pass_seconds(601)
    world.queue("a", "b", **QUIET)


def queued_for_a_channel_that_is_gone(world: World) -> None:
    world.add_channel()
    world.stack.client("dynamodb").update_item(
        TableName="ChannelsTable",
        Key={"ChannelId": {"S": world.channel}},
        UpdateExpression="SET NextSlot = :then",
        ExpressionAttributeValues={":then": {"N": str(world.time.now + 2 * SECOND)}},
    )
    assert world.send("then", Channels=[world.channel])["Queued"] == 1
    world.time.pass_seconds(60)
    world.gone = True


def an_analysed_image(world: World) -> None:
    event = sample_event("store_analysis")
    event["Image"] = leased(world.stack, world.match("then")["Image"])
    assert world.run("StoreAnalysis", event)["Stored"]
    world.stack.client("dynamodb").update_item(
        TableName="ImagesTable",
        Key={"ImageId": {"S": event["Image"]["ImageId"]}},
        UpdateExpression="SET ExecutionArn = :arn",
        ExpressionAttributeValues={":arn": {"S": event["ExecutionArn"]}},
    )
    terms = [{"Term": "person", "MinConfidence": 50}]
    record = {"RuleId": world.rule_id, "Name": "From now on", "Enabled": True, "AnyOf": terms}
    world.stack.put_item("WatchlistTable", record | {"KeyPrefixes": [f"front-door/{world.tag}-"]})


def a_run(world: World) -> Event:
    run = {"RuleId": world.rule_id, "Alert": True}
    return {**sample_event("evaluate_page"), "Run": run, "StartedAt": "2099-01-01T00:00:00.000Z"}


def others(world: World) -> list[Event]:
    return [rule(f"{world.rule_id}-{name}") for name in ("second", "third")]


def both(world: World, *channels: str) -> dict[str, Any]:
    return {"Channels": list(channels) or ["email", world.channel]}


STORIES = {
    "an alert": Story("SendAlert", nothing, the_event(), [OPEN, *SLOT, MAIL, ALERT]),
    "an alert that starts a cooldown": Story(
        "SendAlert", nothing, the_event(**QUIET), [OPEN, COOLDOWN, *SLOT, MAIL, ALERT, COOLDOWN]
    ),
    "an alert that reports suppressed matches": Story(
        "SendAlert", lambda w: (suppress_two(w), w.time.pass_seconds(600)), the_event(**QUIET),
        [OPEN, COOLDOWN, *SLOT, MAIL, ALERT, COOLDOWN],
    ),
    "an alert that is suppressed": Story(
        "SendAlert", suppress_two, the_event(**QUIET), [OPEN, COOLDOWN, COOLDOWN, ALERT, COOLDOWN]
    ),
    "an alert that waits for a digest": Story(
        "SendAlert", lambda w: w.busy(60), the_event(**QUIET), [OPEN, COOLDOWN, *SLOT, ALERT, COOLDOWN]
    ),
    "an alert of a rule that asks for digests": Story("SendAlert", nothing, the_event(Delivery="digest"), [OPEN, ALERT]),
    "an alert with its picture on a second channel": Story(
        "SendAlert", a_picture_to_show, lambda w: w.match("then", **both(w)),
        [OPEN, *SLOT, MAIL, ALERT, *SLOT, IMAGE, f"PutObject {RENDITIONS}", POST, ALERT],
    ),
    "an alert whose second channel is gone": Story(
        "SendAlert", a_channel_that_is_gone, lambda w: w.match("then", **both(w)),
        [OPEN, *SLOT, MAIL, ALERT, *SLOT, IMAGE, f"DeleteObjects {RENDITIONS}", POST, CHANNEL, *REPORT, ALERT],
    ),
    "an alert whose only channel is gone": Story(
        "SendAlert", a_channel_that_is_gone, lambda w: w.match("then", **both(w, w.channel)),
        [OPEN, *SLOT, IMAGE, f"DeleteObjects {RENDITIONS}", POST, CHANNEL, *REPORT, ALERT, *SLOT, MAIL, ALERT],
    ),
    "one message about the alerts of three rules": Story(
        "SendAlert", nothing, lambda w: matches(f"{w.tag}-then", rule(w.rule_id, **QUIET), *others(w)),
        [OPEN, OPEN, OPEN, COOLDOWN, *SLOT, MAIL, ALERTS, COOLDOWN],
    ),
    "a digest with a cooldown's count": Story(
        "SendDigest", queued_with_a_count, a_schedule,
        [BEGIN, COOLDOWN, CREATE, *SLOT, MAIL, MARK, COOLDOWN, ALERT, ALERT, FINISH, END],
    ),
    "a digest of a count alone": Story(
        "SendDigest", suppressed_long_ago, a_schedule, [BEGIN, COOLDOWN, CREATE, *SLOT, MAIL, MARK, COOLDOWN, FINISH, END]
    ),
    "a digest of a count whose first channel is gone": Story(
        "SendDigest", a_count_for_a_channel_that_is_gone, a_schedule,
        [BEGIN, COOLDOWN, CREATE, *SLOT, POST, CHANNEL, *REPORT, COOLDOWN, MARK,
         COOLDOWN, CREATE, *SLOT, MAIL, MARK, COOLDOWN, FINISH, END],
    ),
    "a digest that includes an abandoned alert": Story(
        "SendDigest", crashes_after(1), a_schedule, [BEGIN, ALERT, CREATE, *SLOT, MAIL, MARK, ALERT, FINISH, END]
    ),
    "a digest run that finds an alert counted by a crashed sender": Story(
        "SendDigest", crashes_after(3, **cooldown(7200)), a_schedule, [BEGIN, ALERT, COOLDOWN, END], ("PendingTokens",)
    ),
    "a digest for a channel that is gone": Story(
        "SendDigest", queued_for_a_channel_that_is_gone, a_schedule,
        [BEGIN, CREATE, *SLOT, POST, CHANNEL, *REPORT, MARK, ALERT, FINISH,
         CREATE, *SLOT, MAIL, MARK, ALERT, FINISH, END],
    ),
    "a check that finds everything alive": Story("CheckChannels", World.add_channel, a_schedule, [POST, CHANNEL, CHANNEL]),
    "a check that finds a channel gone": Story(
        "CheckChannels", a_channel_that_is_gone, a_schedule, [POST, CHANNEL, CHANNEL, CHANNEL, NOTICE, CHANNEL]
    ),
    "a rule that is applied to history": Story(
        "EvaluatePage", an_analysed_image, a_run, [CHANGED, IMAGE, OPEN, *SLOT, MAIL, ALERT]
    ),
}  # fmt: skip


def interrupted(world: World, function: str, event: Event, writes: int | None) -> list[str]:
    """One run, in a process that crashes after so many writes; returns those that it made."""
    world.wire.writes.clear()
    world.wire.cut_after_writes = writes
    try:
        world.run(function, event)
        assert writes is None, "it lived"
    except Crash:
        pass
    finally:
        world.wire.cut_after_writes = None
    return list(world.wire.writes)


def play(world: World, story: Story, tag: str, writes: int | None) -> dict[str, Any]:
    """The story's end, with everything in it that must not depend on a crash."""
    world.tag, world.gone = tag, False
    known = {item["AlertId"] for item in world.stack.items("AlertsTable")}
    story.before(world)
    event = story.event(world)
    made = interrupted(world, story.function, event, writes)
    if writes is None:
        assert made == story.writes
    else:
        # The workflow and Lambda come back soon, the schedule after minutes.
        world.time.pass_seconds(300 if story.function == "SendDigest" else 1)
        made += interrupted(world, story.function, event, None)
    end = end_of(world, known, story.may_leave)
    remove_channel(world)
    world.time.pass_seconds(24 * 3600)  # so that nothing of this play is left for the next
    world.gone = False
    world.run("SendDigest", {})
    return {"messages": sum(write in NOTIFY[story.function] for write in made), **end}


def remove_channel(world: World) -> None:
    world.stack.client("dynamodb").delete_item(TableName="ChannelsTable", Key={"ChannelId": {"S": world.channel}})


def end_of(world: World, known: set[str], may_leave: tuple[str, ...]) -> dict[str, Any]:
    items = [item for item in world.stack.items("AlertsTable") if item["AlertId"] not in known]
    alerts = [item for item in items if str(item.get("RuleId", "")).startswith(world.rule_id)]
    # A digest of a count alone that was left unsent is given up: another digest reports the count.
    given_up = {
        item["AlertId"] for item in items if item.get("Status") == "PENDING" and item.get("Count") == 0 and "FinishedAt" in item
    }
    digests = [item for item in items if "DigestId" in item and "RuleId" not in item and item["AlertId"] not in given_up]
    cooldowns = [item for item in world.stack.items("CooldownsTable") if item["CooldownId"] == world.rule_id]
    looked_at = ("QueuedFor", "LeasedBy", "LeasedBy", "PendingTokens", "ReportPending", "LastSentAt")
    left = [name for name in looked_at if name not in may_leave]
    channels = {
        item["ChannelId"].removesuffix(world.tag): item.get("Status")
        for item in world.stack.items("ChannelsTable")
        if item["ChannelId"] in ("email", world.channel) and "Status" in item  # else it is only a rate limiter
    }
    return {
        "alerts": sorted(
            (
                item["Key"].rpartition("-")[2] + item["RuleId"].removeprefix(world.rule_id),
                item["Status"],
                {name.removesuffix(world.tag): entry["Status"] for name, entry in item["Deliveries"].items()},
                item.get("SuppressedBefore"),
                [name for name in left if name in item],
            )
            for item in alerts
        ),
        "digests": sorted((item["Status"], item["Count"], [name for name in left if name in item]) for item in digests),
        "cooldowns": [(item.get("Suppressed", 0), [name for name in left if name in item]) for item in cooldowns],
        "channels": channels,
        "pictures": sum(f"/{world.rule_id}.jpg" in key for key in world.stack.keys("RenditionsBucket")),
        "rules on images": sum(
            entry["RuleId"] == world.rule_id
            for item in world.stack.items("ImagesTable")
            for entry in item.get("MatchedRules", [])
        ),
        "locked": any(item.get("LeasedUntil") for item in world.stack.items("AlertsTable")),
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", STORIES)
def test_a_crash_before_or_after_any_write_changes_no_outcome(world: World, name: str) -> None:
    story = STORIES[name]
    whole = play(world, story, "whole", None)
    for point in range(len(story.writes) + 1):
        where = f"{story.function}, {point} of its writes made: {story.writes[:point]}"
        recovered = play(world, story, f"after-{point}", point)
        # Neither SNS nor a webhook says whether an unrecorded message arrived, so it is sent once more.
        again = point > 0 and story.writes[point - 1] in NOTIFY[story.function]
        # A check that is repeated after it has reported a dead channel reports it again.
        again = again or (story.function == "CheckChannels" and NOTICE in story.writes[:point])
        assert recovered.pop("messages") == whole["messages"] + again, where
        assert recovered | {"messages": whole["messages"]} == whole, where


def test_every_function_that_writes_has_its_stories(stack: Stack) -> None:
    points = Counter({name: len(story.writes) + 1 for name, story in STORIES.items()})
    by_function = Counter[str]()
    for name, story in STORIES.items():
        by_function[story.function] += points[name]
    assert min(by_function.values()) >= 7
    functions = {name for name, entry in stack.template.resources.items() if entry["Type"] == "AWS::Lambda::Function"}
    covered = {*by_function, *(function for story in STORIES_OF_IMAGES.values() for function in story.writes)}
    assert functions == {f"{name}Function" for name in covered | WRITE_NOTHING | BY_REQUEST | ELSEWHERE}
    print(f"crash points of what notifies people: {dict(by_function)}")
