// The unit of loads and stores of a product with few columns: four numbers of a factor, one of the result.
alias Factor = vec4f;
alias Element = f32;
const FACTOR_WIDTH = 4u;
const WIDTH = 1u;

fn total(e: Element) -> f32 {
  return e;
}
