package dev.attention4j.bench;

import dev.attention4j.AttentionProblem;
import dev.attention4j.EngineInfo;

/** Attention by an engine of this project with one plan: the library call, host tensors in, host tensor out. */
final class EngineContender extends EngineWithPlan<Inputs> {
    /** Opens an engine with one of its plans. */
    EngineContender(EngineInfo info, String plan, boolean onlyWhereChosen) {
        super(info, plan, onlyWhereChosen);
    }

    @Override
    AttentionProblem problem(Inputs inputs) {
        return inputs.problem();
    }

    @Override
    public Call prepare(Inputs inputs) {
        return new TensorCall(
                () -> engine().attend(
                                inputs.query(),
                                inputs.key(),
                                inputs.value(),
                                inputs.problem().attention())
                        .output(),
                () -> {});
    }
}
