// For each channel c of each picture: z = scaled.x·x̂ + scaled.y, and Σ dz, Σ dz·x̂ over its positions, which all gradients
// of group normalisation are made of: a workgroup takes 16 channels of a picture, 16 invocations a channel.
#include "activations.wgsl"
#include "dropout.wgsl"

struct Uniforms {
  pixels: u32,
  channels: u32,
  groups: u32,
  group_channels: u32,
  x_channels: u32,
  x_first: u32,
  modulations: u32,
  modulation_columns: u32,
  modulation_first: u32,
  seed_low: u32,
  seed_high: u32,
  stream: u32,
  block: u32,
  first_element: u32,
  drop_below: u32,
  keep_scale: f32,
}
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read> gamma: array<f32>;
@group(0) @binding(4) var<storage, read> beta: array<f32>;
@group(0) @binding(5) var<storage, read> modulation: array<f32>;
@group(0) @binding(6) var<storage, read> statistics: array<f32>;
@group(0) @binding(7) var<storage, read> state: array<u32>;
@group(0) @binding(8) var<storage, read_write> sums: array<vec4f>;

var<workgroup> terms: array<vec2f, 256>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let picture = group.y;
  let lane = local / 16u;
  let c = min(group.x * 16u + local % 16u, u.channels - 1u);
  let at = 2u * picture * u.groups + c / u.group_channels;
  let mean = statistics[at];
  let rstd = statistics[at + u.groups];
  var factor = gamma[c];
  var offset = beta[c];
  if (u.modulations > 0u) {
    let row = select(picture, 0u, u.modulations == 1u) * u.modulation_columns + u.modulation_first;
    let scale = 1.0 + modulation[row + c];
    factor *= scale;
    offset = offset * scale + modulation[row + u.channels + c];
  }
  var sum = vec2f();
  for (var p = lane; p < u.pixels; p += 16u) {
    let pixel = picture * u.pixels + p;
    let normal = (x[pixel * u.x_channels + u.x_first + c] - mean) * rstd;
    let i = pixel * u.channels + c;
    let dz = dropout(i) * dy[i] * derivative(factor * normal + offset, 1.0);
    sum += vec2f(dz, dz * normal);
  }
  terms[local] = sum;
  workgroupBarrier();
  if (lane == 0u && group.x * 16u + local < u.channels) {
    for (var other = 1u; other < 16u; other++) { sum += terms[other * 16u + local]; }
    sums[picture * u.channels + c] = vec4f(factor, offset, sum);
  }
}
