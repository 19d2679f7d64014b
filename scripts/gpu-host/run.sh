#!/bin/sh
# Runs the library on an x86-64 Linux host that has an NVIDIA driver and nothing else: no Node, no Vulkan loader, no
# network. Unpacks the archives beside it once, finds the driver, and starts what is asked for.
#
#   sh run.sh [--out FOLDER] COMMAND [ARGUMENT …]
#
#   prove [OPTION …]         everything that is claimed of the WebGPU device, within nine minutes: is it right, how fast is
#                            it. FOLDER/prove.json says what is done; called again it goes on. --only bench, --seconds 60
#   devices                  which adapters and engines there are (with --json: for programs)
#   bench [OPTION …]         npm run bench; the result is FOLDER/bench.json. --help lists the options
#   test [FILTER …]          test suites with WebGPU required, those of the WebGPU device where no filter is given; --help
#                            lists vitest's options
#   train CONFIG [OPTION …]  lfm train into FOLDER/run; CONFIG is a file here, or of the package: examples/rose.yaml
#   lfm COMMAND …            any other command: lfm sample results/run -n 1000 -o results/x.csv
#   node SCRIPT …            a script of your own, with the same environment
#
# Everything that is printed is also written to FOLDER/COMMAND.log. FOLDER is $OUT or results/ where it is not given; its
# name is printed at the end. VK_DRIVER_FILES (or VK_ICD_FILENAMES) is kept where it is set; else the driver's file is
# looked for, and written where there is none. LFM_UNPACK names the folder to unpack into; default: unpacked/ beside this
# script, or a folder of $TMPDIR where that cannot be written.

set -eu
pack=@PACK@
here=$(cd "$(dirname "$0")" && pwd)

say() { printf 'run.sh: %s\n' "$*" >&2; }
fail() {
  say "$*"
  exit 1
}
usage() { sed -n '2,/^$/s/^# \{0,1\}//p' "$0"; }

# --- what is asked for

out=${OUT:-}
while [ $# -gt 0 ]; do
  case $1 in
    --out)
      [ $# -gt 1 ] || fail '--out needs a folder'
      out=$2
      shift 2
      ;;
    -h | --help)
      usage
      exit 0
      ;;
    *) break ;;
  esac
done
case ${1:-} in
  prove | devices | bench | test | train | lfm | node)
    command=$1
    shift
    ;;
  '')
    usage
    exit 2
    ;;
  *) fail "there is no command '$1'; there are prove, devices, bench, test, train, lfm and node (run.sh --help)" ;;
esac
case $(uname -sm) in
  'Linux x86_64') ;;
  *) fail "this folder is for x86-64 Linux, and this is $(uname -sm)" ;;
esac
out=${out:-results}
mkdir -p "$out" || fail "the folder '$out' for results cannot be made; name another with --out"
out=$(cd "$out" && pwd)

# --- unpacking, once

unpack() { # FOLDER: succeeds where the pack then lies in it
  [ "$(cat "$1/pack" 2>/dev/null)" = "$pack" ] && return 0
  part="$1.part.$$"
  rm -rf "$part"
  mkdir -p "$part" 2>/dev/null || return 1
  # a copy, since some ways of travelling lose the executable bit, and some folders allow none
  cp "$here/busybox" "$part/busybox" && chmod 755 "$part/busybox" && "$part/busybox" true 2>/dev/null || {
    rm -rf "$part"
    return 1
  }
  say "unpacking into $1"
  for archive in system modules project; do
    if command -v xz >/dev/null 2>&1; then
      xz -dc "$here/$archive.tar.xz"
    else
      "$part/busybox" unxz -c "$here/$archive.tar.xz"
    fi | "$part/busybox" tar -xf - -C "$part" || {
      rm -rf "$part"
      fail "$archive.tar.xz is damaged, or there is no room in $1 (it needs 400 MB)"
    }
  done
  [ -x "$part/bin/node" ] && [ -f "$part/app/package.json" ] || fail "an archive in $here is cut off"
  printf '%s\n' "$pack" >"$part/pack"
  rm -rf "$1"
  mv "$part" "$1"
}

unpacked=${LFM_UNPACK:-$here/unpacked}
if ! unpack "$unpacked"; then
  [ -z "${LFM_UNPACK:-}" ] || fail "cannot unpack into LFM_UNPACK=$LFM_UNPACK: it cannot be written, or programs in it cannot be started"
  unpacked=${TMPDIR:-/tmp}/lfm-gpu-host-$(id -u)
  unpack "$unpacked" || fail "neither $here nor $unpacked can be written to and started from; name a folder by LFM_UNPACK"
fi
app=$unpacked/app

# --- the host's libraries and the driver

folders="$(printf %s "${LD_LIBRARY_PATH:-}" | tr ':' ' ') /usr/lib/x86_64-linux-gnu /lib/x86_64-linux-gnu /usr/lib64 /lib64
  /usr/local/nvidia/lib64 /usr/local/nvidia/lib /usr/lib/x86_64-linux-gnu/nvidia/current /usr/lib/nvidia /usr/lib64/nvidia /run/opengl-driver/lib"

