package dev.attention4j.opencl.plan;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/**
 * The tunables of a kernel as data: each with its range, and what they must satisfy together.
 *
 * <p>What a device or a problem allows is not part of it; a plan checks that.
 *
 * @param <T> the plan's own form of its tunables, such as a tiling
 */
public final class TunableSpace<T> {
    /** The values of one tunable: multiples of {@code step} from {@code step} to {@code most}, or a list. */
    private record Range(String name, int step, int most, List<Integer> values) {
        boolean contains(int value) {
            return values.isEmpty() ? value >= step && value <= most && value % step == 0 : values.contains(value);
        }

        @Override
        public String toString() {
            if (!values.isEmpty()) {
                return name + " one of " + values;
            }
            return name + (step == 1 ? " 1 to " : " a multiple of " + step + " up to ") + most;
        }
    }

    /** A condition on several tunables, in words. */
    private record Constraint(String words, Predicate<Tunables> holds) {}

    /** The space of a plan that has no tunables. */
    public static final TunableSpace<Tunables> NONE = new TunableSpace<>(values -> Tunables.NONE);

    private final Function<int[], T> form;
    private final List<Range> ranges = new ArrayList<>();
    private final List<Constraint> constraints = new ArrayList<>();

    /** The forms made so far: a call need not check its tunables anew. */
    private final Map<Tunables, T> made = new ConcurrentHashMap<>();

    /**
     * Starts with no tunables. The form is made of values in this space, in the order in which the tunables are added.
     */
    public TunableSpace(Function<int[], T> form) {
        this.form = form;
    }

    /** Adds a tunable of 1 to {@code most}. */
    public TunableSpace<T> upTo(String name, int most) {
        return multiples(name, 1, most);
    }

    /** Adds a tunable of {@code step}, 2 · {@code step}, ... up to {@code most}. */
    public TunableSpace<T> multiples(String name, int step, int most) {
        ranges.add(new Range(name, step, most, List.of()));
        return this;
    }

    /** Adds a tunable with these values. */
    public TunableSpace<T> oneOf(String name, Integer... values) {
        ranges.add(new Range(name, 0, 0, List.of(values)));
        return this;
    }

    /**
     * Adds a constraint, asked only about values within their ranges; the words are the end of "must be ..., such
     * that".
     */
    public TunableSpace<T> suchThat(String words, Predicate<Tunables> holds) {
        constraints.add(new Constraint(words, holds));
        return this;
    }

    /** Returns why tunables are not in this space; empty if they are. */
    public Optional<String> whyNot(Tunables tunables) {
        boolean inside =
                tunables.names().equals(ranges.stream().map(Range::name).collect(Collectors.toSet()))
                        && ranges.stream().allMatch(range -> range.contains(tunables.get(range.name)))
                        && constraints.stream().allMatch(constraint -> constraint.holds.test(tunables));
        if (inside) {
            return Optional.empty();
        }
        if (ranges.isEmpty()) {
            return Optional.of("tunables: " + tunables + ", must be none");
        }
        String all = ranges.stream().map(Range::toString).collect(Collectors.joining(", "));
        String such = constraints.stream().map(Constraint::words).collect(Collectors.joining(" and "));
        return Optional.of(
                "tunables: " + tunables + ", must be " + all + (such.isEmpty() ? "" : ", such that " + such));
    }

    /**
     * Returns the plan's form of tunables.
     *
     * @throws IllegalArgumentException if they are not in this space
     */
    public T of(Tunables tunables) {
        T known = made.get(tunables);
        return known != null ? known : made.computeIfAbsent(tunables, this::make);
    }

    private T make(Tunables tunables) {
        whyNot(tunables).ifPresent(why -> {
            throw new IllegalArgumentException(why);
        });
        return form.apply(
                ranges.stream().mapToInt(range -> tunables.get(range.name)).toArray());
    }

    /** Returns tunables with these values, in the order in which the tunables were added. */
    public Tunables tunables(int... values) {
        if (values.length != ranges.size()) {
            throw new IllegalArgumentException("values: " + values.length + ", must be " + ranges.size());
        }
        Map<String, Integer> named = new LinkedHashMap<>();
        for (int n = 0; n < values.length; n++) {
            named.put(ranges.get(n).name, values[n]);
        }
        return new Tunables(named);
    }
}
