"""What the local stack costs: images a second in a burst, latency, and memory by process, with recorded Rekognition answers.

    .venv/bin/python bench/local_throughput.py --images 200

Starts a stack of its own on free ports, so that a running one isn't disturbed. Memory is PSS (shared pages counted once).
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import boto3
from PIL import Image

REPOSITORY = Path(__file__).resolve().parents[1]
CREDENTIALS = {"aws_access_key_id": "local", "aws_secret_access_key": "local", "region_name": "us-east-1"}


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--images", type=int, default=200, help="How many images in the burst.")
    options.add_argument("--uploads", type=int, default=8, help="Uploads at the same time.")
    options.add_argument("--side", type=int, default=1280, help="Pixels of the long side.")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        images = make_images(chosen.images, chosen.side)
        record_answers(images, root / "recorded")
        process, endpoint, ready_seconds = start_stack(root)
        try:
            return measure(endpoint, images, chosen.uploads, process.pid, ready_seconds)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=20)


def make_images(count: int, side: int) -> list[bytes]:
    """Distinct JPEGs of some 100-200 kB: one photograph with a different patch in each."""
    base = Image.open(REPOSITORY / "samples" / "rocket-on-launch-pad.jpg").convert("RGB").resize((side, side * 2 // 3))
    images = []
    for number in range(count):
        picture = base.copy()
        colour = random.Random(number).randbytes(3)
        picture.paste(tuple(colour), (number % 64, number // 64, number % 64 + 40, number // 64 + 40))
        content = io.BytesIO()
        picture.save(content, "JPEG", quality=88)
        images.append(content.getvalue())
    return images


def record_answers(images: list[bytes], folder: Path) -> None:
    """A plausible answer for each image: a dozen labels, three of them with boxes."""
    folder.mkdir()
    box = {"Left": 0.1, "Top": 0.2, "Width": 0.3, "Height": 0.4}
    labels: list[dict[str, Any]] = [
        {
            "Name": f"Label {number}",
            "Confidence": 99.0 - number * 3,
            "Instances": [{"BoundingBox": box, "Confidence": 98.0}] if number < 3 else [],
            "Parents": [{"Name": "Vehicle"}, {"Name": "Transportation"}],
            "Aliases": [{"Name": f"Alias {number}"}],
            "Categories": [{"Name": "Vehicles and Automotive"}],
        }
        for number in range(12)
    ]
    answer = {
        "DetectLabels": {"Labels": labels, "LabelModelVersion": "3.0"},
        "DetectModerationLabels": {"ModerationLabels": [], "ModerationModelVersion": "7.0"},
    }
    for image in images:
        (folder / f"{hashlib.sha256(image).hexdigest()}.json").write_text(json.dumps(answer), encoding="utf-8")


def start_stack(root: Path) -> tuple[subprocess.Popen[bytes], str, float]:
    started = time.monotonic()
    command = [sys.executable, "-m", "local", "--port", "0", "--web-port", "0", "--state", str(root / "state")]
    process = subprocess.Popen([*command, "--recorded", str(root / "recorded")], cwd=REPOSITORY)
    endpoint = ""
    while not endpoint or (health(endpoint) or {}).get("status") != "ok":
        if process.poll() is not None or time.monotonic() - started > 60:
            raise SystemExit("the local stack didn't start")
        time.sleep(0.05)
        written = root / "state" / "endpoint"
        endpoint = written.read_text(encoding="utf-8") if written.exists() else ""
    return process, endpoint, time.monotonic() - started


def health(endpoint: str) -> dict[str, Any] | None:
    try:
        with urllib.request.urlopen(f"{endpoint}/_local/health", timeout=5) as answer:
            return dict(json.load(answer))
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return None


def measure(endpoint: str, images: list[bytes], uploads: int, pid: int, ready_seconds: float) -> int:
    client = boto3.Session(**CREDENTIALS).client
    stack = client("cloudformation", endpoint_url=endpoint).describe_stacks(StackName="imagewatch")["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    s3 = client("s3", endpoint_url=endpoint)
    bucket = outputs["ImagesBucketName"]
    first = time.monotonic()
    s3.put_object(Bucket=bucket, Key="uploads/bench/first.jpg", Body=images[0])
    wait_for_executions(endpoint, 1)
    first_seconds = time.monotonic() - first
    cpu_before = cpu_seconds(pid)
    started = time.monotonic()
    with ThreadPoolExecutor(uploads) as pool:
        keys = [f"uploads/bench/{number:05}.jpg" for number in range(len(images))]
        list(pool.map(lambda item: s3.put_object(Bucket=bucket, Key=item[0], Body=item[1]), zip(keys, images, strict=True)))
    uploaded = time.monotonic() - started
    wait_for_executions(endpoint, len(images) + 1)
    took = time.monotonic() - started
    server, others = (after - before for before, after in zip(cpu_before, cpu_seconds(pid), strict=True))
    records = table_rows(client("dynamodb", endpoint_url=endpoint), outputs["ImagesTableName"])
    report(records, len(images), took, uploaded, first_seconds, ready_seconds, (server, others), memory(pid))
    return 0 if sum(row["Status"]["S"] == "ANALYZED" for row in records) == len(images) + 1 else 1


def wait_for_executions(endpoint: str, count: int) -> None:
    """Until that many executions have started and none is running; gives up after five minutes."""
    end = time.monotonic() + 300
    while time.monotonic() < end:
        found = (health(endpoint) or {}).get("components", {}).get("executions", {})
        if found.get("started", 0) >= count and found["running"] == 0:
            return
        time.sleep(0.1)
    raise SystemExit(f"after five minutes the executions were {found}")


def table_rows(dynamodb: Any, table: str) -> list[dict[str, Any]]:
    pages = dynamodb.get_paginator("scan").paginate(TableName=table)
    return [row for page in pages for row in page["Items"]]


def processes(pid: int) -> list[int]:
    """The server, its fork server and the workers."""
    found = [pid]
    for parent in found:
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="utf-8").split()
        found += [int(child) for child in children]
    threads = Path(f"/proc/{pid}/task").iterdir()
    for thread in threads:
        found += [int(child) for child in (thread / "children").read_text(encoding="utf-8").split()]
    return sorted(set(found))


def memory(pid: int) -> dict[str, float]:
    """PSS in MB by process: the server, the fork server, and all workers together."""
    totals: dict[str, float] = {"server": 0.0, "fork server": 0.0, "workers": 0.0}
    everyone = processes(pid)
    for process in everyone:
        rollup = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="utf-8")
        kilobytes = next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
        parent = int(Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[1])
        name = "server" if process == pid else "fork server" if parent == pid else "workers"
        totals[name] += kilobytes / 1024
    totals["processes"] = len(everyone)
    return totals


def cpu_seconds(pid: int) -> tuple[float, float]:
    """User and system time in seconds: the server's, and that of all other processes of the stack."""
    server = others = 0
    for process in processes(pid):
        fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
        ticks = int(fields[11]) + int(fields[12])
        server, others = (server + ticks, others) if process == pid else (server, others + ticks)
    return server / os.sysconf("SC_CLK_TCK"), others / os.sysconf("SC_CLK_TCK")


