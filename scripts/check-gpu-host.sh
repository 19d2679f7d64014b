#!/usr/bin/env bash
# Tries build/gpu-host as a bare host would: in an empty root that holds a C library and busybox, with no network, no Node
# and no Vulkan loader. Mesa's llvmpipe plays NVIDIA's driver: it lies there under the name libGLX_nvidia.so.0 in the folder
# where container runtimes put that. Needs root or user namespaces, a packed folder (npm run pack:gpu-host; node
# scripts/gpu-host/pack.mjs --light for one that is only tried) and llvmpipe (scripts/software-vulkan.sh). LFM_DRIVER names
# another driver's file to play that part, such as the libvk_swiftshader.so of Debian's chromium-common.
#
#   bash scripts/check-gpu-host.sh [FOLDER]     default: build/gpu-host
set -euo pipefail
cd "$(dirname "$0")/.."
packed=$(cd "${1:-build/gpu-host}" && pwd)
driver=${LFM_DRIVER:-$(find /usr/lib/x86_64-linux-gnu /usr/lib64 -maxdepth 1 -name libvulkan_lvp.so 2>/dev/null | sed 1q || true)}
[ -n "$driver" ] || { echo 'check-gpu-host: there is no llvmpipe: run scripts/software-vulkan.sh' >&2; exit 1; }

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
folder=usr/local/nvidia
mkdir -p "$root"/{bin,dev,proc,tmp,lib64,lib/x86_64-linux-gnu,pack,opt,$folder/lib64,$folder/share/vulkan/icd.d}
for name in busybox run.sh system.tar.xz modules.tar.xz project.tar.xz; do
  # as they arrive where the executable bit was lost
  install -m 644 "$packed/$name" "$root/pack/$name"
done
install -m 755 "$packed/busybox" "$root/bin/busybox"
for applet in sh cat cp mv rm ln mkdir chmod dirname id uname tr sed head tee; do ln -s busybox "$root/bin/$applet"; done
cp -L /lib64/ld-linux-x86-64.so.2 "$root/lib64/"
for name in libc libm libdl libpthread librt libresolv; do
  cp -L "$(ldconfig -p | sed -n "s/^[[:space:]]*$name\.so\.[0-9]* (.*x86-64.*=> //p" | sed -n 1p)" "$root/lib/x86_64-linux-gnu/"
done

# the driver with what it is linked against, without the libraries that the pack has to bring
brought='libX11|libXext|libxcb|libXau|libXdmcp|libbsd|libmd|libvulkan|libstdc|libgcc_s|libc|libm|libdl|libpthread|librt|ld-linux'
cp "$driver" "$root/$folder/lib64/libGLX_nvidia.so.0"
ldd "$driver" | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p' | { grep -Ev "/($brought)[-.+0-9]*\.so" || true; } |
  while read -r library; do cp -L "$library" "$root/$folder/lib64/"; done
named="$folder/share/vulkan/icd.d/nvidia_icd.json"
icd='{ "file_format_version": "1.0.0", "ICD": { "library_path": "libGLX_nvidia.so.0", "api_version": "1.3.0" } }'

isolated=(unshare --mount --net)
[ "$(id -u)" -eq 0 ] || isolated=(unshare --mount --net --map-root-user)

# Runs run.sh in the empty root; what it prints is shown where it fails.
on_host() { # [NAME=VALUE …] -- ARGUMENT …
  local environment=()
  while [ "$1" != -- ]; do environment+=("$1"); shift; done
  shift
  # the folder itself cannot be written: it is unpacked into $TMPDIR, by the first of the runs
  "${isolated[@]}" bash -c 'mount --rbind /proc "$0/proc" && mount --rbind /dev "$0/dev" &&
    mount --bind "$0/pack" "$0/pack" && mount -o remount,bind,ro "$0/pack" && exec chroot "$@"' \
    "$root" "$root" /bin/sh -c 'cd /tmp && exec "$@"' sh \
    /bin/busybox env -i PATH=/bin TMPDIR=/tmp "${environment[@]}" sh /pack/run.sh "$@" >"$root/printed" 2>&1 || {
    cat "$root/printed"
    echo "check-gpu-host: run.sh $* failed" >&2
    return 1
  }
}
step() { printf 'check-gpu-host: %s\n' "$*"; }
prints() { grep -q -- "$1" "$root/printed" || { cat "$root/printed"; echo "check-gpu-host: nothing says «$1»" >&2; exit 1; }; }

