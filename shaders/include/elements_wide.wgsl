// The unit of loads and stores of a product whose widths are all multiples of four: four numbers, dense in memory.
alias Factor = vec4f;
alias Element = vec4f;
const FACTOR_WIDTH = 4u;
const WIDTH = 4u;

fn total(e: Element) -> f32 {
  return (e.x + e.y) + (e.z + e.w);
}
