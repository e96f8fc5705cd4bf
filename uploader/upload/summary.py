"""What an upload command has done so far: the one place that the summary, the JSON and the exit code are read from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from uploader.errors import INTERRUPTED_EXIT_CODE
from uploader.upload.discovery import LeftOut
from uploader.upload.follow import Analysis
from uploader.upload.plan import PlannedUpload
from uploader.upload.transfer import Outcome, Uploaded


@dataclass
class Results:
    """Grows while the command runs. `planned` is what was to be sent, in order; `waited` whether --wait was asked."""

    planned: list[PlannedUpload]
    failed: list[LeftOut]
    skipped: list[LeftOut]
    waited: bool = False
    interrupted: bool = False
    never_sent: list[LeftOut] = field(default_factory=list)
    _failed_keys: set[str] = field(default_factory=set)
    _uploaded: dict[str, Uploaded] = field(default_factory=dict)
    _analyses: dict[str, Analysis] = field(default_factory=dict)

    def add(self, outcome: Outcome) -> LeftOut | None:
        """Takes in how one upload ended; gives it back when it failed."""
        if isinstance(outcome, Uploaded):
            self._uploaded[outcome.key] = outcome
            return None
        self._failed_keys.add(outcome.key)
        failure = LeftOut(str(outcome.path), outcome.reason)
        self.failed.append(failure)
        return failure

    def add_analysis(self, analysis: Analysis) -> None:
        self._analyses[analysis.upload.key] = analysis

    def give_up(self, reason: str) -> None:
        """Counts as failed, for this reason, all that was planned and has no outcome."""
        ended = self._uploaded.keys() | self._failed_keys
        self.never_sent = [LeftOut(str(item.path), reason) for item in self.planned if item.key not in ended]

    def not_followed(self, reason: str) -> None:
        """Counts as not ended, for this reason, each upload whose analysis isn't known."""
        for upload in self.uploaded:
            self._analyses.setdefault(upload.key, Analysis(upload, None, reason, ended=False))

    @property
    def uploaded(self) -> list[Uploaded]:
        """In the order of the plan, whatever ended first."""
        return [self._uploaded[item.key] for item in self.planned if item.key in self._uploaded]

    @property
    def analyses(self) -> list[Analysis]:
        return [self._analyses[item.key] for item in self.planned if item.key in self._analyses]

    @property
    def exit_code(self) -> int:
        if self.interrupted:
            return INTERRUPTED_EXIT_CODE
        return 1 if self.failed or self.never_sent or any(not analysis.fine for analysis in self.analyses) else 0

    def document(self) -> dict[str, Any]:
        """What --json prints. Labels, moderation and rules have the shape of the image's record."""
        return {
            "uploaded": [self._describe(upload) for upload in self.uploaded],
            "failed": [{"path": left.path, "reason": left.reason} for left in [*self.failed, *self.never_sent]],
            "skipped": [{"path": left.path, "reason": left.reason} for left in self.skipped],
        }

    def _describe(self, upload: Uploaded) -> dict[str, Any]:
        described: dict[str, Any] = {
            "path": str(upload.path),
            "bucket": upload.bucket,
            "key": upload.key,
            "versionId": upload.version_id,
            "imageId": upload.image_id,
            "bytes": upload.size,
            "sha256": upload.sha256,
        }
        if self.waited:
            analysis = self._analyses.get(upload.key)
            record = analysis.record if analysis else {}
            described |= {
                "status": analysis.status if analysis else None,
                "reason": analysis.reason if analysis else "its analysis was not waited for",
                "labels": record.get("Labels", []),
                "moderation": record.get("Moderation", {"Status": "NOT_CHECKED", "Labels": []}),
                "matchedRules": record.get("MatchedRules", []),
            }
        return described
