package dev.attention4j.bench.jmh;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.AttentionEngine;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.openjdk.jmh.annotations.Param;

class PlanListTest {
    @Test
    void everyPlanHasItsBenchmark() throws NoSuchFieldException {
        List<String> plans = new ArrayList<>();
        for (String engine : List.of("best", "cpu")) {
            try (AttentionEngine open = AttentionEngine.open(engine)) {
                plans.add(engine + "/auto");
                open.plans().forEach(plan -> plans.add(engine + "/" + plan));
            }
        }
        Param listed = CallBenchmark.class.getField("plan").getAnnotation(Param.class);
        assertThat(listed.value()).containsExactlyInAnyOrderElementsOf(plans);
    }
}
