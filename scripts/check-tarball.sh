#!/usr/bin/env bash
# Packs the package and uses it as a stranger would: an empty project, no install scripts, training on the native device
# with each version of Node that is supported, the oldest of each line, and loading it by require. Node's binaries come from
# the npm packages node-{platform}-{arch}. It also says what the installation takes on the disk, and fails where that is too much.
#
#   bash scripts/check-tarball.sh [VERSION …]     default: 20.19.0 22.12.0 24
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
versions=("$@")
[ $# -gt 0 ] || versions=(20.19.0 22.12.0 24)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

(cd "$root" && npm pack --silent --pack-destination "$work" >/dev/null)
tarball=$(ls "$work"/local-flow-matching-*.tgz)
mkdir "$work/project"
cd "$work/project"
cat >package.json <<'JSON'
{ "name": "stranger", "private": true, "type": "module" }
JSON
npm install --ignore-scripts --no-audit --no-fund --silent "$tarball"
node -e '
const { createHash } = require("node:crypto"), fs = require("node:fs")
const folder = "node_modules/local-flow-matching/prebuilds/" + process.platform + "-" + process.arch
const { sha256, compiler } = JSON.parse(fs.readFileSync(folder + "/provenance.json", "utf8"))
const found = createHash("sha256").update(fs.readFileSync(folder + "/lfm.node")).digest("hex")
if (found !== sha256) throw new Error("the prebuilt file is not the one of its provenance")
console.log("The prebuilt file is the one of its provenance: " + found + ", " + compiler)
'
dawn=node_modules/webgpu/dist
foreign=$(find "$dawn" -mindepth 1 -maxdepth 1 ! -name "$(node -p 'process.platform + "-" + process.arch')")
mb() { du -cm "$@" | tail -n 1 | cut -f 1; }
whole=$(mb node_modules)
# shellcheck disable=SC2086
one=$((whole - $(mb $foreign))) without=$((whole - $(mb node_modules/webgpu)))
echo "On the disk: $whole MB; $one with Dawn of this platform alone (at most 100); $without without Dawn (at most 45)"
[ "$one" -le 100 ] && [ "$without" -le 45 ]
cat >train.mjs <<'JS'
import { LocalFlow } from 'local-flow-matching'
import { matMul, openDevice, tensor } from 'local-flow-matching/kernels'

const values = Float32Array.from({ length: 4000 }, (_, i) => Math.sin(i * i))
const flow = await LocalFlow.train(
  { values, shape: [2000, 2] },
  { device: 'native', model: { hidden: [16] }, flow: { gammas: [0.2, null] }, train: { batch: 100, steps: 50 } },
)
const { values: samples, shape } = await flow.sample(100)
if (shape.join() !== '100,2' || !samples.every(Number.isFinite)) throw new Error(`bad samples: ${shape}`)
const { cpuTarget } = flow.deviceInfo
await flow.dispose()
const device = await openDevice('native')
const product = await matMul(tensor(device, [1, 2, 3, 4], [2, 2]), tensor(device, [1, 0, 0, 1], [2, 2]))
if ((await product.read()).join() !== '1,2,3,4') throw new Error('bad product')
await device.dispose()
console.log(`Node ${process.version}: trained and sampled on native (${cpuTarget})`)
JS
cat >required.cjs <<'JS'
const { LocalFlow } = require('local-flow-matching')
if (typeof LocalFlow.train !== 'function' || !require('local-flow-matching/kernels').matMul) throw new Error('not loaded')
JS
for version in "${versions[@]}"; do
  npm install --prefix "$work/node$version" --ignore-scripts --no-save --no-audit --no-fund --silent \
    "node-$(node -p 'process.platform + "-" + process.arch')@$version"
  binary=$(find "$work/node$version" -path '*/bin/node' -type f | head -n 1)
  "$binary" train.mjs
  "$binary" required.cjs
  "$binary" node_modules/.bin/lfm devices --json >/dev/null
done
