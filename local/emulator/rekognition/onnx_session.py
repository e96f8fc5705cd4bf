"""Makes onnxruntime sessions that are small: one thread for each, and no arena, which would keep its peak size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from local.emulator.rekognition.errors import EngineSetup, ModelFileError

HOW_TO_INSTALL = "pip install onnxruntime"


def load_session(path: Path) -> Any:
    """Returns an onnxruntime.InferenceSession. Raises EngineSetup without onnxruntime, ModelFileError for a bad file."""
    try:
        import onnxruntime
    except ImportError as error:
        raise EngineSetup(f"ONNX models need onnxruntime ({error}). Install it with: {HOW_TO_INSTALL}") from error
    if not path.is_file():
        raise ModelFileError(f"There is no model at {path}.")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # several analyses run side by side
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ModelFileError(f"{path} can't be loaded as an ONNX model: {' '.join(str(error).split())}") from error
