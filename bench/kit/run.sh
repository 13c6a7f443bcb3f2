#!/bin/sh
# Runs attention4j's whole job on this machine: what devices there are, whether they compute right, how fast, and how
# fast PyTorch is on the same GPU, where there is one. Needs no network, no root, no installed Java.
#
#   sh run.sh OUTDIR
#
# leaves OUTDIR/results.json, OUTDIR/chart.svg and what each step said in OUTDIR/steps/. Both are written anew after each
# step: whoever stops it has what there was. It ends by itself within 8 minutes. OUTDIR is a new folder or one of an
# earlier run, whose results are replaced: what somebody else may have put there is refused, not overwritten.
#
# Exit code 0: nothing failed (a step may have run out of time: its outcome says so); 1: something failed or was wrong (a
# step's line says so); 2: it cannot run here; 130, 143: stopped. A machine without an OpenCL driver is no failure: the CPU
# engine is measured.
#
# The environment may say:
#   KIT_SECONDS     the whole time, at most 470 (default 450)
#   KIT_PYTHON      the python3 that has PyTorch (default: python3)
#   KIT_DEVICE      the engine to be timed, as 'devices' names it (default: best)
#   KIT_GRID        another list of shapes (default: grid.txt)
#   KIT_STEPS       the steps to be run, by name, with blanks between them (default: all that there is time for); the
#                   search for drivers and 'devices', by which it is judged, are always run
#   KIT_TUNE        the shapes to be tuned for, as the command line's 'tune --shapes' takes them
#   KIT_TUNE_PLAN   the plan to be tuned, as 'tune --plan' takes it (default: tiles on a GPU, auto elsewhere)
#   KIT_KEEP_BUILDS if set, what the drivers made of the kernels is kept in OUTDIR/steps/cache, with what was
#                   tuned, for the next run as well
#   OCL_ICD_VENDORS, LD_LIBRARY_PATH, KIT_FORCE_LOADER, KIT_WITHOUT_POCL: see drivers.sh
set -u
unset CDPATH
kit=$(cd "$(dirname "$0")" && pwd)
if [ $# -ne 1 ] || [ -z "$1" ]; then
    echo "usage: sh run.sh OUTDIR" >&2
    exit 2
fi
begin=$(date +%s)
seconds=${KIT_SECONDS:-450}
# As it is to be written: a shell may take a leading zero for octal, and knows no number of twenty digits.
case $seconds in
*[!0-9]* | 0* | ????*) seconds=0 ;;
esac
if [ "$seconds" -lt 20 ] || [ "$seconds" -gt 470 ]; then
    echo "run.sh: KIT_SECONDS: ${KIT_SECONDS:-}, must be 20 to 470" >&2
    exit 2
fi
known="devices doctor roofline resident torch conformance compare-float32 compare-float16 suite tune resident-others"
asked=
set -f
for name in ${KIT_STEPS:-}; do
    case " $known " in
    *" $name "*) asked="$asked $name" ;;
    *)
        echo "run.sh: KIT_STEPS: \"$name\", must be of: $known (blanks between them)" >&2
        exit 2
        ;;
    esac
