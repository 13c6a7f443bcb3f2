package dev.attention4j;

/**
 * Changes of float32 tensors in place, element by element, where they are; for those who write engines. Training sums
 * gradients, scales them and steps weights with these. May be called from many threads, but a tensor is not to be changed by
 * two of them at a time.
 */
public interface TensorUpdates {
    /** The operations, each on every element of the target. */
    enum Operation {
        /** target += source. */
        ADD,
        /** target *= factor. */
        SCALE,
        /**
         * The gradients of target = source · logistic(first), from that of the target: second becomes that of first, and the
         * target that of source.
         */
        GATE,
        /** A step of stochastic gradient descent: the target is a weight, source its gradient. */
        SGD,
        /** The same; first is the running sum of gradients, which decays. */
        MOMENTUM,
        /** The same by Nesterov's rule. */
        NESTEROV,
        /** A step of Adam: the target is a weight, source its gradient, first and second their running means. */
        ADAM
    }

    /**
     * An operation and the numbers that it reads; the others are 0.
     *
     * @param factor of the target, before anything else is done to it
     * @param weightDecay times the weight, added to its gradient
     * @param rate times the direction, taken from the weight; for Adam divided by the correction of the first mean
     * @param momentum the part of the running sum that is kept
     * @param keptMean the part of the gradient's mean that is kept
     * @param newMean the part of the gradient that is added to it
     * @param keptSquare the part of the mean of the gradient's square that is kept
     * @param newSquare the part of the square that is added to it
     * @param correction that the root of that mean is divided by
     * @param epsilon added to the quotient
     */
    record Update(
            Operation operation,
            float factor,
            float weightDecay,
            float rate,
            float momentum,
            float keptMean,
            float newMean,
            float keptSquare,
            float newSquare,
            float correction,
            float epsilon) {
        /** Adds the source. */
        public static final Update ADD = of(Operation.ADD, 1, 0, 0, 0);

        /** Takes the gradient apart that belongs to a gated tensor. */
        public static final Update GATE = of(Operation.GATE, 1, 0, 0, 0);

        /** {@return a multiplication} */
        public static Update scale(double factor) {
            return of(Operation.SCALE, factor, 0, 0, 0);
        }

        /**
         * Returns a step of stochastic gradient descent: with g = gradient + weightDecay · weight and sum = momentum · sum + g
         * the weight becomes weight − rate · sum, or weight − rate · (g + momentum · sum) by Nesterov's rule; the sum
         * begins at 0.
         */
        public static Update sgd(double rate, double weightDecay, double momentum, boolean nesterov) {
            Operation operation = momentum == 0 ? Operation.SGD : nesterov ? Operation.NESTEROV : Operation.MOMENTUM;
            return of(operation, 1, weightDecay, rate, momentum);
        }

        /**
         * Returns a step of Adam: mean = beta1 · mean + (1 − beta1) · g and square = beta2 · square + (1 − beta2) · g², and the
         * weight becomes shrink · weight − rate · (mean / (1 − beta1^step)) / (√(square / (1 − beta2^step)) + epsilon), where g
         * = gradient + weightDecay · weight; both means begin at 0.
         *
         * @param shrink 1 − rate · decay for decoupled weight decay, else 1
         * @param weightDecay 0 for decoupled weight decay
         * @param step from 1
         */
        public static Update adam(
                double rate, double shrink, double weightDecay, double beta1, double beta2, double epsilon, long step) {
            return new Update(
                    Operation.ADAM,
                    (float) shrink,
                    (float) weightDecay,
                    (float) (rate / (1 - Math.pow(beta1, (double) step))),
                    0,
                    (float) beta1,
                    (float) (1 - beta1),
                    (float) beta2,
                    (float) (1 - beta2),
                    (float) Math.sqrt(1 - Math.pow(beta2, (double) step)),
                    (float) epsilon);
        }

        private static Update of(Operation operation, double factor, double weightDecay, double rate, double momentum) {
            return new Update(
                    operation, (float) factor, (float) weightDecay, (float) rate, (float) momentum, 0, 0, 0, 0, 1, 0);
        }
    }

    /**
     * Changes a tensor. All are FLOAT32, row-major and of one shape; the source may be elsewhere than the target, the others are
     * where it is.
     *
     * @param update the operation
     * @param target is changed
     * @param source is read; null if the operation reads none
     * @param first see {@link Operation}; null if it names none
     * @param second likewise
     * @throws IllegalArgumentException naming the tensor that does not fit, what it was and what it must be
     * @throws IllegalStateException if the engine or a tensor is closed
     * @throws DeviceException if the device fails
     */
    void update(Update update, Tensor target, Tensor source, Tensor first, Tensor second);

    /**
     * Returns the sum of the squares of a tensor's elements, whose order of sums is always the same.
     *
     * @param tensor FLOAT32, row-major
     * @throws IllegalArgumentException if it is of another type, or a view with gaps
     * @throws IllegalStateException if the engine or the tensor is closed
     * @throws DeviceException if the device fails
     */
    double sumOfSquares(Tensor tensor);
}
