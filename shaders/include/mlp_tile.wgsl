// A tile of rows through all layers of an MLP, in workgroup memory. A workgroup carries POINTS rows, each with TANGENTS tangents
// that share its activation's derivative. Row (m, τ) of invocation row g lies at place (m·(1 + TANGENTS) + τ)·THREAD_ROWS + g
// of the tile, τ = 0 being the row itself: an invocation owns a row with all its tangents, in the columns 4c … 4c + 3 of
// VECTORS different c. A layer is computed in place: all sums are in registers when the first is written back. Its weights
// stream through a slice of 4·DEPTH inner indices, turned on the way so that both factors are read as vectors; the next
// slice is fetched while this one is used. No row sees another, and the order of every sum is that of its inner
// index, whatever the size of the tile.
//
// What includes this has `u` with the fields `hidden`, `frequencies` (lists), `layers`, `conditions`, `frequency_count`,
// `inputs`, `every_time`, `batch`, `beta`, `scale`, the bindings `parameters`, `condition`, `probes`, time_of(point),
// the time of a row of the tile, and note(layer, point, c, z, y), which is told of the vector c of each row of the tile what
// hidden layer `layer` made of it.
#include "activations.wgsl"

override TANGENTS: u32 = 0u;
override HAS_PROBES: bool = false;
override DIMENSION: u32 = 1u;
override THREAD_ROWS: u32 = 4u;
override THREAD_COLUMNS: u32 = 64u;
override ROWS: u32 = 5u;
override VECTORS: u32 = 1u;
override DEPTH: u32 = 2u;
// from one row of the tile to the next, in vectors
override PITCH: u32 = 65u;
// invocations that share one number of the last layer
override LANES: u32 = 1u;

override THREADS: u32 = THREAD_ROWS * THREAD_COLUMNS;
override POINTS: u32 = THREAD_ROWS * (ROWS / (1u + TANGENTS));
// numbers of the last layer for each row: its velocity and the traces of its tangents
override OUTPUTS: u32 = DIMENSION + TANGENTS;
override SLICE_PITCH: u32 = THREAD_COLUMNS * VECTORS + 1u;

var<workgroup> tile: array<vec4f, THREAD_ROWS * ROWS * PITCH>;
var<workgroup> slice: array<vec4f, 4u * DEPTH * SLICE_PITCH>;
// where the field is evaluated, [POINTS, DIMENSION]
var<workgroup> points: array<f32, POINTS * DIMENSION>;
var<workgroup> partial_sums: array<f32, POINTS * OUTPUTS * LANES>;

// vectors of columns c = my column + v·THREAD_COLUMNS of my rows: sums[i·VECTORS + v]
var<private> sums: array<vec4f, 8>;
var<private> first_point: u32;

fn place(point: u32, tangent: u32) -> u32 {
  return ((point / THREAD_ROWS) * (1u + TANGENTS) + tangent) * THREAD_ROWS + point % THREAD_ROWS;
}

fn aligned(elements: u32) -> u32 {
  return (elements + 63u) & ~63u;
}

fn parameter(at: u32) -> f32 {
  return parameters[at / 4u][at % 4u];
}

// W[row, k … k + 3] of a layer whose weights begin at `first`; zero from `inputs` on
fn weights(first: u32, inputs: u32, row: u32, k: u32) -> vec4f {
  let at = first + row * inputs + k;
  if (k + 4u <= inputs && at % 4u == 0u) { return parameters[at / 4u]; }
  var value = vec4f();
  if (k < inputs) { value.x = parameter(at); }
  if (k + 1u < inputs) { value.y = parameter(at + 1u); }
  if (k + 2u < inputs) { value.z = parameter(at + 2u); }
  if (k + 3u < inputs) { value.w = parameter(at + 3u); }
  return value;
}

// --- the input's features --------------------------------------------------------------------------------------------

// Column of [x, condition, sin f₀x, cos f₀x, …] of a row, or of its derivative along a tangent (from 1 on)
fn feature(point: u32, tangent: u32, column: u32) -> f32 {
  let row = min(first_point + point, u.batch - 1u);
  if (column >= DIMENSION && column < DIMENSION + u.conditions) {
    if (tangent > 0u) { return 0.0; }
    return condition[row * u.conditions + column - DIMENSION];
  }
  let wave = max(column, DIMENSION + u.conditions) - DIMENSION - u.conditions;
  let d = select(wave % DIMENSION, column, column < DIMENSION);
  let x = points[point * DIMENSION + d];
  var direction = 1.0;
  if (tangent > 0u) {
    direction = select(0.0, 1.0, d == tangent - 1u);
    if (HAS_PROBES) { direction = probes[((tangent - 1u) * u.batch + row) * DIMENSION + d]; }
  }
  if (column < DIMENSION) { return select(direction, x, tangent == 0u); }
  let number = wave / DIMENSION;
  let frequency = u.frequencies[number / 8u][number / 2u % 4u];
  let sine_cosine = sine_cosine_of_product(frequency, x);
  let is_cosine = number % 2u == 1u;
  if (tangent == 0u) { return select(sine_cosine.x, sine_cosine.y, is_cosine); }
  return frequency * direction * select(sine_cosine.y, -sine_cosine.x, is_cosine);
}

