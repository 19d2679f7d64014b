// Fragments of a team where there are eight: six loads of fragments serve eight products, in place of four for four.
const ROWS = 4u;
const COLUMNS = 2u;
