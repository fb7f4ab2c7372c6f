#!/bin/sh
# deps.sh build|test|bench ...: see that the packages of these sections (tools/packages) are
# there. When they are, it does nothing and needs neither network nor rights.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
unpacked=$(cd "$here/.." && pwd)/build/tools
PATH=$PATH:/usr/sbin:$unpacked/usr/bin:$unpacked/usr/sbin

say() {
    printf 'deps: %s\n' "$*" >&2
}

if ! command -v dpkg-query >/dev/null; then
    say "this is not a Debian system; tools/packages lists what to install by hand"
    exit 0
fi

missing=
unpack=
while read -r section package program _; do
    case " $* " in *" $section "*) ;; *) continue ;; esac
    if [ -n "$program" ]; then
        command -v "$program" >/dev/null || unpack="$unpack $package"
    elif [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" != installed ]; then
        missing="$missing $package"
    fi
done <"$here/packages"
[ -n "$missing$unpack" ] || exit 0

root=
if [ "$(id -u)" -ne 0 ]; then
    root=sudo
    if [ -n "$missing" ] && ! command -v sudo >/dev/null; then
        say "these packages are missing, and installing them needs root:$missing"
        say "as root: apt-get install --no-install-recommends$missing"
        exit 1
    fi
    command -v sudo >/dev/null || root=
fi

updated=
update() {
    [ -z "$updated" ] || return 1
    updated=yes
    say "reading the package lists"
    $root apt-get -qq update
}

# A machine that never ran an update has no lists at all.
set -- /var/lib/apt/lists/*_Packages*
[ -e "$1" ] || update

install() {
    # shellcheck disable=SC2086
    $root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
        -o Dpkg::Use-Pty=0 install --no-install-recommends $missing >"$log" 2>&1
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT
if [ -n "$missing" ]; then
    say "installing:$missing"
    # Lists that are there may be old: once more with new ones before giving up.
    if ! install; then
        if ! update || ! install; then
            tail -n 15 "$log" >&2
            say "apt-get could not install them"
            exit 1
        fi
    fi
fi

for package in $unpack; do
    say "unpacking $package below build/tools"
    mkdir -p "$unpacked"
    (
        cd "$unpacked"
        apt-get -qq download "$package" >"$log" 2>&1 ||
            { update && apt-get -qq download "$package" >"$log" 2>&1; }
        dpkg-deb -x "$package"_*.deb .
        rm -f "$package"_*.deb
    ) || {
        tail -n 15 "$log" >&2
        say "could not fetch the package $package"
        exit 1
    }
done
