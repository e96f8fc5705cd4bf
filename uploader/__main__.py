"""`python -m uploader` is the command `imagewatch`, for a checkout that isn't installed."""

from __future__ import annotations

import sys

from uploader.cli import main

sys.exit(main())
