"""Throughput of the local stack as its library grows: images a second, latency, CPU for each image and memory by process.

Memory is PSS, which counts pages that processes share once. Rekognition's answers are recorded.
"""

from __future__ import annotations

import io
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from PIL import Image

from bench import answers
from bench.stack import REPOSITORY, Stack, started
from bench.tables import Table
from imagewatch.images.version import image_id

LABELS = 12
UPLOADS_AT_ONCE = 8
SIDE = 1280  # pixels
SAMPLE = 100  # records of each stage from which latencies are taken


@dataclass(frozen=True)
class Stage:
    """The growth from one size of the library to the next."""

    before: int
    after: int
    seconds: float
    server_cpu: float
    workers_cpu: float
    latencies: list[float]
    memory: dict[str, float]

    @property
    def images(self) -> int:
        return self.after - self.before


def measure(sizes: Sequence[int], side: int = SIDE) -> tuple[list[Stage], float]:
    """Grows one stack's library to each size. Returns the stages and the seconds until the stack was ready."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        base = _photo(side)
        for number in range(max(sizes) + 1):
            answers.record(_variant(base, number), LABELS, root / "recorded")
        with started(root, recorded=root / "recorded") as stack:
            _upload(stack, base, range(max(sizes), max(sizes) + 1))
            _wait(stack, 1)
            stages, before = [], 0
            for size in sorted(sizes):
                stages.append(_stage(stack, base, before, size))
                print(f"throughput: the library has {size:,} images", file=sys.stderr, flush=True)
                before = size
            return stages, stack.ready_seconds


def table(stages: Sequence[Stage], ready_seconds: float) -> Table:
    rows = []
    for stage in stages:
        latencies = sorted(stage.latencies)
        total = sum(stage.memory.values())
        rows.append(
            (
                f"{stage.before:,} to {stage.after:,}",
                f"{stage.images / stage.seconds:.1f}",
                f"{1000 * stage.server_cpu / stage.images:.0f}",
                f"{1000 * stage.workers_cpu / stage.images:.0f}",
                f"{(stage.server_cpu + stage.workers_cpu) / stage.images / _first(stages):.2f}",
                f"{statistics.median(latencies):.2f} / {latencies[len(latencies) * 95 // 100]:.2f}",
                f"{stage.memory['server']:.0f} + {stage.memory['fork server']:.0f} + {stage.memory['workers']:.0f}",
                f"{total:.0f}",
            )
        )
    columns = ("library", "images/s", "CPU ms/image, server", "workers", "CPU / first stage", "latency s, p50 / p95")
    notes = [f"Ready after {ready_seconds:.1f} s. The client that uploads shares the machine's {os.cpu_count()} cores."]
    if len(stages) > 1:
        notes.append(f"The server's memory grew by {_growth(stages):.0f} KB for each image after the first stage.")
    return Table(
        "Local throughput as the library grows",
        (*columns, "PSS MB, server + fork server + workers", "all"),
        rows,
        notes,
    )


def _first(stages: Sequence[Stage]) -> float:
    return (stages[0].server_cpu + stages[0].workers_cpu) / stages[0].images


def _growth(stages: Sequence[Stage]) -> float:
    grown = stages[-1].memory["server"] - stages[0].memory["server"]
    return 1024 * grown / (stages[-1].after - stages[0].after)


def _photo(side: int) -> bytes:
    base = Image.open(REPOSITORY / "samples" / "rocket-on-launch-pad.jpg").convert("RGB").resize((side, side * 2 // 3))
    content = io.BytesIO()
    base.save(content, "JPEG", quality=88)
    return content.getvalue()


def _variant(base: bytes, number: int) -> bytes:
    """A different file of the same picture. Bytes after a JPEG's end are not decoded."""
    return base + number.to_bytes(8, "big")


def _stage(stack: Stack, base: bytes, before: int, after: int) -> Stage:
    pid = stack.process.pid
    server, workers = cpu_seconds(pid)
    begun = time.monotonic()
    _upload(stack, base, range(before, after))
    _wait(stack, after + 1)
    took = time.monotonic() - begun
    server_after, workers_after = cpu_seconds(pid)
    step = max(1, (after - before) // SAMPLE)
    latencies = [_latency(stack, number) for number in range(before, after, step)]
    return Stage(before, after, took, server_after - server, workers_after - workers, latencies, memory(pid))


def _upload(stack: Stack, base: bytes, numbers: range) -> None:
    s3, bucket = stack.client("s3"), stack.outputs["ImagesBucketName"]

    def put(number: int) -> None:
        s3.put_object(Bucket=bucket, Key=_key(number), Body=_variant(base, number))

    with ThreadPoolExecutor(UPLOADS_AT_ONCE) as pool:
        list(pool.map(put, numbers))


def _wait(stack: Stack, count: int) -> None:
    """Returns when `count` executions have started and none runs. Raises TimeoutError after a minute and 2 s for each."""
    deadline = time.monotonic() + 60 + 2 * count
    while time.monotonic() < deadline:
        found = stack.executions()
        if found.get("started", 0) >= count and found["running"] == 0:
            return
        time.sleep(0.1)
    raise TimeoutError(f"{count} executions should have ended; the stack counts {found}.")


def _latency(stack: Stack, number: int) -> float:
    """Seconds from the upload to the end of the analysis. Raises RuntimeError for an image that was not analysed."""
    key = {"ImageId": {"S": image_id(stack.outputs["ImagesBucketName"], _key(number))}}
    record = stack.client("dynamodb").get_item(TableName=stack.outputs["ImagesTableName"], Key=key)["Item"]
    if record["Status"]["S"] != "ANALYZED":
        raise RuntimeError(f"{_key(number)} ended as {record['Status']['S']}: {record.get('Reason')}")
    return _instant(record["AnalyzedAt"]["S"]) - _instant(record["UploadedAt"]["S"])


def _instant(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _key(number: int) -> str:
    return f"uploads/bench/{number:06}.jpg"


def processes(pid: int) -> list[int]:
    """Process ids of the server, its fork server and the workers."""
    found = [pid]
    for parent in found:
        for thread in Path(f"/proc/{parent}/task").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):  # a thread ended meanwhile
                children = (thread / "children").read_text(encoding="utf-8").split()
                found += [int(child) for child in children if int(child) not in found]
    return sorted(found)


def memory(pid: int) -> dict[str, float]:
    """PSS in MB of the server, the fork server, and all workers together."""
    totals = {"server": 0.0, "fork server": 0.0, "workers": 0.0}
    for process in processes(pid):
        rollup = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="utf-8")
        kilobytes = next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
        name = "server" if process == pid else "fork server" if int(_stat(process)[1]) == pid else "workers"
        totals[name] += kilobytes / 1024
    return totals


def cpu_seconds(pid: int) -> tuple[float, float]:
    """User and system time in seconds: (the server's, that of all other processes of the stack)."""
    ticks: dict[bool, int] = {True: 0, False: 0}
    for process in processes(pid):
        fields = _stat(process)
        ticks[process == pid] += int(fields[11]) + int(fields[12])
    return ticks[True] / os.sysconf("SC_CLK_TCK"), ticks[False] / os.sysconf("SC_CLK_TCK")


def _stat(process: int) -> list[Any]:
    """/proc/<pid>/stat from the third field on: state, parent, ..."""
    return Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
