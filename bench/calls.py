"""Calls, states, payloads and request units of each case, as counted on the local stack."""

from __future__ import annotations

from collections.abc import Mapping

from bench.cases import Facts
from bench.tables import Table


def tables(facts: Mapping[str, Facts]) -> list[Table]:
    return [_summary(facts), _operations(facts), _units(facts)]


def differences(now: Mapping[str, Facts], saved: Mapping[str, Facts]) -> list[str]:
    """Lists what differs from the saved measurement, among the counts that do not vary from run to run."""
    found = [f"{name}: not measured before" for name in now if name not in saved]
    for name in [name for name in now if name in saved]:
        for what in ("states", "calls", "invocations", "write_units", "read_units"):
            new, old = getattr(now[name], what), getattr(saved[name], what)
            if new != old:
                found.append(f"{name}: {what} were {old} and are {new}")
    return found


def _summary(facts: Mapping[str, Facts]) -> Table:
    rows = [
        (
            name,
            str(len(fact.states)),
            str(sum(fact.invocations.values())),
            str(sum(sum(calls.values()) for calls in fact.calls.values())),
            str(fact.total("rekognition")),
            str(fact.total("s3", "GetObject")),
            f"{fact.largest_payload:,}",
            f"{fact.log_bytes:,}",
        )
        for name, fact in facts.items()
    ]
    columns = ("case", "states entered", "Lambda invocations", "AWS calls", "Rekognition calls", "S3 GetObject calls")
    return Table(
        "What one image causes",
        (*columns, "largest state, bytes (of 262,144)", "log, bytes"),
        rows,
        ("AWS calls: those of our functions. Rekognition reads the object itself, once for each call.",),
    )


def _operations(facts: Mapping[str, Facts]) -> Table:
    names = sorted({name for fact in facts.values() for calls in fact.calls.values() for name in calls})
    rows = []
    for name in names:
        service, _, operation = name.partition(":")
        rows.append((name, *(str(fact.total(service, operation) or "") for fact in facts.values())))
    return Table("AWS calls for one image, by service and operation", ("operation", *facts), rows)


def _units(facts: Mapping[str, Facts]) -> Table:
    rows = []
    for kind, what in (("write_units", "written"), ("read_units", "read")):
        for name in sorted({name for fact in facts.values() for name in getattr(fact, kind)}):
            rows.append((f"{name}, {what}", *(f"{getattr(fact, kind).get(name, 0):g}" for fact in facts.values())))
    rows.append(("record, bytes", *(f"{fact.record_bytes:,}" for fact in facts.values())))
    rows.append(("index rows put", *(str(fact.rows) for fact in facts.values())))
    return Table(
        "DynamoDB request units for one image",
        ("table", *facts),
        rows,
        ("Calculated from the items before and after each write, indexes included. A unit writes 1 KB or reads 4 KB.",),
    )
