// Fragments of a team: rows and columns of them.
const ROWS = 2u;
const COLUMNS = 2u;
