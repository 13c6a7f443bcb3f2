// Wrong on purpose, for OclgrindTest: what is read was never written.
__kernel void unwritten(__global float *out) {
    __local float shared[4];
    out[get_local_id(0)] = shared[get_local_id(0)];
}
