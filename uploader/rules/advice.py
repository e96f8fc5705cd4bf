"""Words about rules that are valid and may still not be meant so: names that nothing has, things that this stack doesn't look for
or doesn't keep, channels that don't exist."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from imagewatch.rules.model import Rule, Term
from imagewatch.rules.vocabulary import suggestions
from uploader.aws.dynamodb import from_item
from uploader.aws.errors import aws_call
from uploader.aws.session import Aws
from uploader.aws.stack import find_outputs, find_parameters
from uploader.channels.channel_store import EMAIL, ChannelStore
from uploader.errors import CommandError

SAMPLE = 200  # images; one request, and at most 1 MB of it
_FLOORS = {
    "FloorConfidence": ("any", "label", "parent", "category"),
    "ModerationFloorConfidence": ("any", "moderation"),
}


@dataclass(frozen=True)
class Advice:
    """A line for whoever wrote a rule; `doubt` when it is likely that something else was meant."""

    text: str
    doubt: bool = False


def advice(aws: Aws, stack: str, rules: Iterable[Rule]) -> Iterator[Advice]:
    """What to tell whoever wrote these rules. Never a refusal: Rekognition's list of labels isn't public in full."""
    rules = list(rules)
    yield from _names(aws, stack, rules)
    yield from _unseen(aws, stack, rules)
    yield from _channels(aws, stack, rules)


def _names(aws: Aws, stack: str, rules: list[Rule]) -> Iterator[Advice]:
    seen: list[str] | None = None
    for rule in rules:
        # What is written in an image is in no vocabulary.
        terms = [term for term in (*rule.any_of, *rule.all_of, *rule.none_of) if term.within != "text"]
        for text in dict.fromkeys(term.text for term in terms):
            if suggestions(text) and seen is None:  # most rules name what everybody knows, and need no look at images
                seen = _seen(aws, stack)
            meant = suggestions(text, seen or ())
            if meant:
                said = f"Rule {rule.rule_id}: nothing known is called {text!r}. Did you mean {' or '.join(meant)}?"
                yield Advice(said, doubt=True)


def _seen(aws: Aws, stack: str) -> list[str]:
    """Names found in some of this deployment's images; empty when they can't be read, for this is only a help."""
    try:
        (table,) = find_outputs(aws, stack, "ImagesTableName")
        with aws_call("read images (dynamodb:Scan)"):
            page = aws.dynamodb.scan(TableName=table, Limit=SAMPLE, ProjectionExpression="Labels, Moderation.Labels")
    except CommandError:
        return []
    names: dict[str, None] = {}
    for image in map(from_item, page["Items"]):
        for label in (*image.get("Labels", ()), *image.get("Moderation", {}).get("Labels", ())):
            for name in (label["Name"], *label.get("Aliases", ()), *label.get("Parents", ()), *label.get("Categories", ())):
                names[name] = None
    return list(names)


def _unseen(aws: Aws, stack: str, rules: list[Rule]) -> Iterator[Advice]:
    """Terms for what this stack, as its parameters are, never finds or doesn't keep."""
    parameters = find_parameters(aws, stack)
    for rule in rules:
        for term in dict.fromkeys((*rule.any_of, *rule.all_of, *rule.none_of)):
            said = _why_unseen(term, parameters)
            if said:
                yield Advice(f"Rule {rule.rule_id}: {said}")


def _why_unseen(term: Term, parameters: Mapping[str, str]) -> str:
    if term.within == "text":
        never = f"{term.text!r} is never found: this stack doesn't read text (its parameter TextDetection is off)."
        return never if parameters.get("TextDetection") == "off" else ""
    # A term for any place is held against labels and moderation labels; it is the lower floor that it may lie below.
    names = [name for name, places in _FLOORS.items() if term.within in places and name in parameters]
    floor, name = min(((float(parameters[name]), name) for name in names), default=(0.0, ""))
    if term.min_confidence >= floor:
        return ""
    what = f"{term.text!r} from {term.min_confidence:g} % up is found from {floor:g} % up only"
    return f"{what}: less sure ones aren't kept (the stack's parameter {name})."


def _channels(aws: Aws, stack: str, rules: list[Rule]) -> Iterator[Advice]:
    named = {channel for rule in rules for channel in rule.channels} - {EMAIL}
    if not named:
        return
    try:
        known = {record["ChannelId"] for record in ChannelStore(aws, stack).all()}
    except CommandError as error:
        yield Advice(f"Whether the channels exist can't be said: {error}")
        return
    for rule in rules:
        for channel in rule.channels:
            if channel in named - known:
                add = f"`imagewatch channels add {channel}` adds it."
                yield Advice(f"Rule {rule.rule_id}: there is no channel {channel} yet; {add}")
