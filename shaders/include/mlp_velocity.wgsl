// One evaluation of the field at the rows of x, for mlp_tile.wgsl: t is one time for all rows, or one for each.

fn time_of(point: u32) -> f32 {
  return t[select(min(first_point + point, u.batch - 1u), 0u, u.times == 1u)];
}

// Writes the velocities of this workgroup's rows; divergences can be asked for afterwards.
fn evaluate(local: u32) {
  for (var e = local; e < POINTS * DIMENSION; e += THREADS) {
    var value = 0.0;
    if (first_point + e / DIMENSION < u.batch) { value = x[first_point * DIMENSION + e]; }
    points[e] = value;
  }
  workgroupBarrier();
  fill_features(local);
  let head = hidden_layers(local);
  last_layer(head, local);
  for (var e = local; e < POINTS * DIMENSION; e += THREADS) {
    if (first_point + e / DIMENSION < u.batch) {
      out[first_point * DIMENSION + e] = velocity(head, e / DIMENSION, e % DIMENSION);
    }
  }
}
