"""The rows and counts of the search index as tests read them, and those that records must have, by a plain model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from imagewatch.text import comparable


class StoredRow(NamedTuple):
    viewer: str
    order: str
    term: str
    position: str

    @property
    def image_id(self) -> str:
        return self.position.split("#")[-2]


def stored_rows(items: Iterable[Mapping[str, Any]]) -> list[StoredRow]:
    """The rows among the items (plain values) of the SearchIndexTable, sorted."""
    keys = [(item["Posting"].split("|", 2), item["Position"]) for item in items]
    return sorted(StoredRow(*posting, position) for posting, position in keys if len(posting) == 3)


def indexed_labels(items: Iterable[Mapping[str, Any]]) -> list[str]:
    """The labels that have rows in the order of time, for those who see everything."""
    rows = stored_rows(items)
    return [r.term.removeprefix("label:") for r in rows if r[:2] == ("operators", "time") and r.term.startswith("label:")]


def expected_rows(record: Mapping[str, Any] | None) -> list[StoredRow]:
    """The rows of an image whose analysis has ended, written out from its record without the code under test."""
    if record is None or record["Status"] == "ANALYZING":
        return []
    certain = {"all", f"source:{comparable(record['Source'])}"}
    if record["Status"] != "ANALYZED":
        certain.add(f"status:{record['Status'].lower()}")
    for rule in record.get("MatchedRules", []):
        certain |= {f"rule:{comparable(rule['RuleId'])}", f"rule:{comparable(rule['Name'])}"}
    certain |= {f"text:{comparable(entry['Text'])}" for entry in record.get("Text", [])}
    found: dict[str, float] = {}
    labels = record.get("Labels", [])
    own = {comparable(label["Name"]) for label in labels}
    for label in labels:
        for name in map(comparable, (label["Name"], *label["Aliases"], *label["Parents"])):
            if name in own:
                found[f"label:{name}"] = max(found.get(f"label:{name}", 0), label["Confidence"])
    for label in record.get("Moderation", {}).get("Labels", []):
        for name in (label["Name"], *label["Parents"]):
            term = f"moderation:{comparable(name)}"
            found[term] = max(found.get(term, 0), label["Confidence"])
    lease = f"{record['Version']}-{record['Lease']}" if record.get("Lease") else record["Version"]
    place = f"{record.get('TakenAt', record['UploadedAt'])}#{record['ImageId']}#{lease}"
    rows = [StoredRow("operators", "time", term, place) for term in {*certain, *found}]
    rows += [
        StoredRow("operators", "confidence", term, f"{int(confidence * 100 + 1e-6):05}#{place}")
        for term, confidence in found.items()
    ]
    if owner := record.get("Owner"):
        rows += [StoredRow(owner, "time", term, place) for term in {*certain, *found} if not term.startswith("source:")]
    return sorted(rows)


def stored_counts(items: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], int]:
    """(viewer, term) -> number of images, of the counters among the items that are not 0."""
    counters = [item for item in items if item["Posting"].endswith("|counts")]
    return {(item["Posting"].removesuffix("|counts"), item["Position"]): item["Images"] for item in counters if item["Images"]}


def expected_counts(records: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], int]:
    """The counters of these records, whose analyses have ended."""
    found: Counter[tuple[str, str]] = Counter()
    for record in records:
        terms = {"all", f"status:{record['Status'].lower()}", f"source:{comparable(record['Source'])}"}
        terms |= {f"rule:{comparable(rule[name])}" for rule in record.get("MatchedRules", []) for name in ("RuleId", "Name")}
        terms |= {f"text:{comparable(entry['Text'])}" for entry in record.get("Text", [])}
        for label in record.get("Labels", []):
            terms |= {f"label:{comparable(name)}" for name in (label["Name"], *label["Aliases"], *label["Parents"])}
            terms |= {f"category:{comparable(name)}" for name in label["Categories"]}
        for label in record.get("Moderation", {}).get("Labels", []):
            terms |= {f"moderation:{comparable(name)}" for name in (label["Name"], *label["Parents"])}
        taken = datetime.fromisoformat(record["TakenAt"])
        ahead = (record["TakenMinute"] - taken.hour * 60 - taken.minute) % 1440
        terms.add(f"day:{(taken + timedelta(minutes=ahead - 1440 * (ahead > 780))).date()}")
        for viewer in ("operators", *([record["Owner"]] if "Owner" in record else [])):
            found.update((viewer, term) for term in terms)
    return dict(found)
