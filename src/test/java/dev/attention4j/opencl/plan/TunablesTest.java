package dev.attention4j.opencl.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a file or a user writes as tunables is numbers for macros, or refused: it ends in a compiler's options. */
class TunablesTest {
    @Test
    void textAndValuesAreTheSame() {
        Tunables tunables = Tunables.parse("ROW_VECTORS=3,KEY_TILE=8");

        assertThat(tunables.toString()).isEqualTo("ROW_VECTORS=3,KEY_TILE=8");
        assertThat(tunables).isEqualTo(Tunables.parse(" KEY_TILE = 8 , ROW_VECTORS=3 "));
        assertThat(tunables.get("KEY_TILE")).isEqualTo(8);
        assertThat(Tunables.parse("")).isEqualTo(Tunables.NONE);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> tunables.get("DIM_TILE"))
                .withMessageContaining("must have DIM_TILE");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "KEY_TILE",
                "KEY_TILE=",
                "KEY_TILE=x",
                "KEY_TILE=-1",
                "KEY_TILE=1.5",
                "KEY_TILE=8;DIM_TILE=8",
                "KEY_TILE=8,",
                "KEY_TILE=8,KEY_TILE=4",
                "key_tile=8",
                "KEY_TILE=999999",
                "KEY_TILE=70000",
                "KEY_TILE=8 -DX=1",
                "A -include=1"
            })
    void anythingElseIsRefused(String text) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Tunables.parse(text))
                .withMessageStartingWith("tunables: ");
    }

    @Test
    void namesThatAreNoMacrosAreRefused() {
        assertThatIllegalArgumentException().isThrownBy(() -> new Tunables(Map.of("A -D B", 1)));
    }

    @Test
    void aVariantIsAPlanWithOrWithoutTunables() {
        assertThat(Variant.parse("rows")).isEqualTo(new Variant("rows", Tunables.NONE));
        Variant variant = Variant.parse("rows:KEY_TILE=8");
        assertThat(variant).isEqualTo(new Variant("rows", new Tunables(Map.of("KEY_TILE", 8))));
        assertThat(variant.toString()).isEqualTo("rows:KEY_TILE=8");
    }
}
