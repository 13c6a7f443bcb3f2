package dev.attention4j.conformance.suite;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.EngineInfo;
import dev.attention4j.conformance.suite.SuiteRun.Selection;
import java.util.Optional;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class WorkerTest {
    private static final Selection QUICK = new Selection(true, Selection.DEFAULT_SEED, Optional.empty());

    private static Worker.Assignment lane(int lane, int lanes) {
        return new Worker.Assignment("opencl:0", SuiteRun.ALL_PLANS, QUICK, lane, lanes, 7, Set.of("rows", "tiles"));
    }

    @Test
    void anAssignmentArrivesAsItWasSent() {
        Worker.Assignment sent = lane(1, 2);
        assertThat(Worker.Assignment.parse(sent.arguments().toArray(new String[0])))
                .isEqualTo(sent);
    }

    @Test
    void everyTrialIsOfOneLane() {
        for (EngineInfo.Kind kind : EngineInfo.Kind.values()) {
            for (int lanes = 1; lanes <= 3; lanes++) {
                for (int plans = 1; plans <= 5; plans++) {
                    for (int trial = 0; trial < 6 * plans; trial++) {
                        int count = lanes;
                        int ofAll = plans;
                        int number = trial / plans;
                        int plan = trial % plans;
                        assertThat(IntStream.range(0, lanes)
                                        .filter(lane -> lane(lane, count).takes(kind, number, plan, ofAll)))
                                .as("trial %s of %s plans on %s lanes, %s", trial, plans, lanes, kind)
                                .hasSize(1);
                    }
                }
            }
        }
    }

    @Test
    void lanesShareCasesOnEmulatorsAndPlansElsewhere() {
        assertThat(IntStream.range(0, 4).filter(plan -> lane(0, 2).takes(EngineInfo.Kind.OPENCL_CPU, 5, plan, 4)))
                .containsExactly(0, 1);
        assertThat(IntStream.range(0, 4).filter(plan -> lane(1, 2).takes(EngineInfo.Kind.EMULATOR, 5, plan, 4)))
                .containsExactly(0, 1, 2, 3);
    }
}
