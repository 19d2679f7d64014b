// Sizes of the float16 product, by constants of the variant. In memory a row of a slice is padded by 16 bytes
// against bank conflicts.
override TEAM_ROWS: u32 = 2u;
override TEAM_COLUMNS: u32 = 2u;
override DEPTH: u32 = 32u;
override TEAMS: u32 = TEAM_ROWS * TEAM_COLUMNS;
override THREADS: u32 = TEAMS * LANES;
override TILE_ROWS: u32 = TEAM_ROWS * ROWS * FRAGMENT;
override TILE_COLUMNS: u32 = TEAM_COLUMNS * COLUMNS * FRAGMENT;
override LEFT_PITCH: u32 = select(TILE_ROWS, DEPTH, LEFT_DENSE_IN_K) + 8u;
override RIGHT_PITCH: u32 = select(TILE_COLUMNS, DEPTH, RIGHT_DENSE_IN_K) + 8u;
override LEFT_LENGTH: u32 = select(DEPTH, TILE_ROWS, LEFT_DENSE_IN_K) * LEFT_PITCH / HALF_WIDTH;
override RIGHT_LENGTH: u32 = select(DEPTH, TILE_COLUMNS, RIGHT_DENSE_IN_K) * RIGHT_PITCH / HALF_WIDTH;
