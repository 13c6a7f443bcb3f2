// Project tiles: dense projections, for GPU-class devices.
//
// Arguments and shapes: projection/project_call.clh.
//
// A work-group computes a tile of LOCAL_ROWS * MICRO_ROWS rows x PANEL columns. It stages a slice of DEPTH inputs of its
// rows, transposed, and of its panel in local memory; each work-item accumulates MICRO_ROWS rows x MICRO_VECTORS vectors
// of columns in registers. Inputs are gated as they are staged, from whichever heads they lie in; heads are put in place
// as sums are stored. Each SUMMED_SLICES slices are summed by themselves, so that sums do not drift however many inputs there
// are.
//
// Local memory: DEPTH * (TILE_ROWS + PANEL) floats, and where each row is.

#include "common/multiply_add.clh"
#include "common/vector.clh"
#include "projection/project_call.clh"

#ifndef LOCAL_ROWS
#define LOCAL_ROWS 16 // work-items of a work-group along the rows
#endif
#ifndef LOCAL_COLUMNS
#define LOCAL_COLUMNS 16 // work-items of a work-group along the columns
#endif
#ifndef MICRO_ROWS
#define MICRO_ROWS 4 // rows of a work-item
#endif
#ifndef MICRO_VECTORS
#define MICRO_VECTORS 1 // vectors of columns of a work-item
#endif
#ifndef DEPTH
#define DEPTH 16 // inputs staged at a time
#endif
#ifndef SUMMED_SLICES
#define SUMMED_SLICES 8 // slices that are summed before they are added to those before
#endif

#define TILE_ROWS (LOCAL_ROWS * MICRO_ROWS)
#define PANEL (LOCAL_COLUMNS * MICRO_VECTORS * VECTOR_WIDTH)
#define GROUP_ITEMS (LOCAL_ROWS * LOCAL_COLUMNS)

// From one input to the next: padded, so that transposing stores meet few of them in a bank, and still whole vectors of 4.
#define ROW_PITCH (TILE_ROWS + 4)

