// Values that differ from channel to channel, for an Element of one number. A kernel defines group_value(i), one of its
// numbers by picture and group, and u.group_channels.
fn of_groups(start: u32, column: u32) -> f32 {
  return group_value(start + column / u.group_channels);
}

fn dropout_each(i: u32) -> f32 {
  return dropout(i);
}
