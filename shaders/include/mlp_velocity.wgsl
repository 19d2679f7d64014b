// One evaluation of the field at the rows of x, for mlp_tile.wgsl, and what mlp_forward and mlp_tangents are given: t is one
// time for all rows, or one for each.
#include "mlp_rows.wgsl"

struct Uniforms {
  hidden: array<vec4u, 4>,
  frequencies: array<vec4f, 4>,
  layers: u32,
  conditions: u32,
  inputs: u32,
  every_time: u32,
  batch: u32,
  times: u32,
  beta: f32,
  scale: f32,
}
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> parameters: array<vec4f>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> t: array<f32>;
@group(0) @binding(4) var<storage, read> condition: array<f32>;
@group(0) @binding(5) var<storage, read> probes: array<f32>;
@group(0) @binding(6) var<storage, read_write> out: array<f32>;

fn note(layer: u32, point: u32, c: u32, z: vec4f, y: vec4f) {}

// Writes the velocities of this workgroup's rows; divergences can be asked for afterwards.
fn evaluate(local: u32) {
  let head = forward(local);
  for (var e = local; e < POINTS * DIMENSION; e += THREADS) {
    if (first_point + e / DIMENSION < u.batch) {
      out[first_point * DIMENSION + e] = velocity(head, e / DIMENSION, e % DIMENSION);
    }
  }
}
