"""The content of the system picture: boxes and arrows with their positions. system_facts checks it against the template."""

from __future__ import annotations

from dataclasses import dataclass

PEOPLE, REKOGNITION, RECORDS = "people", "rekognition", "records"
STATE_MACHINE, RULE = "AnalyzeImageStateMachine", "RecordInterruptionFunctionExecutionEnded"


@dataclass(frozen=True)
class Place:
    """A box for a logical id or one of the names above, in a column and row. `name` and `note` replace the derived texts."""

    id: str
    column: int
    row: int
    name: str = ""
    note: str = ""


@dataclass(frozen=True)
class Link:
    """An arrow between two boxes, with its label.

    `leaves` and `arrives` are an edge (t, b, l, r) and a shift in pixels along it. `via` lists the corners between, as ("x" or
    "y", pixels). The label is beside the arrow's end, or at the point `at`. An arrow from a task stands for its column in
    TASKS, an arrow to a group for all boxes of the group.
    """

    source: str
    target: str
    leaves: tuple[str, float] = ("b", 0)
    arrives: tuple[str, float] = ("t", 0)
    via: tuple[tuple[str, float], ...] = ()
    label: str = ""
    at: tuple[float, float] | None = None
    anchor: str = "start"
    kind: str = "next"
    without: tuple[str, str] | None = None
    """(source, target): a task of the column, and a box of the group, that the arrow doesn't stand for."""


# The workflow's tasks by column. The first task of each column is on the main path.
TASKS = (
    ("Validate Image",),
    ("Detect Labels", "Detect Moderation", "Detect Text"),
    ("Store Analysis", "Record Rejection", "Record Alert Failure", "Record Failure"),
    ("Evaluate Watchlist",),
    ("Send Alert",),
)

# Rows: 0 and 1 above the workflow, 2 and 3 below it, 4 in the strip at the bottom.
PLACES = (
    Place(PEOPLE, 0, 0, "Cameras and people", "send images"),
    Place("ImagesBucket", 1, 0),
    Place("IntakeQueue", 2, 0),
    Place("StartAnalysisFunction", 3, 0),
    Place("IntakeRateLimiterTable", 4, 0),
    Place("DeadLetterQueue", 2, 1),
    Place("RenditionsBucket", 0, 2),
    Place(REKOGNITION, 1, 2, "Rekognition", "one call per image"),
    Place("ImagesTable", 2, 2),
    Place("WatchlistTable", 3, 2),
    Place("AlertsTopic", 4, 2),
    Place("SearchIndexTable", 2, 3),
    Place("AlertsTable", 3, 3),
    Place("AlertEmailSubscription", 4, 3, "An e-mail", "Slack, a webhook"),
    Place(RULE, 0, 4),
    Place("RecordInterruptionFunction", 1, 4),
    Place("DeadLettersAlarm", 2, 4, "{alarms} alarms", "CloudWatch"),
    Place("OperationsTopic", 3, 4),
    Place("OperationsEmailSubscription", 4, 4, "An e-mail", "to the operators"),
)

# Boxes that share their arrows.
GROUPS = {RECORDS: ("ImagesTable", "SearchIndexTable")}

RIGHT, LEFT = ("r", 0.0), ("l", 0.0)
EXECUTION = "one execution for each version of each image"
LINKS = (
    Link(PEOPLE, "ImagesBucket", RIGHT, LEFT),
    Link("ImagesBucket", "IntakeQueue", RIGHT, LEFT),
    Link("IntakeQueue", "StartAnalysisFunction", RIGHT, LEFT),
    Link("StartAnalysisFunction", "IntakeRateLimiterTable", RIGHT, LEFT),
    Link("IntakeQueue", "DeadLetterQueue", label="after {tries} tries", kind="catch"),
    Link("StartAnalysisFunction", "Validate Image", via=(("y", 224),), label=EXECUTION, at=(240, 215), anchor="middle"),
    Link("Validate Image", "RenditionsBucket", label="thumbnail"),
    Link("Detect Text", REKOGNITION, label="image"),
    Link("Record Failure", RECORDS, label="findings", without=("Record Alert Failure", "SearchIndexTable")),
    Link("Evaluate Watchlist", "WatchlistTable", label="rules"),
    Link("Send Alert", "AlertsTopic", label="match"),
    Link("Send Alert", "AlertsTable", ("b", -52), RIGHT, (("y", 438), ("x", 699.5))),
    Link("AlertsTopic", "AlertEmailSubscription"),
    Link(STATE_MACHINE, RULE, ("b", -253.5), ("t", 0), (("y", 668),), "{ends}", (183, 578), "end", "catch"),
    Link(RULE, "RecordInterruptionFunction", RIGHT, LEFT),
    Link("RecordInterruptionFunction", RECORDS, ("t", 0), ("l", 44)),
    Link("DeadLettersAlarm", "OperationsTopic", RIGHT, LEFT),
    Link("OperationsTopic", "OperationsEmailSubscription", RIGHT, LEFT),
)