__kernel __attribute__((reqd_work_group_size(LOCAL_COLUMNS, LOCAL_ROWS, 1))) void project_tiles(PROJECT_PARAMETERS) {
    __local float rowTile[DEPTH * ROW_PITCH];
    __local float panelTile[DEPTH * PANEL];
    __local long inputAt[TILE_ROWS];

    __global const float *weights = OF_PROJECTION(weights);
    __global STORED *output = OF_PROJECTION(output);
    const int heads = OF_PROJECTION(heads);
    const int width = OF_PROJECTION(width);
    const int inputs = inputHeads * inputWidth;
    const int outputs = heads * width;
    const int item = get_local_id(1) * LOCAL_COLUMNS + get_local_id(0);
    // Both along the first axis, on which alone NVIDIA's drivers take more than 65,535 work-groups. Neighbours have the same
    // rows: there may be more of those than a cache holds.
    const int widest = max(max(heads0 * width0, heads1 * width1), max(heads2 * width2, heads3 * width3));
    const int panels = (widest + PANEL - 1) / PANEL;
    const int panelNumber = get_group_id(0) % panels;
    const int firstRow = get_group_id(0) / panels * TILE_ROWS;
    const int rowsHere = min(TILE_ROWS, positions - firstRow);
    const int firstColumn = panelNumber * PANEL;
    if (firstColumn >= outputs) {
        return; // Another projection of the launch is wider: the whole work-group leaves.
    }
    __global const float *panel = weights + (long)panelNumber * (1 + inputs) * PANEL;

    for (int row = item; row < TILE_ROWS; row += GROUP_ITEMS) {
        // Rows beyond the last repeat it, and are not stored.
        inputAt[row] = position_at(firstRow + min(row, rowsHere - 1), inputHeads, length, inputWidth);
    }
    VECTOR sums[MICRO_ROWS][MICRO_VECTORS];
    VECTOR partial[MICRO_ROWS][MICRO_VECTORS];
#pragma unroll
    for (int m = 0; m < MICRO_ROWS; m++) {
#pragma unroll
        for (int v = 0; v < MICRO_VECTORS; v++) {
            sums[m][v] = LOAD_VECTOR(panel + (get_local_id(0) + v * LOCAL_COLUMNS) * VECTOR_WIDTH);
            partial[m][v] = (VECTOR)(0.0f);
        }
    }
    panel += PANEL;
    barrier(CLK_LOCAL_MEM_FENCE);

    for (int firstInput = 0; firstInput < inputs; firstInput += DEPTH) {
        const int depth = min(DEPTH, inputs - firstInput);
        const int firstHead = firstInput / inputWidth;
        const int firstFrom = firstInput % inputWidth;
        for (int n = item; n < TILE_ROWS * DEPTH; n += GROUP_ITEMS) {
            const int row = n / DEPTH;
            const int k = n % DEPTH;
            // Only narrow heads end more than once in a slice.
            int head = firstHead;
            int from = firstFrom + k;
            while (from >= inputWidth) {
                from -= inputWidth;
                head++;
            }
            float element = 0.0f;
            if (k < depth) {
                const long at = inputAt[row] + (long)head * length * inputWidth + from;
                element = load_stored(input, inputOffset + at);
                if (gated) {
                    element /= 1.0f + exp(-load_stored(gate, gateOffset + at));
                }
            }
            rowTile[k * ROW_PITCH + row] = element;
        }
        for (int n = item * VECTOR_WIDTH; n < DEPTH * PANEL; n += GROUP_ITEMS * VECTOR_WIDTH) {
            STORE_VECTOR(n < depth * PANEL ? LOAD_VECTOR(panel + n) : (VECTOR)(0.0f), panelTile + n);
        }
        panel += DEPTH * PANEL;
        barrier(CLK_LOCAL_MEM_FENCE);

        for (int k = 0; k < DEPTH; k++) {
            __local const float *elements = rowTile + k * ROW_PITCH + get_local_id(1) * MICRO_ROWS;
            __local const float *columns = panelTile + k * PANEL + get_local_id(0) * VECTOR_WIDTH;
            VECTOR vectors[MICRO_VECTORS];
#pragma unroll
            for (int v = 0; v < MICRO_VECTORS; v++) {
                vectors[v] = LOAD_VECTOR(columns + v * LOCAL_COLUMNS * VECTOR_WIDTH);
            }
#pragma unroll
            for (int m = 0; m < MICRO_ROWS; m++) {
                const VECTOR element = (VECTOR)(elements[m]);
#pragma unroll
                for (int v = 0; v < MICRO_VECTORS; v++) {
                    partial[m][v] = MULTIPLY_ADD(element, vectors[v], partial[m][v]);
                }
            }
        }
        if (firstInput / DEPTH % SUMMED_SLICES == SUMMED_SLICES - 1 || firstInput + DEPTH >= inputs) {
#pragma unroll
            for (int m = 0; m < MICRO_ROWS; m++) {
#pragma unroll
                for (int v = 0; v < MICRO_VECTORS; v++) {
                    sums[m][v] += partial[m][v];
                    partial[m][v] = (VECTOR)(0.0f);
                }
            }
        }
        // Slower work-items may still read this slice when faster ones would write the next.
        barrier(CLK_LOCAL_MEM_FENCE);
    }

    for (int m = 0; m < MICRO_ROWS; m++) {
        const int row = get_local_id(1) * MICRO_ROWS + m;
        if (row >= rowsHere) {
            break;
        }
        const long at = position_at(firstRow + row, heads, length, width);
        for (int v = 0; v < MICRO_VECTORS; v++) {
            const int column = firstColumn + (get_local_id(0) + v * LOCAL_COLUMNS) * VECTOR_WIDTH;
            if (column < outputs && column % width + VECTOR_WIDTH <= width) {
                store_stored_vector(sums[m][v], output, at + column_at(column, length, width));
                continue;
            }
            float lanes[VECTOR_WIDTH];
            STORE_VECTOR(sums[m][v], lanes);
            for (int lane = 0; lane < VECTOR_WIDTH && column + lane < outputs; lane++) {
                store_stored(lanes[lane], output, at + column_at(column + lane, length, width));
            }
        }
    }
}
