package dev.attention4j.io;

import static dev.attention4j.io.FileFormatException.printable;
import static dev.attention4j.io.FileFormatException.quoted;

import dev.attention4j.DType;
import dev.attention4j.Tensor;
import io.jhdf.GroupSymbolTableNode;
import io.jhdf.LocalHeap;
import io.jhdf.ObjectHeader;
import io.jhdf.Superblock;
import io.jhdf.SymbolTableEntry;
import io.jhdf.Utils;
import io.jhdf.api.Attribute;
import io.jhdf.api.Dataset;
import io.jhdf.btree.BTreeV1;
import io.jhdf.dataset.DatasetLoader;
import io.jhdf.dataset.NoParent;
import io.jhdf.exceptions.HdfException;
import io.jhdf.object.datatype.OpaqueDataType;
import io.jhdf.object.message.AttributeInfoMessage;
import io.jhdf.object.message.DataLayout;
import io.jhdf.object.message.DataLayoutMessage;
import io.jhdf.object.message.DataSpaceMessage;
import io.jhdf.object.message.DataTypeMessage;
import io.jhdf.object.message.LinkInfoMessage;
import io.jhdf.object.message.LinkMessage;
import io.jhdf.object.message.SymbolTableMessage;
import io.jhdf.storage.HdfInMemoryByteBuffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;

/**
 * Reads the data sets of an HDF5 file by jHDF's parts. Only this class uses jHDF, so that the library loads
 * without it. The file may be hostile. Structures that Keras never writes, or by which a small file could ask for much
 * memory, are refused: data sets in chunks (and so compressed ones), data sets that share their bytes, groups indexed for
 * thousands of members.
 */
final class Hdf5Reader {
    /** The depth of nested models that is read; a damaged file may nest without end. */
    private static final int MAX_DEPTH = 64;

    private static final long UNDEFINED = -1;

    /** The Java types of float16, float32 and float64 data; boxed for a single number. */
    private static final Set<Class<?>> FLOATS = Set.of(float.class, Float.class, double.class, Double.class);

    private static final int LEAST_FLOAT_BYTES = 2;

    private final String name;
    private final Storage file;
    private final Map<String, Tensor> tensors = new LinkedHashMap<>();
    private final Set<String> opaque = new LinkedHashSet<>();

    /** The file's bytes that no data set has taken yet. */
    private long bytesLeft;

    private Hdf5Reader(String name, Storage file) {
        this.name = name;
        this.file = file;
        bytesLeft = file.size();
    }

    /**
     * The content of a file.
     *
     * @param tensors its data sets of floating-point numbers, by path
     * @param opaque the paths of data sets of a type unknown to HDF5
     */
    record Content(Map<String, Tensor> tensors, Set<String> opaque) {}

    static Content read(byte[] hdf5, String name) throws FileFormatException {
        try {
            Hdf5Reader reader = new Hdf5Reader(name, Storage.of(hdf5));
            reader.readGroup(reader.root(), "", 0);
            return new Content(reader.tensors, reader.opaque);
        } catch (RuntimeException | StackOverflowError e) {
            // For a damaged file jHDF throws whatever its parsers run into: bounds, casts, depth.
            throw new FileFormatException(name, "is damaged, cannot be read as HDF5: " + reason(e), e);
        }
    }

    private static String reason(Throwable thrown) {
        Throwable cause = thrown;
        while (cause.getCause() != null) {
            cause = cause.getCause();
        }
        return printable(cause.toString());
    }

    private ObjectHeader root() {
        Superblock superblock = file.getSuperblock();
        if (superblock instanceof Superblock.SuperblockV0V1 old) {
            return header(new SymbolTableEntry(file, old.getRootGroupSymbolTableAddress()).getObjectHeaderAddress());
        }
        return header(((Superblock.SuperblockV2V3) superblock).getRootGroupObjectHeaderAddress());
    }

