package dev.attention4j.io;

import io.jhdf.Superblock;
import io.jhdf.exceptions.HdfException;
import io.jhdf.storage.HdfInMemoryByteBuffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The bytes of an HDF5 file, with a bound on how much is read. jHDF follows every address: in a hostile file of a few hundred
 * bytes tables may point to tables in a circle, or each twice to the next, and reading them would take years or all memory.
 * All reads of jHDF go through this class, which counts them.
 */
final class Hdf5Storage extends HdfInMemoryByteBuffer {
    /** Keras's files need less than two reads of each byte; small ones need the most. */
    private static final long READS_OF_EACH_BYTE = 16;

    /** The bytes that are counted for following an address, however few are read. */
    private static final long BYTES_PER_READ = 32;

    private static final long FEWEST_BYTES = 1 << 16;

    private final long size;
    private long left;

    private Hdf5Storage(ByteBuffer file, Superblock superblock) {
        super(file, superblock);
        size = file.capacity();
        left = Math.max(FEWEST_BYTES, READS_OF_EACH_BYTE * size);
    }

    /** Opens a file that begins with its superblock. */
    static Hdf5Storage of(byte[] file) {
        Superblock superblock = Superblock.readSuperblock(ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN));
        return new Hdf5Storage(ByteBuffer.wrap(file), superblock);
    }

    @Override
    public synchronized ByteBuffer mapNoOffset(long address, long length) {
        if (address < 0 || length < 0 || length > size - address) {
            throw new HdfException("it refers to bytes " + address + " to " + (address + length) + ", but has " + size);
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
