"""Warnings about valid rules that may not do what their author wants: unknown names, sources without images, terms that this
stack doesn't detect or store, channels that don't exist."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from imagewatch.alerts.channel import EMAIL
from imagewatch.rules.model import Rule, Term
from imagewatch.rules.vocabulary import is_known, suggestions
from uploader.aws.dynamodb import from_item, to_item
from uploader.aws.errors import aws_call
from uploader.aws.session import Aws
from uploader.aws.stack import find_outputs, find_parameters
from uploader.channels.channel_store import ChannelStore
from uploader.errors import CommandError

SAMPLE = 200  # images; one request, and at most 1 MB of it
_FLOORS = {
    "FloorConfidence": ("any", "label", "parent", "category"),
    "ModerationFloorConfidence": ("any", "moderation"),
}


@dataclass(frozen=True)
class Advice:
    """A warning for the author of a rule; `doubt` when the rule is probably wrong."""

    text: str
    doubt: bool = False


@dataclass(frozen=True)
class Sample:
    """What some of this deployment's images have."""

    images: int
    labels: Sequence[str]


def advice(aws: Aws, stack: str, rules: Iterable[Rule]) -> Iterator[Advice]:
    """Warnings about these rules. They never refuse a rule: Rekognition's list of labels isn't published in full."""
    rules = list(rules)
    yield from _names(aws, stack, rules)
    yield from _sources(aws, stack, rules)
    yield from _undetected(aws, stack, rules)
    yield from _channels(aws, stack, rules)


def _names(aws: Aws, stack: str, rules: list[Rule]) -> Iterator[Advice]:
    sample: Sample | None = None
    for rule in rules:
        # Text in an image is in no vocabulary.
        terms = [term for term in (*rule.any_of, *rule.all_of, *rule.none_of) if term.within != "text"]
        for text in dict.fromkeys(term.text for term in terms):
            if is_known(text):  # most rules have common names only, and need no images
                continue
            sample = sample or _sample(aws, stack)
            similar = suggestions(text, sample.labels)
            if similar:
                named = " or ".join(similar)
                yield Advice(f"Rule {rule.rule_id}: {text!r} is not a known name. Did you mean {named}?", doubt=True)
            elif sample.images and not is_known(text, sample.labels):
                found = f"none of {sample.images} images of this stack has a label of this name"
                yield Advice(f"Rule {rule.rule_id}: {text!r} is not a known name, and {found}.")


def _sample(aws: Aws, stack: str) -> Sample:
    """Labels of some images; empty when they can't be read, because a warning isn't worth an error."""
    try:
        (table,) = find_outputs(aws, stack, "ImagesTableName")
        with aws_call("read images (dynamodb:Scan)"):
            page = aws.dynamodb.scan(TableName=table, Limit=SAMPLE, ProjectionExpression="Labels, Moderation.Labels")
    except CommandError:
        return Sample(0, [])
    names: dict[str, None] = {}
    for image in map(from_item, page["Items"]):
        for label in (*image.get("Labels", ()), *image.get("Moderation", {}).get("Labels", ())):
            for name in (label["Name"], *label.get("Aliases", ()), *label.get("Parents", ()), *label.get("Categories", ())):
                names[name] = None
    return Sample(len(page["Items"]), list(names))


def _sources(aws: Aws, stack: str, rules: list[Rule]) -> Iterator[Advice]:
    """Sources from which no image has come. A new camera is one, so this is no doubt."""
    unused = unused_sources(aws, stack, dict.fromkeys(source for rule in rules for source in rule.sources))
    for rule in rules:
        for source in rule.sources:
            if source in unused:
                yield Advice(f"Rule {rule.rule_id}: no image of the source {source!r} has been uploaded yet.")


def unused_sources(aws: Aws, stack: str, sources: Iterable[str]) -> list[str]:
    """Those of the sources from which no image has come; none when that can't be read, because a warning isn't worth an error."""
    sources = list(sources)
    if not sources:
        return []
    try:
        (table,) = find_outputs(aws, stack, "ImagesTableName")
        with aws_call("look for images of a source (dynamodb:Query on the index BySource)"):
            return [source for source in sources if not _has_images(aws, table, source)]
    except CommandError:
        return []


def _has_images(aws: Aws, table: str, source: str) -> bool:
    page = aws.dynamodb.query(
        TableName=table,
        IndexName="BySource",
        Limit=1,
        Select="COUNT",
        KeyConditionExpression="#Source = :source",
        ExpressionAttributeNames={"#Source": "Source"},
        ExpressionAttributeValues=to_item({":source": source}),
    )
    return bool(page["Count"])


def _undetected(aws: Aws, stack: str, rules: list[Rule]) -> Iterator[Advice]:
    """Terms that this stack, with its parameters, never detects or doesn't store."""
    parameters = find_parameters(aws, stack)
    for rule in rules:
        for term in dict.fromkeys((*rule.any_of, *rule.all_of, *rule.none_of)):
            reason = _why_undetected(term, parameters)
            if reason:
                yield Advice(f"Rule {rule.rule_id}: {reason}")


def _why_undetected(term: Term, parameters: Mapping[str, str]) -> str:
    if term.within == "text":
        never = f"{term.text!r} never matches: this stack doesn't read text (its parameter TextDetection is off)."
        return never if parameters.get("TextDetection") == "off" else ""
    # A term for any place matches labels and moderation labels, so that the lower floor applies.
    names = [name for name, places in _FLOORS.items() if term.within in places and name in parameters]
    floor, name = min(((float(parameters[name]), name) for name in names), default=(0.0, ""))
    if term.min_confidence >= floor:
        return ""
    what = f"{term.text!r} asks for {term.min_confidence:g} %, but matches only from {floor:g} % up"
    return f"{what}: findings of lower confidence aren't stored (the stack's parameter {name})."


def _channels(aws: Aws, stack: str, rules: list[Rule]) -> Iterator[Advice]:
    named = {channel for rule in rules for channel in rule.channels} - {EMAIL}
    if not named:
        return
    try:
        known = {channel.channel_id for channel in ChannelStore(aws, stack).all()}
    except CommandError as error:
        yield Advice(f"The channels could not be checked: {error}")
        return
    for rule in rules:
        for channel in rule.channels:
            if channel in named - known:
                add = f"`imagewatch channels add {channel}` adds it."
                yield Advice(f"Rule {rule.rule_id}: there is no channel {channel} yet; {add}")
