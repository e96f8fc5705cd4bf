"""Converts a TensorFlow.js graph model to ONNX, without TensorFlow.

A graph model is a JSON file (a GraphDef in protobuf's JSON form, and a weights manifest) plus one binary file with the
weights. Only the operations that occur in convolutional detectors are known; another one raises ModelFileError. The
graph stays in TensorFlow's order of dimensions: each convolution, pooling and resize gets a transpose before and
after, and onnxruntime removes the pairs that cancel out.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from local.emulator.rekognition.errors import ModelFileError

OPSET = 17
TO_NCHW, TO_NHWC = [0, 3, 1, 2], [0, 2, 3, 1]
# Bytes of one value in the weights file, by the manifest's type.
STORED = {"float32": np.float32, "float16": np.float16, "int32": np.int32}

Node = dict[str, Any]
Array = np.ndarray[Any, Any]


def read_weights(manifest: list[dict[str, Any]], content: bytes) -> dict[str, Array]:
    """Returns every weight by name. Raises ModelFileError when the file's length doesn't fit the manifest."""
    weights: dict[str, Array] = {}
    offset = 0
    for entry in (each for group in manifest for each in group["weights"]):
        stored = np.dtype(STORED[entry.get("quantization", {}).get("dtype", entry["dtype"])])
        count = int(np.prod(entry["shape"], dtype=np.int64))
        values = np.frombuffer(content, stored, count, offset) if offset + count * stored.itemsize <= len(content) else None
        if values is None:
            raise ModelFileError(f"The weights file ends at {len(content):,} bytes, inside {entry['name']}.")
        weights[entry["name"]] = values.reshape(entry["shape"]).astype(STORED[entry["dtype"]])
        offset += count * stored.itemsize
    if offset != len(content):
        raise ModelFileError(f"The weights file has {len(content):,} bytes, but its manifest describes {offset:,}.")
    return weights


class GraphConverter:
    """Converts one graph, node by node. Values that are known in advance (shapes, permutations) are computed here."""

    def __init__(self, weights: dict[str, Array]) -> None:
        self._known = weights
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: dict[str, onnx.TensorProto] = {}

    def convert(self, graph: list[Node], inputs: dict[str, list[int]], outputs: dict[str, list[int]]) -> onnx.ModelProto:
        """Returns the ONNX model with the given inputs and outputs (name to shape, all of them 32-bit floats)."""
        for node in graph:
            self._add(node)
        model = helper.make_model(
            helper.make_graph(
                self._nodes,
                "graph",
                [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
                [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
                list(self._initializers.values()),
            ),
            opset_imports=[helper.make_opsetid("", OPSET)],
        )
        model.ir_version = 8
        onnx.checker.check_model(model)
        return model

    def _add(self, node: Node) -> None:
        if node["op"] in ("Const", "Placeholder"):
            return
        rule = _RULES.get(node["op"])
        if rule is None:
            raise ModelFileError(f"The operation {node['op']} of this TensorFlow.js model is not supported.")
        rule(self, node, [_value_name(each) for each in node["input"]])

    def emit(self, operation: str, inputs: list[str], outputs: list[str], **attributes: Any) -> None:
        """Adds an ONNX node; inputs that are known in advance become initializers."""
        for name in inputs:
            if name in self._known and name not in self._initializers:
                self._initializers[name] = numpy_helper.from_array(self._known[name], name)
        self._nodes.append(helper.make_node(operation, inputs, outputs, **attributes))

    def known(self, name: str) -> Array:
        """Returns a value that doesn't depend on the picture. Raises ModelFileError when it does."""
        if name not in self._known:
            raise ModelFileError(f"The TensorFlow.js model computes {name} from the picture; only fixed values are supported.")
        return self._known[name]

    def constant(self, name: str, values: Array) -> str:
        """Adds a fixed value and returns its name."""
        self._known[name] = values
        return name

    def channels_first(self, operation: str, node: Node, inputs: list[str], **attributes: Any) -> None:
        """Adds an operation that ONNX only has for [N, C, H, W], between two transposes."""
        name = node["name"]
        self.emit("Transpose", [inputs[0]], [f"{name}/nchw"], perm=TO_NCHW)
        self.emit(operation, [f"{name}/nchw", *inputs[1:]], [f"{name}/result"], **attributes)
        self.emit("Transpose", [f"{name}/result"], [name], perm=TO_NHWC)


def _value_name(reference: str) -> str:
    """TensorFlow's `node:0` is the node's first output, which has the node's name here."""
    return reference.removesuffix(":0").removeprefix("^")


def _middle(node: Node, attribute: str) -> list[int]:
    """Height and width of an attribute such as strides, which TensorFlow gives as [N, H, W, C]."""
    return [int(each) for each in node["attr"][attribute]["list"]["i"][1:3]]


def _require_valid_padding(node: Node) -> None:
    padding = base64.b64decode(node["attr"]["padding"]["s"]).decode()
    if padding != "VALID":
        raise ModelFileError(f"{node['name']} pads with {padding}; only VALID is supported.")


def _convolution(graph: GraphConverter, node: Node, inputs: list[str]) -> None:
    _require_valid_padding(node)
    kernel = graph.constant(f"{node['name']}/kernel", np.ascontiguousarray(graph.known(inputs[1]).transpose(3, 2, 0, 1)))
    graph.channels_first(
        "Conv", node, [inputs[0], kernel], strides=_middle(node, "strides"), dilations=_middle(node, "dilations")
    )


