// Values that differ from channel to channel, for an Element of four numbers: see channels_1.wgsl.
fn of_groups(start: u32, column: u32) -> vec4f {
  let group = (vec4u(4u * column) + vec4u(0u, 1u, 2u, 3u)) / u.group_channels + start;
  return vec4f(group_value(group.x), group_value(group.y), group_value(group.z), group_value(group.w));
}

fn dropout_each(i: u32) -> vec4f {
  return dropout_4(i);
}
