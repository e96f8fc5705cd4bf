"""Labels: the operation of /labels."""

from __future__ import annotations

from imagewatch.api import parameters
from imagewatch.api.operation import Answer, Operation, Parameter
from imagewatch.api.schemas import COUNT, STRING, a_list, described, mapping

LIST_LABELS = Operation(
    "GET",
    "/labels",
    "listLabels",
    "Lists labels that begin with some letters, for completing what is typed",
    Answer(
        "Labels in alphabetical order. The counts are of the images that you may see.",
        mapping(
            {
                "Labels": a_list(
                    mapping({"Name": STRING, "Images": described(COUNT, "Images with the label, updated within a minute or so.")})
                )
            }
        ),
    ),
    query=(
        Parameter("prefix", parameters.text(100), "The first letters. Case and accents don't matter.", ""),
        parameters.limit(20, 1000),
    ),
)
OPERATIONS = (LIST_LABELS,)
