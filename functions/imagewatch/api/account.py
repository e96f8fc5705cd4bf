"""Account: the operations of /me."""

from __future__ import annotations

from imagewatch.api.operation import Answer, Operation
from imagewatch.api.schemas import COUNT, FLAG, STRING, STRINGS, described, mapping

GET_ME = Operation(
    "GET",
    "/me",
    "getMe",
    "Shows who is signed in",
    Answer(
        "The person.",
        mapping(
            {
                "Sub": described(STRING, "The person's id. It never changes."),
                "Groups": STRINGS,
                "IsOperator": FLAG,
                "Prefix": described(STRING, "The beginning of the keys of the person's images."),
            }
        ),
    ),
)
DELETE_ME = Operation(
    "DELETE",
    "/me",
    "deleteMe",
    "Deletes your images and then your account",
    Answer(
        "How far the deletion is.",
        mapping(
            {
                "Deleted": described(COUNT, "Images that this request deleted."),
                "Done": described(FLAG, "False while images are left. Repeat the request until it is true."),
            }
        ),
    ),
    "Deletes every version of every image with all that was made from it, and last the account.",
)
OPERATIONS = (GET_ME, DELETE_ME)