host_library() { # NAME: prints where the host has it
  for folder in $folders; do
    [ -e "$folder/$1" ] && printf '%s\n' "$folder/$1" && return 0
  done
  path=$(PATH=$PATH:/sbin:/usr/sbin ldconfig -p 2>/dev/null | sed -n "s/^[[:space:]]*$1 (.*x86-64.*=> //p" | head -n 1)
  [ -n "$path" ] && printf '%s\n' "$path"
}

# the host's own libraries go first, since its driver was made for them: only those that it lacks are taken from the pack
taken="$unpacked/taken"
rm -rf "$taken"
mkdir -p "$taken"
lacks=''
for library in "$unpacked"/lib/*; do
  name=${library##*/}
  host_library "$name" >/dev/null && continue
  ln -s "$library" "$taken/$name"
  lacks="$lacks $name"
done
driver=$(host_library libGLX_nvidia.so.0 || host_library libEGL_nvidia.so.0 || true)
LD_LIBRARY_PATH=$taken${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}${driver:+:${driver%/*}}
export LD_LIBRARY_PATH
say "taken from the pack, as this host lacks them:${lacks:- nothing}"

driver_file() { # prints the file that tells the Vulkan loader of NVIDIA's driver
  for folder in /etc/vulkan/icd.d /usr/share/vulkan/icd.d /usr/local/share/vulkan/icd.d /usr/local/nvidia/share/vulkan/icd.d /run/opengl-driver/share/vulkan/icd.d; do
    for file in "$folder"/*nvidia*.json; do
      [ -e "$file" ] && printf '%s\n' "$file" && return 0
    done
  done
  [ -n "$driver" ] || return 1
  printf '{ "file_format_version": "1.0.0", "ICD": { "library_path": "%s", "api_version": "1.3.0" } }\n' "$driver" >"$unpacked/nvidia_icd.json"
  printf '%s\n' "$unpacked/nvidia_icd.json"
}

if [ -n "${VK_DRIVER_FILES:-}${VK_ICD_FILENAMES:-}" ]; then
  say "Vulkan driver: ${VK_DRIVER_FILES:-$VK_ICD_FILENAMES} (from the environment)"
elif file=$(driver_file); then
  export VK_DRIVER_FILES="$file"
  say "Vulkan driver: $file"
elif [ -e /proc/driver/nvidia/version ] || [ -e /dev/nvidiactl ] || host_library libcuda.so.1 >/dev/null; then
  say 'the NVIDIA driver is here, but not its graphics part (libGLX_nvidia.so.0), which has Vulkan. In a container: start it with'
  say 'NVIDIA_DRIVER_CAPABILITIES=all. On a host: install libnvidia-gl of the same version as the driver. See docs/gpu-servers.md'
else
  say 'no NVIDIA driver was found; the Vulkan loader looks for others where it usually does'
fi

# --- starting it

export HOME="${HOME:-$unpacked}"
export LFM_COMMIT="$(cat "$app/commit")"
PATH=$unpacked/bin:$PATH
export PATH
node=$unpacked/bin/node
lfm=$app/dist/cli/main.js

# every suite that opens a WebGPU device; filters of vitest are parts of paths
webgpu_suites='test/webgpu/ test/parity/webgpu test/parity/variants test/parity/half test/parity/special-values
  test/parity/composites-webgpu test/method/mixed test/method/unet-engines test/bench/adapter-peak'

start() {
  case $command in
    prove) "$node" "$app/scripts/gpu-host/prove.mjs" --out "$out" "$@" ;;
    devices) "$node" "$lfm" devices "$@" ;;
    lfm) "$node" "$lfm" "$@" ;;
    node) "$node" "$@" ;;
    train)
      [ $# -gt 0 ] || fail 'train needs a config, such as examples/rose.yaml'
      config=$1
      shift
      [ -e "$config" ] || [ ! -e "$app/$config" ] || config=$app/$config
      "$node" "$lfm" train "$config" --out "$out/run" "$@"
      ;;
    # the loader of TypeScript and vitest's settings are found from the package's folder
    bench)
      case " $* " in
        *' --json '*) ;;
        *) set -- --json "$out/bench.json" "$@" ;;
      esac
      cd "$app" && "$node" --import tsx bench/main.ts "$@"
      ;;
    test)
      # shellcheck disable=SC2086 # a list
      [ $# -gt 0 ] || set -- $webgpu_suites
      # three suites need what a host has not: onnxruntime, and the tools that build and document the package
      cd "$app" && LFM_REQUIRE_WEBGPU=1 "$node" node_modules/vitest/vitest.mjs run --exclude test/bench/onnx.test.ts \
        --exclude 'test/docs/**' --reporter default --reporter json --outputFile.json "$out/test.json" "$@"
      ;;
  esac
}

status=$out/.status
{
  code=0
  start "$@" 2>&1 || code=$?
  echo "$code" >"$status"
} | tee "$out/$command.log"
code=$(cat "$status")
rm -f "$status"
say "results: $out"
exit "$code"
