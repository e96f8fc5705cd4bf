"""The promises, held against what a run left behind. Each broken one is a sentence that names the image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from .findings import Evidence, Record, Run
from .plan import Subject

ATTEMPTS = 4  # of a task that keeps dying
Versions = dict[str, list[str]]


def broken_promises(
    evidence: Evidence, planned: Sequence[Subject], versions: Versions, deaths: Sequence[dict[str, Any]]
) -> tuple[dict[str, int], list[str]]:
    """(what was counted, what is wrong)."""
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
        broken.append(f"{repeats} mails were sent twice, but only {window} crashes fell between publishing and marking an alert.")
    statuses = Counter(record["Status"].lower() for record in evidence.records.values())
    counts = {f"images {status}": number for status, number in sorted(statuses.items())}
    counts |= {"images removed": sum(subject.removed for subject in planned), "executions": len(evidence.runs)}
    counts |= {"second analyses of removed images": second_analyses(evidence.runs)}
    counts |= {"images failed for good, crashed 4 times in a row": len(worn_out)}
    counts |= {"mails": sum(evidence.mails.values()), "mails sent twice, in the one window allowed for it": repeats}
    counts |= {"matches told in digests": evidence.told_in_digests}
    return counts, broken


def is_worn_out(run: Run) -> bool:
    """The crashes are dice: now and then one task meets four in a row, and then FAILED is the state that is due."""
    return run.status == "FAILED" and max(run.deaths.values(), default=0) >= ATTEMPTS


def records_are_right(evidence: Evidence, planned: Sequence[Subject], versions: Versions, worn_out: set[str]) -> Iterator[str]:
    for subject in planned:
        record, last = evidence.records.get(subject.key), subject.uploads[-1]
        if subject.removed:
            if record is not None:
                yield f"{subject.key} was removed, but its record is there: {record['Status']}."
        elif record is None:
            yield f"{subject.key} has no record."
        elif record["VersionId"] != versions[subject.key][-1]:
            yield f"{subject.key} shows another version than its last."
        elif record["Status"] == "FAILED" and subject.key in worn_out:
            if not record.get("Reason", "").endswith("."):
                yield f"{subject.key} failed without a reason."
        elif record["Status"] != last.status:
            yield f"{subject.key} is {record['Status']} instead of {last.status}: {record.get('Reason')}"
        elif {label["Name"]: label["Confidence"] for label in record.get("Labels", [])} != dict(last.labels):
            yield f"{subject.key} shows other labels than were found."
        elif {rule["RuleId"] for rule in record["MatchedRules"]} != last.rules:
            yield f"{subject.key} shows other rules than match."


def one_execution_for_each_version(found: Sequence[Run], planned: Sequence[Subject], versions: Versions) -> Iterator[str]:
    counted = Counter((run.key, run.version_id) for run in found)
    removed = {subject.key for subject in planned if subject.removed}
    for key, ids in versions.items():
        for number, version in enumerate(ids, 1):
            # A removed image's late event can bring a second look, which finds that the image is gone; a removal that
            # comes first can make the first look unnecessary.
            if counted[key, version] != 1 and key not in removed:
                yield f"Version {number} of {key} has {counted[key, version]} executions."
    for run in found:
        if run.status not in ("SUCCEEDED", "FAILED") or (run.status == "FAILED" and not is_worn_out(run)):
            yield f"The execution of {run.key} ended {run.status}."


def no_other_crashes(found: Sequence[Run], deaths: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Whoever died was killed by us: no task died of something else."""
    ours = Counter(death["function"] for death in deaths)
    for function, number in sum((run.deaths for run in found), Counter[str]()).items():
        if number > ours[function]:
            yield f"{function} died {number} times, of which {ours[function]} were asked for."


def second_analyses(found: Sequence[Run]) -> int:
    counted = Counter((run.key, run.version_id) for run in found)
    return sum(number - 1 for number in counted.values())


