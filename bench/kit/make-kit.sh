#!/usr/bin/env bash
# Makes bench/target/kit/ and bench/target/kit.tar.gz: all that a bare Linux x86-64 machine with a GPU needs to check and
# measure attention4j there (see bench/README.md).
#
#   bench/kit/make-kit.sh [--no-build]
#
# Needs a JDK with jlink (JAVA_HOME, else the PATH's), binutils, Maven, and apt-get for the OpenCL loader, which is taken
# from the Debian package ocl-icd-libopencl1. --no-build takes the jars as they lie in target/ and bench/target/.
# A kit runs where glibc is at least that of this machine's JDK: kit/NEEDS says which.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
kit=$root/bench/target/kit
most_mib=60

if [ "$(uname -sm)" != "Linux x86_64" ]; then
    echo "make-kit.sh: this is $(uname -sm); a kit is made on Linux x86-64, whose Java it takes" >&2
    exit 2
fi
jlink=${JAVA_HOME:+$JAVA_HOME/bin/}jlink
for tool in "$jlink" objdump objcopy dpkg-deb apt-get tar; do
    command -v "$tool" >/dev/null || {
        echo "make-kit.sh: $tool is missing (a JDK; apt-get install binutils)" >&2
        exit 2
    }
done

case ${1:-} in
"")
    mvn -B -ntp -q install -DskipTests -Dmaven.javadoc.skip
    mvn -B -ntp -q -f bench/pom.xml package -DskipTests
    ;;
--no-build) ;;
*)
    echo "make-kit.sh: \"$1\", must be --no-build or nothing" >&2
    exit 2
    ;;
esac

rm -rf "$kit" "$kit.tar.gz"
mkdir -p "$kit/lib/java" "$kit/licenses"

# ---- Java: no java.desktop, whose libraries need fonts and X; the chart is drawn without it
"$jlink" --add-modules java.base,java.logging,jdk.management,jdk.unsupported \
    --strip-debug --no-header-files --no-man-pages --compress=2 --vm=server --output "$kit/runtime"
# Some distributions keep the licence texts out of their modules.
java_home=$(dirname "$(dirname "$(readlink -f "$(command -v "$jlink")")")")
for notice in "$java_home/NOTICE" "$java_home/LICENSE" "$java_home/legal/java.base/LICENSE" \
    /usr/share/doc/openjdk-*-jre-headless/copyright; do
    if [ -f "$notice" ]; then
        cp -L "$notice" "$kit/licenses/java-$(basename "$notice")"
    fi
done

# ---- what the runtime needs besides glibc, for systems that have none of it
find "$kit/runtime" -type f \( -name '*.so' -o -path '*/bin/*' \) -exec objdump -p {} + 2>/dev/null |
    sed -n 's/^ *NEEDED *//p' | sort -u |
    while read -r library; do
        case $library in
        libc.so* | libm.so* | libdl.so* | libpthread.so* | librt.so* | ld-linux*) continue ;;
        esac
        [ -z "$(find "$kit/runtime/lib" -name "$library")" ] || continue
        path=$(/sbin/ldconfig -p | sed -n "s/^[[:space:]]*$library (.*x86-64.*) => //p" | head -n 1)
        if [ -z "$path" ]; then
            echo "make-kit.sh: the runtime needs $library, which is not here" >&2
            exit 1
        fi
        cp -L "$path" "$kit/lib/java/$library"
        # A package may list its file under /lib although that is /usr/lib by now.
        file=$(readlink -f "$path")
        package=$(dpkg -S "$file" "${file#/usr}" 2>/dev/null | head -n 1 | cut -d: -f1 || true)
        if [ -n "$package" ] && [ -f "/usr/share/doc/$package/copyright" ]; then
            cp -L "/usr/share/doc/$package/copyright" "$kit/licenses/$library-copyright"
        fi
    done

# ---- the OpenCL loader
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$work" && apt-get -q -o APT::Sandbox::User="$(id -un)" download ocl-icd-libopencl1 >/dev/null)
dpkg-deb -x "$work"/ocl-icd-libopencl1_*.deb "$work/loader"
cp -L "$work"/loader/usr/lib/x86_64-linux-gnu/libOpenCL.so.1 "$kit/lib/libOpenCL.so.1"
cp "$work/loader/usr/share/doc/ocl-icd-libopencl1/copyright" "$kit/licenses/libOpenCL-copyright"
loader_version=$(dpkg-deb -f "$work"/ocl-icd-libopencl1_*.deb Version)

# ---- the jars and the scripts
cp target/attention4j-cli.jar "$kit/attention4j-cli.jar"
cp bench/target/benchmarks-slim.jar "$kit/benchmarks.jar"
cp bench/kit/run.sh bench/kit/drivers.sh bench/kit/torch_sdpa.py bench/kit/grid.txt "$kit/"
cp LICENSE "$kit/LICENSE"
cat >"$kit/licenses/README" <<END
attention4j is under the Apache License 2.0 (LICENSE). The jars hold the notices of what is packed into them.
runtime/             made by jlink of: $("$kit/runtime/bin/java" -version 2>&1 | sed -n 2p)
                     GPL 2 with the Classpath Exception (java-*; runtime/legal)
lib/libOpenCL.so.1   of Debian's package ocl-icd-libopencl1 $loader_version, BSD 2-Clause (libOpenCL-copyright)
lib/java/            of this distribution's packages, used only where a system has none (lib*-copyright)
END

# ---- the glibc that this needs (lib/java may need a newer one: it is for systems like this one, but barer)
glibc=$(find "$kit/runtime" "$kit/lib/libOpenCL.so.1" -type f \( -name '*.so*' -o -path '*/bin/*' \) -exec objdump -T {} + 2>/dev/null |
    grep -o 'GLIBC_[0-9.]*' | sort -Vu | tail -n 1)
echo "glibc ${glibc#GLIBC_} or newer" >"$kit/NEEDS"

tar -C "$(dirname "$kit")" --sort=name --owner=0 --group=0 --numeric-owner -czf "$kit.tar.gz" kit
mib=$(du -sm --apparent-size "$kit" | cut -f1)
echo "$kit: $mib MiB ($(du -m "$kit.tar.gz" | cut -f1) MiB as $(basename "$kit.tar.gz")), needs $(cat "$kit/NEEDS")"
if [ "$mib" -gt "$most_mib" ]; then
    echo "make-kit.sh: the kit has $mib MiB, must have $most_mib at most" >&2
    exit 1
fi
