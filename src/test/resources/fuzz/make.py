"""Makes the first inputs of the fuzz tests: files that are right, and one for each way to be wrong that a reader must
survive. Run once with h5py 3.7; what the fuzzer found since lies beside them. Names say what is in a file."""

import io
import json
import os
import struct
import zipfile

import h5py
import numpy

TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "dev", "attention4j")


def keep(test, name, content):
    folder = os.path.join(TESTS, test)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as file:
        file.write(content)


# ---- safetensors


def safetensors(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else header.encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(name, dtype, shape, begin, end):
    return json.dumps(name) + ":" + json.dumps({"dtype": dtype, "shape": shape, "data_offsets": [begin, end]})


def tensors(**weights):
    entries, data = [], b""
    for name, weight in weights.items():
        raw = numpy.asarray(weight, "<f4").tobytes()
        entries.append(entry(name.replace("__", "."), "F32", list(numpy.shape(weight)), len(data), len(data) + len(raw)))
        data += raw
    return safetensors("{" + ",".join(entries) + "}", data)


SAFETENSORS = "io/SafetensorsFuzzTestInputs/isReadOrRefused"
TWO = "{" + entry("x", "F32", [2], 0, 8) + "," + entry("y", "BOOL", [3], 8, 11) + ',"__metadata__":{"a":"b"}}'
for name, content in {
    "two_tensors": safetensors(TWO, bytes(11)),
    "every_dtype": safetensors(
        "{" + ",".join(
            entry(dtype, dtype, [8 // size], 8 * n, 8 * n + 8)
            for n, (dtype, size) in enumerate(
                dict(I64=8, F64=8, F32=4, I32=4, BF16=2, F16=2, I16=2, I8=1, U8=1, BOOL=1).items())) + "}",
        bytes(80)),
    "no_tensor": safetensors("{}"),
    "empty_tensors": safetensors("{" + entry("x", "F32", [0], 0, 0) + "," + entry("y", "U8", [3, 0], 0, 0) + "}"),
    "a_thousand_empty_tensors": safetensors("{" + ",".join(entry(str(n), "U8", [0], 0, 0) for n in range(1000)) + "}"),
    "spaces_after_the_header": safetensors(TWO + "     ", bytes(11)),
    "truncated_length": safetensors(TWO)[:5],
    "truncated_header": safetensors(TWO)[:40],
    "truncated_data": safetensors(TWO, bytes(7)),
    "data_left_over": safetensors(TWO, bytes(12)),
    "length_of_0": safetensors(TWO, bytes(11), 0),
    "length_one_less": safetensors(TWO, bytes(11), len(TWO) - 1),
    "length_one_more": safetensors(TWO, bytes(11), len(TWO) + 1),
    "length_of_99999999": safetensors(TWO, bytes(11), 99999999),
    "length_of_2_to_the_63": safetensors(TWO, bytes(11), 1 << 63),
    "overlapping_offsets": safetensors("{" + entry("x", "F32", [2], 0, 8) + "," + entry("y", "F32", [2], 4, 12) + "}", bytes(12)),
    "gap_between_offsets": safetensors("{" + entry("x", "F32", [2], 0, 8) + "," + entry("y", "F32", [2], 9, 17) + "}", bytes(17)),
    "offsets_reversed": safetensors("{" + entry("x", "F32", [2], 8, 0) + "}", bytes(8)),
    "huge_shape": safetensors("{" + entry("x", "U8", [2000000000], 0, 2000000000) + "}", bytes(8)),
    "overflowing_shape": safetensors("{" + entry("x", "F32", [1 << 32, 1 << 32], 0, 8) + "}", bytes(8)),
    "empty_with_overflowing_strides": safetensors("{" + entry("x", "U8", [0, 1 << 62, 1 << 62], 0, 0) + "}"),
    "shape_of_65_axes": safetensors("{" + entry("x", "U8", [1] * 65, 0, 1) + "}", bytes(1)),
    "number_of_5000_digits": safetensors('{"x":{"shape":[' + "9" * 5000 + "]}}"),
    "same_name_twice": safetensors("{" + entry("x", "U8", [1], 0, 1) + "," + entry("x", "U8", [1], 1, 2) + "}", bytes(2)),
    "same_name_twice_escaped": safetensors('{"x":{"dtype":"U8","shape":[],"data_offsets":[0,1]},"\\u0078":{"dtype":"U8","shape":[],"data_offsets":[1,2]}}', bytes(2)),
    "deep_json": safetensors('{"x":' + "[" * 5000 + "]" * 5000 + "}"),
    "deep_json_in_an_unknown_field": safetensors('{"x":{"later":' + '{"a":' * 2000 + "1" + "}" * 2000 + "}}"),
    "not_utf8": safetensors(b'{"\xff\xfe":{}}'),
    "half_a_surrogate_pair": safetensors('{"\\ud800":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}', bytes(1)),
    "control_characters": safetensors('{"\\u0000\\u001b[2J":3}'),
    "metadata_of_numbers": safetensors('{"__metadata__":{"a":1}}'),
}.items():
    keep(SAFETENSORS, name, content)


# ---- HDF5 and Keras


def hdf5(fill, **options):
    file = io.BytesIO()
    with h5py.File(file, "w", **options) as root:
        fill(root)
    return file.getvalue()


def layer(root):
    for name in ["query", "key", "value", "output"]:
        group = root.create_group(f"layers/a/{name}_dense/vars")
        group["0"] = numpy.ones((2, 3, 6) if name == "output" else (6, 2, 3), "f4")
        group["1"] = numpy.zeros(6 if name == "output" else (2, 3), "f4")


def kinds(root):
    root["half"] = numpy.ones((2, 2), "f2")
    root["double"] = numpy.ones(3, ">f8")
    root["whole"] = numpy.ones(3, "i8")
    root["scalar"] = numpy.float32(3)
    root["text"] = "words"
    root.create_dataset("nothing", (0, 3), "f4")
    root["soft"] = h5py.SoftLink("/half")
    root["external"] = h5py.ExternalLink("/etc/passwd", "/half")
    root.attrs["note"] = "words"


def noted(root):
    root["x"] = numpy.ones(3, "u2")
    root["x"].attrs["dtype"] = "bfloat16"


def circle(root):
    inner = root.create_group("inner")
    inner["again"] = root
    inner["once_more"] = root


def archive(content, name="model.weights.h5", compression=zipfile.ZIP_DEFLATED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as opened:
        for place, text in {"config.json": b"{}", name: content}.items():
            opened.writestr(zipfile.ZipInfo(place, (2026, 1, 1, 0, 0, 0)), text, compression)
    return file.getvalue()


def tree(level, address, children):
    """A node of the tree of a group's members, at an address."""
    pointers = b"".join(struct.pack("<QQ", 0, child) for child in children)
    return address, b"TREE" + struct.pack("<BBHqq", 0, level, len(children), -1, -1) + pointers + bytes(8 + 16 * len(children))


def symbols(address, entries):
    """A table of members: offsets of names, and addresses of headers."""
    members = b"".join(struct.pack("<QQII16x", name, header, 0, 0) for name, header in entries)
    return address, b"SNOD" + struct.pack("<BBH", 1, 0, len(entries)) + members


ROOT, HEAP, FIRST = 96, 256, 1024


def by_hand(*parts):
    """A file whose root group has the tree at FIRST and the names a, b, c."""
    superblock = b"\x89HDF\r\n\x1a\n" + struct.pack("<8BHHIqqqq", 0, 0, 0, 0, 0, 8, 8, 0, 4, 16, 0, 0, -1, 65536, -1)
    superblock += struct.pack("<QQIIQQ", 0, ROOT, 1, 0, FIRST, HEAP)
    header = struct.pack("<BBHII4x", 1, 0, 1, 1, 24) + struct.pack("<HHB3xQQ", 17, 16, 0, FIRST, HEAP)
    heap = b"HEAP" + struct.pack("<B3xQqQ", 0, 64, -1, HEAP + 32) + b"\0a\0b\0c\0" + bytes(57)
    file = bytearray(8192)
    for address, content in [(0, superblock), (ROOT, header), (HEAP, heap), *parts]:
        file[address:address + len(content)] = content
    return bytes(file)


good = hdf5(layer)
keras = archive(good)
damaged = bytearray(good)
damaged[good.index(b"TREE") + 6:good.index(b"TREE") + 8] = b"\xff\xff"
claims = bytearray(hdf5(lambda root: root.create_dataset("x", data=numpy.ones(77, "f4"))))
at = claims.index(struct.pack("<QQ", 77, 77))
claims[at:at + 8] = struct.pack("<Q", 500_000_000)
narrow = bytearray(claims)
at = narrow.index(bytes([0x11, 0x20, 0x1f, 0, 4]))
narrow[at + 4] = 0
shared = bytearray(hdf5(lambda root: [root.create_dataset(n, data=numpy.full(2000, 3, "f4")) for n in "ab"]))
second = shared.rindex(struct.pack("<f", 3) * 2000)
first = shared.index(struct.pack("<f", 3) * 2000)
shared = shared[:second].replace(struct.pack("<Q", second), struct.pack("<Q", first))

KERAS = "io/KerasFileFuzzTestInputs/isReadOrRefused"
for name, content in {
    "layer.h5": good,
    "layer.keras": keras,
    "stored.keras": archive(good, compression=zipfile.ZIP_STORED),
    "all_kinds.h5": hdf5(kinds),
    "bfloat16.h5": hdf5(noted),
    "latest_format.h5": hdf5(layer, libver="latest"),
    "indexed_group.h5": hdf5(lambda root: [root.create_group(str(n)) for n in range(20)], libver="latest"),
    "chunks.h5": hdf5(lambda root: root.create_dataset("x", data=numpy.ones((9, 9), "f4"), chunks=(4, 4))),
    "compressed.h5": hdf5(lambda root: root.create_dataset("x", data=numpy.zeros(1 << 20, "f4"), compression="gzip")),
    "circle.h5": hdf5(circle),
    "truncated.h5": good[:len(good) // 2],
    "truncated_superblock.h5": good[:30],
    "too_many_members.h5": bytes(damaged),
    "huge_shape.h5": bytes(claims),
    "huge_shape_of_nothing.h5": bytes(narrow),
    "shared_bytes.h5": bytes(shared),
    "tree_in_itself.h5": by_hand(tree(1, FIRST, [FIRST])),
    "trees_twice_in_trees.h5": by_hand(
        *[tree(40 - n, FIRST + 128 * n, [FIRST + 128 * (n + 1)] * 2) for n in range(40)],
        tree(0, FIRST + 128 * 40, [])),
    "groups_twice_in_groups.h5": by_hand(tree(0, FIRST, [2048]), symbols(2048, [(1, ROOT), (3, ROOT)])),
    "zip_bomb.keras": archive(bytes(20 << 20)),
    "zip_without_weights.keras": archive(b"", name="other"),
    "truncated.keras": keras[:len(keras) * 3 // 4],
    "damaged_deflate.keras": keras[:150] + b"\xff" * 20 + keras[170:],
    "neither": b"not a model",
}.items():
    keep(KERAS, name, content)


# ---- weights of a layer


def projections(prefix):
    weights = {}
    for name in ["query", "key", "value", "attention_output"]:
        weights[f"{prefix}{name}__kernel"] = numpy.ones((2, 3, 6) if name == "attention_output" else (6, 2, 3))
        weights[f"{prefix}{name}__bias"] = numpy.ones(6 if name == "attention_output" else (2, 3))
    return weights


TORCH = {"out_proj__weight": numpy.ones((6, 6)), "out_proj__bias": numpy.ones(6), "in_proj_bias": numpy.ones(18)}
SEPARATE = {f"{name}_proj_weight": numpy.ones((6, 6)) for name in "qkv"}
WEIGHTS = "layers/LayerWeightsFuzzTestInputs/fitALayerOrAreRefused"
for name, content in {
    "layer.safetensors": tensors(**projections("")),
    "prefixed.safetensors": tensors(**projections("a__")),
    "torch.safetensors": tensors(**TORCH, in_proj_weight=numpy.ones((18, 6))),
    "torch_separate.safetensors": tensors(**TORCH, **SEPARATE),
    "torch_no_axes.safetensors": tensors(**(TORCH | SEPARATE | {"out_proj__weight": numpy.float32(1)})),
    "torch_of_width_0.safetensors": tensors(
        out_proj__weight=numpy.ones((0, 0)), in_proj_weight=numpy.ones((0, 0))),
    "missing_bias.safetensors": tensors(**{n: w for n, w in projections("").items() if n != "key__bias"}),
    "whole_numbers.safetensors": safetensors("{" + entry("query.kernel", "I64", [1], 0, 8) + "}", bytes(8)),
    "layer.h5": good,
    "layer.keras": keras,
    "not_a_layer.h5": hdf5(kinds),
}.items():
    keep(WEIGHTS, name, content)
