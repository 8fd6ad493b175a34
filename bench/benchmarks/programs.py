"""Other people's programs: where their sources come from, and what shows that the result works.

Those of Debian are the upstream sources, without Debian's patches and its folder, so that nothing is configured for anybody.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Program:
    name: str
    kind: str  # "debian", "crate" or "go"
    package: str  # source package, crate, or module
    version: str = ""  # of a crate or module; Debian's is the release's
    arguments: tuple = ("--version",)
    says: str = ""  # a regular expression in what it then says
    refused: str = ""  # it cannot be built unconfigured here, and the error says so: a regular expression


def debian(name, *arguments, says, package=""):
    return Program(name, "debian", package or name, arguments=arguments, says=says)


def refused(name, why):
    return Program(name, "debian", name, refused=why)


PROGRAMS = (
    # autotools
    debian("hello", "-g", "from scratch", says="from scratch"),
    debian("sed", "--version", says="GNU sed"),
    debian("grep", "--version", says="GNU grep"),
    debian("gzip", "--version", says="gzip 1"),
    debian("patch", "--version", says="GNU patch"),
    debian("mawk", "BEGIN { print 6 * 7 }", says="^42$"),
    debian("pv", "--version", says="pv 1"),
    debian("tinyproxy", "-v", says="tinyproxy 1"),
    debian("dash", "-c", "echo $((6 * 7))", says="^42$"),
    debian("bc", "--version", says="bc 1"),
    debian("less", "--version", says="less 5"),
    debian("nano", "--version", says="GNU nano"),
    debian("socat", "-V", says="socat version"),
    debian("htop", "--version", says="htop 3"),
    debian("units", "--version", says="GNU Units"),
    debian("fdupes", "--version", says="fdupes 2"),
    debian("dropbear", "-V", says="Dropbear v20"),
    debian("cpio", "--version", says="cpio"),
    debian("m4", "--version", says="GNU M4"),
    debian("tmux", "-V", says="tmux 3"),
    debian("rsync", "--version", says="rsync +version 3"),
    debian("patchelf", "--version", says="patchelf 0"),
    debian("gawk", "BEGIN { print 6 * 7 }", says="^42$"),
    debian("memcached", "--version", says="memcached 1"),
    debian("ed", "--version", says="GNU [Ee]d"),
    # make
    debian("figlet", "-v", says="FIGlet"),
    debian("tree", "--version", says="tree v2"),
    debian("zopfli", "-h", says="[Zz]opfli|Usage"),
    debian("lz4", "--version", says="LZ4|lz4"),
    debian("xxhash", "--version", says="xxhsum|xxh"),
    debian("bzip2", "--help", says="bzip2, a block-sorting"),
    debian("picocom", "--help", says="picocom v3"),
    debian("dnsmasq", "--version", says="Dnsmasq version"),
    debian("sl", "--version", says=""),
    # CMake
    debian("cmark", "--version", says="cmark 0"),
    debian("brotli", "--version", says="brotli 1"),
    debian("ninja-build", "--version", says=r"^1\."),
    debian("curl", "--version", says="curl 7"),
    debian("tini", "--version", says="tini version"),
    # Meson
    debian("fribidi", "--version", says="fribidi"),
    debian("pkgconf", "--version", says=r"^1\."),
    # Go
    Program("whoami", "go", "github.com/traefik/whoami", "v1.11.0", ("--help",), "port"),
    Program("hey", "go", "github.com/rakyll/hey", "v0.1.4", ("--help",), "Usage: hey"),
    Program("gojq", "go", "github.com/itchyny/gojq", "v0.12.16", ("-n", "[1, 2] | add"), "^3$"),
    Program("fzf", "go", "github.com/junegunn/fzf", "v0.56.0", ("--version",), r"0\.56|devel"),
    Program("yq", "go", "github.com/mikefarah/yq/v4", "v4.44.3", ("-n", "6 * 7"), "^42$"),
    Program("caddy", "go", "github.com/caddyserver/caddy/v2", "v2.8.4", ("version",), r"v2|\(devel\)|unknown"),
    # cargo
    Program("hexyl", "crate", "hexyl", "0.16.0", ("--version",), "hexyl 0.16"),
    Program("ripgrep", "crate", "ripgrep", "14.1.1", ("--version",), "ripgrep 14"),
    Program("fd-find", "crate", "fd-find", "10.2.0", ("--version",), "fd 10|fd-find 10"),
    Program("tokei", "crate", "tokei", "12.1.2", ("--version",), "tokei 12"),
    Program("hyperfine", "crate", "hyperfine", "1.19.0", ("--version",), "hyperfine 1"),
    Program("sd", "crate", "sd", "1.0.0", ("--version",), "sd 1"),
    Program("just", "crate", "just", "1.36.0", ("--version",), "just 1"),
    # What nobody could build without being told more, or without what is not here.
    refused("lua5.4", "2 programs, and none of them is the default"),
    refused("yajl", "2 programs, and none of them is the default"),
    refused("diffutils", "4 programs, and none of them is the default"),
    refused("wget", "libp11-kit-dev has no static library"),  # GnuTLS, which it takes when it is there
    refused("haproxy", "print a full explanation of supported targets"),
    refused("mksh", "Must run Build.sh to compile this"),
    refused("bubblewrap", "the package `libcap`, which is not installed"),
    refused("dav1d", "nasm"),
    refused("jq", "modules/oniguruma"),  # a submodule that its archive lacks
)
