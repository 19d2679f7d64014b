// Index of an invocation in a launch that may need more than 65535 workgroups: they are laid out in two dimensions.
override GROUP_SIZE: u32 = 64u;

fn linear_index(group: vec3u, groups: vec3u, local: u32) -> u32 {
  return (group.y * groups.x + group.x) * GROUP_SIZE + local;
}
