// Fragments without matrix units, for any adapter: each of a team's 32 lanes owns 2 × 4 elements of every fragment. The
// indices are half_product.wgsl's, so this is also the twin by which the matrix units' kernels are tested where there
// are none.
const LANE_ROWS = 2u;
const LANE_COLUMNS = 4u;
// where in a fragment this lane's elements begin
var<private> lane_row: u32;
var<private> lane_column: u32;

struct Fragments {
  left: array<u32, ROWS>,
  right: array<u32, COLUMNS>,
  sums: array<array<array<f32, 8>, COLUMNS>, ROWS>,
}

fn take_left(f: ptr<function, Fragments>, i: u32, at: u32) {
  f.left[i] = at + lane_row * LEFT_PITCH;
}

fn take_right(f: ptr<function, Fragments>, j: u32, at: u32) {
  f.right[j] = at + lane_column;
}

fn multiply_add(f: ptr<function, Fragments>, inner: u32) {
  for (var k = 0u; k < inner; k++) {
    var values: array<array<f32, LANE_ROWS>, ROWS>;
    for (var i = 0u; i < ROWS; i++) {
      for (var p = 0u; p < LANE_ROWS; p++) { values[i][p] = f32(left_tile[f.left[i] + p * LEFT_PITCH + k]); }
    }
    for (var j = 0u; j < COLUMNS; j++) {
      for (var q = 0u; q < LANE_COLUMNS; q++) {
        let factor = f32(right_tile[f.right[j] + k * RIGHT_PITCH + q]);
        for (var i = 0u; i < ROWS; i++) {
          for (var p = 0u; p < LANE_ROWS; p++) { f.sums[i][j][p * LANE_COLUMNS + q] += values[i][p] * factor; }
        }
      }
    }
  }
}

fn leave_sums(f: ptr<function, Fragments>, i: u32, j: u32, at: u32) {
  for (var p = 0u; p < LANE_ROWS; p++) {
    for (var q = 0u; q < LANE_COLUMNS; q++) {
      results[at + (lane_row + p) * FRAGMENT + lane_column + q] = f.sums[i][j][p * LANE_COLUMNS + q];
    }
  }
}
