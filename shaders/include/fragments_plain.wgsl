// Fragments without matrix units, for any adapter: each of a team's 32 lanes owns 2 × 4 elements of every fragment. The
// indices are half_product.wgsl's, so this also tests the kernels for matrix units where there are none.
const LANE_ROWS = 2u;
const LANE_COLUMNS = 4u;
// from a row, a column or an inner index to the next, in a factor's tile
override LEFT_ROW: u32 = select(1u, LEFT_PITCH, LEFT_DENSE_IN_K);
override LEFT_K: u32 = select(LEFT_PITCH, 1u, LEFT_DENSE_IN_K);
override RIGHT_COLUMN: u32 = select(1u, RIGHT_PITCH, RIGHT_DENSE_IN_K);
override RIGHT_K: u32 = select(RIGHT_PITCH, 1u, RIGHT_DENSE_IN_K);
// where in a fragment this lane's elements begin
var<private> lane_row: u32;
var<private> lane_column: u32;

struct Fragments {
  left: array<u32, ROWS>,
  right: array<u32, COLUMNS>,
  sums: array<array<f32, 8>, FRAGMENTS>,
}

fn take_left(f: ptr<function, Fragments>, i: u32, at: u32) {
  f.left[i] = at + lane_row * LEFT_ROW;
}

fn take_right(f: ptr<function, Fragments>, j: u32, at: u32) {
  f.right[j] = at + lane_column * RIGHT_COLUMN;
}

fn multiply_add(f: ptr<function, Fragments>, inner: u32) {
  for (var k = 0u; k < inner; k++) {
    var values: array<array<f32, LANE_ROWS>, ROWS>;
    for (var i = 0u; i < ROWS; i++) {
      for (var p = 0u; p < LANE_ROWS; p++) { values[i][p] = f32(left_number(f.left[i] + p * LEFT_ROW + k * LEFT_K)); }
    }
    for (var j = 0u; j < COLUMNS; j++) {
      for (var q = 0u; q < LANE_COLUMNS; q++) {
        let factor = f32(right_number(f.right[j] + q * RIGHT_COLUMN + k * RIGHT_K));
        for (var i = 0u; i < ROWS; i++) {
          for (var p = 0u; p < LANE_ROWS; p++) { f.sums[i * COLUMNS + j][p * LANE_COLUMNS + q] += values[i][p] * factor; }
        }
      }
    }
  }
}

// by constant indices: one that a compiler does not know would put all sums into memory
fn sums_of(f: ptr<function, Fragments>, n: u32) -> array<f32, 8> {
  switch n {
    case 0u: { return f.sums[0u]; }
    case 1u: { return f.sums[min(1u, FRAGMENTS - 1u)]; }
    case 2u: { return f.sums[min(2u, FRAGMENTS - 1u)]; }
    case 3u: { return f.sums[min(3u, FRAGMENTS - 1u)]; }
    case 4u: { return f.sums[min(4u, FRAGMENTS - 1u)]; }
    case 5u: { return f.sums[min(5u, FRAGMENTS - 1u)]; }
    case 6u: { return f.sums[min(6u, FRAGMENTS - 1u)]; }
    case 7u: { return f.sums[min(7u, FRAGMENTS - 1u)]; }
    default: { return array<f32, 8>(); }
  }
}

fn leave_sums(f: ptr<function, Fragments>, n: u32, at: u32) {
  let sums = sums_of(f, n);
  for (var p = 0u; p < LANE_ROWS; p++) {
    for (var q = 0u; q < LANE_COLUMNS; q++) {
      results[at + (lane_row + p) * FRAGMENT + lane_column + q] = sums[p * LANE_COLUMNS + q];
    }
  }
}