// Vectors that a layer of so many inputs reads of a row
fn vectors_of(inputs: u32) -> u32 {
  return (inputs + 4u * DEPTH - 1u) / (4u * DEPTH) * DEPTH;
}

// The first layer's input for all rows of the tile, from `points`
fn fill_features(local: u32) {
  let width = vectors_of(u.inputs);
  for (var at = local; at < POINTS * (1u + TANGENTS) * width; at += THREADS) {
    let column = at % width * 4u;
    let row = at / width;
    let point = row % POINTS;
    let tangent = row / POINTS;
    var value = vec4f();
    for (var j = column; j < min(column + 4u, u.inputs); j++) { value[j - column] = feature(point, tangent, j); }
    tile[place(point, tangent) * PITCH + at % width] = value;
  }
  workgroupBarrier();
}

// --- layers ----------------------------------------------------------------------------------------------------------

// Block `local` of a slice: four rows of W by four inner indices, turned, so that it holds four columns for each index
fn fetch(first: u32, inputs: u32, outputs: u32, k: u32, local: u32) -> mat4x4f {
  let row = local / DEPTH * 4u;
  let from_k = k + local % DEPTH * 4u;
  let last = outputs - 1u;
  return transpose(mat4x4f(
    weights(first, inputs, min(row, last), from_k),
    weights(first, inputs, min(row + 1u, last), from_k),
    weights(first, inputs, min(row + 2u, last), from_k),
    weights(first, inputs, min(row + 3u, last), from_k),
  ));
}

// The same block of the product with W itself: the inner index runs over its rows, and four columns lie beside one another.
// Both extents are multiples of four.
fn fetch_back(first: u32, inputs: u32, outputs: u32, n: u32, local: u32) -> mat4x4f {
  let row = n + local % DEPTH * 4u;
  let width = inputs / 4u;
  let at = first / 4u + row * width + min(local / DEPTH, width - 1u);
  if (row >= outputs) { return mat4x4f(); }
  return mat4x4f(parameters[at], parameters[at + width], parameters[at + 2u * width], parameters[at + 3u * width]);
}

// sums = tile · Wᵀ, or, on the way back, tile · W. Ends with every invocation done with the tile.
fn multiply(first: u32, inputs: u32, outputs: u32, is_back: bool, local: u32) {
  let my_row = local / THREAD_COLUMNS;
  let my_column = local % THREAD_COLUMNS;
  let fetches = local < DEPTH * THREAD_COLUMNS * VECTORS;
  for (var i = 0u; i < 8u; i++) { sums[i] = vec4f(); }
  var block = mat4x4f();
  let slices = vectors_of(select(inputs, outputs, is_back)) / DEPTH;
  // in round s slice s is fetched, while slice s − 1 is used
  for (var s = 0u; s <= slices; s++) {
    if (s > 0u && fetches) {
      for (var j = 0u; j < 4u; j++) { slice[(local % DEPTH * 4u + j) * SLICE_PITCH + local / DEPTH] = block[j]; }
    }
    workgroupBarrier();
    if (s < slices && fetches) {
      if (is_back) {
        block = fetch_back(first, inputs, outputs, s * DEPTH * 4u, local);
      } else {
        block = fetch(first, inputs, outputs, s * DEPTH * 4u, local);
      }
    }
    if (s > 0u) {
      for (var q = 0u; q < DEPTH; q++) {
        for (var v = 0u; v < VECTORS; v++) {
          let at = 4u * q * SLICE_PITCH + v * THREAD_COLUMNS + my_column;
          let w0 = slice[at];
          let w1 = slice[at + SLICE_PITCH];
          let w2 = slice[at + 2u * SLICE_PITCH];
          let w3 = slice[at + 3u * SLICE_PITCH];
          for (var i = 0u; i < ROWS; i++) {
            let x = tile[(i * THREAD_ROWS + my_row) * PITCH + (s - 1u) * DEPTH + q];
            var sum = sums[i * VECTORS + v];
            sum = fma(vec4f(x.x), w0, sum);
            sum = fma(vec4f(x.y), w1, sum);
            sum = fma(vec4f(x.z), w2, sum);
            sums[i * VECTORS + v] = fma(vec4f(x.w), w3, sum);
          }
        }
      }
    }
    workgroupBarrier();
  }
}

// What a derivative is a function of
fn kept(input: vec4f, output: vec4f) -> vec4f {
  return select(output, input, DERIVATIVE_OF_INPUT);
}

