# Every third-party library has one user; tests/architecture_test.cmake holds the table.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(LibArchive REQUIRED IMPORTED_TARGET libarchive>=3.6)  # base/archive.cpp
pkg_check_modules(LibCrypto REQUIRED IMPORTED_TARGET libcrypto>=3)      # base/digest.cpp
pkg_check_modules(LibSsl REQUIRED IMPORTED_TARGET libssl>=3)            # gateway/serve_stream.cpp
pkg_check_modules(LibCurl REQUIRED IMPORTED_TARGET libcurl>=7.88)       # registry/curl_transport.cpp
pkg_check_modules(DivSufSort REQUIRED IMPORTED_TARGET libdivsufsort>=2)  # bundle/matches.cpp
pkg_check_modules(LibElf REQUIRED IMPORTED_TARGET libelf)               # proof/elf.cpp
pkg_check_modules(LibGit2 REQUIRED IMPORTED_TARGET libgit2>=1.1)          # cli/version_control.cpp
pkg_check_modules(IsaL REQUIRED IMPORTED_TARGET libisal>=2.30)          # layers/crc64.cpp
find_package(nlohmann_json 3.11 REQUIRED)                               # base/json.hpp
find_path(PUGIXML_INCLUDE pugixml.hpp REQUIRED)                         # base/xml.cpp
find_library(PUGIXML_STATIC libpugixml.a REQUIRED)
find_path(YAML_INCLUDE yaml.h REQUIRED)                                 # base/yaml.cpp
find_library(YAML_STATIC libyaml.a REQUIRED)
find_path(TOMLPLUSPLUS_INCLUDE toml++/toml.h REQUIRED)                  # base/toml.cpp
find_path(CLI11_INCLUDE CLI/CLI.hpp REQUIRED)                           # cli/options.cpp and its like
find_path(DOCTEST_INCLUDE doctest/doctest.h REQUIRED)                   # tests/

# libzstd is linked statically: its version decides the bytes of every layer, so it travels with the
# program instead of being the host's (docs/design/layers.md). base/zstd_frames.cpp
find_library(ZSTD_STATIC libzstd.a REQUIRED)
find_path(ZSTD_INCLUDE zstd.h REQUIRED)
add_library(zstd_static STATIC IMPORTED)
set_target_properties(zstd_static PROPERTIES IMPORTED_LOCATION ${ZSTD_STATIC}
                      INTERFACE_INCLUDE_DIRECTORIES ${ZSTD_INCLUDE})

# zlib for the same reason. layers/gzip_sink.cpp
find_library(ZLIB_STATIC libz.a REQUIRED)
find_path(ZLIB_INCLUDE zlib.h REQUIRED)
add_library(zlib_static STATIC IMPORTED)
set_target_properties(zlib_static PROPERTIES IMPORTED_LOCATION ${ZLIB_STATIC}
                      INTERFACE_INCLUDE_DIRECTORIES ${ZLIB_INCLUDE})

# For whittle-gateway, which is linked statically. libarchive's filters name the last three; devices need gzip and zstd.
set(GATEWAY_STATIC "")
foreach(name ssl crypto archive nettle zstd z bz2 lzma lz4)
  find_library(GATEWAY_STATIC_${name} lib${name}.a REQUIRED)
  list(APPEND GATEWAY_STATIC ${GATEWAY_STATIC_${name}})
endforeach()
