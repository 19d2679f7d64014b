// A pseudo-random permutation of [0, n): an eight-round Feistel network, repeated until the result is below n. One key word
// for each round: two Philox blocks.
#include "philox.wgsl"

struct PermutationKeys { words: array<u32, 8> }

fn permutation_keys(seed: vec2u, stream: u32, purpose: u32, epoch: u32) -> PermutationKeys {
  let low = draw(seed, stream, purpose, epoch, 0u, 0u);
  let high = draw(seed, stream, purpose, epoch, 0u, 1u);
  return PermutationKeys(array(low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w));
}

fn permute(x: u32, n: u32, keys: PermutationKeys) -> u32 {
  // bits of n - 1, halved and rounded up, at least 1: the smallest half with 4^half ≥ n
  let bits = 32u - countLeadingZeros(n - 1u);
  let half = max(1u, (bits + 1u) / 2u);
  let mask = (1u << half) - 1u;
  var k = keys;
  var value = x;
  loop {
    var left = value >> half;
    var right = value & mask;
    for (var i = 0u; i < 8u; i++) {
      var f = (right ^ k.words[i]) * 0x9e3779b1u;
      f = (f ^ (f >> 15u)) * 0x85ebca77u;
      f = (f ^ (f >> 13u)) & mask;
      let next = left ^ f;
      left = right;
      right = next;
    }
    value = (left << half) | right;
    if (value < n) { break; }
  }
  return value;
}
