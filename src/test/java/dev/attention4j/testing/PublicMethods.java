package dev.attention4j.testing;

import dev.attention4j.Tensor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import java.util.stream.Collectors;

/** Calls each public method of an object and prints the outcome; the name is printed before, in case the process ends. */
public final class PublicMethods {
    /** Printed by {@link #call} for a method that refused because something is closed. */
    public static final String CLOSED = "refused, closed";

    /** Printed by {@link #call} for a method that returned. */
    public static final String ANSWERED = "answered";

    private final Map<Class<?>, Supplier<?>> arguments = new HashMap<>();

    /**
     * Sets the argument for parameters of a type.
     *
     * @param type of the parameter
     * @param argument made anew for each call
     * @return this
     */
    public <T> PublicMethods with(Class<T> type, Supplier<? extends T> argument) {
        arguments.put(type, argument);
        return this;
    }

    /**
     * Calls all, and those of {@link Object} too.
     *
     * @param name of the object in what is printed
     * @param object the object
     */
    public void call(String name, Object object) {
        List<Method> methods = Arrays.stream(object.getClass().getMethods())
                .filter(method -> !Modifier.isStatic(method.getModifiers()) && !method.isBridge())
                .filter(method -> method.getDeclaringClass() != Object.class)
                .sorted(Comparator.comparing(Method::toString))
                .toList();
        for (Method method : methods) {
            System.out.print(name + "." + method.getName()
                    + Arrays.stream(method.getParameterTypes())
                            .map(Class::getSimpleName)
                            .collect(Collectors.joining(",", "(", ")"))
                    + ": ");
            System.out.flush();
            System.out.println(outcome(object, method));
        }
    }

    private String outcome(Object object, Method method) {
        if (method.getName().equals("reshape") || method.getName().equals("broadcast")) {
            // Of all methods those whose array is no index.
            return outcome(object, method, new Object[] {((Tensor) object).shape()});
        }
        Object[] given = Arrays.stream(method.getParameterTypes())
                .map(type -> {
                    Supplier<?> argument = arguments.get(type);
                    if (argument == null) {
                        throw new AssertionError("no argument for " + type + " of " + method);
                    }
                    return argument.get();
                })
                .toArray();
        return outcome(object, method, given);
    }

    private static String outcome(Object object, Method method, Object[] given) {
        try {
            method.setAccessible(true);
            method.invoke(object, given);
            return ANSWERED;
        } catch (InvocationTargetException e) {
            Throwable cause = e.getCause();
            return cause instanceof IllegalStateException
                            && String.valueOf(cause.getMessage()).contains("closed")
                    ? CLOSED
                    : "threw " + cause.toString().lines().findFirst().orElse("");
        } catch (IllegalAccessException e) {
            throw new AssertionError(e);
        }
    }
}
