"""The cost calculation: durations, amounts, shares and months."""

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
    write_units={"ImagesTable": 3, "SearchIndexTable": 30},
    read_units={"ImagesTable": 1.5},
    log_bytes=2_000,
)
CPU = {"validate_image": 7.0, "detect_labels": 2.0}


def test_a_function_with_less_memory_than_a_whole_vcpu_takes_proportionally_longer() -> None:
    whole = cost.seconds("StoreAnalysis", {}, 100, cost.FULL_VCPU_MB)
    assert whole == pytest.approx(0.1)
    assert cost.seconds("StoreAnalysis", {}, 100, cost.FULL_VCPU_MB // 4) == pytest.approx(0.4, rel=0.02)
    assert cost.seconds("StoreAnalysis", {}, 100, 2 * cost.FULL_VCPU_MB) == whole  # one thread uses one processor


def test_waiting_for_a_service_is_billed_and_rounded_up_to_a_millisecond() -> None:
    alone = cost.seconds("DetectLabels", {}, 0.0001, cost.FULL_VCPU_MB)
    assert alone == 0.001
    waited = cost.seconds("DetectLabels", {"rekognition:DetectLabels": 2}, 0, cost.FULL_VCPU_MB)
    assert waited == pytest.approx(2 * cost.assumed("rekognition_seconds"))


def test_amounts_equal_the_counts() -> None:
    used = cost.amounts(FACTS, CPU)
    assert (used["rekognition_image"], used["states_transition"], used["lambda_request"]) == (1, 2, 2)
    assert (used["dynamodb_write"], used["dynamodb_read"]) == (33, 1.5)
    assert used["s3_put"] == 3  # the upload, and two renditions
    assert used["s3_get"] == 1 + cost.assumed("rekognition_reads")
    assert used["sns_publish"] == 0


def test_the_share_of_the_rest_is_relative_to_the_cost_of_rekognition() -> None:
    assert cost.share_of_the_rest({"Rekognition": 2.0, "SQS": 0.1, "X-Ray": 0.1}) == pytest.approx(0.1)
    assert cost.share_of_the_rest({"Rekognition": 0.0, "SQS": 0.1}) == math.inf


def test_every_priced_amount_belongs_to_a_line() -> None:
    assert set(cost.amounts(FACTS, CPU)) <= {item for items in cost.LINES.values() for item in items}


def test_a_line_is_the_sum_of_its_items() -> None:
    assert cost.by_line({"s3_put": 1000, "s3_get": 1000})["S3, requests"] == pytest.approx(0.0054)


def test_x_ray_samples_every_image_of_a_small_month_and_a_part_of_a_large_one() -> None:
    used = {"xray_trace": 1.0}
    assert months.month(used, 1_000)["X-Ray"] == pytest.approx(0.005)
    assert months.month(used, 100_000_000)["X-Ray"] < 0.1 * 500


def test_an_express_workflow_costs_less_than_the_state_transitions_that_it_replaces() -> None:
    used = months._express({"states_transition": 8})
    assert used["states_transition"] == 0
    assert 0 < months._express_bill(used, 1_000_000) < 8 * 25


def test_provisioned_capacity_breaks_even_at_a_utilisation_of_29_percent() -> None:
    # 0.00065 dollars for 3,600 writes of a capacity unit, 0.000000625 dollars for each write on demand
    assert months.break_even_utilisation() == pytest.approx(0.289, abs=0.0005)


def test_on_demand_is_cheaper_below_the_break_even_and_provisioned_capacity_above_it() -> None:
    used = {"dynamodb_write": 36.0, "dynamodb_read": 2.0}
    images = months.break_even_images(used)
    assert months.auto_scaled(used, images / 2) > months.on_demand(used, images / 2)
    assert months.auto_scaled(used, images * 2) < months.on_demand(used, images * 2)


def test_each_table_and_index_has_at_least_one_capacity_unit() -> None:
    assert months.auto_scaled({"dynamodb_write": 1.0, "dynamodb_read": 1.0}, 1) == pytest.approx(
        720 * months.tables_and_indexes() * (0.00065 + 0.00013)
    )


def test_a_lower_price_above_the_last_tier_lowers_the_bill_and_raises_the_share_of_the_rest() -> None:
    known, *lower = months.above_the_tiers().rows
    assert known[1] == dict(row[::3] for row in months.bill().rows)["Rekognition"]
    assert all(float(row[2].replace(",", "")) < float(known[2].replace(",", "")) for row in lower)
    assert all(float(row[3].rstrip("%")) > float(known[3].rstrip("%")) for row in lower)


def test_adding_a_rekognition_call_costs_what_removing_it_saves() -> None:
    used = {"rekognition_image": 2.0, "states_transition": 8.0, "lambda_request": 6.0, "lambda_gb_second": 1.0, "s3_get": 4.0}
    off = months._without_call(used, "DetectModeration")
    assert (off["rekognition_image"], off["states_transition"]) == (1, 7)
    assert months._without_call(off, "DetectModeration", sign=-1) == pytest.approx(used)


def test_a_document_without_marks_raises_an_error() -> None:
    with pytest.raises(ValueError, match="python -m bench cost --months"):
        months.in_document("# Cost\n")


def test_differences_name_each_changed_count() -> None:
    before = {"new image": FACTS}
    after = {"new image": Facts(**{**vars(FACTS), "write_units": {"ImagesTable": 4}, "log_bytes": 1}), "removed": Facts()}
    named = calls.differences(after, before)
    assert len(named) == 2
    assert named[0] == "removed: not measured before"
    assert "write_units were {'ImagesTable': 3, 'SearchIndexTable': 30} and are {'ImagesTable': 4}" in named[1]


def test_calls_are_counted_by_service_or_by_operation() -> None:
    assert FACTS.total("s3") == 3
    assert FACTS.total("s3", "GetObject") == 1
    assert FACTS.total("sns") == 0


def test_a_ratio_is_the_median_of_the_ratios_of_neighbouring_runs() -> None:
    # The machine was busy during the second pair, which slows both runs and does not change their ratio.
    assert paired_ratio([1.1, 11.0, 1.2], [1.0, 10.0, 1.0]) == pytest.approx(1.1)
    assert milliseconds([0.001, 0.002, 0.004]) == "2.00 (1.00-4.00)"


def test_a_table_has_the_same_content_as_markdown_and_as_json() -> None:
    table = Table("Bill", ("line", "USD"), [("SQS", "1.20")], ("No free tier.",))
    assert table.markdown() == "### Bill\n\n| line | USD |\n| --- | ---: |\n| SQS | 1.20 |\n\n* No free tier.\n"
    assert table.plain() == {"title": "Bill", "rows": [{"line": "SQS", "USD": "1.20"}], "notes": ["No free tier."]}
