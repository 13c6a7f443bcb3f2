package dev.attention4j.conformance;

import static dev.attention4j.io.FileFormatException.quoted;

import dev.attention4j.Tensor;
import dev.attention4j.io.FileFormatException;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The node of a case of an ONNX operator, as the file has it.
 *
 * <p>Its metadata are {@code opset}; {@code attributes}, the node's, as a JSON object; and {@code inputs} and {@code
 * outputs}, JSON arrays of names in the operator's order, where an empty one is not there. A tensor is named {@code
 * input.} or {@code output.} and that name.
 *
 * @param inputs by the operator's own names, in its order
 * @param expected outputs, likewise; at least one
 */
record OnnxNode(Map<String, Tensor> inputs, Map<String, Tensor> expected, JsonAttributes attributes) {
    /**
     * Reads a node.
     *
     * @param inputs the operator's names, of which the first {@code required} must be there
     * @param outputs the operator's names
     * @param attributes those known
     * @throws FileFormatException if the opset is another, or something is missing, unknown or contradictory; names it
     */
    static OnnxNode read(
            CaseFile source,
            int firstOpset,
            int lastOpset,
            List<String> inputs,
            int required,
            List<String> outputs,
            List<String> attributes)
            throws FileFormatException {
        String file = source.fileName();
        checkOpset(source, firstOpset, lastOpset);
        Map<String, Tensor> given = tensors(source, "inputs", "input.", inputs);
        Map<String, Tensor> expected = tensors(source, "outputs", "output.", outputs);
        List<String> needed = inputs.subList(0, required);
        for (String name : needed) {
            if (!given.containsKey(name)) {
                throw new FileFormatException(file, "\"inputs\" lacks " + name + ", must have " + needed);
            }
        }
        if (expected.isEmpty()
                || given.size() + expected.size() != source.tensors().size()) {
            throw new FileFormatException(
                    file,
                    "holds " + source.tensors().keySet() + ", must hold just what \"inputs\" and \"outputs\" name,"
                            + " and an output at least");
        }
        return new OnnxNode(
                given,
                Collections.unmodifiableMap(expected),
                JsonAttributes.parse(source.metadata("attributes", null), file, "attribute", attributes));
    }

    private static void checkOpset(CaseFile source, int first, int last) throws FileFormatException {
        String opset = source.metadata("opset", "");
        if (!opset.matches("[0-9]{1,4}") || Integer.parseInt(opset) < first || Integer.parseInt(opset) > last) {
            String mustBe = first == last ? String.valueOf(first) : first + " to " + last;
            throw new FileFormatException(source.fileName(), "opset is " + quoted(opset) + ", must be " + mustBe);
        }
    }

    /** The tensors that a list of names says, by the operator's own names for their places. */
    private static Map<String, Tensor> tensors(CaseFile source, String list, String prefix, List<String> places)
            throws FileFormatException {
        List<String> names = JsonAttributes.texts(list, source.metadata(list, null), source.fileName());
        if (names.size() > places.size()) {
            throw new FileFormatException(
                    source.fileName(),
                    "\"" + list + "\" has " + names.size() + " names, must have at most those of " + places);
        }
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        for (int place = 0; place < names.size(); place++) {
            if (!names.get(place).isEmpty()) {
                tensors.put(places.get(place), source.tensor(prefix + names.get(place)));
            }
        }
        return tensors;
    }

    /** The number of an attribute that is 0 or 1. */
    boolean flag(String name) throws FileFormatException {
        int given = number(name, 0);
        if (given != 0 && given != 1) {
            throw attributes.refused(name, "0 or 1");
        }
        return given == 1;
    }

    /** The whole number of an attribute. */
    int number(String name, int whereAbsent) throws FileFormatException {
        return attributes.has(name) ? attributes.wholeNumber(name) : whereAbsent;
    }
}
