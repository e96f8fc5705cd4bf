"""`imagewatch rules` against the running stack: a new rule finds earlier images and is matched against later ones."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from uploader.cli import main

from .pipeline import Pipeline
from .running_stack import ROOT, RunningStack

PORTRAIT = (ROOT / "samples" / "astronaut-portrait.jpg").read_bytes()
Output = pytest.CaptureFixture[str]


def test_a_rule_is_previewed_written_and_applied_to_earlier_images(stack: RunningStack, tmp_path: Path, capsys: Output) -> None:
    pipeline, rule_id = Pipeline(stack), f"cli-{uuid.uuid4().hex[:8]}"
    record = pipeline.ended(pipeline.upload(PORTRAIT, "before.jpg"))  # its source is its own
    file = tmp_path / "rule.yaml"
    file.write_text(
        f"RuleId: {rule_id}\nName: Person\nAnyOf: [{{Term: person, MinConfidence: 50}}]\nSources: ['{record['Source']}']\n"
    )

    def rules(*arguments: str) -> Any:
        assert main(["rules", *arguments, "--json", "--endpoint-url", stack.endpoint]) == 0
        return json.loads(capsys.readouterr().out)

    (tried,) = rules("preview", str(file), "--since", "1d")["rules"]
    assert [match["image_id"] for match in tried["matches"]] == [record["ImageId"]]
    assert [rule["change"] for rule in rules("import", str(file))["rules"]] == ["new"]
    run = rules("apply", rule_id, "--since", "1d")
    assert (run["status"], run["progress"]["Matched"]) == ("SUCCEEDED", 1)
    now = pipeline.record(record["Key"])
    assert now
    assert rule_id in {entry["RuleId"] for entry in now["MatchedRules"]}
    assert rules("apply", rule_id, "--since", "1d", "--detach")["status"] in ("RUNNING", "SUCCEEDED")
    assert [rule["change"] for rule in rules("delete", rule_id, "--yes")["rules"]] == ["deleted"]
