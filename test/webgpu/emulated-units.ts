/**
 * An emulation of matrix units by what Dawn's extension promises of them (chromium-experimental-subgroup-matrix), so that the
 * kernels written for them are tested where no adapter has any: their text stays as it is, but for the types and the calls
 * of the extension, whose places are taken by functions in plain WGSL. A subgroup is 32 neighbouring invocations. Of a
 * fragment each holds eight numbers, in an order that follows nothing, since the extension says nothing about it; so what
 * relies on more than is promised comes out wrong. Offsets and strides of loads and stores count as the extension says: elements
 * of the array, or numbers in the older form.
 *
 * That takes workgroup memory of its own, which the largest tiles leave none of: for them a loaded fragment is the place that it
 * was loaded from, read when it is multiplied. What writes to a tile too early is then found by the smaller tiles alone, whose
 * text is the same.
 */

import { WebgpuDevice } from '../../src/device/webgpu/device.js'
import { forgetful } from '../../src/device/webgpu/findings.js'
import { openAdapter, readShader } from '../../src/device/webgpu/node/adapter.js'
import type { ReadShader } from '../../src/device/webgpu/shaders.js'
import type { UnitsProduct } from '../../src/device/webgpu/target.js'

/** Whether a loaded fragment is its numbers, or where they are. */
export type Emulation = 'numbers' | 'places'

const sums = `
struct EmulatedSums { numbers: array<f32, 8> }
alias Sums = EmulatedSums;
var<private> emulated_team: u32;
var<private> emulated_lane: u32;
// eight, which no compiler knows: it would unroll what it takes minutes to compile then
var<private> eight: u32;

// number i of this invocation is which of the fragment's, row by row: another order for each kind of fragment
fn emulated_place(i: u32, order: u32) -> u32 {
  return ((emulated_lane * 8u + i) * order + 11u) % 256u;
}

fn emulated_at(place: u32, at: u32, is_column_major: bool, stride: u32) -> u32 {
  let row = place / 16u;
  let column = place % 16u;
  return at + select(row * stride + column, column * stride + row, is_column_major);
}

fn emulated_store(at: u32, value: Sums, stride: u32) {
  for (var i = 0u; i < eight; i++) {
    results[emulated_at(emulated_place(i, 149u), at, false, stride)] = value.numbers[i];
  }
}
`

const places = `
struct EmulatedPlace { at: u32, is_column_major: bool, stride: u32 }
alias Left = EmulatedPlace;
alias Right = EmulatedPlace;

fn emulated_load_left(at: u32, is_column_major: bool, stride: u32) -> Left {
  return EmulatedPlace(at, is_column_major, stride);
}

fn emulated_load_right(at: u32, is_column_major: bool, stride: u32) -> Right {
  return EmulatedPlace(at, is_column_major, stride);
}

fn emulated_multiply(left: Left, right: Right, sums: Sums) -> Sums {
  var more = sums;
  for (var i = 0u; i < eight; i++) {
    let place = emulated_place(i, 149u);
    var sum = 0.0;
    for (var k = 0u; k < 2u * eight; k++) {
      let from_left = emulated_at(place / 16u * 16u + k, left.at, left.is_column_major, left.stride);
      let from_right = emulated_at(k * 16u + place % 16u, right.at, right.is_column_major, right.stride);
      sum += f32(left_number(from_left)) * f32(right_number(from_right));
    }
    more.numbers[i] += sum;
  }
  return more;
}
`

