#!/bin/sh
# Finds the OpenCL drivers of this machine, registered or not, and registers them for one run.
#
#   sh drivers.sh DIR
#
# says on standard output what it found and writes
#   DIR/vendors/*.icd   what the OpenCL loader reads: what was registered already, and what was found besides
#   DIR/env.sh          OCL_ICD_VENDORS and LD_LIBRARY_PATH to be set; KIT_DRIVERS, how many drivers there are;
#                       KIT_LOADER, whose loader it is: system or bundled
#
# Nothing outside DIR is written. No root, no network. The environment may say:
#   OCL_ICD_VENDORS   honoured: a folder is read instead of /etc/OpenCL/vendors; anything else is left as it is
#   LD_LIBRARY_PATH   its folders are looked at first
#   KIT_ROOT          put before each absolute path that is looked at (tests)
#   KIT_LDCONFIG      the command that lists the dynamic linker's cache (default: ldconfig)
#   KIT_LOADER_DIR    the folder with the bundled libOpenCL.so.1 (default: lib beside this script)
#   KIT_FORCE_LOADER  1: the bundled loader even where the system has one
#   KIT_WITHOUT_POCL  1: PoCL is left out, registered or not
set -u
unset CDPATH
here=$(cd "$(dirname "$0")" && pwd)
dir=${1:?usage: sh drivers.sh DIR}
root=${KIT_ROOT:-}
loader_dir=${KIT_LOADER_DIR:-$here/lib}
mkdir -p "$dir/vendors" || exit 2
dir=$(cd "$dir" && pwd)
rm -f "$dir"/vendors/*.icd
newline='
'

quoted() { # a text as one word of sh
    printf "'%s'" "$(printf %s "$1" | sed "s/'/'\\\\''/g")"
}

# ---- the dynamic linker's cache: lines "NAME => PATH"

if [ -n "${KIT_LDCONFIG:-}" ]; then
    cache=$($KIT_LDCONFIG -p 2>/dev/null)
elif [ -z "$root" ]; then
    for ldconfig in ldconfig /sbin/ldconfig /usr/sbin/ldconfig; do
        cache=$($ldconfig -p 2>/dev/null) && break
    done
else
    cache=
fi
# 64-bit libraries alone: the cache lists both.
cache=$(printf '%s\n' "$cache" | sed -n 's/^[[:space:]]*\([^ ]*\) (\([^)]*x86-64[^)]*\)) => \(.*\)$/\1 \3/p')

# Whether the linker finds a folder's libraries without being told.
is_default() {
    case $1 in
    "$root"/lib | "$root"/lib64 | "$root"/usr/lib | "$root"/usr/lib64 | "$root"/lib/x86_64-linux-gnu | "$root"/usr/lib/x86_64-linux-gnu) return 0 ;;
    esac
    printf '%s\n' "$cache" | grep -qF " $1/"
}

# ---- where drivers put their libraries

folders=
add_folder() {
    [ -d "$1" ] || return 0
    case $newline$folders$newline in
    *"$newline$1$newline"*) ;;
    *) folders=$folders${folders:+$newline}$1 ;;
    esac
}

old_ifs=$IFS
IFS=:
for folder in ${LD_LIBRARY_PATH:-}; do
    [ -z "$folder" ] || add_folder "${folder%/}"
done
IFS=$newline
for path in $(printf '%s\n' "$cache" | sed -n 's/^lib\(nvidia-opencl\|amdocl64\|igdrcl\|pocl\)\.so[^ ]* //p'); do
    add_folder "${path%/*}"
done
IFS=$old_ifs
for folder in \
    "$root"/usr/lib/x86_64-linux-gnu "$root"/usr/lib64 "$root"/lib/x86_64-linux-gnu "$root"/lib64 "$root"/usr/lib \
    "$root"/usr/local/lib64 "$root"/usr/local/lib "$root"/usr/local/lib/x86_64-linux-gnu \
    "$root"/usr/local/nvidia/lib64 "$root"/usr/local/nvidia/lib "$root"/usr/local/nvidia \
    "$root"/usr/lib/x86_64-linux-gnu/nvidia "$root"/usr/lib/x86_64-linux-gnu/nvidia/* \
    "$root"/usr/lib64/nvidia "$root"/usr/lib/nvidia* "$root"/opt/nvidia/lib64 "$root"/opt/nvidia/lib \
    "$root"/usr/local/cuda*/lib64 "$root"/usr/local/cuda*/compat "$root"/usr/local/cuda*/targets/x86_64-linux/lib \
    "$root"/run/nvidia/driver/usr/lib/x86_64-linux-gnu "$root"/run/nvidia/driver/usr/lib64 \
    "$root"/home/kubernetes/bin/nvidia/lib64 "$root"/run/opengl-driver/lib \
    "$root"/usr/lib/wsl/lib "$root"/usr/lib/wsl/drivers/* \
    "$root"/opt/rocm*/lib "$root"/opt/rocm*/lib64 "$root"/opt/rocm*/opencl/lib "$root"/opt/rocm*/opencl/lib/x86_64 \
    "$root"/opt/amdgpu*/lib/x86_64-linux-gnu "$root"/opt/amdgpu*/lib64 "$root"/opt/amdgpu*/lib \
    "$root"/usr/lib/x86_64-linux-gnu/intel-opencl "$root"/usr/lib64/intel-opencl "$root"/usr/lib/intel-opencl \
    "$root"/usr/local/lib/intel-opencl "$root"/opt/intel/opencl "$root"/opt/intel/opencl/lib64; do
    add_folder "$folder"
