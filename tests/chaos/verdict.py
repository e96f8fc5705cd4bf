"""Compares what a run left behind with the promises. Each broken promise is a sentence that names the image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from imagewatch.text import comparable
from tests.index_rows import expected_rows

from .findings import Evidence, Record, Run
from .plan import Subject

ATTEMPTS = 4  # attempts of a task that crashes each time
Versions = dict[str, list[str]]


def broken_promises(
    evidence: Evidence, planned: Sequence[Subject], versions: Versions, deaths: Sequence[dict[str, Any]]
) -> tuple[dict[str, int], list[str]]:
    """(counts by name, broken promises)."""
    worn_out = {run.key for run in evidence.runs if is_worn_out(run)}
    broken = [
        *records_are_right(evidence, planned, versions, worn_out),
        *one_execution_for_each_version(evidence.runs, planned, versions),
        *nothing_beside_the_records(evidence),
        *alerts_are_right(evidence, planned, versions, worn_out),
        *no_other_crashes(evidence.runs, deaths),
    ]
    repeats = sum(evidence.mails.values()) - len(evidence.mails) + len(mailed(evidence) & digested(evidence))
    window = sum(bool(death["calls"]) and death["calls"][-1] == "sns:Publish" for death in deaths)
    if repeats > window:
        broken.append(
            f"{repeats} e-mails were sent twice, but only {window} crashes lay between publishing an alert and recording it."
        )
    statuses = Counter(record["Status"].lower() for record in evidence.records.values())
    counts = {f"images {status}": number for status, number in sorted(statuses.items())}
    counts |= {"images removed": sum(subject.removed for subject in planned), "executions": len(evidence.runs)}
    counts |= {"second analyses of removed images": second_analyses(evidence.runs)}
    counts |= {"images failed after 4 crashes in a row": len(worn_out)}
    counts |= {"e-mails": sum(evidence.mails.values()), "e-mails sent twice, after a crash in the allowed window": repeats}
    counts |= {"matches in digests": evidence.reported_in_digests}
    return counts, broken


def is_worn_out(run: Run) -> bool:
    """Whether one task crashed four times in a row, after which FAILED is the correct status."""
    return run.status == "FAILED" and max(run.deaths.values(), default=0) >= ATTEMPTS


def records_are_right(evidence: Evidence, planned: Sequence[Subject], versions: Versions, worn_out: set[str]) -> Iterator[str]:
    for subject in planned:
        record, last = evidence.records.get(subject.key), subject.uploads[-1]
        if subject.removed:
            if record is not None:
                yield f"{subject.key} was removed, but still has a record: {record['Status']}."
        elif record is None:
            yield f"{subject.key} has no record."
        elif record["VersionId"] != versions[subject.key][-1]:
            yield f"The record of {subject.key} shows another version than the last one."
        elif record["Status"] == "FAILED" and subject.key in worn_out:
            if not record.get("Reason", "").endswith("."):
                yield f"{subject.key} failed without a reason."
        elif record["Status"] != last.status:
            yield f"{subject.key} is {record['Status']} instead of {last.status}: {record.get('Reason')}"
        elif {label["Name"]: label["Confidence"] for label in record.get("Labels", [])} != dict(last.labels):
            yield f"The record of {subject.key} shows other labels than Rekognition found."
        elif {rule["RuleId"] for rule in record["MatchedRules"]} != last.rules:
            yield f"The record of {subject.key} shows other rules than the matching ones."


def one_execution_for_each_version(found: Sequence[Run], planned: Sequence[Subject], versions: Versions) -> Iterator[str]:
    counted = Counter((run.key, run.version_id) for run in found)
    removed = {subject.key for subject in planned if subject.removed}
    for key, ids in versions.items():
        for number, version in enumerate(ids, 1):
            # A removed image's late event can start a second execution, which finds that the image is gone. A removal that
            # arrives first can make the first execution unnecessary.
            if counted[key, version] != 1 and key not in removed:
                yield f"Version {number} of {key} has {counted[key, version]} executions."
    for run in found:
        if run.status not in ("SUCCEEDED", "FAILED") or (run.status == "FAILED" and not is_worn_out(run)):
            yield f"The execution of {run.key} ended with {run.status}."


def no_other_crashes(found: Sequence[Run], deaths: Sequence[dict[str, Any]]) -> Iterator[str]:
    """No function crashed more often than the faults made it crash."""
    wanted = Counter(death["function"] for death in deaths)
    for function, number in sum((run.deaths for run in found), Counter[str]()).items():
        if number > wanted[function]:
            yield f"{function} crashed {number} times; the faults account for {wanted[function]}."


def second_analyses(found: Sequence[Run]) -> int:
    counted = Counter((run.key, run.version_id) for run in found)
    return sum(number - 1 for number in counted.values())


def nothing_beside_the_records(evidence: Evidence) -> Iterator[str]:
    analyzed = [record for record in evidence.records.values() if record["Status"] == "ANALYZED"]
    rows = {row for record in evidence.records.values() for row in expected_rows(record)}
    for record in analyzed:
        listed = {entry.partition("@")[0] for stored in record["Stored"] for entry in stored["Terms"]}
        if missing := {f"label:{comparable(label['Name'])}" for label in record["Labels"]} - listed:
            yield f"The record of {record['Key']} does not list its index rows of {sorted(missing)}."
    yield from (f"An index row is missing: {row}." for row in sorted(rows - evidence.rows))
    yield from (f"An index row belongs to no record: {row}." for row in sorted(evidence.rows - rows))
    # A failed image may have a thumbnail. Its record lists it, so that a later removal finds it.
    allowed = {key for record in evidence.records.values() for stored in record["Stored"] for key in stored["Renditions"]}
    wanted = {record[name] for record in analyzed for name in ("Thumbnail", "AnalysisCopy") if name in record}
    failed = {key for record in evidence.records.values() if record["Status"] == "FAILED" for key in renditions_of(record)}
    yield from (f"A rendition is missing: {key}." for key in sorted(wanted - evidence.renditions))
    yield from (f"A rendition belongs to no record: {key}." for key in sorted(evidence.renditions - wanted - (failed & allowed)))
    yield from (
        f"{record['Key']} still lists stale rows or renditions." for record in evidence.records.values() if record.get("Stale")
    )


def renditions_of(record: Record) -> list[str]:
    return [key for stored in record["Stored"] for key in stored["Renditions"]]


def alerts_are_right(evidence: Evidence, planned: Sequence[Subject], versions: Versions, worn_out: set[str]) -> Iterator[str]:
    """One alert for each matching version and rule, reported by an e-mail or in a digest. A removed image may have none."""
    reported = mailed(evidence) | digested(evidence)
    # After four crashes in a row, a digest reports the alert minutes later. The run does not wait for it.
    left = {(run.key, run.version) for run in evidence.runs if sends_died(run) >= ATTEMPTS}
    versions_of = {(run.key, run.version_id): run.version for run in evidence.runs}
    noted = Counter((alert["Key"], alert["RuleId"]) for alert in evidence.alerts)
    for subject in planned:
        due = Counter(rule for upload in subject.uploads for rule in upload.rules)
        for rule, number in due.items():
            got = sum((subject.key, versions_of.get((subject.key, one)), rule) in reported for one in versions[subject.key])
            may_lack = subject.removed or subject.key in worn_out or subject.key in {key for key, _ in left}
            if (got != number or noted[subject.key, rule] != number) and not (may_lack and got <= number):
                yield f"{subject.key} matches {rule} {number} times: {got} were reported, {noted[subject.key, rule]} alerts."
    due_at_all = {(subject.key, rule) for subject in planned for upload in subject.uploads for rule in upload.rules}
    yield from (f"A message without a match: {key}, {rule}." for key, _, rule in reported if (key, rule) not in due_at_all)
    for alert in evidence.alerts:
        is_left = alert["Status"] == "PENDING" and (alert["Key"], alert["Version"]) in left
        if alert["Status"] not in ("SENT", "DIGESTED") and alert["Key"] not in worn_out and not is_left:
            yield f"The alert of {alert['Key']} for {alert['RuleId']} is {alert['Status']}: {alert['Deliveries']}"
    if (recorded := len(digested(evidence))) != evidence.reported_in_digests:
        yield f"Digests report {evidence.reported_in_digests} matches, but {recorded} alerts are recorded as DIGESTED."


def sends_died(run: Run) -> int:
    return sum(number for function, number in run.deaths.items() if "SendAlert" in function)


def mailed(evidence: Evidence) -> set[tuple[str, str, str]]:
    """(key, version, rule) of every match with an e-mail."""
    arns = {run.arn: (run.key, run.version) for run in evidence.runs}
    return {(*arns.get(arn, ("an unknown execution", "")), rule) for arn, rule in evidence.mails}


def digested(evidence: Evidence) -> set[tuple[str, str, str]]:
    """(key, version, rule) of every match that was reported in a digest, by its alert."""
    return {(one["Key"], one["Version"], one["RuleId"]) for one in evidence.alerts if one["Status"] == "DIGESTED"}


def harm_done(before: Evidence, after: Evidence, *, rescued: bool) -> Iterator[str]:
    """What a redrive changed. When it delivered real events (`rescued`), only the earlier records must be unchanged."""
    for key, record in before.records.items():
        if after.records.get(key) != record:
            yield f"The redrive changed the record of {key}."
    if not rescued:
        for name in ("records", "rows", "renditions", "mails"):
            if getattr(before, name) != getattr(after, name):
                yield f"The redrive changed the {name}."
    if len(after.runs) > len(before.runs) and not rescued:
        yield "The redrive started executions."
