"""Writes model/iris.tflite: which of three kinds of iris has flowers of these four measures (in cm).

A kind's score is how near its mean lies, 2 m·x - m·m, so that one dense layer and a softmax are the whole model. The format is
https://github.com/google-ai-edge/LiteRT, schema.fbs; it needs `flatbuffers`, which `ai-edge-litert` brings.
"""

import struct
import sys

import flatbuffers

MEANS = [(5.006, 3.428, 1.462, 0.246), (5.936, 2.770, 4.260, 1.326), (6.588, 2.974, 5.552, 2.026)]
FULLY_CONNECTED, SOFTMAX = 9, 25
FULLY_CONNECTED_OPTIONS, SOFTMAX_OPTIONS = 8, 9


def vector(builder, values, size, prepend):
    builder.StartVector(size, len(values), size)
    for value in reversed(values):
        prepend(value)
    return builder.EndVector()


def offsets(builder, values):
    return vector(builder, values, 4, builder.PrependUOffsetTRelative)


def integers(builder, values):
    return vector(builder, values, 4, builder.PrependInt32)


def table(builder, fields):
    """`fields` are (slot, kind, value)."""
    builder.StartObject(max([slot for slot, _, _ in fields], default=-1) + 1)
    for slot, kind, value in fields:
        if kind == "offset":
            builder.PrependUOffsetTRelativeSlot(slot, value, 0)
        else:
            getattr(builder, f"Prepend{kind}Slot")(slot, value, 0)
    return builder.EndObject()


def buffer(builder, numbers):
    data = struct.pack(f"<{len(numbers)}f", *numbers)
    return table(builder, [(0, "offset", builder.CreateByteVector(data))] if data else [])


def tensor(builder, name, shape, number):
    fields = [(0, "offset", integers(builder, shape)), (3, "offset", builder.CreateString(name)), (2, "Uint32", number)]
    return table(builder, fields)


def operator(builder, code, inputs, outputs, options, kind):
    fields = [(1, "offset", integers(builder, inputs)), (2, "offset", integers(builder, outputs)), (4, "offset", options)]
    return table(builder, fields + [(0, "Uint32", code), (3, "Uint8", kind)])


def model():
    builder = flatbuffers.Builder(2048)
    weights = [2 * value for mean in MEANS for value in mean]
    biases = [-sum(value * value for value in mean) for mean in MEANS]
    buffers = offsets(builder, [buffer(builder, numbers) for numbers in ((), weights, biases)])
    shapes = [("measures", [1, 4], 0), ("weights", [3, 4], 1), ("biases", [3], 2), ("scores", [1, 3], 0), ("chances", [1, 3], 0)]
    tensors = offsets(builder, [tensor(builder, *one) for one in shapes])
    dense = operator(builder, 0, [0, 1, 2], [3], table(builder, []), FULLY_CONNECTED_OPTIONS)
    softmax = operator(builder, 1, [3], [4], table(builder, [(0, "Float32", 1.0)]), SOFTMAX_OPTIONS)
    operators = offsets(builder, [dense, softmax])
    fields = [(0, "offset", tensors), (1, "offset", integers(builder, [0])), (2, "offset", integers(builder, [4])), (3, "offset", operators)]
    graphs = offsets(builder, [table(builder, fields)])
    codes = [table(builder, [(0, "Int8", code), (2, "Int32", 1), (3, "Int32", code)]) for code in (FULLY_CONNECTED, SOFTMAX)]
    fields = [(1, "offset", offsets(builder, codes)), (2, "offset", graphs), (4, "offset", buffers), (0, "Uint32", 3)]
    builder.Finish(table(builder, fields), file_identifier=b"TFL3")
    return bytes(builder.Output())


with open(sys.argv[1], "wb") as file:
    file.write(model())
