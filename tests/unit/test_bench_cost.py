"""From counted calls to dollars: durations, amounts, shares, and the months."""

from __future__ import annotations

import math

import pytest

from bench import calls, cost, months
from bench.cases import Facts
from bench.spread import milliseconds, paired_ratio
from bench.tables import Table

FACTS = Facts(
    states=["Validate Image", "Analyzed"],
    calls={"ValidateImage": {"s3:GetObject": 1, "s3:PutObject": 2}, "DetectLabels": {"rekognition:DetectLabels": 1}},
    invocations={"ValidateImage": 1, "DetectLabels": 1},
    write_units={"ImagesTable": 3, "LabelIndexTable": 30},
    read_units={"ImagesTable": 1.5},
    log_bytes=2_000,
)
CPU = {"validate_image": 7.0, "detect_labels": 2.0}


def test_a_small_function_gets_a_part_of_a_processor_and_takes_longer() -> None:
    whole = cost.seconds("StoreAnalysis", {}, 100, cost.FULL_VCPU_MB)
    assert whole == pytest.approx(0.1)
    assert cost.seconds("StoreAnalysis", {}, 100, cost.FULL_VCPU_MB // 4) == pytest.approx(0.4, rel=0.02)
    assert cost.seconds("StoreAnalysis", {}, 100, 2 * cost.FULL_VCPU_MB) == whole  # one thread uses one processor


def test_waiting_for_a_service_is_paid_and_rounded_up_to_a_millisecond() -> None:
    alone = cost.seconds("DetectLabels", {}, 0.0001, cost.FULL_VCPU_MB)
    assert alone == 0.001
    waited = cost.seconds("DetectLabels", {"rekognition:DetectLabels": 2}, 0, cost.FULL_VCPU_MB)
    assert waited == pytest.approx(2 * cost.assumed("rekognition_seconds"))


def test_amounts_are_what_was_counted() -> None:
    used = cost.amounts(FACTS, CPU)
    assert (used["rekognition_image"], used["states_transition"], used["lambda_request"]) == (1, 2, 2)
    assert (used["dynamodb_write"], used["dynamodb_read"]) == (33, 1.5)
    assert used["s3_put"] == 3  # the upload, and two renditions
    assert used["s3_get"] == 1 + cost.assumed("rekognition_reads")
    assert used["sns_publish"] == 0


def test_the_rest_is_measured_against_rekognition() -> None:
    assert cost.share_of_the_rest({"Rekognition": 2.0, "SQS": 0.1, "X-Ray": 0.1}) == pytest.approx(0.1)
    assert cost.share_of_the_rest({"Rekognition": 0.0, "SQS": 0.1}) == math.inf


def test_every_priced_amount_has_a_line() -> None:
    assert set(cost.amounts(FACTS, CPU)) <= {item for items in cost.LINES.values() for item in items}


def test_a_line_is_the_sum_of_its_items() -> None:
    assert cost.by_line({"s3_put": 1000, "s3_get": 1000})["S3, requests"] == pytest.approx(0.0054)


def test_few_images_are_all_traced_and_many_only_in_part() -> None:
    used = {"xray_trace": 1.0}
    assert months.month(used, 1_000)["X-Ray"] == pytest.approx(0.005)
    assert months.month(used, 100_000_000)["X-Ray"] < 0.1 * 500


def test_express_is_cheaper_than_the_states_that_it_replaces() -> None:
    used = months._express({"states_transition": 8})
    assert used["states_transition"] == 0
    assert 0 < months._express_bill(used, 1_000_000) < 8 * 25


def test_turning_one_more_call_on_costs_what_turning_it_off_saves() -> None:
    used = {"rekognition_image": 2.0, "states_transition": 8.0, "lambda_request": 6.0, "lambda_gb_second": 1.0, "s3_get": 4.0}
    off = months._without_call(used, "DetectModeration")
    assert (off["rekognition_image"], off["states_transition"]) == (1, 7)
    assert months._without_call(off, "DetectModeration", sign=-1) == pytest.approx(used)


def test_a_document_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="python -m bench cost --months"):
        months.in_document("# Cost\n")


def test_a_changed_count_is_named() -> None:
    before = {"new image": FACTS}
    after = {"new image": Facts(**{**vars(FACTS), "write_units": {"ImagesTable": 4}, "log_bytes": 1}), "removed": Facts()}
    named = calls.differences(after, before)
    assert len(named) == 2
    assert named[0] == "removed: not measured before"
    assert "write_units was {'ImagesTable': 3, 'LabelIndexTable': 30}, is {'ImagesTable': 4}" in named[1]


def test_calls_are_counted_by_service_or_by_operation() -> None:
    assert FACTS.total("s3") == 3
    assert FACTS.total("s3", "GetObject") == 1
    assert FACTS.total("sns") == 0


def test_a_ratio_is_taken_between_neighbours() -> None:
    # The second pair ran while the machine was busy: it slows both, and so changes nothing.
    assert paired_ratio([1.1, 11.0, 1.2], [1.0, 10.0, 1.0]) == pytest.approx(1.1)
    assert milliseconds([0.001, 0.002, 0.004]) == "2.00 (1.00-4.00)"


def test_a_table_is_the_same_for_documents_and_for_programs() -> None:
    table = Table("Bill", ("line", "USD"), [("SQS", "1.20")], ("No free tier.",))
    assert table.markdown() == "### Bill\n\n| line | USD |\n| --- | ---: |\n| SQS | 1.20 |\n\n* No free tier.\n"
    assert table.plain() == {"title": "Bill", "rows": [{"line": "SQS", "USD": "1.20"}], "notes": ["No free tier."]}
