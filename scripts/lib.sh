# shellcheck shell=sh
# What the scripts share: messages, the cache, packages of Debian, initrds. To be sourced under `set -eu`.
# The user's system is only read; everything that is made lies in the cache.

script=${0##*/}
# shellcheck disable=SC2034 # for the scripts
project=$(cd "$(dirname "$0")/.." && pwd)
# Where cargo builds, whoever has chosen it.
built=$(realpath -m "${CARGO_TARGET_DIR:-$project/target}")
cache=${VMM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/vmm}
export LC_ALL=C SOURCE_DATE_EPOCH=1767225600 # 2026-01-01: the same input makes the same bytes
umask 022

say() { echo "$script: $*" >&2; }

die() {
    say "$*"
    exit 1
}

# help_if_asked ARGUMENTS…: prints the comment that the script opens with, and leaves.
help_if_asked() {
    case ${1-} in
    -h | --help)
        sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
        exit 0
        ;;
    esac
}

# need COMMANDS…: all are there, or the remedy is named.
need() {
    PATH=$PATH:/usr/sbin:/sbin
    for command; do
        command -v "$command" >/dev/null || die "cannot find the program '$command': run scripts/setup once"
    done
}

# key_of WORDS…: a short name for their content; a word that is a file stands for what is in it.
key_of() {
    for word; do
        if [ -f "$word" ]; then cat "$word"; else echo "$word"; fi
    done | sha256sum | cut -c1-12
}

# cached NAME BUILDER…: prints the cache's directory NAME. Where it is missing, BUILDER fills a directory, given as
# its last argument, which gets its name when it is whole. A builder that was interrupted finds what it left there.
cached() {
    entry=$cache/$1
    shift
    if [ ! -d "$entry" ]; then
        mkdir -p "${entry%/*}"
        (
            flock 9
            [ -d "$entry" ] || make_entry "$@"
        ) 9>"$entry.lock"
    fi
    echo "$entry"
}

make_entry() {
    mkdir -p "$entry.partial"
    "$@" "$entry.partial" >&2
    mv "$entry.partial" "$entry"
}

# use_package_lists: apt's lists of packages are there: the host's, or where it has none, some in the cache.
use_package_lists() {
    # shellcheck disable=SC2086 # the options are words
    [ -n "$(apt-cache $apt_options pkgnames linux-image-cloud)" ] || own_package_lists
}

# package NAME: prints the path of its newest .deb, downloaded and verified by apt.
package() {
    package_by_lists "$1" && return
    own_package_lists
    package_by_lists "$1" || die "cannot download the package $1: is the network there, and right in /etc/apt?"
}

apt_options='-o APT::Sandbox::User=root'

package_by_lists() {
    # shellcheck disable=SC2086 # the options are words
    version=$(apt-cache $apt_options show --no-all-versions "$1" 2>/dev/null | sed -n 's/^Version: //p')
    [ -n "$version" ] || return 1
    deb=$(cached "debs/$1_$version" download_package "$1=$version") || return 1
    echo "$deb"/*.deb
}

download_package() {
    say "downloading $1"
    # shellcheck disable=SC2086
    (cd "$2" && apt-get $apt_options -qq download "$1")
}

# For a host whose lists of packages are missing or older than the archive.
own_package_lists() {
    say "fetching the lists of packages"
    mkdir -p "$cache/apt/lists/partial" "$cache/apt/archives/partial"
    apt_options="$apt_options -o Dir::State::Lists=$cache/apt/lists -o Dir::Cache=$cache/apt"
    # shellcheck disable=SC2086
    apt-get $apt_options -qq update >&2 || die "cannot fetch the lists of packages: is the network there?"
}

# busybox: prints the path of a static busybox.
busybox() {
    deb=$(package busybox-static)
    echo "$(cached "busybox-$(dpkg-deb --field "$deb" Version)" dpkg-deb --extract "$deb")/bin/busybox"
}

# initrd OUTPUT INIT TREE MODULES…: writes an initrd with the program INIT, busybox, and the MODULES of
# TREE/lib/modules with all that they depend on.
initrd() {
    staging=$1.staging tree=$3
    mkdir -p "$staging/bin" "$staging/dev" "$staging/proc" "$staging/sys" "$staging/root"
    cp "$(busybox)" "$staging/bin/busybox"
    cp "$2" "$staging/init"
    chmod 755 "$staging/init"
    output=$1
    shift 3
    copy_modules "$@"
    pack_tree "$staging" >"$output"
    rm -rf "$staging"
}

copy_modules() {
    release=$(ls "$tree/lib/modules")
    modprobe --show-depends --dirname "$tree" --set-version "$release" --all "$@" | sed -n 's/^insmod //p' | sort -u |
        while read -r module _; do
            copy=$staging/${module#"$tree"/}
            mkdir -p "${copy%/*}"
            unpack_module "$module" "${copy%.ko*}.ko"
        done
    cp "$tree/lib/modules/$release"/modules.builtin* "$tree/lib/modules/$release/modules.order" \
        "$staging/lib/modules/$release"
    depmod -b "$staging" "$release"
}

unpack_module() {
    case $1 in
    *.xz) xz -dc "$1" >"$2" ;;
    *.zst) zstd -dqc "$1" >"$2" ;;
    *) cp "$1" "$2" ;;
    esac
}

# pack_tree DIRECTORY: prints it as the archive that a kernel unpacks for its first root.
pack_tree() {
    cd "$1" || exit
    find . -exec touch -hd "@$SOURCE_DATE_EPOCH" {} +
    find . | sort | cpio --quiet --reproducible -o -H newc -R 0:0
    cd "$OLDPWD" || exit
}

# vmm: prints the path of the binary that users get, built first.
vmm() {
    (cd "$project" && cargo build --release --quiet) >&2
    echo "$built/x86_64-unknown-linux-gnu/release/vmm"
}

# where_linux_boots COMMAND…: runs it here where KVM runs stock kernels, else in a nested host that does.
where_linux_boots() {
    if stock_kernels_boot_here; then
        "$@"
    else
        "$project/scripts/kvm-host" --memory 8G "$@"
    fi
}

# stock_kernels_boot_here: whether this machine's KVM boots them; says so, and what is done if not.
stock_kernels_boot_here() {
    if "$(vmm)" doctor >/dev/null 2>&1; then
        say "booting on this machine's KVM"
    else
        say "this machine's KVM boots no stock kernel: booting in a nested host, which emulates one"
        return 1
    fi
}
