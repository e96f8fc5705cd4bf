"""An emulator of the AWS services that a SAM template uses, on this machine. README.md lists what matches AWS."""
