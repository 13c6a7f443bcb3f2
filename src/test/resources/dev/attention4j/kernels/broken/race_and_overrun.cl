// Wrong on purpose, for OclgrindTest: a barrier is missing, and one work-item writes behind the 64 floats of out.
__kernel void race_and_overrun(__global float *out) {
    const int item = get_local_id(0);
    __local float shared[4];
    shared[item] = item;
    out[item] = shared[(item + 1) % 4];
    if (item == 3) {
        out[64] = 1.0f;
    }
}
