// What the attention kernels share: a workgroup has a *tile* of 16 positions (queries or keys) of one head of one picture and
// goes over all others 16 at a time. For 16 × 16 pairs each invocation computes one; then the 16 invocations of a position
// add to 16 channels of it each time round, CHANNELS in all; further channels of a head are another workgroup's.
override CHANNELS: u32 = 128u;
const SIDE = 16u;
const MOST_SHARES = 8u;

// [position][pair's other position]
var<workgroup> pairs: array<array<f32, 16>, 16>;

struct Place { picture: u32, head: u32, first: u32, channel: u32 }

// Tiles, for each share of the channels, along x; pictures with their heads along y and, beyond 32768 of them, z
fn plane_of(group: vec3u) -> u32 {
  return group.z * 32768u + group.y;
}

fn place_of(group: vec3u) -> Place {
  let plane = plane_of(group);
  let tiles = (u.positions + SIDE - 1u) / SIDE;
  return Place(plane / u.heads, plane % u.heads, group.x % tiles * SIDE, group.x / tiles * CHANNELS);
}

// Where q (part 0), k (1) or v (2) of a position begins
fn part_of(place: Place, position: u32, part: u32) -> u32 {
  return (place.picture * u.positions + position) * 3u * u.channels + (3u * place.head + part) * u.head_channels;
}

// Where a position's channels of this head begin in y
fn output_of(place: Place, position: u32) -> u32 {
  return (place.picture * u.positions + position) * u.channels + place.head * u.head_channels;
}

fn row_of(place: Place, position: u32) -> u32 {
  return (place.picture * u.heads + place.head) * u.positions + position;
}