done

# Whether a file is a 64-bit ELF library: images of containers hold empty files of these names, systems 32-bit ones.
is_library() {
    [ -s "$1" ] && [ "$(od -An -tx1 -N5 "$1" 2>/dev/null | tr -d ' \n')" = 7f454c4602 ]
}

# The first library of a name, exact or with a version behind it (a driver whose links nobody has made), in the folders.
find_library() { # NAME, such as libnvidia-opencl.so.1
    IFS=$newline
    for folder in $folders; do
        IFS=$old_ifs
        for candidate in "$folder/$1" "$folder/${1%%.so*}".so.[0-9]* "$folder/${1%%.so*}.so"; do
            if is_library "$candidate"; then
                printf %s "$candidate"
                return 0
            fi
        done
    done
    IFS=$old_ifs
    return 1
}

# ---- what is registered

drivers=0
library_path=
registered=:
use() { # ICD-FILE-NAME LIBRARY: registers a driver
    printf '%s\n' "$2" >"$dir/vendors/$1"
    drivers=$((drivers + 1))
    case $2 in
    */*)
        # A driver loads its compiler by name from where it lies itself.
        folder=${2%/*}
        if ! is_default "$folder"; then
            case :$library_path: in
            *:"$folder":*) ;;
            *) library_path=$library_path${library_path:+:}$folder ;;
            esac
        fi
        ;;
    esac
}

family() { # the vendor whose driver a library is
    case ${1##*/} in
    libnvidia-opencl.so*) echo nvidia ;;
    libamdocl64.so*) echo amd ;;
    libigdrcl.so*) echo intel ;;
    libpocl.so*) echo pocl ;;
    *) echo other ;;
    esac
}

vendors=${OCL_ICD_VENDORS:-$root/etc/OpenCL/vendors}
if [ -n "${OCL_ICD_VENDORS:-}" ] && [ ! -d "$vendors" ]; then
    echo "OCL_ICD_VENDORS is set to $vendors, which is no folder: left as it is, no driver is looked for"
    drivers=1
    private=
