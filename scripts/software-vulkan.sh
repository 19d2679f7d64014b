#!/bin/sh
# Gives a machine without a GPU a Vulkan adapter in software: Mesa's llvmpipe, good enough to run and test every shader.
# Does nothing where Vulkan already has a hardware driver or a new enough llvmpipe. Dawn refuses the Mesa 22.3 of Debian
# 12 («shaderUniform*ArrayDynamicIndexing required»), so there the driver comes from bookworm-backports; Ubuntu and newer
# Debian have one that works. Needs root or sudo.
#
#   sh scripts/software-vulkan.sh           install if needed
#   sh scripts/software-vulkan.sh --check   only say whether it is needed (exit status 1 if so)

set -u

fail() {
  echo "software-vulkan: $1" >&2
  exit 1
}

# The lowest Mesa that Dawn accepts with certainty; 22.3 is refused.
minimum_mesa=24

hardware_driver() {
  for icd in /etc/vulkan/icd.d/*.json /usr/share/vulkan/icd.d/nvidia*.json; do
    [ -e "$icd" ] && return 0
  done
  return 1
}

software_driver() {
  version=$(dpkg-query -W -f '${Status} ${Version}' mesa-vulkan-drivers 2>/dev/null) || return 1
  case $version in
    'install ok installed '*) version=${version##* } ;;
    *) return 1 ;;
  esac
  major=${version%%.*}
  [ "$major" -ge "$minimum_mesa" ] 2>/dev/null
}

loader() {
  ldconfig -p 2>/dev/null | grep -q 'libvulkan\.so\.1'
}

if loader && { hardware_driver || software_driver; }; then
  echo 'software-vulkan: a Vulkan driver is installed; nothing to do'
  exit 0
fi
[ "${1:-}" = --check ] && fail 'no usable Vulkan driver: run scripts/software-vulkan.sh without --check'

command -v apt-get >/dev/null || fail 'this script knows apt-get only: install the Vulkan loader and Mesa 24 or newer (llvmpipe) by hand'
if [ "$(id -u)" -eq 0 ]; then
  as_root=''
elif command -v sudo >/dev/null; then
  as_root='sudo'
else
  fail 'needs root: run it as root, or install sudo'
fi

codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
from=''
if [ "$codename" = bookworm ]; then
  from='-t bookworm-backports'
  if ! apt-cache policy 2>/dev/null | grep -q bookworm-backports; then
    # The mirror that this machine already uses, in either format of apt's source lists.
    mirror=$(sed -n 's/^URIs: *\(http[^ ]*\/debian\)\/* *$/\1/p' /etc/apt/sources.list.d/debian.sources 2>/dev/null | head -n 1)
    [ -n "$mirror" ] || mirror=$(sed -n 's/^deb \(\[[^]]*\] \)*\(http[^ ]*\/debian\)\/* .*/\2/p' /etc/apt/sources.list 2>/dev/null | head -n 1)
    [ -n "$mirror" ] || mirror=http://deb.debian.org/debian
    printf 'Types: deb\nURIs: %s\nSuites: bookworm-backports\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n' "$mirror" |
      $as_root tee /etc/apt/sources.list.d/bookworm-backports.sources >/dev/null || fail 'cannot write to /etc/apt/sources.list.d'
  fi
fi

$as_root apt-get update -qq || fail 'apt-get update failed: see the lines above'
# shellcheck disable=SC2086 # $from is two words or none
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $from libvulkan1 mesa-vulkan-drivers >/dev/null ||
  fail 'apt-get could not install mesa-vulkan-drivers: see the lines above'

loader && software_driver || fail "mesa-vulkan-drivers is older than Mesa $minimum_mesa, which Dawn refuses; take it from a newer release of this system"
echo "software-vulkan: installed Mesa $(dpkg-query -W -f '${Version}' mesa-vulkan-drivers) (llvmpipe)"
