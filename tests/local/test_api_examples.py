"""The commands of docs/api.md run against the local stack, in their order."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from .running_stack import RunningStack
from .signed_in import SignedIn

ROOT = Path(__file__).parents[2]


def test_the_commands_of_the_document_work(stack: RunningStack, tmp_path: Path) -> None:
    api = SignedIn(stack)
    operator = api.person("examples@example.com", "operators")
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / "api.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 8
    (tmp_path / "samples").symlink_to(ROOT / "samples")
    # The output of each block goes to a separate file.
    script = "set -euo pipefail\n" + "\n".join(f"{{\n{block}}} > {number}.txt\n" for number, block in enumerate(blocks))
    environment = {"API": api.outputs["ApiUrl"], "TOKEN": operator.access_token, "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    outputs = [(tmp_path / f"{number}.txt").read_text(encoding="utf-8") for number in range(len(blocks))]
    assert not [text for text in outputs if "urn:imagewatch:problem" in text or '"message"' in text]
    (upload,) = json.loads((tmp_path / "upload.json").read_text())["Uploads"]
    assert upload["ImageId"] in outputs[2]  # the search
    assert json.loads(outputs[3])["Status"] == "ANALYZED"
    assert json.loads(outputs[4])["Status"] == "SUCCEEDED"
    assert upload["ImageId"] in (tmp_path / "images.csv").read_text(encoding="utf-8")
    assert '"RuleId":"person-anywhere"' in outputs[6]
    assert '"PriceUsd":0.002' in outputs[7]
    assert api.call("GET", f"/images/{upload['ImageId']}", operator.access_token).status == 404
