"""The client runs where only its own requirements are installed: a camera host has no Powertools and no Pillow."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path

from setuptools import find_packages

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

_EVERY_MODULE = """
import importlib, pkgutil, sys

class Absent:
    missing = set({missing!r})
    def find_spec(self, name, path=None, target=None):
        if name in self.missing:
            raise ModuleNotFoundError("No module named " + repr(name), name=name)

sys.meta_path.insert(0, Absent())
sys.path[:0] = {paths!r}
import uploader
for module in pkgutil.walk_packages(uploader.__path__, "uploader."):
    if module.name != "uploader.__main__":
        importlib.import_module(module.name)
import click
from uploader.cli import imagewatch
from imagewatch.rules.vocabulary import suggestions
assert suggestions("persn")
imagewatch.get_help(click.Context(imagewatch))
"""


def import_all_without(missing: list[str]) -> None:
    """Loads all of the client where these modules can't be loaded."""
    paths = [str(ROOT), str(ROOT / "functions")]
    command = [sys.executable, "-c", _EVERY_MODULE.format(paths=paths, missing=missing)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def required(names: list[str]) -> set[str]:
    """The distributions that these requirements bring, with all that they require themselves."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = normal(re.split(r"[^\w.-]", waiting.pop())[0])
        if name in found:
            continue
        found.add(name)
        try:
            requires = distribution(name).requires or []
        except PackageNotFoundError:  # of another platform
            continue
        waiting += [one for one in requires if "extra ==" not in one]
    return found


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_client_needs_nothing_but_its_requirements() -> None:
    allowed = required(PROJECT["project"]["dependencies"])
    missing = [top for top, owners in packages_distributions().items() if not {normal(owner) for owner in owners} & allowed]
    assert "aws_lambda_powertools" in missing
    assert "yaml" in missing
    assert "ruamel" not in missing
    ours = {"uploader", "imagewatch"}
    import_all_without([*(set(missing) - ours), "imagewatch.aws", "imagewatch.observability"])


def test_the_package_has_the_domain_and_its_data_but_nothing_that_talks_to_aws() -> None:
    find = PROJECT["tool"]["setuptools"]["packages"]["find"]
    packages = find_packages(str(ROOT / "functions"), include=find["include"])
    assert {"imagewatch", "imagewatch.alerts", "imagewatch.images", "imagewatch.rules"} <= set(packages)
    assert not [name for name in packages if name.startswith(("imagewatch.aws", "imagewatch.services"))]
    listed = PROJECT["tool"]["setuptools"]["package-data"]
    for name in packages:
        folder = ROOT / "functions" / name.replace(".", "/")
        data = {path.suffix for path in folder.iterdir() if path.is_file()} - {".py"}
        assert {f"*{suffix}" for suffix in data} == set(listed.get(name, ())), name
