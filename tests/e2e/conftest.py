"""Builds the functions with SAM and runs them in SAM's containers, with a running local stack in place of AWS.

When the machine lacks something (a container engine, the SAM CLI, the Lambda base image, the template's Python), the tests are
skipped, and the reason says what to install.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local.sam_environment import endpoint_from_container, environments, with_declared_variables
from local.viewer.stack import Stack
from tests.local.running_stack import RunningStack, started
from tools.sam_template import load_template

ROOT = Path(__file__).parents[2]
SECONDS_TO_BUILD = 300
SECONDS_TO_INVOKE = 180  # the first one also builds SAM's layer on the base image
SECONDS_TO_ASK = 180  # the base image may have to be downloaded


@dataclass(frozen=True)
class Build:
    """The output of `sam build`: a folder for each function, and the template."""

    folder: Path
    functions: tuple[str, ...]

    @property
    def template(self) -> Path:
        return self.folder / "template.yaml"


@dataclass(frozen=True)
class SamLocal:
    """Runs built functions in containers. `declaring` is the built template that also declares the endpoint."""

    command: str
    declaring: Path
    variables: Path

    def invoke(self, function: str, event: str) -> Any:
        """The function's result. SAM exits with 0 even when a handler fails, so the output is checked."""
        path = ROOT / "events" / f"{event}.json"
        options = ["--template", str(self.declaring), "--event", str(path), "--env-vars", str(self.variables)]
        done = _run([self.command, "local", "invoke", function, *options, "--skip-pull-image"], SECONDS_TO_INVOKE)
        try:
            result = json.loads(done.stdout)
        except ValueError:
            pytest.fail(f"{function} returned no JSON: {done.stdout[-1000:]!r}\n{done.stderr[-3000:]}")
        assert "errorMessage" not in (result or {}), f"{function} failed: {result}\n{done.stderr[-3000:]}"
        return result


@pytest.fixture(scope="session")
def runtime() -> str:
    """The runtime of all functions in the template, such as python3.13."""
    resources = load_template(ROOT / "template.yaml", {}).resources.values()
    (runtime,) = {item["Properties"]["Runtime"] for item in resources if item["Type"] == "AWS::Lambda::Function"}
    return str(runtime)


@pytest.fixture(scope="session")
def sam_command() -> str:
    beside = Path(sys.executable).parent / "sam"
    found = str(beside) if beside.exists() else shutil.which("sam")
    return found or pytest.skip("The SAM CLI is not installed. `make test` installs it into .venv.")


@pytest.fixture(scope="session")
def build(sam_command: str, runtime: str, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Runs `sam build` outside of the checkout."""
    python = _folder_of(runtime)
    if python is None:
        pytest.skip(f"`sam build` needs {runtime}, which is neither on the PATH nor among pyenv's versions.")
    folder = tmp_path_factory.mktemp("sam")
    places = ["--build-dir", str(folder / "build"), "--cache-dir", str(folder / "cache"), "--no-cached"]
    done = _run([sam_command, "build", *places], SECONDS_TO_BUILD, PATH=f"{python}{os.pathsep}{os.environ['PATH']}")
    assert done.returncode == 0, done.stderr[-3000:]
    functions = tuple(sorted(path.name for path in (folder / "build").iterdir() if path.is_dir()))
    return Build(folder / "build", functions)


@pytest.fixture(scope="session")
def host_from_container(runtime: str) -> str:
    """This machine's address as containers see it. Requires an engine that has the Lambda base image."""
    image = f"public.ecr.aws/lambda/python:{runtime.removeprefix('python')}-x86_64"
    try:
        done = _run([sys.executable, "-m", "tests.e2e.engine", image], SECONDS_TO_ASK)
    except subprocess.TimeoutExpired:
        pytest.skip(f"The container engine did not provide {image} within {SECONDS_TO_ASK} seconds.")
    return done.stdout if done.returncode == 0 else pytest.skip(done.stderr.strip()[-300:])


@pytest.fixture(scope="session")
def reachable_stack(host_from_container: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A local stack that also listens at an address that containers reach."""
    with started(tmp_path_factory.mktemp("stack"), "--host", "0.0.0.0") as running:  # noqa: S104 - for as long as the tests run
        yield running


@pytest.fixture(scope="session")
def sam(
    sam_command: str,
    host_from_container: str,
    build: Build,
    reachable_stack: RunningStack,
    tmp_path_factory: pytest.TempPathFactory,
) -> SamLocal:
    """`sam local invoke`, prepared as docs/sam-local.md describes."""
    endpoint = endpoint_from_container(reachable_stack.endpoint, host_from_container)
    variables = tmp_path_factory.mktemp("environment") / "env.json"
    variables.write_text(json.dumps(environments(Stack(reachable_stack.endpoint), endpoint)))
    declaring = build.folder / "local.yaml"
    declaring.write_text(with_declared_variables(build.template.read_text()))
    return SamLocal(sam_command, declaring, variables)


def _folder_of(python: str) -> Path | None:
    """The folder of that Python: on the PATH if it runs (pyenv's shims may not), or among pyenv's versions."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates = [Path(found)] if (found := shutil.which(python)) else []
    candidates += sorted(root.glob(f"versions/{python.removeprefix('python')}.*/bin/{python}"), reverse=True)
    for candidate in candidates:
        if subprocess.run([candidate, "--version"], capture_output=True, check=False).returncode == 0:
            return candidate.parent
    return None


def _run(command: list[str], seconds: float, **more: str) -> subprocess.CompletedProcess[str]:
    """Runs a command without the developer's AWS credentials and region."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= {"SAM_CLI_TELEMETRY": "0", "AWS_EC2_METADATA_DISABLED": "true", "AWS_DEFAULT_REGION": "us-east-1", **more}
    return subprocess.run(
        command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, check=False
    )