    private ObjectHeader header(long address) {
        return ObjectHeader.readObjectHeader(file, address);
    }

    private void readGroup(ObjectHeader group, String path, int depth) throws FileFormatException {
        if (depth > MAX_DEPTH) {
            throw new FileFormatException(name, "is damaged: its groups are nested more than " + MAX_DEPTH + " deep");
        }
        if (group.hasMessageOfType(SymbolTableMessage.class)) {
            readSymbols(group.getMessageOfType(SymbolTableMessage.class), path, depth);
        } else {
            readLinks(group, path, depth);
        }
    }

    /** Reads a group as Keras writes it: a tree whose leaves are tables of names and addresses. */
    private void readSymbols(SymbolTableMessage symbols, String path, int depth) throws FileFormatException {
        BTreeV1 tree = BTreeV1.createGroupBTree(file, symbols.getBTreeAddress());
        ByteBuffer names = new LocalHeap(file, symbols.getLocalHeapAddress()).getDataBuffer();
        for (long table : tree.getChildAddresses()) {
            for (SymbolTableEntry entry : new GroupSymbolTableNode(file, table).getSymbolTableEntries()) {
                String member = Utils.readUntilNull(names.position(entry.getLinkNameOffset()));
                // A link may lead to another file, or in a circle; Keras writes none.
                boolean isLink = entry.getLinkValueOffset() >= 0;
                if (!isLink) {
                    readMember(entry.getObjectHeaderAddress(), path + member, depth);
                }
            }
        }
    }

    /** Reads a group as newer writers write it: a list in its header. */
    private void readLinks(ObjectHeader group, String path, int depth) throws FileFormatException {
        if (group.hasMessageOfType(LinkInfoMessage.class)
                && group.getMessageOfType(LinkInfoMessage.class).getBTreeNameIndexAddress() != UNDEFINED) {
            throw new FileFormatException(
                    name,
                    "keeps the members of " + quoted("/" + path)
                            + " in an index, must keep them as Keras does: load and save it there once more");
        }
        for (LinkMessage link : group.getMessagesOfType(LinkMessage.class)) {
            if (link.getLinkType() == LinkMessage.LinkType.HARD) {
                readMember(link.getHardLinkAddress(), path + link.getLinkName(), depth);
            }
        }
    }

    private void readMember(long address, String path, int depth) throws FileFormatException {
        // Names may overlap, so the paths of a file can be longer than the file.
        file.spend(path.length());
        ObjectHeader member;
        try {
            member = header(address);
        } catch (RuntimeException e) {
            if (isOpaque(e)) {
                opaque.add(path);
                return;
            }
            throw e;
        }
        if (member.hasMessageOfType(DataSpaceMessage.class)) {
            readDataset(member, path);
        } else if (!member.hasMessageOfType(DataTypeMessage.class)) {
            readGroup(member, path + "/", depth + 1);
        }
    }

    /** jHDF 0.11 cannot read opaque types without a name, and h5py gives them none. */
    private static boolean isOpaque(RuntimeException thrown) {
        Throwable cause = thrown;
        while (cause.getCause() != null) {
            cause = cause.getCause();
        }
        return cause instanceof IllegalArgumentException
                && Arrays.stream(cause.getStackTrace())
                        .anyMatch(frame -> frame.getClassName().equals(OpaqueDataType.class.getName()));
    }

    private void readDataset(ObjectHeader header, String path) throws FileFormatException {
        if (header.getMessageOfType(DataLayoutMessage.class).getDataLayout() == DataLayout.CHUNKED) {
            throw new FileFormatException(
                    name,
                    "data set " + quoted(path) + " is compressed or in chunks, must be in one piece as Keras writes it:"
                            + " load and save the model there once more");
        }
        Dataset dataset = DatasetLoader.createDataset(file, header, path, NoParent.INSTANCE);
        if (!FLOATS.contains(dataset.getJavaType())) {
            refuseOtherFloats(dataset, header, path);
            return;
        }
        long[] shape = Arrays.stream(dataset.getDimensions()).asLongStream().toArray();
        checkBytes(dataset, path);
        Tensor tensor = Tensor.zeros(DType.FLOAT32, shape);
        if (dataset.getSize() > 0) {
            fill(tensor.floats(), dataset);
        }
        if (tensors.put(path, tensor) != null) {
            throw new HdfException("it has two data sets " + path);
        }
    }