def nothing_beside_the_records(evidence: Evidence) -> Iterator[str]:
    analyzed = [record for record in evidence.records.values() if record["Status"] == "ANALYZED"]
    rows = {(label, stored["Position"]) for record in analyzed for stored in record["Stored"] for label in stored["Labels"]}
    for record in analyzed:
        listed = [label for stored in record["Stored"] for label in stored["Labels"]]
        if sorted(listed) != sorted(label["Name"].casefold() for label in record["Labels"]):
            yield f"{record['Key']} lists other index rows than it has labels."
    yield from (f"A label's row is missing: {row}." for row in sorted(rows - evidence.rows))
    yield from (f"A row belongs to no record: {row}." for row in sorted(evidence.rows - rows))
    # A failed image may have got as far as its thumbnail, which its record lists, so that a later removal finds it.
    allowed = {key for record in evidence.records.values() for stored in record["Stored"] for key in stored["Renditions"]}
    wanted = {record[name] for record in analyzed for name in ("Thumbnail", "AnalysisCopy") if name in record}
    failed = {key for record in evidence.records.values() if record["Status"] == "FAILED" for key in renditions_of(record)}
    yield from (f"A rendition is missing: {key}." for key in sorted(wanted - evidence.renditions))
    yield from (f"A rendition belongs to no record: {key}." for key in sorted(evidence.renditions - wanted - (failed & allowed)))
    yield from (f"{record['Key']} still lists what is stale." for record in evidence.records.values() if record.get("Stale"))


def renditions_of(record: Record) -> list[str]:
    return [key for stored in record["Stored"] for key in stored["Renditions"]]


def alerts_are_right(evidence: Evidence, planned: Sequence[Subject], versions: Versions, worn_out: set[str]) -> Iterator[str]:
    """One alert for each version and rule that match, and people told of it by a mail or in a digest; a removed image may have
    gone too early for its own."""
    told = mailed(evidence) | digested(evidence)
    # What four crashes in a row left is told by a digest minutes later, for which this run doesn't wait.
    left = {(run.key, run.version) for run in evidence.runs if sends_died(run) >= ATTEMPTS}
    versions_of = {(run.key, run.version_id): run.version for run in evidence.runs}
    noted = Counter((alert["Key"], alert["RuleId"]) for alert in evidence.alerts)
    for subject in planned:
        due = Counter(rule for upload in subject.uploads for rule in upload.rules)
        for rule, number in due.items():
            got = sum((subject.key, versions_of.get((subject.key, one)), rule) in told for one in versions[subject.key])
            may_lack = subject.removed or subject.key in worn_out or subject.key in {key for key, _ in left}
            if (got != number or noted[subject.key, rule] != number) and not (may_lack and got <= number):
                yield f"{subject.key} matches {rule} {number} times: {got} were told, {noted[subject.key, rule]} alerts."
    due_at_all = {(subject.key, rule) for subject in planned for upload in subject.uploads for rule in upload.rules}
    yield from (f"A message that nobody asked for: {key}, {rule}." for key, _, rule in told if (key, rule) not in due_at_all)
    for alert in evidence.alerts:
        is_left = alert["Status"] == "PENDING" and (alert["Key"], alert["Version"]) in left
        if alert["Status"] not in ("SENT", "DIGESTED") and alert["Key"] not in worn_out and not is_left:
            yield f"The alert of {alert['Key']} for {alert['RuleId']} is {alert['Status']}: {alert['Deliveries']}"
    if (told_so := len(digested(evidence))) != evidence.told_in_digests:
        yield f"Digests tell {evidence.told_in_digests} matches, but {told_so} alerts say that a digest told them."


def sends_died(run: Run) -> int:
    return sum(number for function, number in run.deaths.items() if "SendAlert" in function)


def mailed(evidence: Evidence) -> set[tuple[str, str, str]]:
    """(key, version, rule) of every match that has a mail of its own."""
    arns = {run.arn: (run.key, run.version) for run in evidence.runs}
    return {(*arns.get(arn, ("an unknown execution", "")), rule) for arn, rule in evidence.mails}


def digested(evidence: Evidence) -> set[tuple[str, str, str]]:
    """(key, version, rule) of every match that a digest told, as its alert says."""
    return {(one["Key"], one["Version"], one["RuleId"]) for one in evidence.alerts if one["Status"] == "DIGESTED"}


def harm_done(before: Evidence, after: Evidence, *, rescued: bool) -> Iterator[str]:
    """What a redrive changed. When it brought real events back to life (`rescued`), only what was there must still be there."""
    for key, record in before.records.items():
        if after.records.get(key) != record:
            yield f"The redrive changed the record of {key}."
    if not rescued:
        for name in ("records", "rows", "renditions", "mails"):
            if getattr(before, name) != getattr(after, name):
                yield f"The redrive changed the {name}."
    if len(after.runs) > len(before.runs) and not rescued:
        yield "The redrive started executions."
