"""The pictures in docs/ agree with the workflow and the template, and need no other file."""

from __future__ import annotations

import copy
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tools.drawing import pictures
from tools.drawing.system_facts import confirm
from tools.drawing.system_table import STATE_MACHINE
from tools.drawing.workflow_graph import DrawingError, Machine, options_of, read_machine
from tools.drawing.workflow_picture import draw_workflow
from tools.sam_template import Template

from .conftest import ROOT, State, all_states, tasks

SVG = "{http://www.w3.org/2000/svg}"
PICTURES = sorted((ROOT / "docs").glob("*.svg"))


@pytest.fixture
def definition(workflow: State) -> State:
    return copy.deepcopy(workflow)


@pytest.fixture
def machine(definition: State, template: Template) -> Machine:
    return read_machine(definition, options_of(template.body, STATE_MACHINE))


def parse(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)  # noqa: S314 - our own file


def words(svg: str) -> set[str]:
    """The visible words of a picture, without tooltips and descriptions."""
    return {element.text or "" for element in parse(svg).iter(f"{SVG}text")}


def test_the_pictures_show_what_is_there() -> None:
    assert pictures.outdated() == []


def test_check_names_the_picture_that_is_out_of_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = pictures.pictures()
    for path, svg in drawn.items():
        (tmp_path / path.name).write_text(svg, encoding="utf-8")
    (tmp_path / "system.svg").write_text("<svg/>", encoding="utf-8")
    monkeypatch.setattr(pictures, "pictures", lambda: {tmp_path / path.name: svg for path, svg in drawn.items()})
    assert pictures.outdated() == ["system.svg"]


def test_it_runs_as_a_script_and_draws_the_same_bytes_in_another_process() -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "tools.drawing", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (finished.returncode, finished.stderr) == (0, "")


def test_every_state_is_in_the_picture_of_the_workflow(workflow: State) -> None:
    assert set(all_states(workflow)) <= words((ROOT / "docs" / "workflow.svg").read_text(encoding="utf-8"))


def test_every_task_is_in_the_picture_of_the_system(workflow: State) -> None:
    assert set(tasks(workflow)) <= words((ROOT / "docs" / "system.svg").read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)
def test_a_picture_is_well_formed_and_needs_nothing_from_elsewhere(path: Path) -> None:
    svg = path.read_text(encoding="utf-8")
    root = parse(svg)
    assert root.tag == f"{SVG}svg"
    assert re.findall(r"https?://[^\"<\s]+", svg) == ["http://www.w3.org/2000/svg"]  # the namespace: a name, never fetched
    assert not re.search(r"href|@import|url\(|<script|<image|<foreignObject", svg)


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)
def test_nothing_is_drawn_outside_the_panel(path: Path) -> None:
    root = parse(path.read_text(encoding="utf-8"))
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for shape in root.iter(f"{SVG}rect"):
        x, y, wide, high = (float(shape.attrib[name]) for name in ("x", "y", "width", "height"))
        assert 0 <= x + wide <= width
        assert y + high <= height


def test_a_new_state_appears_by_itself(definition: State, template: Template) -> None:
    definition["States"]["Archive Image"] = {"Type": "Task", "Next": "Analyzed"}
    definition["States"]["Send Alert"]["Next"] = "Archive Image"
    assert "Archive Image" in words(draw_workflow(read_machine(definition, options_of(template.body, STATE_MACHINE))))


def test_a_loop_is_refused_by_name(definition: State, template: Template) -> None:
    definition["States"]["Store Analysis"]["Next"] = "Validate Image"
    with pytest.raises(DrawingError, match="leads back to"):
        draw_workflow(read_machine(definition, options_of(template.body, STATE_MACHINE)))


def test_a_resource_that_is_gone_is_named(machine: Machine, template: Template) -> None:
    resources = {name: resource for name, resource in template.resources.items() if name != "DeadLetterQueue"}
    with pytest.raises(DrawingError, match="DeadLetterQueue is drawn, but isn't in the template"):
        confirm(resources, machine)


def test_a_connection_that_is_gone_is_named(machine: Machine, template: Template) -> None:
    resources = copy.deepcopy(template.resources)
    resources["SendAlertRole"]["Properties"]["Policies"] = []
    resources["SendAlertFunction"]["Properties"]["Environment"] = {}
    with pytest.raises(DrawingError, match="Send Alert and AlertsTopic are drawn as connected"):
        confirm(resources, machine)


def test_a_task_without_a_place_is_named(definition: State, template: Template) -> None:
    definition["States"]["Archive Image"] = {"Type": "Task", "Next": "Analyzed"}
    definition["States"]["Send Alert"]["Next"] = "Archive Image"
    with pytest.raises(DrawingError, match='task "Archive Image" isn\'t drawn'):
        confirm(template.resources, read_machine(definition, options_of(template.body, STATE_MACHINE)))
