"""The page's script in a browser: how it writes percentages."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from imagewatch.alerts.alert_text import percent
from local.viewer.app import STATIC

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
VALUES = [97.16, 97.1, 97, 99.99, 79.96, 0.3, 64.1, 4.35, 100, 0, 8.2, 55.05]


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the PATH")
def test_percentages_are_cut_as_in_the_messages(tmp_path: Path) -> None:
    definitions = re.findall(r"^const (?:cut|percent) = .*$", (STATIC / "viewer.js").read_text(), re.MULTILINE)
    assert len(definitions) == 2
    script = "\n".join([*definitions, f"document.body.textContent = JSON.stringify({VALUES}.map(percent));"])
    page = tmp_path / "page.html"
    page.write_text(f"<!doctype html><meta charset=utf-8><body><script>{script}</script></body>")
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    command = [str(CHROMIUM), *options, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", page.as_uri()]

    shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout

    found = re.search(r"<body>(.*?)</body>", shown, re.DOTALL)
    assert found
    assert json.loads(found[1]) == [percent(value) for value in VALUES]
