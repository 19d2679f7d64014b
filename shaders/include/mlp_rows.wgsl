// Rows of x at their times t (one for all rows, or one for each) through an MLP, for what includes mlp_tile.wgsl and has these two
// bindings, with `times` in `u`.
fn time_of(point: u32) -> f32 {
  return t[select(min(first_point + point, u.batch - 1u), 0u, u.times == 1u)];
}

// All layers for this workgroup's rows, to the parts of the last one's sums; `velocity` gives what they come to.
fn forward(local: u32) -> Head {
  for (var e = local; e < POINTS * DIMENSION; e += THREADS) {
    var value = 0.0;
    if (first_point + e / DIMENSION < u.batch) { value = x[first_point * DIMENSION + e]; }
    points[e] = value;
  }
  workgroupBarrier();
  fill_features(local);
  let head = hidden_layers(local);
  last_layer(head, local);
  return head;
}
