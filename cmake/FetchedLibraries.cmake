# The libraries of whittle-gateway from their sources, for a platform of which this machine has no static ones: each
# from its registry by digest, built with whatever compiles the program. Defines the same targets as Dependencies.cmake.
include(ExternalProject)
find_package(Threads REQUIRED)

set(WHITTLE_LIBRARIES ${CMAKE_BINARY_DIR}/libraries)

# The folder `folder` of an archive that is fetched once.
function(whittle_fetch variable name url sha256 folder)
  set(archive ${WHITTLE_LIBRARIES}/${name}.tar)
  if(NOT EXISTS ${WHITTLE_LIBRARIES}/${folder})
    file(DOWNLOAD ${url} ${archive} EXPECTED_HASH SHA256=${sha256} TLS_VERIFY ON)
    file(ARCHIVE_EXTRACT INPUT ${archive} DESTINATION ${WHITTLE_LIBRARIES})
    file(REMOVE ${archive})
  endif()
  set(${variable} ${WHITTLE_LIBRARIES}/${folder} PARENT_SCOPE)
endfunction()

# zstd: the version that Debian's whittle packs layers with, so that both make the same bytes.
whittle_fetch(zstd zstd "https://static.crates.io/crates/zstd-sys/zstd-sys-2.0.7+zstd.1.5.4.crate"
  94509c3ba2fe55294d752b79842c530ccfab760192521df74a081a78d2b3c7f5 zstd-sys-2.0.7+zstd.1.5.4/zstd/lib)
file(GLOB zstd_sources ${zstd}/common/*.c ${zstd}/compress/*.c ${zstd}/decompress/*.c)
add_library(zstd_static STATIC ${zstd_sources})
target_include_directories(zstd_static SYSTEM PUBLIC ${zstd})
target_compile_definitions(zstd_static PRIVATE ZSTD_DISABLE_ASM ZSTD_LEGACY_SUPPORT=0)

# OpenSSL: digests, signatures, TLS. Long-term support, without what no gateway speaks.
whittle_fetch(openssl openssl "https://static.crates.io/crates/openssl-src/openssl-src-300.5.5+3.5.5.crate"
  3f1787d533e03597a7934fd0a765f0d28e94ecc5fb7789f8053b1e699a56f709 openssl-src-300.5.5+3.5.5/openssl)
set(openssl_targets "aarch64=linux-aarch64" "arm=linux-armv4" "armv7=linux-armv4" "riscv64=linux64-riscv64"
  "x86_64=linux-x86_64")
foreach(pair IN LISTS openssl_targets)
  string(REPLACE "=" ";" pair ${pair})
  list(GET pair 0 processor)
  list(GET pair 1 target)
  if(CMAKE_SYSTEM_PROCESSOR STREQUAL processor)
    set(openssl_target ${target})
  endif()
endforeach()
if(NOT openssl_target)
  message(FATAL_ERROR "OpenSSL's name of ${CMAKE_SYSTEM_PROCESSOR} is not known here")
endif()
string(STRIP "${CMAKE_C_COMPILER} ${CMAKE_C_COMPILER_ARG1}" openssl_compiler)
set(openssl_built ${WHITTLE_LIBRARIES}/openssl-built)
set(openssl_left_out
  no-shared no-tests no-docs no-apps no-module no-dso no-engine no-legacy no-async no-autoload-config no-ui-console
  no-cmp no-cms no-comp no-ct no-ocsp no-quic no-srp no-srtp no-psk no-ts no-dtls no-tls1 no-tls1_1 no-ssl3
  no-aria no-bf no-blake2 no-camellia no-cast no-des no-dsa no-ec2m no-gost no-idea no-md4 no-mdc2 no-ml-dsa no-ml-kem
  no-rc2 no-rc4 no-rmd160 no-scrypt no-seed no-siphash no-siv no-slh-dsa no-sm2 no-sm3 no-sm4 no-whirlpool)
ExternalProject_Add(openssl_build
  SOURCE_DIR ${openssl}
  BINARY_DIR ${openssl_built}
  DOWNLOAD_COMMAND ""
  CONFIGURE_COMMAND env "CC=${openssl_compiler}" "AR=${CMAKE_AR}" "RANLIB=${CMAKE_RANLIB}"
    perl ${openssl}/Configure ${openssl_target} ${openssl_left_out} -Os -ffunction-sections -fdata-sections
  BUILD_COMMAND make build_libs
  INSTALL_COMMAND ""
  BUILD_BYPRODUCTS ${openssl_built}/libssl.a ${openssl_built}/libcrypto.a
  LOG_CONFIGURE ON LOG_BUILD ON LOG_OUTPUT_ON_FAILURE ON)
file(MAKE_DIRECTORY ${openssl_built}/include)
foreach(name crypto ssl)
  add_library(openssl_${name} STATIC IMPORTED GLOBAL)
  set_target_properties(openssl_${name} PROPERTIES
    IMPORTED_LOCATION ${openssl_built}/lib${name}.a
    INTERFACE_INCLUDE_DIRECTORIES "${openssl_built}/include;${openssl}/include")
  add_dependencies(openssl_${name} openssl_build)
endforeach()
set_property(TARGET openssl_ssl PROPERTY INTERFACE_LINK_LIBRARIES openssl_crypto)
add_library(PkgConfig::LibCrypto ALIAS openssl_crypto)
add_library(PkgConfig::LibSsl ALIAS openssl_ssl)

# libarchive: the layers that a delta is made against are read with it. Nothing that it can be built with is wanted.
whittle_fetch(libarchive libarchive "http://deb.debian.org/debian/pool/main/liba/libarchive/libarchive_3.6.2.orig.tar.xz"
  9e2c1b80d5fbe59b61308fdfab6c79b5021d7ff4ff2489fb12daf0a96a83551d libarchive-3.6.2)
foreach(feature ACL BZip2 CAT CNG CPIO EXPAT ICONV LIBB2 LIBXML2 LZ4 LZMA LZO MBEDTLS NETTLE OPENSSL PCRE2POSIX PCREPOSIX TAR TEST XATTR ZLIB
        INSTALL ZSTD)
  set(ENABLE_${feature} OFF CACHE BOOL "" FORCE)
endforeach()
set(ENABLE_WERROR OFF CACHE BOOL "" FORCE)
add_subdirectory(${libarchive} ${WHITTLE_LIBRARIES}/libarchive-built EXCLUDE_FROM_ALL)
target_include_directories(archive_static SYSTEM INTERFACE ${libarchive}/libarchive)
add_library(PkgConfig::LibArchive ALIAS archive_static)

# Headers alone, as this machine has them: they are the same for every platform.
foreach(folder nlohmann CLI)
  find_path(${folder}_parent ${folder} REQUIRED NO_CMAKE_FIND_ROOT_PATH)
  file(COPY ${${folder}_parent}/${folder} DESTINATION ${WHITTLE_LIBRARIES}/headers)
endforeach()
add_library(whittle_headers INTERFACE)
target_include_directories(whittle_headers SYSTEM INTERFACE ${WHITTLE_LIBRARIES}/headers)
add_library(nlohmann_json::nlohmann_json ALIAS whittle_headers)
