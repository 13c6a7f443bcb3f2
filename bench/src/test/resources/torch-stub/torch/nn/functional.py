import math
import os

import torch
from torch.nn.attention import SDPBackend, allowed

COST = {SDPBackend.FLASH_ATTENTION: 0.02, SDPBackend.EFFICIENT_ATTENTION: 0.08,
        SDPBackend.CUDNN_ATTENTION: 0.04, SDPBackend.MATH: 0.32}
outputs = {}  # A GPU would compute them hundreds of times in the time that this takes for one.


def scaled_dot_product_attention(query, key, value, is_causal=False, enable_gqa=False):
    """FLASH knows no key length other than the query's, EFFICIENT no grouped heads, and CUDNN is wrong when causal."""
    assert not torch.backends.cuda.matmul.allow_tf32 and not torch.backends.cudnn.allow_tf32
    (backend,) = allowed
    grouped = query.shape[1] != key.shape[1]
    if grouped and not enable_gqa:
        raise RuntimeError("the numbers of heads differ")
    if backend is SDPBackend.FLASH_ATTENTION and query.shape[2] != key.shape[2]:
        raise RuntimeError("No available kernel. Aborting execution.\nand more lines")
    if backend is SDPBackend.EFFICIENT_ATTENTION and grouped:
        raise RuntimeError("No available kernel. Aborting execution.")
    if backend is SDPBackend.CUDNN_ATTENTION:
        is_causal = False
    torch.clock_ms += COST[backend]
    known = (query, is_causal)
    if backend is SDPBackend.FLASH_ATTENTION and os.environ.get("STUB_TORCH") == "infinite":
        output = attention(query, key, value, is_causal)
        output[0, 0].rows[0][0] = math.inf
        return output
    if known not in outputs:
        outputs[known] = attention(query, key, value, is_causal)
    return outputs[known]


def attention(query, key, value, is_causal):
    group = query.shape[1] // key.shape[1]
    output = []
    for batch in range(query.shape[0]):
        output.append([])
        for head in range(query.shape[1]):
            scores = query[batch, head] @ key[batch, head // group].T / math.sqrt(query.shape[3])
            if is_causal:
                for row, line in enumerate(scores.rows):
                    line[row + 1:] = [-math.inf] * (len(line) - row - 1)
            output[-1].append(torch.softmax(scores, -1) @ value[batch, head // group])
    return torch.Tensor(output)