def report(
    records: list[dict[str, Any]],
    count: int,
    took: float,
    uploaded: float,
    first: float,
    ready: float,
    cpu: tuple[float, float],
    pss: dict[str, float],
) -> None:
    done = [row for row in records if "AnalyzedAt" in row]
    latencies = sorted(instant(row["AnalyzedAt"]["S"]) - instant(row["UploadedAt"]["S"]) for row in done)
    rows = [
        ("ready after", f"{ready:.1f} s"),
        ("first image", f"{first:.2f} s"),
        ("burst", f"{count} images in {took:.1f} s (uploads took {uploaded:.1f} s)"),
        ("throughput", f"{count / took:.1f} images/s"),
        ("CPU, server / workers", f"{1000 * cpu[0] / count:.0f} / {1000 * cpu[1] / count:.0f} ms an image"),
        ("latency p50 / p95", f"{statistics.median(latencies):.2f} s / {latencies[len(latencies) * 95 // 100]:.2f} s"),
        ("memory, server", f"{pss['server']:.0f} MB"),
        ("memory, fork server", f"{pss['fork server']:.0f} MB"),
        ("memory, workers", f"{pss['workers']:.0f} MB in {pss['processes'] - 2:.0f} processes"),
        ("memory, all", f"{pss['server'] + pss['fork server'] + pss['workers']:.0f} MB PSS"),
    ]
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name:<{width}}  {value}")


def instant(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


if __name__ == "__main__":
    sys.exit(main())
