// Does nothing but depend on the launch before, to measure what a launch costs by itself (src/device/webgpu/profiler.ts).
struct Uniforms {
  unused: u32,
}

// makes pipelines of the same text different ones
override KIND: u32 = 0;

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read_write> word: array<u32>;

@compute @workgroup_size(1)
fn main() {
  word[0] += u.unused * KIND;
}
