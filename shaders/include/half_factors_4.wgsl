// Factors of a float16 product four numbers at a time, for dense widths that are multiples of four.
enable f16;
alias HalfFactor = vec4<f16>;
const HALF_WIDTH = 4u;

fn part_of(value: HalfFactor, i: u32) -> f16 {
  return value[i];
}

fn left_number(at: u32) -> f16 {
  return left_tile[at / 4u][at % 4u];
}

fn right_number(at: u32) -> f16 {
  return right_tile[at / 4u][at % 4u];
}
