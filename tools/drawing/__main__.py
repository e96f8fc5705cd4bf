"""`python -m tools.drawing` draws the pictures in docs/. With `--check` it only compares them."""

import sys

from tools.drawing.pictures import main

if __name__ == "__main__":
    sys.exit(main())
