"""As much of PyTorch as torch_sdpa.py uses, in plain Python, with a GPU whose clock is known.

STUB_TORCH=absent, broken: it cannot be imported; no-gpu: it sees none; no-driver, lost: asking for one fails; infinite: its
flash backend computes infinities. A call takes COST of its backend in milliseconds.
"""
import contextlib
import math
import os
import random
import types

if os.environ.get("STUB_TORCH") == "absent":
    raise ImportError("libcudart.so.12: cannot open shared object file\nand more lines")

if os.environ.get("STUB_TORCH") == "broken":
    raise OSError("libcublas.so.12: cannot open shared object file: No such file or directory\nand more lines")

__version__ = "2.7.1+stub"
float32, float16, bfloat16 = "float32", "float16", "bfloat16"
inf = math.inf
clock_ms = 0.0
version = types.SimpleNamespace(cuda="12.6", hip=None)


class Matrix:
    device = "cuda"

    def __init__(self, rows):
        self.rows = rows
        self.shape = (len(rows), len(rows[0]))

    def double(self):
        return self

    @property
    def T(self):
        return Matrix([list(column) for column in zip(*self.rows)])

    def __matmul__(self, other):
        columns = list(zip(*other.rows))
        return Matrix([[sum(a * b for a, b in zip(row, column)) for column in columns] for row in self.rows])

    def _with(self, other, operation):
        """Rows and columns of length 1 are broadcast."""
        rows, columns = (max(mine, its) for mine, its in zip(self.shape, other.shape))
        at = lambda matrix, r, c: matrix.rows[r % matrix.shape[0]][c % matrix.shape[1]]
        return Matrix([[operation(at(self, r, c), at(other, r, c)) for c in range(columns)] for r in range(rows)])

    def __sub__(self, other):
        return self._with(other, lambda a, b: a - b)

    def __gt__(self, other):
        return self._with(other, lambda a, b: a > b)

    def __truediv__(self, number):
        return Matrix([[value / number for value in row] for row in self.rows])

    def masked_fill_(self, mask, number):
        self.rows = self._with(mask, lambda value, masked: number if masked else value).rows
        return self

    def abs(self):
        return Matrix([[abs(value) for value in row] for row in self.rows])

    def max(self):
        return types.SimpleNamespace(item=lambda: max(value for row in self.rows for value in row))


class Tensor:
    """[batch][head] of matrices."""

    def __init__(self, heads):
        self.heads = heads
        self.shape = (len(heads), len(heads[0])) + heads[0][0].shape

    def __getitem__(self, index):
        matrix = self.heads[index[0]][index[1]]
        return matrix if len(index) == 2 else Matrix(matrix.rows[index[2]])


class Range:
    def __init__(self, numbers):
        self.numbers = list(numbers)

    def __getitem__(self, index):
        return Matrix([self.numbers] if index[0] is None else [[number] for number in self.numbers])


def arange(*bounds, device):
    return Range(range(*bounds))


def manual_seed(seed):
    random.seed(seed)


def randn(batch, heads, length, width, device, dtype):
    if length > 1000:
        raise RuntimeError("CUDA out of memory. Tried to allocate 64.00 GiB.\nand more lines")
    assert device == "cuda" and dtype in (float32, float16, bfloat16)
    matrix = lambda: Matrix([[random.gauss(0, 1) for _ in range(width)] for _ in range(length)])
    return Tensor([[matrix() for _ in range(heads)] for _ in range(batch)])


def softmax(scores, dimension):
    assert dimension == -1
    rows = []
    for row in scores.rows:
        most = max(row)
        weights = [math.exp(score - most) for score in row]
        total = sum(weights)
        rows.append([weight / total for weight in weights])
    return Matrix(rows)


def set_float32_matmul_precision(name):
    assert name == "highest"


no_grad = contextlib.nullcontext


class Event:
    def __init__(self, enable_timing):
        assert enable_timing

    def record(self):
        self.at = clock_ms

    def synchronize(self):
        pass

    def elapsed_time(self, end):
        return end.at - self.at


def is_available():
    if os.environ.get("STUB_TORCH") == "no-driver":
        raise RuntimeError("The NVIDIA driver on your system is too old\nand more lines")
    return os.environ.get("STUB_TORCH") != "no-gpu"


def get_device_name(index):
    if os.environ.get("STUB_TORCH") == "lost":
        raise RuntimeError("CUDA error: all CUDA-capable devices are busy or unavailable\nand more lines")
    return "Stub GPU"


cuda = types.SimpleNamespace(
    is_available=is_available,
    get_device_name=get_device_name,
    synchronize=lambda: None,
    empty_cache=lambda: None,
    Event=Event)
backends = types.SimpleNamespace(
    cuda=types.SimpleNamespace(matmul=types.SimpleNamespace(allow_tf32=True)),
    cudnn=types.SimpleNamespace(allow_tf32=True, version=lambda: 90501))
