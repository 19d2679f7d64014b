// The unit of loads and stores of a product with few inner indices: one number of a factor, four of the result.
alias Factor = f32;
alias Element = vec4f;
const FACTOR_WIDTH = 1u;
const WIDTH = 4u;

fn total(e: Element) -> f32 {
  return (e.x + e.y) + (e.z + e.w);
}
