// The words of a pool that is larger than one binding may be: PIECE words a binding.
override PIECE: u32 = 1;

@group(0) @binding(9) var<storage, read> pool_1: array<u32>;
@group(0) @binding(10) var<storage, read> pool_2: array<u32>;
@group(0) @binding(11) var<storage, read> pool_3: array<u32>;

fn pool_word(at: u32) -> u32 {
  let within = at % PIECE;
  switch at / PIECE {
    case 0u: { return pool[within]; }
    case 1u: { return pool_1[within]; }
    case 2u: { return pool_2[within]; }
    default: { return pool_3[within]; }
  }
}
