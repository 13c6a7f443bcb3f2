package dev.attention4j.io;

import dev.attention4j.DType;
import dev.attention4j.Tensor;
import io.jhdf.HdfFile;
import io.jhdf.api.Dataset;
import io.jhdf.api.Group;
import io.jhdf.api.Node;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/** The one class that knows jHDF, so that the library loads without it. */
final class Hdf5Reader {
    /** Keras nests layers in models in models; a damaged file may nest without end. */
    private static final int MAX_DEPTH = 64;

    /** What a data set of float16, float32 or float64 is read as; boxed where it is a single number. */
    private static final Set<Class<?>> FLOATS = Set.of(float.class, Float.class, double.class, Double.class);

    private final String name;
    private final long fileBytes;
    private final Map<String, Tensor> tensors = new LinkedHashMap<>();

    private Hdf5Reader(String name, long fileBytes) {
        this.name = name;
        this.fileBytes = fileBytes;
    }

    static Map<String, Tensor> read(ByteBuffer hdf5, String name) throws FileFormatException {
        // What jHDF throws for a damaged file is what its parsers happened to trip over: out of bounds, casts, memory.
        long fileBytes = hdf5.remaining();
        try (HdfFile file = HdfFile.fromByteBuffer(hdf5)) {
            Hdf5Reader reader = new Hdf5Reader(name, fileBytes);
            reader.readGroup(file, "", 0);
            return reader.tensors;
        } catch (RuntimeException | OutOfMemoryError | StackOverflowError e) {
            throw new FileFormatException(name, "is damaged, cannot be read as HDF5: " + reason(e), e);
        }
    }

    private static String reason(Throwable thrown) {
        Throwable cause = thrown;
        while (cause.getCause() != null) {
            cause = cause.getCause();
        }
        return FileFormatException.printable(cause.toString());
    }

    private void readGroup(Group group, String path, int depth) throws FileFormatException {
        if (depth > MAX_DEPTH) {
            throw new FileFormatException(name, "is damaged: its groups are nested more than " + MAX_DEPTH + " deep");
        }
        for (Node child : group) {
            String childPath = path + child.getName();
            // A link may lead to another file, or round in a circle; Keras writes none.
            if (child.isLink()) {
                continue;
            }
            if (child instanceof Group inner) {
                readGroup(inner, childPath + "/", depth + 1);
            } else if (child instanceof Dataset dataset) {
                readDataset(dataset, childPath);
            }
        }
    }

    private void readDataset(Dataset dataset, String path) throws FileFormatException {
        if (!FLOATS.contains(dataset.getJavaType())) {
            if (dataset.getAttribute("dtype") != null) {
                throw new FileFormatException(
                        name,
                        "data set " + FileFormatException.quoted(path) + " is "
                                + FileFormatException.printable(String.valueOf(
                                        dataset.getAttribute("dtype").getData()))
                                + ", must be float32, float64 or float16: save the model in one of those");
            }
            return;
        }
        // Before memory is asked for: only what is compressed may be larger than the file.
        if (dataset.getSizeInBytes() > fileBytes && dataset.getFilters().isEmpty()) {
            throw new FileFormatException(
                    name,
                    "is damaged: data set " + FileFormatException.quoted(path) + " has " + dataset.getSizeInBytes()
                            + " bytes by its shape, the file has " + fileBytes);
        }
        long[] shape = Arrays.stream(dataset.getDimensions()).asLongStream().toArray();
        Tensor tensor = Tensor.zeros(DType.FLOAT32, shape);
        FloatBuffer target = tensor.floats();
        Object elements = dataset.isScalar() ? dataset.getData() : dataset.getDataFlat();
        if (elements instanceof float[] floats) {
            target.put(floats);
        } else if (elements instanceof double[] doubles) {
            for (double element : doubles) {
                target.put((float) element);
            }
        } else {
            target.put(((Number) elements).floatValue());
        }
        if (target.hasRemaining()) {
            throw new FileFormatException(
                    name,
                    "is damaged: data set " + FileFormatException.quoted(path) + " has too few elements for its shape "
                            + Arrays.toString(shape));
        }
        tensors.put(path, tensor);
    }
}