    /** Checks, before memory is allocated, that a data set's bytes are in the file and in no other data set. */
    private void checkBytes(Dataset dataset, String path) throws FileFormatException {
        int elementBytes = dataset.getDataType().getSize();
        if (elementBytes < LEAST_FLOAT_BYTES) {
            throw new HdfException("its numbers with a fraction have " + elementBytes + " bytes");
        }
        long bytes = Math.multiplyExact(dataset.getSize(), elementBytes);
        if (bytes > bytesLeft) {
            throw new FileFormatException(
                    name,
                    "is damaged: data set " + quoted(path) + " has " + bytes + " bytes by its shape, the file has "
                            + file.size() + (bytes > file.size() ? "" : " for all its data sets"));
        }
        bytesLeft -= bytes;
    }

    private static void fill(FloatBuffer target, Dataset dataset) {
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
            throw new HdfException("a data set has too few elements for its shape");
        }
    }

    /** Whole numbers are no weights, except those that an attribute declares to be the bits of floating-point numbers. */
    private void refuseOtherFloats(Dataset dataset, ObjectHeader header, String path) throws FileFormatException {
        boolean indexed = header.hasMessageOfType(AttributeInfoMessage.class)
                && header.getMessageOfType(AttributeInfoMessage.class).getAttributeNameBTreeAddress() != UNDEFINED;
        Attribute dtype = indexed ? null : dataset.getAttribute("dtype");
        if (dtype != null && dtype.isScalar() && dtype.getJavaType() == String.class) {
            throw new FileFormatException(
                    name,
                    "data set " + quoted(path) + " is " + printable(String.valueOf(dtype.getData()))
                            + ", must be float32, float64 or float16: save the model in one of those");
        }
    }

    /**
     * The bytes of an HDF5 file, with a bound on how much is read. jHDF follows every address: in a hostile file of a few hundred
     * bytes tables may point to tables in a circle, or each twice to the next, and reading them would take years or all memory.
     * All reads of jHDF go through this class, which counts them.
     */
    private static final class Storage extends HdfInMemoryByteBuffer {
        /** Keras's files need less than two reads of each byte; small ones need the most. */
        private static final long READS_OF_EACH_BYTE = 16;

        /** The bytes that are counted for following an address, however few are read. */
        private static final long BYTES_PER_READ = 32;

        private static final long FEWEST_BYTES = 1 << 16;

        private final long size;
        private long left;

        private Storage(ByteBuffer file, Superblock superblock) {
            super(file, superblock);
            size = file.capacity();
            left = Math.max(FEWEST_BYTES, READS_OF_EACH_BYTE * size);
        }

        /** Opens a file that begins with its superblock. */
        static Storage of(byte[] file) {
            Superblock superblock =
                    Superblock.readSuperblock(ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN));
            return new Storage(ByteBuffer.wrap(file), superblock);
        }

        @Override
        public synchronized ByteBuffer mapNoOffset(long address, long length) {
            if (address < 0 || length < 0 || length > size - address) {
                throw new HdfException(
                        "it refers to bytes " + address + " to " + (address + length) + ", but has " + size);
            }
            spend(length);
            return super.mapNoOffset(address, length);
        }

        /** Counts bytes that were read elsewhere. */
        synchronized void spend(long bytes) {
            left -= BYTES_PER_READ + bytes;
            if (left < 0) {
                throw new HdfException("its tables refer to each other without end");
            }
        }
    }
}
