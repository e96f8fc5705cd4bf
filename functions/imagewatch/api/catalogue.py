"""Every operation of the API."""

from __future__ import annotations

from imagewatch.api import account, alerts, channels, export, images, labels, root, stats, uploads, watchlist

OPERATIONS = (
    *uploads.OPERATIONS,
    *images.OPERATIONS,
    *watchlist.OPERATIONS,
    *alerts.OPERATIONS,
    *channels.OPERATIONS,
    *labels.OPERATIONS,
    *stats.OPERATIONS,
    *export.OPERATIONS,
    *account.OPERATIONS,
)
"""Those that need an access token."""

PUBLIC_OPERATIONS = root.OPERATIONS
