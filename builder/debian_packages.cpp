#include "builder/debian_packages.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace whittle::builder {

namespace {

// One library: what is called differently by its header, its archive or its module than by Debian. Names are in small
// letters, archives without `lib`, headers as they are included; a final `/` stands for all headers below.
struct Row {
  std::string_view package;
  std::string_view names;
};
constexpr std::array<Row, 83> kPackages = {{
    {"libncurses-dev", "curses.h ncurses.h ncursesw.h term.h curses ncurses ncursesw tinfo panel form menu ncurses/"},
    {"zlib1g-dev", "zlib.h zconf.h z zlib"},
    {"libssl-dev", "openssl/ ssl crypto openssl libssl libcrypto"},
    {"libcurl4-openssl-dev", "curl/ curl libcurl"},
    {"libreadline-dev", "readline/ readline history"},
    {"libedit-dev", "histedit.h edit editline/ libedit"},
    {"libpcre3-dev", "pcre.h pcreposix.h pcre libpcre"},
    {"libpcre2-dev", "pcre2.h pcre2posix.h pcre2-8 libpcre2-8 libpcre2-posix pcre2"},
    {"libxml2-dev", "libxml/ xml2 libxml-2.0 libxml2"},
    {"libonig-dev", "oniguruma.h onigposix.h onig oniguruma libonig"},
    {"libsqlite3-dev", "sqlite3.h sqlite3 sqlite"},
    {"libbz2-dev", "bzlib.h bz2 bzip2"},
    {"liblzo2-dev", "lzo/ lzo2 lzo liblzo2"},
    {"liblzma-dev", "lzma.h lzma liblzma"},
    {"libzstd-dev", "zstd.h zstd libzstd"},
    {"liblz4-dev", "lz4.h lz4hc.h lz4frame.h lz4 liblz4"},
    {"libbrotli-dev", "brotli/ brotlidec brotlienc brotlicommon libbrotlidec libbrotlienc libbrotlicommon"},
    {"libevent-dev", "event.h event2/ event libevent event_core libevent_core"},
    {"libev-dev", "ev.h ev libev"},
    {"libuv1-dev", "uv.h uv libuv"},
    {"libgnutls28-dev", "gnutls/ gnutls"},
    {"libgcrypt20-dev", "gcrypt.h gcrypt libgcrypt"},
    {"libmbedtls-dev", "mbedtls/ mbedtls mbedcrypto mbedx509"},
    {"libpcap-dev", "pcap.h pcap/ pcap libpcap"},
    {"libcap-dev", "sys/capability.h cap libcap"},
    {"libcap-ng-dev", "cap-ng.h cap-ng libcap-ng"},
    {"libseccomp-dev", "seccomp.h seccomp libseccomp"},
    {"libmagic-dev", "magic.h magic libmagic"},
    {"libyaml-dev", "yaml.h yaml yaml-0.1"},
    {"libjansson-dev", "jansson.h jansson"},
    {"libjson-c-dev", "json-c/ json-c json.h"},
    {"libcjson-dev", "cjson/ cjson libcjson"},
    {"libexpat1-dev", "expat.h expat"},
    {"libglib2.0-dev", "glib.h gio/ gmodule.h glib-object.h glib-2.0 gio-2.0 gobject-2.0 gthread-2.0 gmodule-2.0"},
    {"libarchive-dev", "archive.h archive_entry.h archive libarchive"},
    {"libgit2-dev", "git2.h git2 libgit2"},
    {"libssh2-1-dev", "libssh2.h ssh2 libssh2"},
    {"libssh-dev", "libssh/ ssh libssh"},
    {"libidn2-dev", "idn2.h idn2 libidn2"},
    {"libidn-dev", "idna.h idn libidn"},
    {"libpsl-dev", "libpsl.h psl libpsl"},
    {"libnghttp2-dev", "nghttp2/ nghttp2 libnghttp2"},
    {"libpng-dev", "png.h png png16 libpng libpng16"},
    {"libjpeg-dev", "jpeglib.h jpeg libjpeg"},
    {"libfreetype-dev", "ft2build.h freetype2 freetype"},
    {"libgmp-dev", "gmp.h gmp"},
    {"libmpfr-dev", "mpfr.h mpfr"},
    {"libelf-dev", "libelf.h gelf.h elf libelf"},
    {"libfuse3-dev", "fuse3/ fuse3"},
    {"libfuse-dev", "fuse.h fuse"},
    {"libusb-1.0-0-dev", "libusb.h libusb-1.0/ usb-1.0 libusb-1.0"},
    {"libudev-dev", "libudev.h udev libudev"},
    {"libsystemd-dev", "systemd/ systemd libsystemd"},
    {"libpam0g-dev", "security/ pam"},
    {"libselinux1-dev", "selinux/ selinux libselinux"},
    {"libacl1-dev", "sys/acl.h acl/ acl libacl"},
    {"libattr1-dev", "attr/ attr libattr"},
    {"libpopt-dev", "popt.h popt"},
    {"libxxhash-dev", "xxhash.h xxhash libxxhash"},
    {"libhiredis-dev", "hiredis/ hiredis"},
    {"liblua5.4-dev", "lua.h lualib.h lauxlib.h lua5.4 lua-5.4 lua"},
    {"libpq-dev", "libpq-fe.h pq libpq"},
    {"libmariadb-dev", "mysql.h mysql/ mariadb mysqlclient"},
    {"libboost-all-dev", "boost/ boost"},
    {"uuid-dev", "uuid.h uuid/ uuid"},
    {"libkrb5-dev", "krb5.h krb5/ gssapi/ gssapi_krb5 krb5 k5crypto krb5-gssapi mit-krb5 mit-krb5-gssapi"},
    {"libldap-dev", "ldap.h lber.h ldap lber"},
    {"librtmp-dev", "librtmp/ rtmp librtmp"},
    {"libp11-kit-dev", "p11-kit/ p11-kit p11-kit-1"},
    {"libunistring-dev", "unistr.h unistring"},
    {"libmount-dev", "libmount/ mount"},
    {"libblkid-dev", "blkid/ blkid"},
    {"libdbus-1-dev", "dbus/ dbus-1"},
    {"libkmod-dev", "libkmod.h kmod libkmod"},
    {"libpulse-dev", "pulse/ pulse pulse-simple libpulse libpulse-simple"},
    {"libasound2-dev", "alsa/ asound alsa"},
    {"libpango1.0-dev", "pango/ pango-1.0 pangocairo-1.0 pangoft2-1.0 pango pangocairo"},
    {"libcairo2-dev", "cairo/ cairo.h cairo"},
    {"libgtk-3-dev", "gtk/ gdk/ gtk-3 gdk-3 gtk+-3.0 gdk-3.0"},
    {"libwayland-dev", "wayland-client.h wayland-server.h wayland-client wayland-server wayland-cursor wayland-egl"},
    {"libxkbcommon-dev", "xkbcommon/ xkbcommon"},
    {"libvulkan-dev", "vulkan/ vulkan"},
    {"libdevmapper-dev", "libdevmapper.h devmapper"},
}};

// Of Debian 12.
constexpr std::array<std::string_view, 15> kOnlyShared = {
    "libkrb5-dev",    "libp11-kit-dev",   "libsystemd-dev",  "libudev-dev",   "libmount-dev",
    "libpulse-dev",   "libasound2-dev",   "libpango1.0-dev", "libgtk-3-dev",  "libkmod-dev",
    "libwayland-dev", "libxkbcommon-dev", "libgbm-dev",      "libvulkan-dev", "libdevmapper-dev"};

const Row* row_of_library(std::string_view name) {
  const std::string small = lower(name);
  for (const Row& row : kPackages) {
    for (const std::string& one : split(row.names, ' ')) {
      if (one == small) return &row;
    }
  }
  return nullptr;
}

bool is_header(std::string_view name) {
  return name.ends_with('/') || name.ends_with(".h");
}

}  // namespace

std::vector<std::string> names_of_library(std::string_view name) {
  std::vector<std::string> names;
  const Row* row = row_of_library(name);
  if (row == nullptr) return names;
  for (std::string& one : split(row->names, ' ')) {
    if (!is_header(one)) names.push_back(std::move(one));
  }
  return names;
}

std::string package_of_library(std::string_view name) {
  const Row* row = row_of_library(name);
  return row == nullptr ? "" : std::string(row->package);
}

bool is_only_shared(std::string_view package) {
  return std::find(kOnlyShared.begin(), kOnlyShared.end(), package) != kOnlyShared.end();
}

std::string package_of_header(std::string_view name) {
  for (const Row& row : kPackages) {
    for (const std::string& one : split(row.names, ' ')) {
      if (is_header(one) && (one.ends_with('/') ? name.starts_with(one) : one == name)) return std::string(row.package);
    }
  }
  return {};
}

}  // namespace whittle::builder
