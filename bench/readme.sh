#!/bin/sh
# Makes README.md's chart and figures, and bench/results/*.md, from bench/results/*.json. bench/target/benchmarks.jar must be built.
set -eu
cd "$(dirname "$0")/.."
exec java -cp bench/target/benchmarks.jar dev.attention4j.bench.ReadmeTable README.md bench/results
