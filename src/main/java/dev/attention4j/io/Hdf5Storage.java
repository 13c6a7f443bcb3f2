package dev.attention4j.io;

import io.jhdf.Superblock;
import io.jhdf.exceptions.HdfException;
import io.jhdf.storage.HdfInMemoryByteBuffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The bytes of an HDF5 file, of which only so much may be read as an honest file needs. jHDF follows whatever address
 * it finds: in a hostile file of a few hundred bytes tables may point to tables in a circle, or each twice to the next,
 * and reading them ends after years or when all memory is taken. All that jHDF reads goes through here, and is counted.
 */
final class Hdf5Storage extends HdfInMemoryByteBuffer {
    /** In Keras's files each byte is read less than twice; those with the least data have the most to read about it. */
    private static final long READS_OF_EACH_BYTE = 16;

    /** What following an address costs, however few bytes lie there. */
    private static final long BYTES_PER_READ = 32;

    private static final long FEWEST_BYTES = 1 << 16;

    private final long size;
    private long left;

    private Hdf5Storage(ByteBuffer file, Superblock superblock) {
        super(file, superblock);
        size = file.capacity();
        left = Math.max(FEWEST_BYTES, READS_OF_EACH_BYTE * size);
    }

    /** A file that begins with its superblock. */
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

    /** Counts what was read otherwise. */
    synchronized void spend(long bytes) {
        left -= BYTES_PER_READ + bytes;
        if (left < 0) {
            throw new HdfException("its tables refer to each other without end");
        }
    }
}
