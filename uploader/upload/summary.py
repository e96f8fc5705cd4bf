"""The state of one upload command. The summary, the JSON document and the exit code are made from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from uploader.errors import INTERRUPTED_EXIT_CODE
from uploader.upload.discovery import UnsentFile
from uploader.upload.follow import Analysis
from uploader.upload.image_records import Record
from uploader.upload.plan import PlannedUpload
from uploader.upload.transfer import NotUploaded, Outcome, Uploaded


@dataclass
class UploadSummary:
    """Grows while the command runs. `planned` are the uploads in order; `waited` is whether --wait was given."""

    planned: list[PlannedUpload]
    failed: list[UnsentFile]
    skipped: list[UnsentFile]
    waited: bool = False
    interrupted: bool = False
    never_sent: list[UnsentFile] = field(default_factory=list)
    _outcomes: dict[str, Outcome] = field(default_factory=dict)
    """By the planned key."""
    _analyses: dict[str, Analysis] = field(default_factory=dict)
    """By the final key."""

    def add(self, outcome: Outcome) -> UnsentFile | None:
        """Records the outcome of one upload. Returns the file if it failed."""
        if isinstance(outcome, Uploaded):
            self._outcomes[outcome.renamed_from or outcome.key] = outcome
            return None
        self._outcomes[outcome.key] = outcome
        failure = UnsentFile(str(outcome.path), outcome.reason)
        self.failed.append(failure)
        return failure

    def add_analysis(self, analysis: Analysis) -> None:
        self._analyses[analysis.upload.key] = analysis

    def give_up(self, reason: str) -> None:
        """Counts every planned file without an outcome as not uploaded, for this reason."""
        self.never_sent = [UnsentFile(str(item.path), reason) for item in self.planned if item.key not in self._outcomes]

    def not_followed(self, reason: str) -> None:
        """Counts every upload without an analysis as not finished, for this reason."""
        for upload in self.uploaded:
            self._analyses.setdefault(upload.key, Analysis(upload, None, reason, finished=False))

    @property
    def uploaded(self) -> list[Uploaded]:
        """In the order of the plan."""
        outcomes = (self._outcomes.get(item.key) for item in self.planned)
        return [outcome for outcome in outcomes if outcome is not None and not isinstance(outcome, NotUploaded)]

    @property
    def again(self) -> list[Uploaded]:
        """The files whose keys had the same content before."""
        return [upload for upload in self.uploaded if upload.again]

    @property
    def renamed(self) -> list[Uploaded]:
        """The files whose planned keys held other content."""
        return [upload for upload in self.uploaded if upload.renamed_from]

    @property
    def analyses(self) -> list[Analysis]:
        return [self._analyses[upload.key] for upload in self.uploaded if upload.key in self._analyses]

    @property
    def exit_code(self) -> int:
        if self.interrupted:
            return INTERRUPTED_EXIT_CODE
        return 1 if self.failed or self.never_sent or any(not analysis.succeeded for analysis in self.analyses) else 0

    def document(self) -> dict[str, Any]:
        """The document of --json. Labels, moderation and rules have the form of the image's record."""
        return {
            "uploaded": [self._upload_document(upload) for upload in self.uploaded],
            "failed": [{"path": file.path, "reason": file.reason} for file in [*self.failed, *self.never_sent]],
            "skipped": [{"path": file.path, "reason": file.reason} for file in self.skipped],
        }

    def _upload_document(self, upload: Uploaded) -> dict[str, Any]:
        document: dict[str, Any] = {
            "path": str(upload.path),
            "bucket": upload.bucket,
            "key": upload.key,
            "versionId": upload.version_id,
            "imageId": upload.image_id,
            "bytes": upload.size,
            "sha256": upload.sha256,
            "again": upload.again,
            "renamedFrom": upload.renamed_from,
        }
        if self.waited:
            analysis = self._analyses.get(upload.key)
            record = analysis.record if analysis else Record()
            document |= {
                "status": analysis.status if analysis else None,
                "reason": analysis.reason if analysis else "its analysis was not waited for",
                "labels": list(record.labels),
                "moderation": record.moderation or {"Status": "NOT_CHECKED", "Labels": []},
                "matchedRules": [rule.item for rule in record.rules],
                "rulesOmitted": record.rules_omitted,
            }
        return document
