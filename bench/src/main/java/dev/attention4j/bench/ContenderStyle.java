package dev.attention4j.bench;

/** The name and the colour of each contender: the same in every chart. */
final class ContenderStyle {
    /** The colours of a chart's paper and text. */
    enum Theme {
        LIGHT("#ffffff", "#1f2328", "#59636e"),
        DARK("#0d1117", "#f0f6fc", "#9198a1");

        final String paper;
        final String ink;
        final String faint;

        Theme(String paper, String ink, String faint) {
            this.paper = paper;
            this.ink = ink;
            this.faint = faint;
        }
    }

    private ContenderStyle() {}

    /** Returns a contender's name in words. */
    static String name(String engine) {
        if (engine.startsWith("opencl:")) {
            return "attention4j on " + engine;
        }
        if (engine.equals("cpu")) {
            return "attention4j in plain Java";
        }
        return engine.replaceFirst("^pytorch-?", "PyTorch ")
                .strip()
                .replaceFirst("^onnxruntime", "ONNX Runtime")
                .replaceFirst("^plain-java", "plain Java");
    }

    /** Returns a contender's colour; readers who see no red or green can tell them apart (Okabe and Ito). */
    static String colour(String engine, Theme theme) {
        boolean light = theme == Theme.LIGHT;
        if (engine.equals("opencl:0")) {
            return light ? "#0072b2" : "#4aa8e0";
        }
        if (engine.startsWith("opencl:")) {
            return light ? "#56b4e9" : "#a5d8f5";
        }
        if (engine.equals("cpu")) {
            return light ? "#cc79a7" : "#dd9fc2";
        }
        if (engine.equals("pytorch-2.7")) {
            return light ? "#e69f00" : "#f2bd4b";
        }
        if (engine.startsWith("pytorch")) {
            return light ? "#d55e00" : "#e87a28";
        }
        if (engine.startsWith("onnxruntime")) {
            return light ? "#009e73" : "#2bb893";
        }
        return light ? "#8a8a8a" : "#8f959e";
    }
}
