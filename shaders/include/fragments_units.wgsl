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
  sums: array<array<Sums, COLUMNS>, ROWS>,
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
      f.sums[i][j] = subgroupMatrixMultiplyAccumulate(f.left[i], f.right[j], f.sums[i][j]);
    }
  }
}

fn leave_sums(f: ptr<function, Fragments>, i: u32, j: u32, at: u32) {
  store_sums(at, f.sums[i][j]);
}
