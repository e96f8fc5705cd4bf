"""What the picture of the whole system shows and where: a table by hand, every line of which the template must confirm."""

from __future__ import annotations

from dataclasses import dataclass

PEOPLE, REKOGNITION = "people", "rekognition"
STATE_MACHINE = "AnalyzeImageStateMachine"


@dataclass(frozen=True)
class Place:
    """A box: the template's logical id (or one of the names above) in a column and row; words that replace the derived ones."""

    id: str
    column: int
    row: int
    name: str = ""
    note: str = ""


@dataclass(frozen=True)
class Link:
    """An arrow between two boxes: the sides at which it leaves and arrives, and the words on it.

    A side is an edge (t, b, l, r), with a shift in pixels along it; `via` are the turns between, as ("x" or "y", pixels).
    """

    source: str
    target: str
    leaves: tuple[str, float] = ("b", 0)
    arrives: tuple[str, float] = ("t", 0)
    via: tuple[tuple[str, float], ...] = ()
    label: str = ""
    kind: str = "next"


# The workflow's tasks, column by column; the first of each column stand on the main path.
TASKS = (
    ("Validate Image",),
    ("Detect Labels", "Detect Moderation", "Detect Text"),
    ("Store Analysis", "Record Rejection", "Record Failure"),
    ("Evaluate Watchlist",),
    ("Send Alert",),
)

# Rows: 0 and 1 above the workflow, 2 and 3 below it, 4 in the strip at the bottom.
PLACES = (
    Place(PEOPLE, 0, 0, "Cameras, folders, people", "images of any kind"),
    Place("ImagesBucket", 1, 0),
    Place("IntakeQueue", 2, 0),
    Place("StartAnalysisFunction", 3, 0),
    Place("IntakePaceTable", 4, 0),
    Place("DeadLetterQueue", 2, 1),
    Place("RenditionsBucket", 0, 2),
    Place(REKOGNITION, 1, 2, "Rekognition", "asked once"),
    Place("ImagesTable", 2, 2),
    Place("WatchlistTable", 3, 2),
    Place("AlertsTopic", 4, 2),
    Place("LabelIndexTable", 2, 3),
    Place("AlertsTable", 3, 3),
    Place("AlertEmailSubscription", 4, 3, "An e-mail", "one for each match"),
    Place("RecordInterruptionFunctionExecutionEnded", 0, 4),
    Place("RecordInterruptionFunction", 1, 4),
    Place("DeadLettersAlarm", 2, 4, "{alarms} alarms", "CloudWatch"),
    Place("OperationsTopic", 3, 4),
    Place("OperationsEmailSubscription", 4, 4, "An e-mail", "to the operators"),
)

RIGHT, LEFT = ("r", 0.0), ("l", 0.0)
LINKS = (
    Link(PEOPLE, "ImagesBucket", RIGHT, LEFT),
    Link("ImagesBucket", "IntakeQueue", RIGHT, LEFT),
    Link("IntakeQueue", "StartAnalysisFunction", RIGHT, LEFT),
    Link("StartAnalysisFunction", "IntakePaceTable", RIGHT, LEFT),
    Link("IntakeQueue", "DeadLetterQueue", label="after {tries} tries", kind="catch"),
    Link("StartAnalysisFunction", "Validate Image", via=(("y", 220),), label="one execution for each version of each image"),
    Link("Validate Image", "RenditionsBucket", label="thumbnail, copy"),
    Link("Detect Text", REKOGNITION, label="what is in it?"),
    Link("Record Failure", "ImagesTable", label="findings"),
    Link("Record Failure", "LabelIndexTable", ("b", -52), ("l", -9), (("y", 438), ("x", 361.5))),
    Link("Evaluate Watchlist", "WatchlistTable", label="rules?"),
    Link("Send Alert", "AlertsTopic", label="match!"),
    Link("Send Alert", "AlertsTable", ("b", -52), RIGHT, (("y", 438), ("x", 699.5))),
    Link("AlertsTopic", "AlertEmailSubscription"),
    Link(
        STATE_MACHINE,
        "RecordInterruptionFunctionExecutionEnded",
        ("b", -253.5),
        via=(("y", 668),),
        kind="catch",
    ),
    Link("RecordInterruptionFunctionExecutionEnded", "RecordInterruptionFunction", RIGHT, LEFT),
    Link("RecordInterruptionFunction", "LabelIndexTable", ("t", 0), ("l", 12)),
    Link("DeadLettersAlarm", "OperationsTopic", RIGHT, LEFT),
    Link("OperationsTopic", "OperationsEmailSubscription", RIGHT, LEFT),
)

# Also true, and told by the arrows above together with their neighbours.
IMPLIED = (
    ("Detect Labels", REKOGNITION),
    ("Detect Moderation", REKOGNITION),
    ("Store Analysis", "ImagesTable"),
    ("Store Analysis", "LabelIndexTable"),
    ("Record Rejection", "ImagesTable"),
    ("Record Rejection", "LabelIndexTable"),
    ("RecordInterruptionFunction", "ImagesTable"),
)