step "the driver's file where container runtimes put it: devices"
echo "$icd" >"$root/$named"
on_host -- devices
prints "Vulkan driver: /$named"
prints 'libvulkan.so.1'
prints 'unpacking into /tmp/'
prints '^webgpu: \(llvmpipe\|SwiftShader\)'
prints '^native: '

step 'a file of the environment: test'
mv "$root/$named" "$root/opt/icd.json"
on_host VK_DRIVER_FILES=/opt/icd.json -- --out /tmp/test test test/webgpu -t 'adapter'
prints 'Vulkan driver: /opt/icd.json (from the environment)'
prints 'Tests .* passed'
[ -s "$root/tmp/test/test.json" ] && [ -s "$root/tmp/test/test.log" ]

step 'no file of the driver at all: bench beside tfjs, training'
on_host OUT=/tmp/bench -- bench --quick --device webgpu --peer none,tfjs-webgpu --filter kernels/activation
prints 'Vulkan driver: .*/nvidia_icd.json'
prints 'tfjs-webgpu'
grep -q '"peer": "tfjs-webgpu"' "$root/tmp/bench/bench.json"
on_host -- --out /tmp/train train examples/demo.yaml --device webgpu --set 'model.hidden=[16]' --set 'flow.gammas=[null]' \
  --set train.steps=3 --set train.batch=50 --set data.train=500 --set data.test=20 --set ode.steps=1
[ -s "$root/tmp/train/run/manifest.json" ]

step 'prove: cut at its limit, killed at random moments, and gone on with; what is there can be read each time'
readable() {
  node - "$root/tmp/prove" "$@" <<'SCRIPT'
const { existsSync, readdirSync, readFileSync } = require('node:fs')
const [folder, ...wanted] = process.argv.slice(2)
const { steps } = JSON.parse(readFileSync(`${folder}/prove.json`, 'utf8'))
for (const file of readdirSync(folder)) {
  const text = readFileSync(`${folder}/${file}`, 'utf8')
  if (file.endsWith('.json') && file.startsWith('bench')) JSON.parse(text).rows.length
  // of a file that grows by lines the last one may be cut off
  if (file.endsWith('.jsonl')) for (const line of text.split('\n').slice(0, -1)) JSON.parse(line)
}
for (const pair of wanted) {
  const [name, status] = pair.split('=')
  if (steps[name]?.status !== status) throw new Error(`${name} is ${JSON.stringify(steps[name])}, not ${status}`)
}
process.stdout.write(`check-gpu-host: prove: ${Object.entries(steps).map(([name, { status }]) => `${name} ${status}`).join(', ')}\n`)
SCRIPT
}
prove=(--out /tmp/prove prove --small)
on_host -- "${prove[@]}" --only devices --only parity --seconds 12 2>/dev/null >&2 || true
readable devices=passed parity=cut
# in processes of their own number space, so that all of them end with the first
killable=("${isolated[@]}" --pid --fork --kill-child=KILL)
for _ in 1 2 3; do
  set -m
  (isolated=("${killable[@]}") && on_host -- "${prove[@]}" --only parity --only bench --seconds 100 >/dev/null 2>&1) &
  set +m
  sleep "$((RANDOM % 9 + 3)).$((RANDOM % 10))"
  kill -KILL -- "-$!"
  wait $! 2>/dev/null || true
  readable devices=passed
done
on_host -- "${prove[@]}" --seconds 500 --only devices --only learning --only bench-sampling --only tuner
prints 'devices: done before'
readable devices=passed learning=passed bench-sampling=passed tuner=passed

step 'a driver without its graphics part: said, and not taken for success'
rm "$root/$folder/lib64/libGLX_nvidia.so.0"
: >"$root/$folder/lib64/libcuda.so.1"
on_host -- devices
prints 'NVIDIA_DRIVER_CAPABILITIES=all'
prints '^webgpu: not available'

step "passed with $(du -csb "$packed"/*.tar.xz "$packed/busybox" "$packed/run.sh" | sed -n 's/\ttotal$//p') bytes"
