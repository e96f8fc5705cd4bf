"""A viewer's library on moto: every query finds what a look at every record finds, and nothing of another viewer."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import pytest

from imagewatch.aws.tables.search_library import SearchLibrary
from imagewatch.images.taken import taken_by_upload
from imagewatch.images.version import ImageVersion, comparable_sequencer
from imagewatch.search import index, ranking
from imagewatch.search.evaluation import matches
from imagewatch.search.grammar import parse
from imagewatch.search.planner import plan, search
from imagewatch.services import image_store
from imagewatch.services.image_store import Ending
from tests.index_rows import expected_counts

from .conftest import Stack

OWNERS = ("", "3f2a-01", "3f2a-02")
KNOWN = {
    "Person": ([], ["Human"], ["People"]),
    "Adult": (["Person"], [], ["People"]),
    "Car": (["Vehicle"], ["Automobile"], ["Vehicles"]),
    "Vehicle": ([], [], ["Vehicles"]),
    "Traffic Light": (["Light"], [], ["Transport"]),
    "Café": ([], [], ["Places"]),
}
QUERIES = (
    "", "person", "human", "vehicle", "light", '"traffic light" and not car', "category:vehicles", "automobile or cafe",
    "category:people and not adult", "person:80", "source:web", "source:gate and car", "status:failed",
    "status:analyzed and person", "not person", "moderation:explicit", "rule:cars", "taken:2026-03-02..2026-03-05", "nothing",
    "label:human and category:vehicles",
)  # fmt: skip
Records = Mapping[str, Mapping[str, Any]]


@pytest.fixture
def records(stack: Stack, quick_moto: None) -> Records:
    """40 images of cameras and of two people, analysed, failed, matched by a rule, and counted."""
    dice = random.Random(7)
    for number in range(40):
        owner = dice.choice(OWNERS)
        key = f"people/{owner}/{number}.jpg" if owner else f"uploads/{dice.choice(['gate', 'yard'])}/{number}.jpg"
        uploaded = f"2026-03-{1 + dice.randrange(9):02}T1{dice.randrange(3)}:00:00.000Z"
        image = ImageVersion("images", key, "v1", "e", comparable_sequencer("01"), 10, uploaded, f"{number:08x}")
        found = {"Labels": labels(dice), "Moderation": moderation(dice), "Status": "ANALYZED", "MatchedRules": []}
        with stack.environment("StartAnalysis"):
            image_store.acquire_lease(image, {})
            if dice.random() < 0.15:
                image_store.end(image, Ending("FAILED", "A step failed."))
                continue
            image_store.store(image, {**found, **taken_by_upload(image)})
        if dice.random() < 0.3:
            with stack.environment("EvaluateWatchlist"):
                image_store.add_matched_rules(image, {"MatchedRules": [{"RuleId": "cars", "Name": "Cars"}]}, found)
    stack.handler("IndexChanges")({})
    return {record["ImageId"]: record for record in stack.items("ImagesTable")}


def labels(dice: random.Random) -> list[dict[str, Any]]:
    names = dice.sample(sorted(KNOWN), dice.randrange(5))
    return [
        {"Name": name, "Confidence": round(40 + dice.random() * 60, 2), "Instances": []}
        | dict(zip(("Parents", "Aliases", "Categories"), KNOWN[name], strict=True))
        for name in names
    ]


def moderation(dice: random.Random) -> dict[str, Any]:
    found = [{"Name": "Nudity", "Confidence": 55.5, "Parents": ["Explicit"], "TaxonomyLevel": 2}] if dice.random() < 0.2 else []
    return {"Status": "CHECKED", "Labels": found}


def visible(records: Records, viewer: str) -> list[Mapping[str, Any]]:
    return [record for record in records.values() if viewer in ("operators", record.get("Owner"))]


def plainly(records: Records, viewer: str, text: str) -> list[str]:
    """The ids of the images that match, by a look at every record of the viewer, in the query's order."""
    query = parse(text)
    rows = []
    for record in visible(records, viewer):
        row = index.rows(record["ImageId"], record, record["TakenAt"], record["TakenMinute"])["all"]
        if matches(query.where, row, 50.0):
            rows.append(row)
    return [row.image_id for row in sorted(rows, key=lambda row: row.by_time, reverse=query.sort != "oldest")]


def paged(library: SearchLibrary, text: str, size: int) -> list[str]:
    query, found, place = parse(text), list[str](), None
    while True:
        page = search(plan(query, library.count), library, size, 50.0, place)
        found += [row.image_id for row in page.rows]
        place = page.place
        if place is None:
            return found


@pytest.mark.parametrize("viewer", ["operators", *OWNERS[1:], "3f2a-03", "3f2a"])
def test_every_query_finds_what_a_look_at_every_record_finds(stack: Stack, records: Records, viewer: str) -> None:
    with stack.environment("IndexChanges"):
        for text in QUERIES:
            for sort in ("", " sort:oldest"):
                found = paged(SearchLibrary(viewer), f"{text}{sort}".strip(), 7)
                assert found == plainly(records, viewer, f"{text}{sort}".strip()), (text, sort)


@pytest.mark.parametrize("viewer", ["operators", "3f2a-01"])
@pytest.mark.parametrize("term", ["person", "human", "vehicle", "category:vehicles", "moderation:explicit"])
def test_the_order_of_confidence_lists_each_image_once(stack: Stack, records: Records, viewer: str, term: str) -> None:
    name = term if ":" in term else f"label:{term}"
    wanted = {
        record["ImageId"]: next(one.confidence for one in index.terms_of(record) if one.name == name)
        for record in visible(records, viewer)
        if name in {one.name for one in index.terms_of(record)}
    }
    with stack.environment("IndexChanges"):
        library, query = SearchLibrary(viewer), parse(f"{term} sort:confidence")
        page = ranking.search(plan(query, library.count), library, 3, 0.0)
        found = page.rows
        while page.place is not None:
            page = ranking.search(plan(query, library.count), library, 3, 0.0, page.place)
            found += page.rows
    assert {row.image_id: row.confidence for row in found} == pytest.approx(wanted, abs=0.01)
    assert len(found) == len(wanted)
    assert [row.by_confidence for row in found] == sorted((row.by_confidence for row in found), reverse=True)


def test_counts_names_days_and_records_are_those_of_the_viewer(stack: Stack, records: Records) -> None:
    with stack.environment("IndexChanges"):
        for viewer in ("operators", "3f2a-01", "3f2a-03"):
            library, own = SearchLibrary(viewer), visible(records, viewer)
            expected = {term: n for (who, term), n in expected_counts(records.values()).items() if who == viewer}
            terms = sorted({term for _, term in expected_counts(records.values())})
            assert library.counts(terms) == expected
            assert {one.term: one.images for one in library.vocabulary("label:", 100)} == {
                term: n for term, n in expected.items() if term.startswith("label:")
            }
            assert {one.day: one.images for one in library.days("2026-03-01", "2026-03-31")} == {
                term.removeprefix("day:"): n for term, n in expected.items() if term.startswith("day:")
            }
            assert library.days("2026-03-09", "2026-03-01") == []
            assert library.count("all") == len(own)
        assert [one.name for one in SearchLibrary("operators").vocabulary("label:traf", 5)] == ["Traffic Light"]
        some = list(records)[:3]
        assert set(SearchLibrary("operators").records([*some, "gone"])) == set(some)
