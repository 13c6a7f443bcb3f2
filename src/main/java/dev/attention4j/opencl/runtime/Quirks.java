package dev.attention4j.opencl.runtime;

import java.util.EnumSet;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Drivers' peculiarities, each with its reason.
 *
 * <p>Only those that probing cannot find belong here. Add a quirk as a constant with its reason, recognise it in {@link
 * #of}, and name the test.
 */
public final class Quirks {
    /** A peculiarity of a driver. */
    public enum Quirk {
        /**
         * {@code mad()} is the fast multiply-add: AMD's and Qualcomm's compilers emulate {@code fma()} on some parts.
         */
        MULTIPLY_ADD_IS_MAD,
        /** {@code a*b+c} is the fast multiply-add: Mali has slow {@code fma()} and contracts the plain form. */
        MULTIPLY_ADD_IS_PLAIN,
        /**
         * CL_MEM_USE_HOST_PTR is broken: copy instead. Mali drivers; Rusticl of Mesa 22.3 refuses to unmap what it
         * mapped (CL_INVALID_VALUE).
         */
        NO_HOST_POINTER,
        /** Made for testing, not for speed (Oclgrind, llvmpipe): never the default device. */
        EMULATOR,
        /**
         * Programs made from binaries cannot be trusted: always build from source. Rusticl of Mesa 22.3 aborts the process on a
         * binary that it did not make; Oclgrind loses the source lines for its reports.
         */
        NO_BINARIES,
        /**
         * Keeps builds on disk itself, and compiles a kernel once more for a binary, which lacks what a launch needs: PoCL. A
         * binary made first calls longer by a third, and second starts no quicker. One is made only for a directory that the
         * caller names.
         */
        KEEPS_BUILDS,
        /**
         * Transfers must block: JOCL waits for others on a thread of its own, and two threads crash Oclgrind.
         */
        BLOCKING_TRANSFERS,
        /**
         * All loops of a work-item exit after 65,535 iterations in total: llvmpipe (Mesa 22.3), to survive shaders that
         * hang. What might exceed that is refused: see {@code LoopLimit}.
         */
        LOOP_LIMIT,
        /**
         * The compiler prints its number of errors on the user's screen ("4 errors generated."): PoCL 3.1. Probes that need an
         * extension run only if it is reported; on other devices they run always, since a build tells more than a report.
         */
        ERRORS_ON_SCREEN;

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT).replace('_', ' ');
        }
    }

    private final Set<Quirk> quirks;

    private Quirks(Set<Quirk> quirks) {
        this.quirks = quirks;
    }

    /** Returns whether a quirk applies. */
    public boolean has(Quirk quirk) {
        return quirks.contains(quirk);
    }

    /**
     * The value of MULTIPLY_ADD_MODE in {@code opencl/common/multiply_add.clh}: 0 for fma(a, b, c), 1 for mad(a, b, c), 2 for a
     * * b + c.
     */
    public int multiplyAddMode() {
        return has(Quirk.MULTIPLY_ADD_IS_MAD) ? 1 : has(Quirk.MULTIPLY_ADD_IS_PLAIN) ? 2 : 0;
    }

    /** Returns these quirks and one more. */
    Quirks with(Quirk quirk) {
        Set<Quirk> more = EnumSet.of(quirk);
        more.addAll(quirks);
        return new Quirks(more);
    }

    static Quirks of(String vendor, String platform, String name) {
        Set<Quirk> found = EnumSet.noneOf(Quirk.class);
        String all = (vendor + "\n" + platform + "\n" + name).toLowerCase(Locale.ROOT);
        if (all.contains("advanced micro devices") || all.contains("qualcomm") || all.contains("adreno")) {
            found.add(Quirk.MULTIPLY_ADD_IS_MAD);
        }
        if (all.contains("mali")) {
            found.add(Quirk.MULTIPLY_ADD_IS_PLAIN);
            found.add(Quirk.NO_HOST_POINTER);
        }
        if (all.contains("llvmpipe")) {
            found.add(Quirk.EMULATOR);
            found.add(Quirk.LOOP_LIMIT);
        }
        if (all.contains("portable computing language")) {
            found.add(Quirk.ERRORS_ON_SCREEN);
            found.add(Quirk.KEEPS_BUILDS);
        }
        if (all.contains("rusticl")) {
            found.add(Quirk.NO_HOST_POINTER);
            found.add(Quirk.NO_BINARIES);
        }
        if (all.contains("oclgrind")) {
            found.add(Quirk.EMULATOR);
            found.add(Quirk.NO_BINARIES);
            found.add(Quirk.BLOCKING_TRANSFERS);
        }
        return new Quirks(found);
    }

    @Override
    public String toString() {
        return quirks.isEmpty() ? "none" : quirks.stream().map(Quirk::toString).collect(Collectors.joining(", "));
    }
}
