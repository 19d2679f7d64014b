// The tiles of a product that sums all its inner indices in one workgroup: tiles of columns along x, tiles of rows along y
// and, beyond 32768 of them, z.
fn extent(group: vec3u) -> vec2u {
  return vec2u(0u, u.inner);
}

fn tile(group: vec3u) -> vec2u {
  return vec2u(group.z * 32768u + group.y, group.x);
}

fn aside(group: vec3u, local: u32) -> bool {
  return false;
}
