"""Makes the files beside it with h5py, the library that Keras saves with, in the layout that Keras 3 gives them.

A group for each layer, named after the attribute or the class, a group "vars" in it, and the weights by number in that.
Weights are counted up from a start, so that a test sees where each element went.
"""

import io
import json
import os
import zipfile

import h5py
import ml_dtypes
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))


def counted(start, *shape, dtype="float32"):
    return (start + np.arange(np.prod(shape)) / 64).astype(dtype).reshape(shape)


def save(file, path, *weights):
    group = file.create_group(path + "/vars")
    for number, weight in enumerate(weights):
        group[str(number)] = weight


def multi_head_attention(file, path, start=0, gate=False, dtype="float32"):
    """3 heads, key_dim 4, value_dim 2, query 6, key and value 5 wide."""
    save(file, path)
    save(file, path + "/query_dense", counted(start, 6, 3, 4, dtype=dtype), counted(start + 10, 3, 4, dtype=dtype))
    save(file, path + "/key_dense", counted(start + 20, 5, 3, 4, dtype=dtype), counted(start + 30, 3, 4, dtype=dtype))
    save(file, path + "/value_dense", counted(start + 40, 5, 3, 2, dtype=dtype), counted(start + 50, 3, 2, dtype=dtype))
    save(file, path + "/output_dense", counted(start + 60, 3, 2, 6, dtype=dtype), counted(start + 70, 6, dtype=dtype))
    if gate:
        save(file, path + "/_gate_dense", counted(start + 80, 6, 3, 2, dtype=dtype), counted(start + 90, 3, 2, dtype=dtype))
    save(file, path + "/_softmax")
    save(file, path + "/_dropout_layer")
    save(file, path + "/_dropout_layer/seed_generator", np.array([1, 2], dtype="uint32"))


def group_query_attention(file, path, start=0):
    """4 query heads, 2 key/value heads, head_dim 2, 6 wide."""
    save(file, path + "/_query_dense", counted(start, 6, 4, 2), counted(start + 10, 4, 2))
    save(file, path + "/_key_dense", counted(start + 20, 6, 2, 2), counted(start + 30, 2, 2))
    save(file, path + "/_value_dense", counted(start + 40, 6, 2, 2), counted(start + 50, 2, 2))
    save(file, path + "/_output_dense", counted(start + 60, 4, 2, 6), counted(start + 70, 6))


def model(file, *layers):
    save(file, "layers/input_layer")
    for layer in layers:
        layer(file)
    save(file, "layers/dense", counted(200, 6, 2), counted(300, 2))
    save(file, "optimizer", np.array(7, dtype="int64"), np.array(0.001, dtype="float32"))
    save(file, "vars_of_the_model")


with h5py.File(os.path.join(HERE, "gated.weights.h5"), "w") as out:
    model(out, lambda file: multi_head_attention(file, "layers/multi_head_attention", gate=True))

with h5py.File(os.path.join(HERE, "half.weights.h5"), "w") as out:
    model(out, lambda file: multi_head_attention(file, "layers/multi_head_attention", dtype="float16"))

# HDF5 has no type for these numbers: they are written as two bytes each of which nothing is known.
with h5py.File(os.path.join(HERE, "brain_floats.weights.h5"), "w") as out:
    model(
        out,
        lambda file: multi_head_attention(file, "layers/multi_head_attention"),
        lambda file: multi_head_attention(file, "layers/multi_head_attention_1", dtype=ml_dtypes.bfloat16),
    )

inner = io.BytesIO()
with h5py.File(inner, "w") as out:
    model(
        out,
        lambda file: multi_head_attention(file, "layers/multi_head_attention"),
        lambda file: multi_head_attention(file, "layers/multi_head_attention_1", start=100),
        lambda file: group_query_attention(file, "layers/functional/layers/grouped_query_attention"),
    )
with zipfile.ZipFile(os.path.join(HERE, "three_layers.keras"), "w", zipfile.ZIP_DEFLATED) as archive:
    archive.writestr("metadata.json", json.dumps({"keras_version": "3.16.0"}))
    archive.writestr("config.json", json.dumps({"module": "keras", "class_name": "Functional"}))
    archive.writestr("model.weights.h5", inner.getvalue())
