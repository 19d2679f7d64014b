#!/usr/bin/env bash
# Every suite with nothing skipped: brings a software Vulkan driver where the machine has no adapter, then runs all tests
# with both engines required.
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/software-vulkan.sh
export LFM_REQUIRE_WEBGPU=1 LFM_REQUIRE_NATIVE=1
exec npx vitest run "$@"
