// What a training step of an MLP does row by row, for a tile of rows in one launch: the hidden layers, the flow-matching loss
// and the way back through them. It leaves what weight gradients are made of: the hidden layers' outputs, then their deltas,
// [batch, width] each, one layer after the other in `trail`, and the last layer's deltas in `delta`. Widths are multiples of four.
#include "mlp_tile.wgsl"
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
  // numbers from one layer to the next in `trail`
  pitch: u32,
  beta: f32,
  scale: f32,
  // of a residual in its delta
  factor: f32,
}
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> parameters: array<vec4f>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> t: array<f32>;
@group(0) @binding(4) var<storage, read> condition: array<f32>;
@group(0) @binding(5) var<storage, read> target_: array<f32>;
@group(0) @binding(6) var<storage, read_write> trail: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> delta: array<f32>;
@group(0) @binding(8) var<storage, read_write> row_loss: array<f32>;

// there are no tangents
const probes = array<f32, 1>();
// v − target of the tile
var<workgroup> residuals: array<f32, POINTS * DIMENSION>;

fn width_of(layer: u32) -> u32 {
  return u.hidden[layer / 4u][layer % 4u];
}

fn output_at(layer: u32, point: u32, c: u32) -> u32 {
  return (layer * u.pitch + (first_point + point) * width_of(layer)) / 4u + c;
}

fn delta_at(layer: u32, point: u32, c: u32) -> u32 {
  return u.layers * u.pitch / 4u + output_at(layer, point, c);
}

// An input that a derivative will need stays where its delta will take its place.
fn note(layer: u32, point: u32, c: u32, z: vec4f, y: vec4f) {
  if (4u * c >= width_of(layer) || first_point + point >= u.batch) { return; }
  trail[output_at(layer, point, c)] = y;
  if (DERIVATIVE_OF_INPUT) { trail[delta_at(layer, point, c)] = z; }
}

// The delta of a layer's sums from that of its outputs. What a derivative needs was left by this very invocation.
fn delta_of(layer: u32, point: u32, c: u32, value: vec4f) -> vec4f {
  if (4u * c >= width_of(layer) || first_point + point >= u.batch) { return vec4f(); }
  let to = delta_at(layer, point, c);
  var saved: vec4f;
  if (DERIVATIVE_OF_INPUT) { saved = trail[to]; } else { saved = trail[output_at(layer, point, c)]; }
  let result = value * slope_of(saved);
  trail[to] = result;
  return result;
}

// The last hidden layer's deltas into the tile: those of the last layer · W
fn last_deltas(first: u32, local: u32) {
  let layer = u.layers - 1u;
  let width = width_of(layer);
  for (var v = 0u; v < VECTORS; v++) {
    let c = local % THREAD_COLUMNS + v * THREAD_COLUMNS;
    if (c < vectors_of(width)) {
      for (var point = local / THREAD_COLUMNS; point < POINTS; point += THREAD_ROWS) {
        var sum = vec4f();
        for (var d = 0u; d < DIMENSION && 4u * c < width; d++) {
          sum += residuals[point * DIMENSION + d] * parameters[(first + d * width) / 4u + c];
        }
        tile[place(point, 0u) * PITCH + c] = delta_of(layer, point, c, u.factor * sum);
      }
    }
  }
  workgroupBarrier();
}

// The deltas of a layer's outputs are in `sums`: those of its sums go into the tile
fn deltas_back(layer: u32, local: u32) {
  let my_row = local / THREAD_COLUMNS;
  for (var v = 0u; v < VECTORS; v++) {
    let c = local % THREAD_COLUMNS + v * THREAD_COLUMNS;
    if (c < vectors_of(width_of(layer))) {
      for (var i = 0u; i < ROWS; i++) { tile[(i * THREAD_ROWS + my_row) * PITCH + c] = sums[i * VECTORS + v]; }
      for (var point = my_row; point < POINTS; point += THREAD_ROWS) {
        let at = place(point, 0u) * PITCH + c;
        tile[at] = delta_of(layer, point, c, tile[at]);
      }
    }
  }
  workgroupBarrier();
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let begin = (group.y * groups.x + group.x) * POINTS;
  if (begin >= u.batch) { return; }
  first_point = begin;
  let head = forward(local);
  for (var e = local; e < POINTS * DIMENSION; e += THREADS) {
    var value = 0.0;
    let at = first_point * DIMENSION + e;
    if (first_point + e / DIMENSION < u.batch) {
      value = velocity(head, e / DIMENSION, e % DIMENSION) - target_[at];
      delta[at] = value * u.factor;
    }
    residuals[e] = value;
  }
  workgroupBarrier();
  for (var point = local; point < POINTS; point += THREADS) {
    if (first_point + point < u.batch) {
      var squares = 0.0;
      for (var d = 0u; d < DIMENSION; d++) {
        let residual = residuals[point * DIMENSION + d];
        squares += residual * residual;
      }
      row_loss[first_point + point] = squares / (u.scale * u.scale * f32(DIMENSION));
    }
  }
  last_deltas(head.first, local);
  var first = head.first;
  for (var i = u.layers - 1u; i > 0u; i--) {
    let outputs = width_of(i);
    let inputs = width_of(i - 1u);
    first -= aligned(outputs) * select(1u, 2u, u.every_time == 1u) + aligned(inputs * outputs);
    multiply(first, inputs, outputs, true, local);
    deltas_back(i - 1u, local);
  }
}
