// What the attention kernels share on GPUs, where channels of a head are multiples of four, and at most 64. A workgroup has a
// tile of ROWS positions, its *rows*, of one head of one picture, and goes over all *others*, OTHERS at a time. An invocation
// owns a block of four rows and four others: the products over channels that lie between them, and of its rows every eighth
// quad of channels of what they add up. All positions lie in workgroup memory as quads of channels, PITCH apart, which is one
// more than there are, so that neighbouring positions do not meet in one memory bank. A *table* is what there is between
// rows and others: a vec4 over four rows for each other.
override QUADS: u32 = 8u;
override ROW_BLOCKS: u32 = 8u;
override PITCH: u32 = QUADS + 1u;
override ROWS: u32 = 4u * ROW_BLOCKS;
const OTHER_BLOCKS = 8u;
const OTHERS = 32u;
override THREADS: u32 = ROW_BLOCKS * OTHER_BLOCKS;
// quads of channels of a row that an invocation owns, at most
const MOST_SHARES = 2u;

const QUERY = 0u;
const KEY = 1u;
const VALUE = 2u;

struct Place { picture: u32, head: u32, first: u32 }

// Tiles along x; pictures with their heads along y and, beyond 32768 of them, z
fn plane_of(group: vec3u) -> u32 {
  return group.z * 32768u + group.y;
}

fn place_of(group: vec3u) -> Place {
  let plane = plane_of(group);
  return Place(plane / u.heads, plane % u.heads, group.x * ROWS);
}

// In qkv, in fours
fn quad_in_parts(part: u32, place: Place, position: u32, quad: u32) -> u32 {
  let pixel = place.picture * u.positions + position;
  return (pixel * 3u * u.channels + (3u * place.head + part) * u.head_channels) / 4u + quad;
}

// In y, in fours
fn quad_in_output(place: Place, position: u32, quad: u32) -> u32 {
  return ((place.picture * u.positions + position) * u.channels + place.head * u.head_channels) / 4u + quad;
}

fn row_of(place: Place, position: u32) -> u32 {
  return (place.picture * u.heads + place.head) * u.positions + position;
}

fn last(position: u32) -> u32 {
  return min(position, u.positions - 1u);
}

fn exponentials(x: vec4f) -> vec4f {
  return vec4f(exponential(x.x), exponential(x.y), exponential(x.z), exponential(x.w));
}
