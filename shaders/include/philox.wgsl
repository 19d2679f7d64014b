// Philox4x32-10 (Salmon et al., SC 2011), and the draws that are made of it: see src/kernels/draws.ts for the counters.

const PURPOSE_NOISE = 0u;
const PURPOSE_ROW = 1u;
const PURPOSE_TIME = 2u;
const PURPOSE_SHUFFLE_ROWS = 3u;
const PURPOSE_SHUFFLE_BATCH = 4u;
const PURPOSE_PROBE = 5u;
const PURPOSE_LATENT = 6u;
const PURPOSE_DROPOUT = 8u;
const PURPOSE_MIRROR = 9u;
const PURPOSE_LEFT_NOISE = 10u;

// High 32 bits of a 64-bit product, by halves: WGSL has no wide multiplication.
fn multiply_high(a: u32, b: u32) -> u32 {
  let a_low = a & 0xffffu;
  let a_high = a >> 16u;
  let b_low = b & 0xffffu;
  let b_high = b >> 16u;
  let middle = a_high * b_low + ((a_low * b_low) >> 16u);
  let carry = (middle & 0xffffu) + a_low * b_high;
  return a_high * b_high + (middle >> 16u) + (carry >> 16u);
}

fn philox(counter: vec4u, seed: vec2u) -> vec4u {
  var c = counter;
  var key = seed;
  for (var i = 0u; i < 10u; i++) {
    c = vec4u(
      multiply_high(0xcd9e8d57u, c.z) ^ c.y ^ key.x,
      0xcd9e8d57u * c.z,
      multiply_high(0xd2511f53u, c.x) ^ c.w ^ key.y,
      0xd2511f53u * c.x,
    );
    key += vec2u(0x9e3779b9u, 0xbb67ae85u);
  }
  return c;
}

fn draw(seed: vec2u, stream: u32, purpose: u32, index: u32, step: u32, block: u32) -> vec4u {
  return philox(vec4u(index, step, block, stream * 256u + purpose), seed);
}

// On (0, 1) with 24 bits; the top values round to 1 in float32 and stay just below it.
fn uniform_from(word: u32) -> f32 {
  return min(f32(word >> 8u) * 5.9604644775390625e-8 + 2.98023223876953125e-8, 0.99999994);
}

// A whole number below n.
fn below(word: u32, n: u32) -> u32 {
  return multiply_high(word, n);
}
