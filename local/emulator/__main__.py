"""`python -m local.emulator --template FILE`: deploys a SAM template and serves its AWS services on this machine."""

import sys

from local.emulator.command import command_line, main
from local.emulator.program import Program

PROGRAM = Program(
    name="The emulator",
    module="local.emulator",
    description="Deploy a SAM template and serve the AWS services that it uses on one local endpoint.",
)

if __name__ == "__main__":
    sys.exit(main(PROGRAM, command_line(PROGRAM)))
