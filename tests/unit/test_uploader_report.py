"""What a person reads: never "safe" for what wasn't looked at, and never a file name that commands the terminal."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from imagewatch.decimals import from_decimals
from uploader.terminal import printable
from uploader.upload.discovery import NOT_AN_IMAGE, UnsentFile
from uploader.upload.follow import REPLACED, Analysis
from uploader.upload.image_records import Record
from uploader.upload.plan import PlannedUpload
from uploader.upload.render import analysis_lines, analysis_table, failure_line, summary_lines
from uploader.upload.render_findings import label_words, moderation_words, most_specific, rule_words
from uploader.upload.summary import UploadSummary
from uploader.upload.transfer import NotUploaded, Uploaded, ascii_metadata

CAT = {"Name": "Cat", "Confidence": 98.7, "Parents": ["Animal", "Pet"]}
ITEM: dict[str, Any] = {
    "Labels": [{"Name": "Animal", "Confidence": 99, "Parents": []}, CAT, {"Name": "Sofa", "Confidence": 61, "Parents": []}],
    "Moderation": {"Status": "CHECKED", "Labels": []},
    "MatchedRules": [{"RuleId": "r1", "Name": "Cat on camera"}],
}  # fmt: skip
RECORD = Record.from_item(ITEM)


def uploaded(name: str = "a.jpg") -> Uploaded:
    return Uploaded(Path(name), "images", f"uploads/cam/{name}", "v1", "i" * 32, 1000, "s" * 64)


def planned(name: str) -> PlannedUpload:
    return PlannedUpload(Path(name), f"uploads/cam/{name}", 1000, "image/jpeg")


def results(*names: str, **more: Any) -> UploadSummary:
    return UploadSummary([planned(name) for name in names], [], more.pop("skipped", []), **more)


def rendered(*analyses: Analysis) -> str:
    console = Console(file=io.StringIO(), width=140)
    console.print(analysis_table(analyses, "uploads/cam/"))
    for line in analysis_lines(analyses):
        console.print(line)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_shows_the_most_confident_labels_without_their_ancestors() -> None:
    assert label_words(RECORD) == "Cat 98 %, Sofa 61 %"


def test_counts_the_labels_that_it_does_not_show() -> None:
    labels = [{"Name": f"Label{number}", "Confidence": 90 - number, "Parents": []} for number in range(6)]
    assert label_words(Record.from_item({"Labels": labels})) == "Label0 90 %, Label1 89 %, Label2 88 %, Label3 87 %, and 2 more"


def test_says_so_when_no_label_was_found() -> None:
    assert label_words(Record.from_item({"Labels": []})) == "none found"


@pytest.mark.parametrize("moderation", [None, {}, {"Status": "NOT_CHECKED", "Labels": []}, {"Labels": []}])
def test_what_moderation_did_not_look_at_is_not_checked(moderation: dict[str, Any] | None) -> None:
    assert moderation_words(Record.from_item({"Moderation": moderation})) == "not checked"


def test_moderation_that_looked_and_found_nothing_says_that() -> None:
    assert moderation_words(RECORD) == "nothing found"


def test_moderation_names_the_most_specific_category() -> None:
    labels = [
        {"Name": "Violence", "Confidence": 91.2, "Parents": []},
        {"Name": "Weapons", "Confidence": 91.2, "Parents": ["Violence"]},
    ]
    assert moderation_words(Record.from_item({"Moderation": {"Status": "CHECKED", "Labels": labels}})) == "Weapons 91 %"


def test_labels_of_equal_confidence_have_a_fixed_order() -> None:
    labels = [{"Name": name, "Confidence": 90, "Parents": []} for name in ("Tree", "Bench")]
    assert [label["Name"] for label in most_specific(labels)] == ["Bench", "Tree"]


def test_names_the_rules_that_matched() -> None:
    assert rule_words(RECORD) == "Cat on camera"


@pytest.mark.parametrize("reason", ["outside its active hours", "snoozed until 2027-01-01T00:00:00.000Z"])
def test_a_muted_rule_does_not_look_like_one_that_alerts(reason: str) -> None:
    rules = [{"RuleId": "a", "Name": "Night", "Muted": reason}, {"RuleId": "b", "Name": "Day", "Muted": ""}, {"RuleId": "c"}]
    assert rule_words(Record.from_item({"MatchedRules": rules})) == f"Night (muted: {reason}), Day, c"


@pytest.mark.parametrize("omitted", [1, 312])
def test_rules_that_the_record_has_no_room_for_are_counted(omitted: int) -> None:
    rules = [{"RuleId": "a", "Name": "Night"}]
    shown = rule_words(Record.from_item({"MatchedRules": rules, "RulesOmitted": omitted}))
    assert shown == f"Night, and {omitted} more that are not recorded and raise no alert"


def test_the_table_shows_image_status_labels_moderation_and_rules() -> None:
    text = rendered(Analysis(uploaded("door/a.jpg"), "ANALYZED", record=RECORD))
    row = next(line for line in text.splitlines() if "door/a.jpg" in line)
    for cell in ("analyzed", "Cat 98 %", "nothing found", "Cat on camera"):
        assert cell in row
    assert "1 analyzed." in text


def test_a_rejected_image_shows_its_reason_and_says_nothing_about_moderation() -> None:
    text = rendered(Analysis(uploaded(), "REJECTED", "The image is too small.", Record(moderation={"Status": "CHECKED"})))
    assert "rejected" in text
    assert "The image is too small." in text
    assert "nothing found" not in text


def test_reports_once_why_moderation_was_not_checked() -> None:
    record = replace(RECORD, moderation={"Status": "NOT_CHECKED", "Reason": "There is no model here."})
    text = rendered(*(Analysis(uploaded(name), "ANALYZED", record=record) for name in ("a.jpg", "b.jpg")))
    assert text.count("There is no model here.") == 1
    assert text.count("not checked") == 3


def test_no_file_name_can_command_the_terminal() -> None:
    assert printable("a\x1b[31mb\u202e.jpg\n") == r"a\x1b[31mb\u202e.jpg\n"
    assert "\x1b" not in failure_line(UnsentFile("\x1b]0;title\x07.jpg", "bad")).plain


def test_a_file_name_is_not_read_as_markup() -> None:
    assert "[red]x.jpg" in rendered(Analysis(uploaded("[red]x.jpg"), "ANALYZED", record=RECORD))


def test_the_summary_counts_and_names_what_was_skipped() -> None:
    skipped = [UnsentFile(f"note{number}.txt", NOT_AN_IMAGE) for number in range(12)]
    lines = [line.plain for line in summary_lines(results(skipped=skipped), "", 0)]
    assert lines[0] == "Nothing was uploaded: no images were found."
    assert lines[1].startswith("12 files skipped: not images (use --all to send them too): note0.txt, ")
    assert lines[1].endswith("note4.txt, and 7 more")


def test_the_summary_says_how_much_went_where() -> None:
    done = results("a.jpg", "b.jpg")
    done.add(uploaded("b.jpg"))
    done.add(uploaded("a.jpg"))
    assert [line.plain for line in summary_lines(done, "images", 1.25)] == [
        "Uploaded 2 files (2.0 kB) to s3://images/uploads/cam/ in 1.2 s."
    ]


def test_the_document_keeps_the_order_of_the_plan_and_lists_what_was_never_sent() -> None:
    done = results("a.jpg", "b.jpg", "c.jpg", "d.jpg")
    done.add(uploaded("c.jpg"))
    done.add(uploaded("a.jpg"))
    done.add(NotUploaded(Path("b.jpg"), "uploads/cam/b.jpg", "access denied", affects_all=True))
    done.give_up("access denied")
    document = done.document()
    assert [item["path"] for item in document["uploaded"]] == ["a.jpg", "c.jpg"]
    assert document["failed"] == [
        {"path": "b.jpg", "reason": "access denied"},
        {"path": "d.jpg", "reason": "access denied"},
    ]
    assert done.exit_code == 1


def test_files_that_were_never_sent_are_a_failure_without_any_other() -> None:
    done = results("a.jpg", "b.jpg")
    done.add(uploaded("a.jpg"))
    assert done.exit_code == 0
    done.give_up("the connection broke")
    assert (done.failed, done.exit_code) == ([], 1)


@pytest.mark.parametrize(
    ("status", "ended", "code"),
    [("ANALYZED", True, 0), (REPLACED, True, 0), ("REJECTED", True, 1), ("FAILED", True, 1), ("ANALYZING", False, 1)],
)
def test_the_exit_code_says_whether_every_image_was_analysed(status: str, ended: bool, code: int) -> None:
    done = results("a.jpg", waited=True)
    done.add(uploaded())
    done.add_analysis(Analysis(uploaded(), status, finished=ended))
    assert done.exit_code == code


def test_an_interruption_has_the_exit_code_of_a_signal() -> None:
    assert results(interrupted=True).exit_code == 130


def test_numbers_of_dynamodb_become_numbers_of_json() -> None:
    record = {"Size": Decimal("12"), "Labels": [{"Confidence": Decimal("98.73")}], "Tags": {"b", "a"}, "None": None}
    assert (
        json.dumps(from_decimals(record)) == '{"Size": 12, "Labels": [{"Confidence": 98.73}], "Tags": ["a", "b"], "None": null}'
    )


def test_metadata_is_ascii_and_can_be_read_back() -> None:
    from email.header import decode_header, make_header

    source = "überwachung-玄関-" * 12
    written = ascii_metadata(source)
    assert written.isascii()
    assert "\n" not in written
    assert str(make_header(decode_header(written))) == source
    assert ascii_metadata("front-door") == "front-door"


@pytest.mark.parametrize(
    ("labels", "result"), [([], "nothing found"), ([{"Name": "Explicit", "Confidence": 91, "Parents": []}], "Explicit 91 %")]
)
def test_a_limited_check_is_never_shown_as_a_full_one(labels: list[dict[str, Any]], result: str) -> None:
    moderation = {"Status": "CHECKED", "Scope": "explicit content only", "Labels": labels}
    assert moderation_words(Record.from_item({"Moderation": moderation})) == f"{result}; checked for explicit content only"
