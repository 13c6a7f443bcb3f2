package dev.attention4j.conformance.suite;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.conformance.Finding;
import dev.attention4j.conformance.Outcome.Status;
import dev.attention4j.conformance.suite.ConformanceRun.InOrder;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class InOrderTest {
    private final List<String> heard = new ArrayList<>();
    private final InOrder inOrder = new InOrder(outcome -> heard.add(outcome.caseName()));

    private void add(int trial) {
        String name = "case/" + trial;
        Finding nothing = new Finding();
        inOrder.add(trial, Selection.builtIn(true, 1).outcome(name, name, "engine", "plan", Status.PASSED, nothing, 0));
    }

    @Test
    void whatIsEarlyWaitsForItsTurn() {
        add(1);
        add(3);
        assertThat(heard).isEmpty();
        add(0);
        assertThat(heard).containsExactly("case/0", "case/1");
        add(2);
        assertThat(heard).containsExactly("case/0", "case/1", "case/2", "case/3");
    }

    @Test
    void whatStillWaitsAtTheEndIsHeardOnce() {
        add(0);
        add(5);
        add(2);
        inOrder.flush();
        inOrder.flush();
        assertThat(heard).containsExactly("case/0", "case/2", "case/5");
    }
}
