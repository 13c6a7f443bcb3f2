#!/usr/bin/env python3
"""Times PyTorch's scaled_dot_product_attention on a GPU, each of its backends, over the kit's grid.

    python3 torch_sdpa.py --grid grid.txt --json FILE [--max-seconds N]

Times are the GPU's (events around a turn of several calls), medians of at least 7 turns after a warm-up; inputs and
output stay in GPU memory; TF32 is off, so that float32 is float32. FILE is written anew, whole, after each shape.
Exit code 0: done, or out of time; 3: there is no PyTorch, or no GPU that it can use (said in FILE, too).
"""
import argparse
import json
import math
import os
import statistics
import sys
import time

LEAST_ROUNDS = 7
MOST_ROUNDS = 30
TURN_MS = 5.0
CASE_SECONDS = 3.0
CHECKED_ROWS = 32  # at each end of a head


def read_grid(path):
    """[(dtype, "B.Hq.Hkv.Lq.Lk.D", causal)] in the order of the file."""
    cases = []
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            line = line.split("#")[0].strip()
            if line:
                dtype, shape = line.split()
                sizes, _, word = shape.partition(":")
                if word in ("", "causal"):  # PyTorch has no cache to append to
                    cases.append((dtype, sizes, word == "causal"))
    return cases


def write(path, report):
    part = path + ".part"
    with open(part, "w", encoding="utf-8") as out:
        # JSON has no NaN and no infinity: what Python would write for them, other readers refuse.
        json.dump(report, out, indent=1, allow_nan=False)
    os.replace(part, path)


def first_line(error):
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:200]


def useful_flops(sizes, causal):
    """2 for each multiply-add; a square causal problem counts as half the full one."""
    batch, heads, _, queries, keys, width = sizes
    pairs = float(queries) * keys
    if causal:
        pairs = pairs / 2 if queries == keys else sum(min(keys, q + 1) for q in range(queries))
    return 4.0 * batch * heads * pairs * width


def time_calls(torch, call, seconds):
    """Milliseconds of one call: (median, fastest, slowest, turns), by the GPU's clock."""

    def turn(calls):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        for _ in range(calls):
            call()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) / calls

    for _ in range(2):
        call()
    torch.cuda.synchronize()
    estimate = max(turn(3), 1e-3)
    calls = max(1, math.ceil(TURN_MS / estimate))
    turn(calls)
    rounds = int(min(MOST_ROUNDS, max(LEAST_ROUNDS, 1e3 * seconds / (calls * estimate))))
    times = [turn(calls) for _ in range(rounds)]
    return statistics.median(times), min(times), max(times), rounds


def largest_error(torch, output, query, key, value, causal):
    """Against float64 on the first and last rows of the first and last head."""
    worst = 0.0
    group = query.shape[1] // key.shape[1]
    rows = min(CHECKED_ROWS, query.shape[2])
    for batch, head in ((0, 0), (query.shape[0] - 1, query.shape[1] - 1)):
        for start in {0, query.shape[2] - rows}:
            q = query[batch, head, start:start + rows].double()
            k = key[batch, head // group].double()
            v = value[batch, head // group].double()
            scores = q @ k.T / math.sqrt(query.shape[3])
            if causal:
                at = torch.arange(start, start + rows, device=q.device)[:, None]
                scores.masked_fill_(torch.arange(k.shape[0], device=q.device)[None, :] > at, -math.inf)
            difference = (torch.softmax(scores, -1) @ v - output[batch, head, start:start + rows].double()).abs().max()
            difference = difference.item()
            worst = max(worst, difference) if difference == difference else math.nan
    return worst


def backends():
    from torch.nn.attention import SDPBackend

    names = {"flash": "FLASH_ATTENTION", "efficient": "EFFICIENT_ATTENTION", "cudnn": "CUDNN_ATTENTION", "math": "MATH"}
    return {name: getattr(SDPBackend, member) for name, member in names.items() if hasattr(SDPBackend, member)}


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--grid", required=True)
    options.add_argument("--json", required=True)
    options.add_argument("--max-seconds", type=float, default=90)
    options = options.parse_args()
    end = time.monotonic() + options.max_seconds
    report = {"status": "absent", "reason": "", "results": [], "missing": []}

    def absent(reason):
        report["reason"] = reason
        write(options.json, report)
        print("PyTorch on a GPU: " + reason)
        return 3

    try:
        import torch
        from torch.nn.functional import scaled_dot_product_attention
        from torch.nn.attention import sdpa_kernel
    except Exception as error:  # A package that is half there, or whose libraries do not load, raises many kinds.
        return absent("this python3 (%s) has none that can be used: %s" % (sys.executable, first_line(error)))
    report["version"] = torch.__version__
    try:
        if not torch.cuda.is_available():
            return absent("PyTorch %s sees no GPU" % torch.__version__)
        device = torch.cuda.get_device_name(0)
    except Exception as error:
        return absent("PyTorch %s cannot use its GPU: %s" % (torch.__version__, first_line(error)))

    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.set_float32_matmul_precision("highest")
    report.update(
        status="stopped",
        device=device,
        cuda=torch.version.cuda or torch.version.hip,
        cudnn=torch.backends.cudnn.version(),
        tf32=False,
        timing="GPU events around turns of several calls, inputs and output in GPU memory")
    print("PyTorch %s on %s" % (torch.__version__, report["device"]))
    torch.manual_seed(1)
    shared, tensors = None, None
    with torch.no_grad():
        for dtype, shape, causal in read_grid(options.grid):
            if time.monotonic() >= end:
                break
            sizes = [int(size) for size in shape.split(".")]
            batch, heads, groups, queries, keys, width = sizes
            if shared != (dtype, shape):
                shared, tensors = None, None
                kind = getattr(torch, dtype)
                try:
                    tensors = [torch.randn(batch, h, n, width, device="cuda", dtype=kind)
                               for h, n in ((heads, queries), (groups, keys), (groups, keys))]
                except RuntimeError as error:
                    report["missing"].append({"dtype": dtype, "shape": shape, "causal": causal, "backend": "all",
                                              "reason": first_line(error)})
                    torch.cuda.empty_cache()
                    continue
                shared = (dtype, shape)
            arguments = {"is_causal": causal}
            if heads != groups:
                arguments["enable_gqa"] = True
            for name, backend in backends().items():
                left = end - time.monotonic()
                if left <= 0:
                    break
                entry = {"dtype": dtype, "shape": shape, "causal": causal, "backend": name}
                try:
                    with sdpa_kernel([backend]):
                        call = lambda: scaled_dot_product_attention(*tensors, **arguments)
                        error = largest_error(torch, call(), *tensors, causal)
                        median, least, most, rounds = time_calls(torch, call, min(CASE_SECONDS / 4, left))
                    entry.update(median_ms=round(median, 6), min_ms=round(least, 6), max_ms=round(most, 6),
                                 rounds=rounds, gflops=round(useful_flops(sizes, causal) / median / 1e6, 3),
                                 max_error=error if math.isfinite(error) else None)
                    report["results"].append(entry)
                    print("%-8s %-28s %-9s %9.3f ms %10.1f GFLOP/s" % (
                        dtype, shape + (":causal" if causal else ""), name, median, entry["gflops"]), flush=True)
                except (RuntimeError, TypeError) as error:
                    entry["reason"] = first_line(error)
                    report["missing"].append(entry)
                    torch.cuda.empty_cache()
            write(options.json, report)
        else:
            report["status"] = "complete"
    write(options.json, report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
