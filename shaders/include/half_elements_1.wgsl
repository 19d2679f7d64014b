// An Element of one number in float16.
alias HalfElement = f16;

fn half_each(value: f32) -> HalfElement {
  return half(value);
}
