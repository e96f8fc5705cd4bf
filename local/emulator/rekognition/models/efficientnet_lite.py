"""Builds EfficientNet-Lite2 as an ONNX model from its published weights.

Source of the architecture: Google's efficientnet-lite README and the MnasNet block arguments it extends
(tensorflow/tpu, models/official/efficientnet/lite). Lite has ReLU6 and no squeeze-and-excitation; Lite2 has width 1.1,
depth 1.2 and 260 x 260 pixels. Batch normalisation is folded into the convolutions.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from local.emulator.rekognition.errors import ModelFileError
from local.emulator.rekognition.models.torch_weights import read_weights

SIDE = 260
CLASSES = 1000
STRIDES = (1, 2, 2, 2, 1, 2, 1)  # of the first block in each of the seven stages
REPEATS = (1, 3, 3, 4, 4, 5, 1)  # blocks in each stage at depth 1.2; the first and the last stage are never repeated
EPSILON = 1e-3
OPSET = 17

Array = np.ndarray[Any, Any]


class _Builder:
    """Adds layers one after the other; each method takes and returns the name of a value."""

    def __init__(self, weights: dict[str, Array]) -> None:
        self._weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []

    def weight(self, name: str) -> Array:
        if name not in self._weights:
            raise ModelFileError(f"The weights of EfficientNet-Lite2 have no {name}.")
        return self._weights[name]

    def has(self, name: str) -> bool:
        return name in self._weights

    def add(self, operation: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operation, inputs, [output], **attributes))
        return output

    def fixed(self, name: str, values: Array) -> str:
        self.initializers.append(numpy_helper.from_array(values, name))
        return name

    def convolution(
        self, value: str, name: str, norm: str, *, stride: int = 1, relu: bool = True, depthwise: bool = False
    ) -> str:
        """A convolution with its batch normalisation folded in, padded as TensorFlow's SAME does."""
        kernel = self.weight(f"{name}.weight")
        scale = self.weight(f"{norm}.weight") / np.sqrt(self.weight(f"{norm}.running_var") + EPSILON)
        bias = self.weight(f"{norm}.bias") - self.weight(f"{norm}.running_mean") * scale
        inputs = [
            value,
            self.fixed(f"{name}/kernel", (kernel * scale[:, None, None, None]).astype(np.float32)),
            self.fixed(f"{name}/bias", bias.astype(np.float32)),
        ]
        output = self.add(
            "Conv",
            inputs,
            f"{name}/{norm}",
            strides=[stride, stride],
            auto_pad="SAME_UPPER",
            group=kernel.shape[0] if depthwise else 1,
        )
        return self.add("Clip", [output, "zero", "six"], f"{output}/relu6") if relu else output

    def block(self, value: str, place: int, stride: int) -> str:
        """An inverted bottleneck; it adds its input where the shapes agree."""
        name = f"_blocks.{place}"
        inside = value
        if self.has(f"{name}._expand_conv.weight"):
            inside = self.convolution(inside, f"{name}._expand_conv", f"{name}._bn0")
        inside = self.convolution(inside, f"{name}._depthwise_conv", f"{name}._bn1", stride=stride, depthwise=True)
        inside = self.convolution(inside, f"{name}._project_conv", f"{name}._bn2", relu=False)
        first = self.weight(f"{name}._{'expand' if self.has(f'{name}._expand_conv.weight') else 'depthwise'}_conv.weight")
        width_in = first.shape[1] if self.has(f"{name}._expand_conv.weight") else first.shape[0]
        width_out = self.weight(f"{name}._project_conv.weight").shape[0]
        return self.add("Add", [inside, value], f"{name}/sum") if stride == 1 and width_in == width_out else inside


def build(weights_file: Path) -> onnx.ModelProto:
    """Returns the classifier: [1, 3, 260, 260] pixels as (value - 127) / 128 in, 1,000 probabilities out."""
    builder = _Builder(read_weights(weights_file))
    builder.fixed("zero", np.array(0, np.float32))
    builder.fixed("six", np.array(6, np.float32))
    value = builder.convolution("image", "_conv_stem", "_bn0", stride=2)
    strides = [stride if first == 0 else 1 for stride, n in zip(STRIDES, REPEATS, strict=True) for first in range(n)]
    for place, stride in enumerate(strides):
        value = builder.block(value, place, stride)
    value = builder.convolution(value, "_conv_head", "_bn1")
    value = builder.add("Flatten", [builder.add("GlobalAveragePool", [value], "pooled")], "features")
    inputs = [
        value,
        builder.fixed("fc/weight", builder.weight("_fc.weight")),
        builder.fixed("fc/bias", builder.weight("_fc.bias")),
    ]
    builder.add("Softmax", [builder.add("Gemm", inputs, "logits", transB=1)], "probabilities", axis=1)
    model = helper.make_model(
        helper.make_graph(
            builder.nodes,
            "efficientnet-lite2",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
            [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [1, CLASSES])],
            builder.initializers,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
    )
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model
