"""`python -m local.emulator.rekognition.models`: installs the embedded models; what is installed already stays as it is."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from local.emulator.rekognition.models.folder import ModelsFolder, default_folder
from local.emulator.rekognition.models.install import install


def parser() -> argparse.ArgumentParser:
    """The command line."""
    arguments = argparse.ArgumentParser(prog="python -m local.emulator.rekognition.models", description=__doc__)
    arguments.add_argument("--folder", type=Path, default=default_folder(), help="Where the models are kept. %(default)s")
    return arguments


def main() -> int:
    """Returns 0 when every model is installed, 1 when one isn't; each reason is one line on stderr."""
    problems = install(ModelsFolder(parser().parse_args().folder))
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
