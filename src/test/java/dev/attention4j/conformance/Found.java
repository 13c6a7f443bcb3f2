package dev.attention4j.conformance;

import dev.attention4j.AttentionEngine;
import dev.attention4j.conformance.Outcome.Status;

/** How a file's case went on one engine. */
record Found(Status status, String plan, double error, String detail) {
    static Found of(CaseFile file, AttentionEngine engine, String plan) {
        Finding finding = FileCases.check(file).on(engine);
        return new Found(finding.status(plan), finding.plans(plan), finding.error(), finding.detail());
    }
}
