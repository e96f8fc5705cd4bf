"""Each function has only the permissions of its role: other calls are denied with AWS's message."""

from __future__ import annotations

from pathlib import Path

from .pipeline import Pipeline
from .running_stack import ROOT, started

SAMPLE = ROOT / "samples" / "astronaut-portrait.jpg"
ALLOWED = "Action: [dynamodb:UpdateItem, dynamodb:GetItem]"
LEFT = "Action: [dynamodb:GetItem]"


def with_one_permission_less(folder: Path) -> Path:
    """A copy of the template without dynamodb:UpdateItem in the role of Store Analysis, with its code."""
    for name in ("functions", "statemachine"):
        (folder / name).symlink_to(ROOT / name)
    before, role, after = (ROOT / "template.yaml").read_text(encoding="utf-8").partition("  StoreAnalysisRole:\n")
    assert ALLOWED in after.split("EvaluateWatchlistFunction:")[0]
    path = folder / "template.yaml"
    path.write_text(before + role + after.replace(ALLOWED, LEFT, 1), encoding="utf-8")
    return path


def test_a_call_that_the_role_does_not_allow_fails_the_image_and_the_record_names_it(tmp_path: Path) -> None:
    template = with_one_permission_less(tmp_path)
    (tmp_path / "state").mkdir()
    with started(tmp_path / "state", "--template", str(template)) as stack:
        pipeline = Pipeline(stack)
        record = pipeline.ended(pipeline.upload(SAMPLE.read_bytes()))
        table = stack.client("dynamodb").describe_table(TableName=pipeline.outputs["ImagesTableName"])["Table"]["TableArn"]

    assert record["Status"] == "FAILED"
    assert "AccessDenied" in record["Reason"]
    assert f"is not authorized to perform: dynamodb:UpdateItem on resource: {table}" in record["Reason"]
    assert "StoreAnalysisRole" in record["Reason"]
