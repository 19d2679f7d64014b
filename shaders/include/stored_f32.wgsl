// How inputs of a network are stored: in float32.
alias Stored = f32;

fn stored(value: f32) -> Stored {
  return value;
}
