// Pack weights: brings a matrix into the panels that the projection kernels read, or into rows; for weights that change on the
// device, and for the gradients of weights.
//
//   source   floats; the element of row r and column c is at
//            sourceOffset + (r / rowRun * rowRunStride + r % rowRun * rowStride)
//                         + (c / columnRun * columnRunStride + c % columnRun * columnStride)
//   gate     as source, with gated = 1: each element is multiplied by the logistic function of gate's
//   bias     [columns], with biased = 1
//   target   [panels, 1 + rows, panel]: panel columns after another, those beyond the last are 0; first the bias of each
//            column, or fill without a bias, then the rows
//
// One panel that is as wide as the matrix is the matrix, row-major, under a row of its bias.
//
// A work-item moves TILE_ROWS x TILE_COLUMNS elements. On CPUs these are cache lines of source and target alike, whichever of
// the two is transposed; on GPUs neighbouring work-items take neighbouring columns. Work-groups: (tiles of columns, tiles of rows,
// panels), GROUP_ITEMS of the first in each.

#ifndef TILE_ROWS
#define TILE_ROWS 16 // rows of a work-item
#endif
#ifndef TILE_COLUMNS
#define TILE_COLUMNS 16 // columns of a work-item
#endif
#ifndef GROUP_ITEMS
#define GROUP_ITEMS 1 // work-items of a work-group
#endif

// The host reads this declaration to find where each number goes.
typedef struct {
    long sourceOffset;
    long rowRunStride;
    long rowStride;
    long columnRunStride;
    long columnStride;
    long gateOffset;
    long biasOffset;
    int rowRun;
    int columnRun;
    int firstRow; // of the source, the first that is packed
    int firstColumn;
    int rows; // that are packed
    int columns;
    int panel;
    int gated;
    int biased;
    float fill;
} PackCall;

__kernel __attribute__((reqd_work_group_size(GROUP_ITEMS, 1, 1))) void pack_weights(__global const float *source,
                                                                                     __global const float *gate,
                                                                                     __global const float *bias,
                                                                                     __global float *target,
                                                                                     PackCall call) {
    const int firstOfPanel = get_global_id(0) * TILE_COLUMNS;
    const int firstRow = get_global_id(1) * TILE_ROWS;
    const int tileColumns = min(TILE_COLUMNS, call.panel - firstOfPanel);
    const int tileRows = min(TILE_ROWS, call.rows - firstRow);
    if (tileColumns <= 0) {
        return;
    }
    const int firstColumn = get_group_id(2) * call.panel + firstOfPanel;
    __global float *panel = target + (long)get_group_id(2) * (1 + call.rows) * call.panel + firstOfPanel;
    long columnAt[TILE_COLUMNS];
    for (int n = 0; n < tileColumns; n++) {
        const int column = call.firstColumn + firstColumn + n;
        columnAt[n] = column / call.columnRun * call.columnRunStride + column % call.columnRun * call.columnStride;
    }
    const int realColumns = clamp(call.columns - firstColumn, 0, tileColumns);
    if (firstRow == 0) {
        for (int n = 0; n < tileColumns; n++) {
            panel[n] = n >= realColumns ? 0.0f : call.biased ? bias[call.biasOffset + firstColumn + n] : call.fill;
        }
    }
    for (int m = 0; m < tileRows; m++) {
        const int row = call.firstRow + firstRow + m;
        const long rowAt =
            call.sourceOffset + row / call.rowRun * call.rowRunStride + row % call.rowRun * call.rowStride;
        __global float *to = panel + (long)(1 + firstRow + m) * call.panel;
        for (int n = 0; n < tileColumns; n++) {
            float element = 0.0f;
            if (n < realColumns) {
                const long at = rowAt + columnAt[n];
                element = source[at];
                if (call.gated) {
                    element /= 1.0f + exp(-gate[call.gateOffset - call.sourceOffset + at]);
                }
            }
            to[n] = element;
        }
    }
}
