// Group normalisation's z = factor·x̂ + offset of an Element of channels: gamma and beta, and, where there is a row for each picture
// or one for all, (1 + scale) and shift in them. A kernel has the bindings gamma, beta and modulation.
struct Modulated { factor: Element, offset: Element }

fn modulated(picture: u32, column: u32) -> Modulated {
  let factor = gamma[column];
  let offset = beta[column];
  if (u.modulations == 0u) { return Modulated(factor, offset); }
  let row = select(picture, 0u, u.modulations == 1u) * u.modulation_columns + u.modulation_first + column;
  let scale = 1.0 + modulation[row];
  return Modulated(factor * scale, offset * scale + modulation[row + u.channels / WIDTH]);
}
