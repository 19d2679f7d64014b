// A segment of a row, numbers at columns [first, end): log-sum-exp by its greatest number and the sum of the exponentials.
#include "numeric.wgsl"

struct Whole { top: f32, sum: f32 }

fn whole(row: u32, first: u32, end: u32) -> Whole {
  var top = x[row + first];
  for (var d = first + 1u; d < end; d++) { top = max(top, x[row + d]); }
  var sum = 0.0;
  for (var d = first; d < end; d++) { sum += exponential(x[row + d] - top); }
  return Whole(top, sum);
}
