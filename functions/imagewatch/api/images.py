"""Images: the operations of /images."""

from __future__ import annotations

from http import HTTPStatus

from imagewatch.api import parameters, schemas
from imagewatch.api.image_documents import DOCUMENT, FOUND_CARD
from imagewatch.api.operation import IMAGE_ID, Answer, Operation, Parameter
from imagewatch.api.parameters import CURSOR, FLAG, IMAGE_IDS, MIN_CONFIDENCE
from imagewatch.api.schemas import COUNT, STRING, STRINGS, a_list, described, mapping
from imagewatch.search.grammar import MAX_LENGTH

PATH = "/images/{image_id}"
_ID = {"image_id": IMAGE_ID}
QUERY = Parameter(
    "q",
    parameters.text(MAX_LENGTH),
    "What the images must have, in the language of docs/search.md: `person and not car taken:2026-11`. Left out: every image.",
    "",
)
SORT = Parameter(
    "sort",
    parameters.choice("newest", "oldest", "confidence"),
    "The order, where the query has no `sort:`. Left out: newest.",
    "",
)

LIST_IMAGES = Operation(
    "GET",
    "/images",
    "listImages",
    "Searches images",
    Answer(
        "A page of images.",
        schemas.page(
            "Images",
            FOUND_CARD,
            {
                "Query": described(STRING, "The query in its canonical form."),
                "Hidden": described(COUNT, "Images in the part that this page looked at which only min_confidence hides."),
                "HiddenIsExact": described(schemas.FLAG, "False where there may be more of them."),
                "CutShort": described(
                    schemas.FLAG, "The page ended at the limit of rows before it was full. The next page goes on."
                ),
                "Unknown": described(
                    a_list(mapping({"Term": STRING, "Suggestions": STRINGS})),
                    "Terms of the query that no image has, and similar ones.",
                ),
                "Reached": described(STRING, "How far the page looked in the order of time: ISO 8601. Left out at the end."),
            },
        ),
    ),
    query=(QUERY, SORT, MIN_CONFIDENCE, parameters.limit(50, 100), CURSOR),
)
LIST_DAYS = Operation(
    "GET",
    "/images/days",
    "countImagesByDay",
    "Counts images by day, for a timeline",
    Answer(
        "The days that have images, the newest first. The counts are of the images that you may see.",
        mapping({"Days": a_list(mapping({"Day": schemas.DAY, "Images": COUNT}))}),
    ),
    query=(
        Parameter("since", parameters.DAY, "The first day.", ""),
        Parameter("until", parameters.DAY, "The last day.", ""),
    ),
)
GET_IMAGE = Operation(
    "GET",
    PATH,
    "getImage",
    "Shows an image with its findings",
    Answer("The image.", DOCUMENT),
    "Findings below `min_confidence` are left out, and counted under Hidden.",
    query=(MIN_CONFIDENCE,),
    ids=_ID,
)

_ATTEMPT = mapping({}, {"At": STRING, "DurationMs": COUNT, "Error": STRING, "Cause": STRING})
_STEP = mapping(
    {
        "State": STRING,
        "Type": STRING,
        "Within": described(STRINGS, "The enclosing states, the outermost first."),
        "EnteredAt": STRING,
        "Status": {"type": "string", "enum": ["RUNNING", "SUCCEEDED", "FAILED", "ABORTED"]},
        "Attempts": a_list(_ATTEMPT),
    },
    {
        "ExitedAt": STRING,
        "DurationMs": COUNT,
        "Error": STRING,
        "Cause": STRING,
        "Input": described(STRING, "JSON, at most 20,000 characters. For operators only."),
        "Output": STRING,
        "InputTruncated": schemas.FLAG,
        "OutputTruncated": schemas.FLAG,
    },
)
GET_TRACE = Operation(
    "GET",
    f"{PATH}/trace",
    "getTrace",
    "Shows how an image was analysed, state by state",
    Answer(
        "The execution that analysed the image last.",
        mapping(
            {"Status": STRING, "Steps": a_list(_STEP)},
            {
                "ExecutionArn": STRING,
                "StartedAt": STRING,
                "StoppedAt": STRING,
                "DurationMs": COUNT,
                "Error": STRING,
                "Cause": STRING,
            },
        ),
    ),
    "Step Functions keeps an execution for 90 days. Inputs and outputs contain rules, so that only operators see them.",
    ids=_ID,
)
DELETED = mapping(
    {
        "ImageId": schemas.IMAGE_ID,
        "Versions": described(COUNT, "Versions of the file."),
        "Renditions": described(STRINGS, "The keys of thumbnails, analysis copies and annotated pictures."),
        "IndexRows": COUNT,
        "Record": described(schemas.FLAG, "False when a newer upload has taken the record meanwhile."),
    }
)
DELETE_IMAGE = Operation(
    "DELETE",
    PATH,
    "deleteImage",
    "Deletes an image with every version of its file",
    Answer("What was deleted.", DELETED),
    "Alerts about the image stay until AlertRetentionDays have passed.",
    ids=_ID,
)
DELETE_IMAGES = Operation(
    "DELETE",
    "/images",
    "deleteImages",
    "Deletes up to 100 images",
    Answer(
        "What was deleted of each image, and the ids that were not found.",
        mapping(
            {
                "Deleted": a_list(DELETED),
                "NotFound": a_list(schemas.IMAGE_ID),
                "NotDeleted": described(a_list(schemas.IMAGE_ID), "Ids for which the time did not suffice. Repeat them."),
            }
        ),
    ),
    query=(IMAGE_IDS,),
)
REANALYZE = Operation(
    "POST",
    f"{PATH}/reanalyze",
    "reanalyzeImage",
    "Analyses an image again",
    Answer(
        "The new analysis and its price.",
        mapping(
            {
                "ImageId": schemas.IMAGE_ID,
                "Started": described(schemas.FLAG, "False for a dry run."),
                "RekognitionCalls": COUNT,
                "PriceUsd": described({"type": "number"}, "The price of the calls in US dollars, in Rekognition's first tier."),
            },
            {"ExecutionArn": described(STRING, "For operators only.")},
        ),
        HTTPStatus.ACCEPTED,
    ),
    "The record shows ANALYZING until the analysis ends; its findings stay until they are replaced. Alerts are not sent again.",
    query=(Parameter("dry_run", FLAG, "Return only the price.", False),),
    ids=_ID,
    conflicts="The image is being analysed, or its file has changed.",
)
OPERATIONS = (LIST_IMAGES, LIST_DAYS, GET_IMAGE, GET_TRACE, DELETE_IMAGE, DELETE_IMAGES, REANALYZE)