// The tile becomes act(sums + bias + t·time weight), and its tangents sums ⊙ act′; columns from `outputs` on become zero. The
// sums go to the tile first, so that the activation is in the code once, not once for each of them.
fn write_back(layer: u32, bias: u32, timed: bool, outputs: u32, local: u32) {
  let my_row = local / THREAD_COLUMNS;
  let width = vectors_of(outputs);
  for (var v = 0u; v < VECTORS; v++) {
    let c = local % THREAD_COLUMNS + v * THREAD_COLUMNS;
    if (c < width) {
      let inside = 4u * c + vec4u(0u, 1u, 2u, 3u) < vec4u(outputs);
      for (var i = 0u; i < ROWS; i++) {
        tile[(i * THREAD_ROWS + my_row) * PITCH + c] = select(vec4f(), sums[i * VECTORS + v], inside);
      }
      let shift = parameters[bias / 4u + c];
      var rate = vec4f();
      if (timed) { rate = parameters[(bias + aligned(outputs)) / 4u + c]; }
      for (var point = my_row; point < POINTS; point += THREAD_ROWS) {
        let at = place(point, 0u) * PITCH + c;
        var z = tile[at] + shift;
        if (timed) { z += time_of(point) * rate; }
        let y = vec4f(activate(z.x, u.beta), activate(z.y, u.beta), activate(z.z, u.beta), activate(z.w, u.beta));
        tile[at] = select(vec4f(), y, inside);
        note(layer, point, c, z, y);
        if (TANGENTS > 0u) {
          let slope = slope_of(kept(z, y));
          for (var tangent = 1u; tangent <= TANGENTS; tangent++) { tile[at + tangent * THREAD_ROWS * PITCH] *= slope; }
        }
      }
    }
  }
  workgroupBarrier();
}

struct Head { first: u32, inputs: u32 }

// From the features in the tile to the last layer's input there; returns where the last layer's weights begin.
fn hidden_layers(local: u32) -> Head {
  var first = 0u;
  var inputs = u.inputs;
  for (var i = 0u; i < u.layers; i++) {
    let outputs = u.hidden[i / 4u][i % 4u];
    let timed = i == 0u || u.every_time == 1u;
    let bias = first + aligned(inputs * outputs);
    multiply(first, inputs, outputs, false, local);
    write_back(i, bias, timed, outputs, local);
    first = bias + aligned(outputs) * select(1u, 2u, timed);
    inputs = outputs;
  }
  return Head(first, inputs);
}

// Σ_k W[row, k] tile[place, k] over every LANES-th vector
fn head_sum(head: Head, row: u32, at: u32, lane: u32) -> f32 {
  var sum = 0.0;
  for (var c = lane; 4u * c < head.inputs; c += LANES) {
    sum += dot(weights(head.first, head.inputs, row, 4u * c), tile[at * PITCH + c]);
  }
  return sum;
}

// The last layer's sums in parts. Ends with every invocation done with the tile, and all parts written.
fn last_layer(head: Head, local: u32) {
  for (var at = local; at < POINTS * OUTPUTS * LANES; at += THREADS) {
    let lane = at % LANES;
    let point = at / LANES / OUTPUTS;
    let output = at / LANES % OUTPUTS;
    // a velocity and an exact trace need one row of W, a probe all of them
    var row = output;
    var rows = 1u;
    var probe = 0u;
    var tangent = 0u;
    if (output >= DIMENSION) {
      tangent = output - DIMENSION + 1u;
      row = tangent - 1u;
      if (HAS_PROBES) {
        row = 0u;
        rows = DIMENSION;
        probe = ((tangent - 1u) * u.batch + min(first_point + point, u.batch - 1u)) * DIMENSION;
      }
    }
    var sum = 0.0;
    for (var d = 0u; d < rows; d++) {
      var factor = 1.0;
      if (HAS_PROBES && tangent > 0u) { factor = probes[probe + d]; }
      sum += factor * head_sum(head, row + d, place(point, tangent), lane);
    }
    partial_sums[at] = sum;
  }
  workgroupBarrier();
}

fn whole_sum(point: u32, output: u32) -> f32 {
  var sum = 0.0;
  for (var lane = 0u; lane < LANES; lane++) { sum += partial_sums[(point * OUTPUTS + output) * LANES + lane]; }
  return sum;
}

fn velocity(head: Head, point: u32, d: u32) -> f32 {
  let bias = head.first + aligned(head.inputs * DIMENSION);
  var v = whole_sum(point, d) + parameter(bias + d);
  if (u.every_time == 1u) { v += time_of(point) * parameter(bias + aligned(DIMENSION) + d); }
  return u.scale * v;
}

fn slope_of(saved: vec4f) -> vec4f {
  return vec4f(
    derivative(saved.x, u.beta),
    derivative(saved.y, u.beta),
    derivative(saved.z, u.beta),
    derivative(saved.w, u.beta),
  );
}

fn divergence_of(point: u32) -> f32 {
  var sum = 0.0;
  for (var tangent = 0u; tangent < TANGENTS; tangent++) { sum += whole_sum(point, DIMENSION + tangent); }
  return u.scale * select(sum, sum / f32(TANGENTS), HAS_PROBES);
}
