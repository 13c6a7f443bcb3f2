// Project rows: dense projections, for CPU-class devices.
//
// Arguments and shapes: projection/project_call.clh.
//
// A work-group is one work-item and owns TILES * MICRO_ROWS rows of groupPanels panels of columns. It brings DEPTH inputs of its
// rows into local memory, as floats, gated, from whichever heads they lie in, and then computes one register tile after
// another: MICRO_ROWS rows x PANEL_VECTORS vectors of columns, each element of a row broadcast. The panel, DEPTH * PANEL
// floats, stays in the first-level cache while it serves all of the rows, the rows stay in the second.
//
// Each SUMMED_INPUTS inputs are summed by themselves, so that sums do not drift however many inputs there are. Sums of more than
// DEPTH inputs wait in local memory between two slices of inputs. Heads are put in place as sums are
// stored: where a row and a column go is worked out once, not in the tile.
//
// Registers for float8 vectors and 6 x 2 tiles: 12 sums, 2 vectors of the panel, 1 element of 16.

#include "common/multiply_add.clh"
#include "common/vector.clh"
#include "projection/project_call.clh"

#ifndef MICRO_ROWS
#define MICRO_ROWS 6 // rows of a register tile
#endif
#ifndef PANEL_VECTORS
#define PANEL_VECTORS 2 // vectors of columns of a register tile
#endif
#ifndef TILES
#define TILES 8 // register tiles below each other of a work-group
#endif
#ifndef PANELS
#define PANELS 16 // the most panels of a work-group
#endif
#ifndef DEPTH
#define DEPTH 512 // inputs that are brought into local memory at a time
#endif
#ifndef SUMMED_INPUTS
#define SUMMED_INPUTS 128 // inputs whose products are summed before they are added to those before
#endif

#define PANEL (PANEL_VECTORS * VECTOR_WIDTH)
#define ROWS (TILES * MICRO_ROWS)
// A cache line more than a row has, so that the rows of a tile do not compete for the same lines of the cache.
#define ROW_STRIDE (DEPTH + 16)

// Neighbouring inputs of one row, all of one head.
void bring_inputs(__global const STORED *input, long at, __global const STORED *gate, long gateAt, int gated, int count,
                  __local float *to) {
    int n = 0;
    for (; n + VECTOR_WIDTH <= count; n += VECTOR_WIDTH) {
        VECTOR elements = load_stored_vector(input, at + n);
        if (gated) {
            elements /= 1.0f + exp(-load_stored_vector(gate, gateAt + n));
        }
        STORE_VECTOR(elements, to + n);
    }
    for (; n < count; n++) {
        const float element = load_stored(input, at + n);
        to[n] = gated ? element / (1.0f + exp(-load_stored(gate, gateAt + n))) : element;
    }
}

