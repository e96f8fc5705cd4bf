"""Cold start: CPU of a new process before a function's first AWS call, compared with a process that has only boto3."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence

from bench.in_process import ROOT, recorded
from bench.spread import milliseconds, paired_ratio
from bench.tables import Table

GOAL = 1.15
ROUNDS = 9
RUNTIME = "3.13"
# Optional parts of urllib3 and botocore that the development tools install. Lambda's runtime and functions/requirements.txt
# do not have them, and they would make the floor higher.
ABSENT = ("OpenSSL", "awscrt")
DECODERS = "imagewatch.images.decoding"

_BEGIN = "import sys, time\nfor name in {absent}: sys.modules[name] = None\nbegun = time.process_time()\n"
_END = "\nprint(time.process_time() - begun)"
_FLOOR = "import boto3\nfor service in {services}: boto3.client(service)"
_FUNCTION = "import {module}\nfrom imagewatch.aws.clients import client\nfor service in {services}: client(service)"
_DECODERS = (
    "import pi_heif\nfrom PIL import AvifImagePlugin, BmpImagePlugin, GifImagePlugin, Image, ImageFile, ImageOps\n"
    "from PIL import JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin\n"
)
_STAND_IN = f"""\
import types, imagewatch.images
sys.modules['{DECODERS}'] = imagewatch.images.decoding = types.ModuleType('{DECODERS}')
"""


def table(rounds: int = ROUNDS) -> Table:
    """One row for each function: CPU milliseconds of its start and of its floor, and the ratio of neighbouring runs."""
    with recorded() as bench:
        services = {name: recording.services for name, recording in bench.recordings.items()}
    programs = {name: (_floor(needed), _function(name, needed)) for name, needed in services.items()}
    floor, function = programs["validate_image"]
    programs["validate_image, floor with its decoders"] = (_DECODERS + floor, function)
    programs["validate_image, without its decoders"] = (floor, _STAND_IN + function)
    taken = _interleaved(programs, rounds)
    rows = [_row(name, services.get(name.split(",")[0], []), *taken[name]) for name in programs]
    return Table(
        f"Cold start: CPU ms to import a function and make its clients, {rounds} alternating runs, median (minimum-maximum)",
        ("function", "clients", "floor: boto3 and bare clients", "function", "ratio", f"goal: at most {GOAL}"),
        rows,
        ("Ratio: the median of the ratios of neighbouring runs. The interpreter's own start is not included; .pyc files exist.",
         "Decoders: Pillow with its plug-ins, and pi_heif.",
         f"Measured with Python {platform.python_version()}. Lambda runs {RUNTIME}; deep imports are slower in 3.11."),
    )  # fmt: skip


def _row(name: str, services: Sequence[str], floor: Sequence[float], function: Sequence[float]) -> tuple[str, ...]:
    ratio = paired_ratio(function, floor)
    verdict = "met" if ratio <= GOAL else "missed"
    return name, ", ".join(services), milliseconds(floor), milliseconds(function), f"{ratio:.2f}", verdict


def _floor(services: Sequence[str]) -> str:
    return _FLOOR.format(services=tuple(services))


def _function(module: str, services: Sequence[str]) -> str:
    return _FUNCTION.format(module=module, services=tuple(services))


def _interleaved(programs: Mapping[str, tuple[str, str]], rounds: int) -> dict[str, tuple[list[float], list[float]]]:
    """CPU seconds of each program's floor and function. They alternate, so that a busy moment affects both."""
    taken: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in programs}
    for number in range(rounds + 1):
        for name, pair in programs.items():
            for program, results in zip(pair, taken[name], strict=True):
                seconds = _cpu_seconds(program)
                if number:  # the first round fills the disk cache and writes .pyc files
                    results.append(seconds)
    return taken


def _cpu_seconds(program: str) -> float:
    keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    regions = {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}
    # Where .pyc files are switched off, our modules would be compiled at each start, and boto3's would not.
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    finished = subprocess.run(
        [sys.executable, "-c", _BEGIN.format(absent=ABSENT) + program + _END],
        cwd=ROOT / "functions",
        env={**inherited, **keys, **regions},
        check=True,
        capture_output=True,
        text=True,
    )
    return float(finished.stdout.split()[-1])
