// Sizes of the float16 product for the older form of the matrix units' loads, which takes no array whose length is
// overridable: those of the variant units64.
const TEAM_ROWS = 2u;
const TEAM_COLUMNS = 2u;
const DEPTH = 32u;
const TEAMS = TEAM_ROWS * TEAM_COLUMNS;
const THREADS = TEAMS * LANES;
const TILE_ROWS = TEAM_ROWS * ROWS * FRAGMENT;
const TILE_COLUMNS = TEAM_COLUMNS * COLUMNS * FRAGMENT;
const LEFT_PITCH = select(TILE_ROWS, DEPTH, LEFT_DENSE_IN_K) + 8u;
const RIGHT_PITCH = select(TILE_COLUMNS, DEPTH, RIGHT_DENSE_IN_K) + 8u;
const LEFT_LENGTH = select(DEPTH, TILE_ROWS, LEFT_DENSE_IN_K) * LEFT_PITCH / HALF_WIDTH;
const RIGHT_LENGTH = select(DEPTH, TILE_COLUMNS, RIGHT_DENSE_IN_K) * RIGHT_PITCH / HALF_WIDTH;
