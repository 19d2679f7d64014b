// Factors of a float16 product one number at a time, for widths of any size.
enable f16;
alias HalfFactor = f16;
const HALF_WIDTH = 1u;

fn part_of(value: HalfFactor, i: u32) -> f16 {
  return value;
}

fn left_number(at: u32) -> f16 {
  return left_tile[at];
}

fn right_number(at: u32) -> f16 {
  return right_tile[at];
}
