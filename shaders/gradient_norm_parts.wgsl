// gradient_norm for weight gradients that were left as sums over parts of the batch: adds them up, in order, writes the
// gradient, and continues as gradient_norm.wgsl does.
#include "group_sum.wgsl"
#include "numeric.wgsl"
#include "state.wgsl"
#include "step_loss.wgsl"

struct Uniforms { length: u32, blocks: u32, block: u32, rows: u32, ring: u32, parts: u32 }
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read_write> gradient: array<f32>;
@group(0) @binding(2) var<storage, read> row_loss: array<f32>;
@group(0) @binding(3) var<storage, read_write> state: array<u32>;
@group(0) @binding(4) var<storage, read_write> partials: array<f32>;
@group(0) @binding(5) var<storage, read_write> loss_ring: array<f32>;
@group(0) @binding(6) var<storage, read> parts: array<f32>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  if (group.x == u.blocks) {
    step_loss(local);
    return;
  }
  var squares = 0.0;
  let end = min((group.x + 1u) * u.block, u.length);
  for (var p = group.x * u.block + local; p < end; p += 256u) {
    var sum = parts[p];
    for (var i = 1u; i < u.parts; i++) { sum += parts[i * u.length + p]; }
    gradient[p] = sum;
    squares += sum * sum;
  }
  let sum = group_sum(local, squares);
  if (local == 0u) { partials[group.x] = sum; }
}
