"""`sam build`: the package for Lambda."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from .conftest import ROOT, Build

MEGABYTE = 1_000_000
LARGEST_UNPACKED, LARGEST_ZIPPED = 40, 15  # MB; Lambda allows 250 and 50, but a larger package starts more slowly


def test_sam_builds_every_function_with_its_handler_and_the_package(build: Build) -> None:
    assert len(build.functions) == len(list((ROOT / "events").glob("*.json")))
    for function in build.functions:
        handler = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in function).strip("_")
        folder = build.folder / function
        assert (folder / f"{handler.removesuffix('_function')}.py").is_file()
        assert (folder / "imagewatch" / "aws" / "tables" / "images.py").is_file()


def test_the_package_leaves_out_what_the_runtime_provides(build: Build) -> None:
    bundled = {path.name for path in (build.folder / build.functions[0]).iterdir()}

    assert {"PIL", "pi_heif", "aws_lambda_powertools"} <= bundled
    assert not bundled & {"boto3", "botocore", "tests", "local"}


def test_the_package_stays_small_zipped_and_unpacked(build: Build, tmp_path: Path) -> None:
    sizes = {}
    folder = build.folder / build.functions[0]  # all functions share one CodeUri
    archive = tmp_path / "function.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        for path in sorted(folder.rglob("*")):
            zipped.write(path, path.relative_to(folder))
    sizes["zipped"] = archive.stat().st_size / MEGABYTE
    sizes["unpacked"] = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / MEGABYTE

    assert sizes["unpacked"] <= LARGEST_UNPACKED, json.dumps(sizes)
    assert sizes["zipped"] <= LARGEST_ZIPPED, json.dumps(sizes)
