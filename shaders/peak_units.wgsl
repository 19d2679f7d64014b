// Products of 16 × 16 float16 fragments into float32 sums and nothing else: what an adapter's matrix units do at most
// (bench/adapter-peak.ts). Four sums to each subgroup; all are stored, so that none can be left out.
enable f16;
enable subgroups;
enable chromium_experimental_subgroup_matrix;
diagnostic(off, chromium.subgroup_matrix_uniformity);

struct Uniforms {
  rounds: u32,
  factor: f32,
  addend: f32,
}
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;

alias Left = subgroup_matrix_left<f16, 16, 16>;
alias Right = subgroup_matrix_right<f16, 16, 16>;
alias Total = subgroup_matrix_result<f32, 16, 16>;
const TEAMS = 4u;
const FRAGMENT = 256u;

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_id) team: u32) {
  let left = Left(f16(u.factor));
  let right = Right(f16(u.addend));
  var a = Total();
  var b = Total();
  var c = Total();
  var d = Total();
  for (var round = 0u; round < u.rounds; round++) {
    a = subgroupMatrixMultiplyAccumulate(left, right, a);
    b = subgroupMatrixMultiplyAccumulate(left, right, b);
    c = subgroupMatrixMultiplyAccumulate(left, right, c);
    d = subgroupMatrixMultiplyAccumulate(left, right, d);
  }
  let at = (group.x * TEAMS + team) * 4u * FRAGMENT;
  subgroupMatrixStore<row_major>(&result, at, a, 16u);
  subgroupMatrixStore<row_major>(&result, at + FRAGMENT, b, 16u);
  subgroupMatrixStore<row_major>(&result, at + 2u * FRAGMENT, c, 16u);
  subgroupMatrixStore<row_major>(&result, at + 3u * FRAGMENT, d, 16u);
}