// MICRO_ROWS x PANEL sums of count products of inputs from first on, added to start, which is a row of the panel, the bias, or
// the sums so far.
#define MULTIPLY_TILE(start, startStride, first, count)                                                                \
    {                                                                                                                  \
        VECTOR tile[MICRO_ROWS][PANEL_VECTORS];                                                                        \
        _Pragma("unroll") for (int m = 0; m < MICRO_ROWS; m++) {                                                       \
            _Pragma("unroll") for (int v = 0; v < PANEL_VECTORS; v++) {                                                \
                tile[m][v] = (VECTOR)(0.0f);                                                                           \
            }                                                                                                          \
        }                                                                                                              \
        __global const float *columns = panel + (1 + firstInput + (first)) * PANEL;                                    \
        __local const float *elements = rows + t * MICRO_ROWS * ROW_STRIDE + (first);                                  \
        _Pragma("unroll 2") for (int k = 0; k < (count); k++) {                                                        \
            VECTOR vectors[PANEL_VECTORS];                                                                             \
            _Pragma("unroll") for (int v = 0; v < PANEL_VECTORS; v++) {                                                \
                vectors[v] = LOAD_VECTOR(columns + v * VECTOR_WIDTH);                                                  \
            }                                                                                                          \
            _Pragma("unroll") for (int m = 0; m < MICRO_ROWS; m++) {                                                   \
                const VECTOR element = (VECTOR)(elements[m * ROW_STRIDE]);                                             \
                _Pragma("unroll") for (int v = 0; v < PANEL_VECTORS; v++) {                                            \
                    tile[m][v] = MULTIPLY_ADD(element, vectors[v], tile[m][v]);                                        \
                }                                                                                                      \
            }                                                                                                          \
            columns += PANEL;                                                                                          \
            elements++;                                                                                                \
        }                                                                                                              \
        _Pragma("unroll") for (int m = 0; m < MICRO_ROWS; m++) {                                                       \
            _Pragma("unroll") for (int v = 0; v < PANEL_VECTORS; v++) {                                                \
                const VECTOR before = LOAD_VECTOR((start) + m * (startStride) + v * VECTOR_WIDTH);                     \
                STORE_VECTOR(before + tile[m][v], tileSums + m * PANEL + v * VECTOR_WIDTH);                            \
            }                                                                                                          \
        }                                                                                                              \
    }

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void project_rows(PROJECT_PARAMETERS, int groupPanels) {
    __local float rows[ROWS * ROW_STRIDE];
    __local long outputAt[ROWS];
    // Of all register tiles where there are more than DEPTH inputs, else of one, which then stays in the first-level cache.
    __local float sums[PANELS * TILES * MICRO_ROWS * PANEL];

    __global const float *weights = OF_PROJECTION(weights);
    __global STORED *output = OF_PROJECTION(output);
    const int heads = OF_PROJECTION(heads);
    const int width = OF_PROJECTION(width);
    const int inputs = inputHeads * inputWidth;
    const int outputs = heads * width;
    const int firstPanel = get_group_id(0) * groupPanels;
    const int panels = min(groupPanels, (outputs + PANEL - 1) / PANEL - firstPanel);
    const int firstRow = get_group_id(1) * ROWS;
    const int rowsHere = min(ROWS, positions - firstRow);
    const int tiles = (rowsHere + MICRO_ROWS - 1) / MICRO_ROWS;
    const int tileStride = inputs > DEPTH ? MICRO_ROWS * PANEL : 0;
    if (panels <= 0) {
        return; // Another projection of the launch is wider.
    }
    for (int row = 0; row < rowsHere; row++) {
        outputAt[row] = position_at(firstRow + row, heads, length, width);
    }

    int depth;
    for (int firstInput = 0; firstInput == 0 || firstInput < inputs; firstInput += DEPTH) {
        depth = min(DEPTH, inputs - firstInput);
        for (int row = 0; row < rowsHere && depth > 0; row++) {
            const long at = position_at(firstRow + row, inputHeads, length, inputWidth);
            int head = firstInput / inputWidth;
            int from = firstInput % inputWidth;
            for (int k = 0; k < depth;) {
                const int count = min(depth - k, inputWidth - from);
                const long there = at + (long)head * length * inputWidth + from;
                bring_inputs(input, inputOffset + there, gate, gateOffset + there, gated, count,
                             rows + row * ROW_STRIDE + k);
                k += count;
                head++;
                from = 0;
            }
        }
        // The last tile's rows beyond the last are computed, and not stored.
        for (int row = rowsHere; row < tiles * MICRO_ROWS; row++) {
            for (int k = 0; k < depth; k++) {
                rows[row * ROW_STRIDE + k] = 0.0f;
            }
        }
        for (int p = 0; p < panels; p++) {
            __global const float *panel = weights + (long)(firstPanel + p) * (1 + inputs) * PANEL;
            const int firstColumn = (firstPanel + p) * PANEL;
            long columnAt[PANEL_VECTORS];
            bool whole[PANEL_VECTORS];
            for (int v = 0; v < PANEL_VECTORS; v++) {
                const int column = firstColumn + v * VECTOR_WIDTH;
                columnAt[v] = column_at(column, length, width);
                whole[v] = column % width + VECTOR_WIDTH <= width && column < outputs;
            }
            for (int t = 0; t < tiles; t++) {
                __local float *tileSums = sums + (p * TILES + t) * tileStride;
                if (firstInput == 0) {
                    MULTIPLY_TILE(panel, 0, 0, min(depth, SUMMED_INPUTS))
                }
                for (int first = firstInput == 0 ? SUMMED_INPUTS : 0; first < depth; first += SUMMED_INPUTS) {
                    MULTIPLY_TILE(tileSums, PANEL, first, min(depth - first, SUMMED_INPUTS))
                }
                if (firstInput + depth < inputs) {
                    continue;
                }
                const int storedRows = min(MICRO_ROWS, rowsHere - t * MICRO_ROWS);
                for (int m = 0; m < storedRows; m++) {
                    const long at = outputAt[t * MICRO_ROWS + m];
                    for (int v = 0; v < PANEL_VECTORS; v++) {
                        __local const float *lanes = tileSums + m * PANEL + v * VECTOR_WIDTH;
                        if (whole[v]) {
                            store_stored_vector(LOAD_VECTOR(lanes), output, at + columnAt[v]);
                            continue;
                        }
                        const int column = firstColumn + v * VECTOR_WIDTH;
                        for (int lane = 0; lane < VECTOR_WIDTH && column + lane < outputs; lane++) {
                            store_stored(lanes[lane], output, at + column_at(column + lane, length, width));
                        }
                    }
                }
            }
        }
    }
}
