"""`python -m tools.drawing`: draws the pictures of docs/; `--check` compares them instead."""

import sys

from tools.drawing.pictures import main

if __name__ == "__main__":
    sys.exit(main())
