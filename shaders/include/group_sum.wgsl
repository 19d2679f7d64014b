// Sum over a workgroup of 256 by halving, always in the same order.
var<workgroup> group_terms: array<f32, 256>;

fn group_sum(local: u32, term: f32) -> f32 {
  group_terms[local] = term;
  workgroupBarrier();
  for (var half = 128u; half > 0u; half /= 2u) {
    if (local < half) { group_terms[local] += group_terms[local + half]; }
    workgroupBarrier();
  }
  return group_terms[0];
}
