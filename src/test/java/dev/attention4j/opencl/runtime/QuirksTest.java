package dev.attention4j.opencl.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.opencl.runtime.Quirks.Quirk;
import org.junit.jupiter.api.Test;

/** Each quirk is found on the devices that it is for, by the names that their drivers give, and on no other. */
class QuirksTest {
    @Test
    void nvidiaHasNone() {
        assertThat(Quirks.of("NVIDIA Corporation", "NVIDIA CUDA", "NVIDIA H200"))
                .hasToString("none");
    }

    @Test
    void poclPrintsErrorsAndKeepsBuilds() {
        Quirks pocl = Quirks.of("GenuineIntel", "Portable Computing Language", "pthread-skylake");
        assertThat(pocl.has(Quirk.ERRORS_ON_SCREEN)).isTrue();
        assertThat(pocl.has(Quirk.KEEPS_BUILDS)).isTrue();
        assertThat(pocl.multiplyAddMode()).isZero();
    }

    @Test
    void amdAndAdrenoMultiplyAddByMad() {
        assertThat(Quirks.of("Advanced Micro Devices, Inc.", "AMD Accelerated Parallel Processing", "gfx1100")
                        .multiplyAddMode())
                .isEqualTo(1);
        assertThat(Quirks.of("QUALCOMM", "QUALCOMM Snapdragon(TM)", "QUALCOMM Adreno(TM)")
                        .multiplyAddMode())
                .isEqualTo(1);
    }

    @Test
    void maliMultipliesPlainlyAndCopies() {
        Quirks mali = Quirks.of("ARM", "ARM Platform", "Mali-G78 r0p1");
        assertThat(mali.multiplyAddMode()).isEqualTo(2);
        assertThat(mali.has(Quirk.NO_HOST_POINTER)).isTrue();
    }

    @Test
    void emulatorsAreKnown() {
        Quirks llvmpipe = Quirks.of("Mesa/X.org", "rusticl", "llvmpipe (LLVM 15.0.6, 512 bits)");
        assertThat(llvmpipe.has(Quirk.EMULATOR)).isTrue();
        assertThat(llvmpipe.has(Quirk.NO_HOST_POINTER)).isTrue();
        assertThat(llvmpipe.has(Quirk.LOOP_LIMIT)).isTrue();
        Quirks radeonByRusticl = Quirks.of("AMD", "rusticl", "AMD Radeon RX 6600 (navi23)");
        assertThat(radeonByRusticl.has(Quirk.EMULATOR)).isFalse();
        assertThat(radeonByRusticl.has(Quirk.LOOP_LIMIT)).isFalse();
        Quirks oclgrind = Quirks.of("University of Bristol", "Oclgrind", "Oclgrind Simulator");
        assertThat(oclgrind.has(Quirk.EMULATOR)).isTrue();
        assertThat(oclgrind.has(Quirk.NO_BINARIES)).isTrue();
        assertThat(oclgrind.has(Quirk.BLOCKING_TRANSFERS)).isTrue();
    }
}
