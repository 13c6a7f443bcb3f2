// Vectors of stored elements that begin at element first, as floats, and stored again: for a test of common/storage.clh.

#include "common/vector.clh"
#include "common/storage.clh"

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void stored_vectors(
    __global const STORED *from, __global float *widened, __global STORED *to, int first) {
    const int n = get_global_id(0) * VECTOR_WIDTH;
    const VECTOR vector = load_stored_vector(from, first + n);
    STORE_VECTOR(vector, widened + n);
    store_stored_vector(vector, to, first + n);
}
