"""A Rekognition-compatible engine. Its answers depend on the picture, and it never pretends to be Rekognition.

Importing this package is cheap: OpenCV, NumPy, Pillow, botocore and onnxruntime are loaded when first needed.
"""

from local.emulator.rekognition.engine import Engine
from local.emulator.rekognition.errors import ObjectNotReadable, RekognitionError

__all__ = ["Engine", "ObjectNotReadable", "RekognitionError"]
