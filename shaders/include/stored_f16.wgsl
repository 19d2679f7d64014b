// How inputs of a network are stored in mixed precision: in float16.
#include "half.wgsl"
alias Stored = f16;

fn stored(value: f32) -> Stored {
  return half(value);
}
