package dev.attention4j.expression;

import java.util.List;

/**
 * A part of a typed expression. Equal parts of a {@link Graph} are one node; a node's inputs have smaller numbers.
 *
 * @param number of the node in its graph
 * @param bits of a literal; the slot of a scalar or table
 * @param variable of {@link Op#VARIABLE}, else null
 * @param variables the bits of all variables that it depends on
 */
record Node(int number, Op op, Type type, int bits, Variable variable, List<Node> inputs, int variables) {
    Node input(int n) {
        return inputs.get(n);
    }

    /** Nodes of one graph are equal if they are one: the record's own would compare all inputs. */
    @Override
    public boolean equals(Object other) {
        return other instanceof Node node && node.number == number && node.op == op && node.bits == bits;
    }

    @Override
    public int hashCode() {
        return number;
    }

    boolean isLiteral() {
        return op == Op.LITERAL;
    }

    /** Returns true if its value may be another for each key. */
    boolean varies() {
        return dependsOn(Variable.KEY) || dependsOn(Variable.SCORE);
    }

    boolean dependsOn(Variable other) {
        return (variables & other.bit()) != 0;
    }

    float asFloat() {
        return Float.intBitsToFloat(bits);
    }
}
