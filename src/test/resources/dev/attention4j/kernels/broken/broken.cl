// A kernel that does not build, for the test of what the error says.

#include "common/multiply_add.clh"
#include "common/multiply_add.clh"

__kernel void broken(__global float *out) {
    // The next line is line 8.
    out[0] = undeclared_name;
}
