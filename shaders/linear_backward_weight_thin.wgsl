// linear_backward_weight of a layer with at most eight inputs or outputs. x is extended by a column of ones and one of t, whose
// sums are dbias and dtime_weight. Of the *thin* side of the result an invocation holds all sums, of the other four columns,
// SIDE apart. SHARERS invocations share the rows of a part; their sums are added in order.
struct Uniforms {
  rows: u32,
  columns: u32,
  inner: u32,
  part: u32,
  pitch: u32,
  weight_at: u32,
  bias_at: u32,
  time_at: u32,
}
override SPLIT: bool = false;
override HAS_TIME: bool = false;
// whether the thin side is x (few inputs) or dy (few outputs), and its columns
override THIN_IS_X: bool = false;
override THIN: u32 = 1u;
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read> t: array<f32>;
@group(0) @binding(4) var<storage, read_write> dweight: array<f32>;
@group(0) @binding(5) var<storage, read_write> dbias: array<f32>;
@group(0) @binding(6) var<storage, read_write> dtime_weight: array<f32>;
@group(0) @binding(7) var<storage, read_write> parts: array<f32>;

const SIDE = 8u;
const SHARERS = 8u;
const OWN = 4u;

// columns of x with those of ones and of t
fn x_columns() -> u32 {
  return u.columns + select(1u, 2u, HAS_TIME);
}

fn x_at(b: u32, column: u32) -> f32 {
  if (column < u.columns) { return x[b * u.columns + column]; }
  if (HAS_TIME && column > u.columns) { return t[b]; }
  return 1.0;
}

fn store(part: u32, row: u32, column: u32, sum: f32) {
  let start = part * u.pitch;
  if (column < u.columns) {
    let at = row * u.columns + column;
    if (SPLIT) { parts[start + u.weight_at + at] = sum; } else { dweight[at] = sum; }
  } else if (column == u.columns) {
    if (SPLIT) { parts[start + u.bias_at + row] = sum; } else { dbias[row] = sum; }
  } else {
    if (SPLIT) { parts[start + u.time_at + row] = sum; } else { dtime_weight[row] = sum; }
  }
}

var<workgroup> shares: array<vec4f, SIDE * SHARERS>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let wide = select(x_columns(), u.rows, THIN_IS_X);
  let first = group.x * SIDE * OWN + local % SIDE;
  let end = min((group.z + 1u) * u.part, u.inner);

  var sums: array<vec4f, 10>;
  for (var b = group.z * u.part + local / SIDE; b < end; b += SHARERS) {
    var own: vec4f;
    for (var i = 0u; i < OWN; i++) {
      let at = min(first + i * SIDE, wide - 1u);
      if (THIN_IS_X) { own[i] = dy[b * u.rows + at]; } else { own[i] = x_at(b, at); }
    }
    for (var j = 0u; j < THIN; j++) {
      if (THIN_IS_X) { sums[j] += x_at(b, j) * own; } else { sums[j] += dy[b * u.rows + j] * own; }
    }
  }
  for (var j = 0u; j < THIN; j++) {
    shares[local] = sums[j];
    workgroupBarrier();
    if (local < SIDE) {
      var sum = shares[local];
      for (var i = 1u; i < SHARERS; i++) { sum += shares[i * SIDE + local]; }
      for (var i = 0u; i < OWN; i++) {
        let at = first + i * SIDE;
        if (at < wide) { store(group.z, select(j, at, THIN_IS_X), select(at, j, THIN_IS_X), sum[i]); }
      }
    }
    workgroupBarrier();
  }
}