else
    private=yes
    for icd in "$vendors"/*.icd; do
        [ -f "$icd" ] || continue
        library=$(sed -n '/[^[:space:]]/{s/^[[:space:]]*//;s/[[:space:]]*$//;p;q;}' "$icd")
        kind=$(family "$library")
        if [ "$kind" = pocl ] && [ "${KIT_WITHOUT_POCL:-0}" = 1 ]; then
            echo "registered: $icd: $library: left out"
            continue
        fi
        case $library in
        '')
            echo "registered: $icd, which is empty: left out"
            continue
            ;;
        /*)
            if is_library "$library"; then
                echo "registered: $icd: $library"
                use "${icd##*/}" "$library"
                registered=$registered$kind:
            else
                echo "registered: $icd: $library, which is not there"
            fi
            ;;
        *)
            if printf '%s\n' "$cache" | grep -qF "$library "; then
                echo "registered: $icd: $library"
                use "${icd##*/}" "$library"
                registered=$registered$kind:
            elif found=$(find_library "$library"); then
                echo "registered: $icd: $library, found as $found"
                use "${icd##*/}" "$found"
                registered=$registered$kind:
            else
                echo "registered: $icd: $library, which was not found"
            fi
            ;;
        esac
    done
    [ "$drivers" -gt 0 ] || echo "registered in $vendors: no driver that is there"

    # ---- what is there besides
    for library in libnvidia-opencl.so.1 libamdocl64.so libigdrcl.so libpocl.so.2; do
        kind=$(family "$library")
        case $registered in
        *:"$kind":*) continue ;;
        esac
        # PoCL computes on the CPU and needs a compiler's parts, without which it may end the process that asks it: what
        # nobody has registered does not stand beside a driver that works.
        if [ "$kind" = pocl ] && { [ "$drivers" -gt 0 ] || [ "${KIT_WITHOUT_POCL:-0}" = 1 ]; }; then
            continue
        fi
        if found=$(find_library "$library"); then
            echo "found, not registered: $found: registered for this run"
            use "kit-$kind.icd" "$found"
        fi
    done
fi

# ---- a GPU whose driver has no OpenCL part here

hint() { # KIND LIBRARY WHAT-TO-DO
    [ -n "$private" ] || return 0
    [ -f "$dir/vendors/kit-$1.icd" ] && return 0
    case $registered in
    *:"$1":*) return 0 ;;
    esac
    echo "$2"
}
if [ -e "$root/dev/nvidiactl" ] || [ -e "$root/proc/driver/nvidia/version" ] || find_library libcuda.so.1 >/dev/null; then
    hint nvidia "an NVIDIA driver is here, but not its OpenCL library, libnvidia-opencl.so.1: it is part of the same \
driver version; a container gets it with NVIDIA_DRIVER_CAPABILITIES=compute,utility; LD_LIBRARY_PATH may name its folder"
fi
if [ -e "$root/dev/kfd" ]; then
    hint amd "an AMD GPU is here (/dev/kfd), but not libamdocl64.so: it is in the package rocm-opencl"
fi

# ---- the loader

loader=bundled
if [ "${KIT_FORCE_LOADER:-0}" != 1 ]; then
    if printf '%s\n' "$cache" | grep -q '^libOpenCL\.so\.1 '; then
        loader=system
        where=$(printf '%s\n' "$cache" | sed -n 's/^libOpenCL\.so\.1 //p' | sed -n 1p)
    else
        IFS=:
        for folder in ${LD_LIBRARY_PATH:-} "$root"/usr/lib/x86_64-linux-gnu "$root"/lib/x86_64-linux-gnu \
            "$root"/usr/lib64 "$root"/lib64; do
            if [ -n "$folder" ] && is_library "$folder/libOpenCL.so.1"; then
                loader=system
                where=$folder/libOpenCL.so.1
                break
            fi
        done
        IFS=$old_ifs
    fi
fi
path=${LD_LIBRARY_PATH:-}
if [ "$loader" = system ]; then
    echo "OpenCL loader: the system's, $where"
else
    echo "OpenCL loader: the kit's, $loader_dir/libOpenCL.so.1"
    path=$loader_dir${path:+:$path}
fi
[ -z "$library_path" ] || path=$path${path:+:}$library_path
[ "$drivers" -gt 0 ] || echo "No OpenCL driver was found on this machine: only the CPU engine, which is Java, can compute."

{
    if [ -n "$private" ]; then
        printf 'OCL_ICD_VENDORS=%s\nexport OCL_ICD_VENDORS\n' "$(quoted "$dir/vendors")"
    fi
    if [ -n "$path" ]; then
        printf 'LD_LIBRARY_PATH=%s\nexport LD_LIBRARY_PATH\n' "$(quoted "$path")"
    fi
    printf 'KIT_DRIVERS=%s\nKIT_LOADER=%s\n' "$drivers" "$loader"
} >"$dir/env.sh"