def _max_pool(graph: GraphConverter, node: Node, inputs: list[str]) -> None:
    _require_valid_padding(node)
    graph.channels_first("MaxPool", node, inputs, kernel_shape=_middle(node, "ksize"), strides=_middle(node, "strides"))


def _pad(graph: GraphConverter, node: Node, inputs: list[str]) -> None:
    pads = graph.constant(f"{node['name']}/pads", graph.known(inputs[1]).T.reshape(-1).astype(np.int64))
    graph.emit("Pad", [inputs[0], pads, *inputs[2:]], [node["name"]])


def _resize(graph: GraphConverter, node: Node, inputs: list[str]) -> None:
    if not node["attr"]["half_pixel_centers"]["b"]:
        raise ModelFileError(f"{node['name']} resizes without half_pixel_centers, which is not supported.")
    height, width = (int(side) for side in graph.known(inputs[1]))
    name = node["name"]
    # Resize takes all four sizes. With `axes` it takes two, but only from opset 18 on; batch and channels stay.
    graph.emit("Transpose", [inputs[0]], [f"{name}/nchw"], perm=TO_NCHW)
    start = graph.constant(f"{name}/start", np.array([0], np.int64))
    end = graph.constant(f"{name}/end", np.array([2], np.int64))
    sides = graph.constant(f"{name}/sides", np.array([height, width], np.int64))
    graph.emit("Shape", [f"{name}/nchw"], [f"{name}/shape"])
    graph.emit("Slice", [f"{name}/shape", start, end], [f"{name}/kept"])
    graph.emit("Concat", [f"{name}/kept", sides], [f"{name}/sizes"], axis=0)
    graph.emit("Resize", [f"{name}/nchw", "", "", f"{name}/sizes"], [f"{name}/result"], mode="linear")
    graph.emit("Transpose", [f"{name}/result"], [name], perm=TO_NHWC)


def _split(graph: GraphConverter, node: Node, inputs: list[str]) -> None:
    axis = int(graph.known(inputs[2]))
    sizes = graph.constant(f"{node['name']}/sizes", graph.known(inputs[1]).astype(np.int64))
    names = [node["name"], *(f"{node['name']}:{place}" for place in range(1, int(node["attr"]["num_split"]["i"])))]
    graph.emit("Split", [inputs[0], sizes], names, axis=axis)


def _concat(graph: GraphConverter, node: Node, inputs: list[str]) -> None:
    graph.emit("Concat", inputs[:-1], [node["name"]], axis=int(graph.known(inputs[-1])))


def _transpose(graph: GraphConverter, node: Node, inputs: list[str]) -> None:
    permutation = [int(each) for each in graph.known(inputs[1])]
    if inputs[0] in graph._known:
        graph.constant(node["name"], np.ascontiguousarray(graph.known(inputs[0]).transpose(permutation)))
    else:
        graph.emit("Transpose", [inputs[0]], [node["name"]], perm=permutation)


def _reshape(graph: GraphConverter, node: Node, inputs: list[str]) -> None:
    shape = graph.constant(f"{node['name']}/shape", graph.known(inputs[1]).astype(np.int64))
    graph.emit("Reshape", [inputs[0], shape], [node["name"]])


def _add(graph: GraphConverter, node: Node, inputs: list[str]) -> None:
    if all(name in graph._known for name in inputs):
        graph.constant(node["name"], graph.known(inputs[0]) + graph.known(inputs[1]))
    else:
        graph.emit("Add", inputs, [node["name"]])


def _sparse_to_dense(graph: GraphConverter, node: Node, inputs: list[str]) -> None:
    """Part of a computed shape: always known in advance."""
    indices, shape, values, default = (graph.known(name) for name in inputs)
    dense = np.full(tuple(int(side) for side in np.atleast_1d(shape)), default)
    dense[tuple(np.atleast_2d(indices).T)] = values
    graph.constant(node["name"], dense)


def _same(operation: str) -> Callable[[GraphConverter, Node, list[str]], None]:
    return lambda graph, node, inputs: graph.emit(operation, inputs, [node["name"]])


def _leaky_relu(graph: GraphConverter, node: Node, inputs: list[str]) -> None:
    graph.emit("LeakyRelu", inputs, [node["name"]], alpha=float(node["attr"]["alpha"]["f"]))


_RULES: dict[str, Callable[[GraphConverter, Node, list[str]], None]] = {
    "Add": _add,
    "AddV2": _add,
    "ConcatV2": _concat,
    "Conv2D": _convolution,
    "Identity": _same("Identity"),
    "LeakyRelu": _leaky_relu,
    "MaxPool": _max_pool,
    "Pad": _pad,
    "PadV2": _pad,
    "Reshape": _reshape,
    "ResizeBilinear": _resize,
    "Sigmoid": _same("Sigmoid"),
    "SparseToDense": _sparse_to_dense,
    "SplitV": _split,
    "Transpose": _transpose,
}


def convert(graph_file: Path, weights_file: Path) -> onnx.ModelProto:
    """Returns the ONNX form of a TensorFlow.js graph model. Raises ModelFileError when it isn't understood."""
    content = json.loads(graph_file.read_text())
    weights = read_weights(content["weightsManifest"], weights_file.read_bytes())
    signature = content["signature"]
    inputs, outputs = (
        {name.removesuffix(":0"): [int(side["size"]) for side in entry["tensorShape"]["dim"]] for name, entry in part.items()}
        for part in (signature["inputs"], signature["outputs"])
    )
    return GraphConverter(weights).convert(content["modelTopology"]["node"], inputs, outputs)
