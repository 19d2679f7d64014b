// What the attention kernels share on software adapters, where channels of a head are multiples of four (product_lanes.wgsl
// says what is slow there). A workgroup is one subgroup and has a *tile* of ROWS positions, its rows, of one head of one
// picture. It goes over all other positions, its columns, 4·LANES at a time: four of each lane. A *table* has a vec4 for each
// row: one number for each of the lane's four columns. Tables are products over the head's channels, and serve as weights of
// sums of rows of channels, of which a lane owns four in each of SHARES shares.
//
// A kernel defines quad_of(part, place, position, quad): four channels of one of the PARTs.
enable subgroups;
diagnostic(off, subgroup_uniformity);

override LANES: u32 = 8u;
override SHARES: u32 = 1u;
const ROWS = 16u;
override LOADS: u32 = max(1u, ROWS / LANES);
alias Table = array<vec4f, 16>;

const QUERY = 0u;
const KEY = 1u;
const VALUE = 2u;
const DY = 3u;

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

// The row of the tile whose load number l is this lane's
fn my_row(lane: u32, l: u32) -> u32 {
  return (l * LANES + lane) % ROWS;
}

fn last(position: u32) -> u32 {
  return min(position, u.positions - 1u);
}

// Which of the lane's columns there are
fn is_column(first_column: u32, lane: u32) -> vec4<bool> {
  return vec4u(first_column + 4u * lane) + vec4u(0u, 1u, 2u, 3u) < vec4u(u.positions);
}

// Products of rows of one part with columns of another
fn products(place: Place, of_rows: u32, of_columns: u32, first_column: u32, lane: u32) -> Table {
  var sums: Table;
  for (var quad = 0u; quad < u.head_channels / 4u; quad++) {
    var mine: array<vec4f, 4>;
    for (var l = 0u; l < LOADS; l++) { mine[l] = quad_of(of_rows, place, last(place.first + my_row(lane, l)), quad); }
    var columns: mat4x4f;
    for (var j = 0u; j < 4u; j++) { columns[j] = quad_of(of_columns, place, last(first_column + 4u * lane + j), quad); }
    let factors = transpose(columns);
    for (var i = 0u; i < ROWS; i++) {
      var sum = sums[i];
      for (var q = 0u; q < 4u; q++) { sum += subgroupShuffle(mine[i / LANES][q], i % LANES) * factors[q]; }
      sums[i] = sum;
    }
  }
  return sums;
}

// What the columns' channels of a part add to each row, by the numbers of a table
fn added(rows: Table, place: Place, table: Table, part: u32, first_column: u32, share: u32, lane: u32) -> Table {
  var sums = rows;
  let quad = min(share * LANES + lane, u.head_channels / 4u - 1u);
  for (var owner = 0u; owner < min(LANES, (u.positions - first_column + 3u) / 4u); owner++) {
    var factors: array<vec4f, 4>;
    for (var q = 0u; q < 4u; q++) { factors[q] = quad_of(part, place, last(first_column + 4u * owner + q), quad); }
    for (var i = 0u; i < ROWS; i++) {
      var sum = sums[i];
      for (var q = 0u; q < 4u; q++) { sum += subgroupShuffle(table[i][q], owner) * factors[q]; }
      sums[i] = sum;
    }
  }
  return sums;
}

fn exponentials(x: vec4f) -> vec4f {
  return vec4f(exponential(x.x), exponential(x.y), exponential(x.z), exponential(x.w));
}
