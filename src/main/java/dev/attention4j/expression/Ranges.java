package dev.attention4j.expression;

import java.util.List;

/** The least and the largest value of each int of an expression, as far as they are known without its parameters. */
final class Ranges {
    /** More than any length, so that rows that pad a tile are within it too. */
    private static final long MOST_ROWS = (1L << 29) + (1L << 20);

    /**
     * From least to most.
     */
    record Range(long least, long most) {
        static final Range INT = new Range(Integer.MIN_VALUE, Integer.MAX_VALUE);

        boolean isInt() {
            return least >= Integer.MIN_VALUE && most <= Integer.MAX_VALUE;
        }

        boolean contains(long value) {
            return least <= value && value <= most;
        }

        Range or(Range other) {
            return new Range(Math.min(least, other.least), Math.max(most, other.most));
        }
    }

    private final Range[] exact;

    Ranges(List<Node> nodes) {
        exact = new Range[nodes.get(nodes.size() - 1).number() + 1];
        for (Node node : nodes) {
            if (node.type() == Type.INT) {
                exact[node.number()] = exact(node);
            }
        }
    }

    /** Returns the range of an int, which wraps around where {@link #overflows}. */
    Range of(Node node) {
        return overflows(node) ? Range.INT : exact[node.number()];
    }

    /** Returns true if the exact result of an operation may be no int. */
    boolean overflows(Node node) {
        return !exact[node.number()].isInt();
    }

    private Range exact(Node node) {
        return switch (node.op()) {
            case LITERAL -> new Range(node.bits(), node.bits());
            case VARIABLE ->
                switch (node.variable()) {
                    // An offset is at most twice a length, and packed keys come before.
                    case POSITION -> new Range(-MOST_ROWS, 3 * MOST_ROWS);
                    default -> new Range(0, MOST_ROWS);
                };
            case NEGATE -> {
                Range a = of(node.input(0));
                yield new Range(-a.most, -a.least);
            }
            case ABS -> {
                Range a = of(node.input(0));
                yield new Range(
                        a.contains(0) ? 0 : Math.min(Math.abs(a.least), Math.abs(a.most)),
                        Math.max(Math.abs(a.least), Math.abs(a.most)));
            }
            case CHOOSE -> of(node.input(1)).or(of(node.input(2)));
            case ADD, SUBTRACT, MULTIPLY, DIVIDE, REMAINDER, MIN, MAX ->
                ofTwo(node.op(), of(node.input(0)), of(node.input(1)));
            default -> Range.INT;
        };
    }

    private static Range ofTwo(Op op, Range a, Range b) {
        return switch (op) {
            case ADD -> new Range(a.least + b.least, a.most + b.most);
            case SUBTRACT -> new Range(a.least - b.most, a.most - b.least);
            case MULTIPLY -> {
                long[] corners = {a.least * b.least, a.least * b.most, a.most * b.least, a.most * b.most};
                Range range = new Range(corners[0], corners[0]);
                for (long corner : corners) {
                    range = range.or(new Range(corner, corner));
                }
                yield range;
            }
            case DIVIDE -> {
                // The least int by -1 wraps, which is an int as well.
                long most = Math.min(Integer.MAX_VALUE, Math.max(Math.abs(a.least), Math.abs(a.most)));
                yield new Range(
                        a.least >= 0 && b.least >= 0 ? 0 : a.contains(Integer.MIN_VALUE) ? Integer.MIN_VALUE : -most,
                        most);
            }
            case REMAINDER -> {
                long most = Math.min(
                        Math.max(Math.abs(a.least), Math.abs(a.most)),
                        Math.max(0, Math.max(Math.abs(b.least), Math.abs(b.most)) - 1));
                yield new Range(a.least >= 0 ? 0 : -most, a.most <= 0 ? 0 : most);
            }
            case MIN -> new Range(Math.min(a.least, b.least), Math.min(a.most, b.most));
            case MAX -> new Range(Math.max(a.least, b.least), Math.max(a.most, b.most));
            default -> throw new AssertionError(op);
        };
    }
}
