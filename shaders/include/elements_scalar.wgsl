// The unit of loads and stores of a product with widths of any size: one number of a factor, one of the result.
alias Factor = f32;
alias Element = f32;
const FACTOR_WIDTH = 1u;
const WIDTH = 1u;

fn total(e: Element) -> f32 {
  return e;
}
