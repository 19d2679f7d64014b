// Multiply-adds in registers and nothing else: what an adapter's float32 units do at most (bench/adapter-peak.ts). Sixteen
// sums in four vectors; each turn depends on the one before, and all tend to one number and stay finite. Every invocation
// stores its result: behind a condition that is never true, compilers could leave the loop out.
struct Uniforms {
  rounds: u32,
  factor: f32,
  addend: f32,
}
@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;

struct Sums {
  a: vec4f,
  b: vec4f,
  c: vec4f,
  d: vec4f,
}

fn turn(s: Sums, factor: vec4f, addend: vec4f) -> Sums {
  return Sums(s.a * factor + addend, s.b * factor + addend, s.c * factor + addend, s.d * factor + addend);
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let factor = vec4f(u.factor);
  let addend = vec4f(u.addend);
  let first = f32(local);
  var s = Sums(vec4f(first), vec4f(first + 0.25), vec4f(first + 0.5), vec4f(first + 0.75));
  for (var round = 0u; round < u.rounds; round++) {
    s = turn(s, factor, addend);
    s = turn(s, factor, addend);
    s = turn(s, factor, addend);
    s = turn(s, factor, addend);
    s = turn(s, factor, addend);
    s = turn(s, factor, addend);
    s = turn(s, factor, addend);
    s = turn(s, factor, addend);
  }
  let total = s.a + s.b + s.c + s.d;
  result[group.x * 256u + local] = (total.x + total.y) + (total.z + total.w);
}