done
set +f
# Each run has begun with steps.tsv: without it nothing in the folder is the kit's.
if [ ! -f "$1/steps/steps.tsv" ]; then
    for file in "$1"/steps/* "$1"/steps/.[!.]* "$1/results.json" "$1/chart.svg" "$1/tuning.json" "$1/suite.html"; do
        if [ -e "$file" ] || [ -L "$file" ]; then
            echo "run.sh: OUTDIR: $1, has ${file#"$1"/}, which no run of the kit has left: must be another folder" >&2
            exit 2
        fi
    done
fi
if ! mkdir -p "$1/steps" || [ ! -w "$1/steps" ]; then
    echo "run.sh: OUTDIR: $1, must be a folder that can be made and written" >&2
    exit 2
fi
# What is left then is for a step to be killed and for the last merge.
deadline=$((begin + seconds - 10))
out=$(cd "$1" && pwd)
steps=$out/steps
cache=$steps/cache
: >"$steps/steps.tsv" || exit 2
# By name: whatever else lies there is somebody's.
for file in "$out/results.json" "$out/chart.svg" "$out/tuning.json" "$out/suite.html" "$steps/drivers.txt" \
    "$steps/env.sh"; do
    rm -f "$file" "$file.part"
done
for name in $known devices-without-pocl devices-kit-loader; do
    rm -f "$steps/$name.log" "$steps/$name.json" "$steps/$name.json.part"
done
grid=${KIT_GRID:-$kit/grid.txt}
device=${KIT_DEVICE:-best}
[ -n "${KIT_KEEP_BUILDS:-}" ] || rm -rf "$cache"
mkdir -p "$cache" && chmod 700 "$cache" || exit 2
export POCL_CACHE_DIR="$cache"

say() {
    printf '%s\n' "$*"
}

# ---- Java, which is the kit's own

java=$kit/runtime/bin/java
if ! why=$("$java" -version 2>&1); then
    # zlib and the C++ runtime are missing from some bare systems; the kit has those, but no glibc.
    LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$kit/lib/java
    export LD_LIBRARY_PATH
    if ! why=$("$java" -version 2>&1); then
        say "run.sh: the kit's Java does not start here; it needs Linux on x86-64 with $(cat "$kit/NEEDS"):" >&2
        say "$why" >&2
        exit 2
    fi
fi
jvm() { # the options of every JVM, as words
    echo "-XX:MaxRAMPercentage=40 -XX:+UseParallelGC -Xshare:auto -Djava.awt.headless=true"
}
failed=0
absent=3 # the exit code by which a step says that what it is for is not here
child=
step=
merge() { # STATUS
    "$java" -XX:TieredStopAtLevel=1 -cp "$kit/benchmarks.jar" dev.attention4j.bench.KitReport "$out" "$1"
}

record() { # NAME OUTCOME EXIT-CODE SECONDS WHAT
    printf '%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" "$5" >>"$steps/steps.tsv"
}

# What was tuned is worth keeping; the builds are this driver's.
tidy() {
    [ ! -f "$cache/tuning.json" ] || cp "$cache/tuning.json" "$out/tuning.json"
    [ -n "${KIT_KEEP_BUILDS:-}" ] || rm -rf "$cache"
}

stop() { # EXIT-CODE
    trap '' TERM INT HUP
    say "stopped early, in the step $step: merging what there is"
    if [ -n "$child" ]; then
        kill -TERM "$child" 2>/dev/null
        record "$step" stopped "" $(($(date +%s) - step_begin)) "stopped from outside"
    fi
    merge stopped
    [ -z "$child" ] || wait "$child"
    tidy
    say "$out/results.json"
    exit "$1"
}
trap 'stop 143' TERM
trap 'stop 130' INT
trap 'stop 129' HUP

# Seconds left, but no more than a step's own.
left() { # BUDGET
    left=$((deadline - $(date +%s)))
    [ "$left" -lt "$1" ] || left=$1
}

# Runs a step in at most BUDGET seconds; its output goes to steps/NAME.log. Gives its exit code, 124 if it was stopped.
run() { # NAME BUDGET WHAT COMMAND...
    step=$1
    what=$3
    case "${asked:- $step} devices devices-without-pocl devices-kit-loader " in
    *" $step "*) ;;
    *)
        record "$step" "not asked for" "" 0 "$what"
        outcome="not asked for"
        code=0
        return
        ;;
    esac
    left "$2"
    step_begin=$(date +%s)
    log=$steps/$1.log
    shift 3
    if [ "$left" -lt 5 ]; then
        record "$step" "no time left" "" 0 "$what"
        say "-- $step: $what: no time left"
        outcome="no time left"
        code=124
        return
    fi
    say "-- $step: $what (at most $left s)"
    timeout -k 4 "$left" "$@" >"$log" 2>&1 </dev/null &
    child=$!
    wait "$child"
    code=$?
    child=
    took=$(($(date +%s) - step_begin))
    case $code in
    0) outcome=ok ;;
    3 | "$absent") outcome="not here" ;;
    124 | 137) outcome="out of time" ;;
    *) outcome=failed failed=1 ;;
    esac
    record "$step" "$outcome" "$code" "$took" "$what"
    merge running
    say "   $outcome, $took s"
}

show() { # the last lines of a step's log, or the first where it says what failed
    if [ "$outcome" = failed ]; then head -n 3 "$steps/$step.log"; else tail -n "$1" "$steps/$step.log"; fi 2>/dev/null |
        cut -c 1-160 | sed 's/^/   /'
}

# ---- the drivers

find_drivers() {
    # As it was when the kit was started, not as an earlier search left it.
    if [ -n "$given_vendors" ]; then export OCL_ICD_VENDORS="$given_vendors"; else unset OCL_ICD_VENDORS; fi
    if [ -n "$given_path" ]; then export LD_LIBRARY_PATH="$given_path"; else unset LD_LIBRARY_PATH; fi
    sh "$kit/drivers.sh" "$steps" >"$steps/drivers.txt" 2>&1
    sed 's/^/   /' "$steps/drivers.txt"
    # shellcheck disable=SC1091
    . "$steps/env.sh"
}
given_vendors=${OCL_ICD_VENDORS:-}
given_path=${LD_LIBRARY_PATH:-}
say "-- drivers"
find_drivers

command_line() { # NAME BUDGET WHAT ARGUMENTS-OF-THE-CLI...
    name=$1 budget=$2 text=$3
    shift 3
    # shellcheck disable=SC2046
    run "$name" "$budget" "$text" "$java" $(jvm) -Dattention4j.cache.dir="$cache" \
        -jar "$kit/attention4j-cli.jar" "$@"
}
bench() { # NAME BUDGET WHAT CLASS ARGUMENTS...
    name=$1 budget=$2 text=$3 class=$4
    shift 4
    # shellcheck disable=SC2046
    run "$name" "$budget" "$text" "$java" $(jvm) -Dattention4j.cache.dir="$cache" \
        -cp "$kit/benchmarks.jar" "dev.attention4j.bench.$class" "$@"
}
list_devices() { # NAME-OF-THE-STEP WHAT
    command_line "$1" 40 "$2" devices --json "$steps/$1.json"
    found=$(opencl_devices "$1")
}
opencl_devices() { # NAME-OF-THE-STEP: how many it has listed, -1 if it has left no list
    if [ -s "$steps/$1.json" ]; then grep -c '"id" *: *"opencl:' "$steps/$1.json"; else echo -1; fi
}
lower() {
    printf %s "$1" | tr '[:upper:]' '[:lower:]'
}
engine_kind() { # what kind of engine $device names, by the list of devices; nothing if that cannot be told
    if [ "$(lower "$device")" = best ]; then
        for kind in gpu accelerator opencl_cpu cpu; do
            if grep -q "\"kind\" *: *\"$kind\"" "$steps/devices.json" 2>/dev/null; then
                echo "$kind"
                return
            fi
        done
        return
    fi
    # Each engine's are in this order. Its index or id goes before a part of another's name.
    matches=$(
        index='' id='' kind='' wanted=$(lower "$device")
        sed -n 's/^ *"\(index\|id\|kind\|name\)" *: *"\{0,1\}\([^"]*[^",]\)"\{0,1\},\{0,1\}$/\1 \2/p' \
            "$steps/devices.json" 2>/dev/null |
            while read -r key value; do
                value=$(lower "$value")
                case $key in
                index) index=$value ;;
                id) id=$value ;;
                kind) kind=$value ;;
                name)
                    case $wanted in
                    "$index" | "$id") echo "1 $kind" ;;
                    esac
                    case $value in
                    *"$wanted"*) echo "2 $kind" ;;
                    esac
                    ;;
                esac
            done
    )
    for order in 1 2; do
        printf '%s\n' "$matches" | sed -n "s/^$order //p"
    done | head -n 1
}
adopt() { # NAME-OF-THE-STEP: its list is the one that counts
    cp "$steps/$1.json" "$steps/devices.json"
    listed=$1
    opencl=$found
}

# ---- the steps, the most informative first

list_devices devices "what can compute here"
listed=devices
opencl=$found
if [ "$opencl" -lt 0 ] && grep -qs 'libpocl\.so' "$steps"/vendors/*.icd; then
    show 3
    say "   no list; PoCL may end the process that asks it, and the other drivers with it: now without it"
    export KIT_WITHOUT_POCL=1
    find_drivers
    list_devices devices-without-pocl "what can compute here, without PoCL"
    if [ "$found" -ge 0 ]; then
        adopt devices-without-pocl
    else
        unset KIT_WITHOUT_POCL
        find_drivers >/dev/null
    fi
fi
# An old loader reads no private registrations, but lists what it knows: none, or one that is not the GPU. A driver may
# have several devices or none, so that fewer devices than drivers are no fault yet: the loader that lists more is kept.
if [ "${KIT_LOADER:-}" = system ] && [ "$opencl" -lt "${KIT_DRIVERS:-0}" ]; then
    say "   fewer devices by the system's loader than there are drivers ($KIT_DRIVERS): the kit's now"
    forced=${KIT_FORCE_LOADER:-0}
    export KIT_FORCE_LOADER=1
    find_drivers
    list_devices devices-kit-loader "what can compute here, by the kit's loader"
    if [ "$found" -gt "$opencl" ]; then
        adopt devices-kit-loader
    else
        say "   no more by the kit's loader: the system's"
        export KIT_FORCE_LOADER="$forced"
        find_drivers >/dev/null
    fi
fi
if [ "$opencl" -ge 0 ]; then
    say "   OpenCL devices: $opencl"
else
    show 3
    say "   The OpenCL devices could not be listed"
fi

if [ "$opencl" = 0 ]; then
    say "   No OpenCL device: the CPU engine alone is checked and measured. Why:"
    absent=1
fi
command_line doctor 60 "whether OpenCL works here" doctor
if [ -f "$steps/doctor.log" ]; then
    sed 's/^/   /' "$steps/doctor.log"
elif [ "$opencl" = 0 ]; then
    sed -n '/^Not available here/,/^Written to /{/^  /s/^/   /p;}' "$steps/$listed.log"
fi
absent=3

bench roofline 45 "what the devices can do at most" KitGrid --json "$steps/roofline.json"
show 5

left 130
bench resident 130 "calls with tensors on the device, each engine's own choice of plan" KitGrid --grid "$grid" \
    --device "$device" --json "$steps/resident.json" --max-seconds $((left - 6))
show 4

left 100
python=${KIT_PYTHON:-python3}
if command -v "$python" >/dev/null 2>&1; then
    # PyTorch brings its own libraries: the driver search's must not come between.
    run torch 100 "PyTorch's scaled_dot_product_attention on the same GPU" \
        env LD_LIBRARY_PATH="$given_path" PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
        "$python" "$kit/torch_sdpa.py" --grid "$grid" --json "$steps/torch.json" --max-seconds $((left - 15))
    show 2
else
    record torch "not here" "" 0 "no python3"
    say "-- torch: there is no $python here"
fi

command_line conformance 90 "known results, every device and plan" conformance --case real/sentences \
    --json "$steps/conformance.json"
show 3

shapes=1.8.8.512.512.64,1.8.8.1024.1024.128:causal,2.16.16.2048.2048.128,8.32.32.1.4096.128
for dtype in float32 float16; do
    bench "compare-$dtype" 60 "host memory in and out, beside plain Java, $dtype" Compare --shapes "$shapes" \
        --device "$device" --peers plain-java --dtype "$dtype" --slowest 1 --json "$steps/compare-$dtype.json"
    show 4
done

command_line suite 120 "the built-in suite, quick, every plan of the device" conformance --quick --device "$device" \
    --json "$steps/suite.json" --html "$out/suite.html"
show 3

tune=${KIT_TUNE:-2.16.16.4096.4096.128,2.32.32.4096.4096.64,8.32.32.1.4096.128,2.16.16.4096.4096.128:causal}
# On a GPU the 'rows' plan, one work-item to a group, takes seconds for a call and would have the whole step: there tiles
# alone are tuned. An engine that chooses its plan itself takes their tilings as well, wherever its own choice is tiles,
# which a GPU's is first of all; what such tuning cannot find is that another plan is faster: resident-others shows that.
kind=$(engine_kind)
case $kind:$tune in
cpu:* | oracle:*) plan= ;;
*:*gemm:*) plan=auto ;; # projections have no plans
gpu:* | accelerator:*) plan=tiles ;;
*) plan=auto ;;
esac
if [ -n "$plan" ]; then
    command_line tune 120 "the fastest tiles, each checked first" \
        tune --device "$device" --shapes "$tune" --plan "${KIT_TUNE_PLAN:-$plan}"
    show 12
else
    record tune "not here" "" 0 "no OpenCL device to be tuned"
    say "-- tune: no OpenCL device to be tuned"
fi

left 200
bench resident-others 200 "calls with tensors on the device, the other plans" KitGrid --grid "$grid" \
    --device "$device" --plan others --json "$steps/resident-others.json" --max-seconds $((left - 6))
show 4

trap '' TERM INT HUP
merge complete || failed=1
tidy
say "-- done in $(($(date +%s) - begin)) s: $out/results.json, $out/chart.svg"
exit "$failed"