const numbers = `
struct EmulatedLeft { numbers: array<f16, 8> }
struct EmulatedRight { numbers: array<f16, 8> }
alias Left = EmulatedLeft;
alias Right = EmulatedRight;
var<workgroup> emulated_lefts: array<f16, TEAMS * 256u>;
var<workgroup> emulated_rights: array<f16, TEAMS * 256u>;

fn emulated_load_left(at: u32, is_column_major: bool, stride: u32) -> Left {
  var loaded: Left;
  for (var i = 0u; i < eight; i++) {
    loaded.numbers[i] = left_number(emulated_at(emulated_place(i, 37u), at, is_column_major, stride));
  }
  return loaded;
}

fn emulated_load_right(at: u32, is_column_major: bool, stride: u32) -> Right {
  var loaded: Right;
  for (var i = 0u; i < eight; i++) {
    loaded.numbers[i] = right_number(emulated_at(emulated_place(i, 101u), at, is_column_major, stride));
  }
  return loaded;
}

fn emulated_multiply(left: Left, right: Right, sums: Sums) -> Sums {
  let team = emulated_team * 256u;
  for (var i = 0u; i < eight; i++) {
    emulated_lefts[team + emulated_place(i, 37u)] = left.numbers[i];
    emulated_rights[team + emulated_place(i, 101u)] = right.numbers[i];
  }
  workgroupBarrier();
  var more = sums;
  for (var i = 0u; i < eight; i++) {
    let place = emulated_place(i, 149u);
    var sum = 0.0;
    for (var k = 0u; k < 2u * eight; k++) {
      sum += f32(emulated_lefts[team + place / 16u * 16u + k]) * f32(emulated_rights[team + k * 16u + place % 16u]);
    }
    more.numbers[i] += sum;
  }
  workgroupBarrier();
  return more;
}
`

type Rewriting = readonly [pattern: RegExp, by: string]

const rewritingsBy = (emulation: Emulation): readonly Rewriting[] => [
  [/^enable chromium_experimental_subgroup_matrix;$/m, sums + (emulation === 'places' ? places : numbers)],
  [/^enable subgroups;$/m, ''],
  [/^diagnostic\(off, chromium\.subgroup_matrix_uniformity\);$/m, ''],
  [/^alias (Left|Right|Sums) = subgroup_matrix_\w+<.*>;$/gm, ''],
  [/subgroupMatrixMultiplyAccumulate\(/g, 'emulated_multiply('],
  // the newer form counts elements of the array, the older one numbers
  [
    /subgroupMatrixLoad<(?:Left|Right), (row|col)_major>\(&(left|right)_tile, (\w+), ([^;]+)\);/g,
    'emulated_load_$2($3 * HALF_WIDTH, IS_$1_MAJOR, ($4) * HALF_WIDTH);',
  ],
  [/IS_row_MAJOR/g, 'false'],
  [/IS_col_MAJOR/g, 'true'],
  [/subgroupMatrixLoad<(?:Left|Right)>\(&(left|right)_tile, /g, 'emulated_load_$1('],
  [/subgroupMatrixStore<row_major>\(&results, (\w+), (\w+), (\w+)\)/g, 'emulated_store($1, $2, $3)'],
  [/subgroupMatrixStore\(&results, (\w+), (\w+), false, (\w+)\)/g, 'emulated_store($1, $2, $3)'],
  [
    /\s*@builtin\(subgroup_id\) team: u32,\s*@builtin\(subgroup_invocation_id\) lane: u32,\s*\) \{/g,
    '\n) {\n  let team = local / 32u;\n  let lane = local % 32u;\n  emulated_team = team;\n  emulated_lane = lane;\n  eight = select(8u, 0u, u.rows == 0u);',
  ],
]

/** The package's shaders, those for matrix units without them. */
export const readEmulated = async (
  path: string,
  read: ReadShader = readShader,
  emulation: Emulation = 'numbers',
): Promise<string> =>
  rewritingsBy(emulation).reduce((text, [pattern, by]) => text.replace(pattern, by), await read(path))

/** A device that is told that its adapter has matrix units, written for in this form. */
export async function openEmulated(
  adapter: string,
  units: UnitsProduct,
  variants: Readonly<Record<string, string>> = {},
  read: ReadShader = (path) => readEmulated(path),
): Promise<WebgpuDevice> {
  const options = { variants, profile: false, findings: forgetful(), openSafe: null, onTuned: null, units }
  return WebgpuDevice.open(await openAdapter(adapter, false), read, options)
}
