"""The engine's options on a command line: what they make, and a clear sentence for what doesn't fit together."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from local.emulator.rekognition.errors import EngineSetup
from local.emulator.rekognition.models.folder import default_folder
from local.emulator.rekognition.onnx_model import Normalisation
from local.emulator.rekognition.options import EngineOptions, add_engine_options, engine_options


def parsed(*arguments: str) -> EngineOptions:
    parser = argparse.ArgumentParser()
    add_engine_options(parser)
    return engine_options(parser.parse_args(arguments))


def test_without_options_the_installed_models_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EYES", raising=False)
    assert parsed() == EngineOptions(models=default_folder())


@pytest.mark.parametrize(("arguments", "variable"), [(["--eyes", "small"], None), ([], "small"), (["--eyes", "small"], "full")])
def test_small_eyes_use_no_models(monkeypatch: pytest.MonkeyPatch, arguments: list[str], variable: str | None) -> None:
    monkeypatch.setenv("EYES", variable or "")
    options = parsed(*arguments)
    assert options.models is None
    assert options.engine().versions == {
        "labels": "local-opencv-1",
        "moderation": "none",
        "text": "none",
        "faces": "none",
        "collections": "local-pixels-1 (same photo only)",
    }


def test_an_unknown_value_of_eyes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EYES", "smal")
    with pytest.raises(EngineSetup, match=r"EYES is 'smal'\. It must be small or full"):
        parsed()


def test_one_of_mean_and_deviation_leaves_the_other_at_imagenets_value() -> None:
    assert parsed("--model", "m.onnx", "--mean", "0.5,0.5,0.5").normalisation == Normalisation(mean=(0.5, 0.5, 0.5))
    assert parsed("--model", "m.onnx").normalisation is None


@pytest.mark.parametrize("options", [EngineOptions(labels=Path("names.txt")), EngineOptions(normalisation=Normalisation())])
def test_options_of_a_model_need_a_model(options: EngineOptions) -> None:
    with pytest.raises(EngineSetup, match="--model"):
        options.engine()


@pytest.mark.parametrize("value", ["0.5", "0.5,0.5", "a,b,c", "1,2,3,4", ""])
def test_a_mean_that_is_not_three_numbers_is_refused(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed("--mean", value)
    assert "three numbers, such as 0.5,0.5,0.5" in capsys.readouterr().err
