// Fragments by an adapter's matrix units: a team is a subgroup. Loads and stores are in unit_access.wgsl, or in
// unit_access_old.wgsl for versions of Dawn before mid-2026.
enable subgroups;
enable chromium_experimental_subgroup_matrix;
diagnostic(off, chromium.subgroup_matrix_uniformity);

alias Left = subgroup_matrix_left<f16, FRAGMENT, FRAGMENT>;
alias Right = subgroup_matrix_right<f16, FRAGMENT, FRAGMENT>;
alias Sums = subgroup_matrix_result<f32, FRAGMENT, FRAGMENT>;

// a variable of these types begins as zero
struct Fragments {
  left: array<Left, ROWS>,
  right: array<Right, COLUMNS>,
  sums: array<Sums, FRAGMENTS>,
}

fn take_left(f: ptr<function, Fragments>, i: u32, at: u32) {
  f.left[i] = load_left(at);
}

fn take_right(f: ptr<function, Fragments>, j: u32, at: u32) {
  f.right[j] = load_right(at);
}

fn multiply_add(f: ptr<function, Fragments>, inner: u32) {
  for (var i = 0u; i < ROWS; i++) {
    for (var j = 0u; j < COLUMNS; j++) {
      let n = i * COLUMNS + j;
      f.sums[n] = subgroupMatrixMultiplyAccumulate(f.left[i], f.right[j], f.sums[n]);
    }
  }
}

// by constant indices: one that a compiler does not know would put all sums into memory
fn leave_sums(f: ptr<function, Fragments>, n: u32, at: u32) {
  switch n {
    case 0u: { store_sums(at, f.sums[0u]); }
    case 1u: { store_sums(at, f.sums[min(1u, FRAGMENTS - 1u)]); }
    case 2u: { store_sums(at, f.sums[min(2u, FRAGMENTS - 1u)]); }
    case 3u: { store_sums(at, f.sums[min(3u, FRAGMENTS - 1u)]); }
    case 4u: { store_sums(at, f.sums[min(4u, FRAGMENTS - 1u)]); }
    case 5u: { store_sums(at, f.sums[min(5u, FRAGMENTS - 1u)]); }
    case 6u: { store_sums(at, f.sums[min(6u, FRAGMENTS - 1u)]); }
    case 7u: { store_sums(at, f.sums[min(7u, FRAGMENTS - 1u)]); }
    default: {}
  }
}
