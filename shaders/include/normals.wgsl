// Standard normals from Philox words by Box and Muller.
#include "numeric.wgsl"
#include "philox.wgsl"

fn normal_pair(a: u32, b: u32) -> vec2f {
  let radius = sqrt(-2.0 * logarithm(f32((a >> 8u) + 1u) * 5.9604644775390625e-8));
  return radius * sine_cosine_of_turn(b >> 8u).yx;
}

fn normals(words: vec4u) -> vec4f {
  return vec4f(normal_pair(words.x, words.y), normal_pair(words.z, words.w));
}
