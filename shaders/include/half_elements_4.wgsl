// An Element of four numbers in float16.
alias HalfElement = vec4<f16>;

fn half_each(value: vec4f) -> HalfElement {
  return HalfElement(half(value.x), half(value.y), half(value.z), half(value.w));
}
