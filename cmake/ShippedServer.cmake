# The file server is compiled for every platform that a compiler is found for, and put into whittle as data. For the
# host's own it must be there.
#
#   musl-gcc, then zig, then the host's compiler with a static C library; for others zig, then PLATFORM's GCC.

set(server_sources answer beneath conditions connection content_type digests encodings http_date main ranges request
                   server site target)
list(TRANSFORM server_sources PREPEND ${CMAKE_SOURCE_DIR}/server/)
list(TRANSFORM server_sources APPEND .cpp)
file(GLOB server_headers CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/server/*.hpp)

# The last: no folder of this machine in the bytes.
set(server_compile -std=c++20 -Os -fno-exceptions -fno-rtti -fno-threadsafe-statics -fno-asynchronous-unwind-tables
                   -fstack-protector-strong -fPIE -ffunction-sections -fdata-sections -I${CMAKE_SOURCE_DIR}
                   -ffile-prefix-map=${CMAKE_SOURCE_DIR}=.)
set(server_link -Wl,--gc-sections -Wl,--build-id=none -Wl,-z,relro,-z,now -Wl,-z,noexecstack -s)
# Debian's musl-gcc does not know -static-pie; this is what it stands for.
set(server_musl_pie -static -nostartfiles -l:rcrt1.o -Wl,-pie,--no-dynamic-linker,-z,text)

find_program(WHITTLE_MUSL_GCC musl-gcc)
find_program(WHITTLE_ZIG zig)
if(NOT WHITTLE_ZIG)
  find_program(WHITTLE_PYTHON python3)
  if(WHITTLE_PYTHON)
    execute_process(COMMAND ${WHITTLE_PYTHON} -c "import ziglang, os; print(os.path.dirname(ziglang.__file__) + '/zig')"
                    OUTPUT_VARIABLE found OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    if(found)
      set(WHITTLE_ZIG ${found} CACHE FILEPATH "Zig" FORCE)
    endif()
  endif()
endif()

# Sets `out` to the command that compiles for a platform, or to nothing.
function(server_compiler platform zig_target gnu is_host out)
  set(${out} "" PARENT_SCOPE)
  find_program(WHITTLE_GCC_${gnu} ${gnu}-gcc)
  find_program(WHITTLE_GXX_${gnu} ${gnu}-g++)
  if(is_host AND WHITTLE_MUSL_GCC)
    set(${out} ${WHITTLE_MUSL_GCC} ${server_compile} SOURCES ${server_musl_pie} ${server_link} PARENT_SCOPE)
  elseif(WHITTLE_ZIG)
    set(${out} ${WHITTLE_ZIG} cc -target ${zig_target} ${server_compile} SOURCES -static ${server_link} PARENT_SCOPE)
  elseif(is_host)
    set(${out} ${CMAKE_CXX_COMPILER} ${server_compile} SOURCES -static-pie ${server_link} PARENT_SCOPE)
  elseif(WHITTLE_GCC_${gnu} AND WHITTLE_GXX_${gnu})  # the second, for the compiler proper of C++
    set(${out} ${WHITTLE_GCC_${gnu}} ${server_compile} SOURCES -static-pie ${server_link} PARENT_SCOPE)
  endif()
endfunction()

# Platform, its name in symbols, Zig's and GCC's name of it, as uname says.
set(server_platforms "linux/amd64 amd64 x86_64-linux-musl x86_64-linux-gnu x86_64"
                     "linux/arm64 arm64 aarch64-linux-musl aarch64-linux-gnu aarch64"
                     "linux/arm/v7 arm_v7 arm-linux-musleabihf arm-linux-gnueabihf armv7l"
                     "linux/riscv64 riscv64 riscv64-linux-musl riscv64-linux-gnu riscv64")
set(server_programs "")
set(server_assembly "")
set(server_declarations "")
set(server_rows "")
set(server_shipped "")
foreach(row IN LISTS server_platforms)
  separate_arguments(row UNIX_COMMAND "${row}")
  list(GET row 0 platform)
  list(GET row 1 symbol)
  list(GET row 2 zig_target)
  list(GET row 3 gnu)
  list(GET row 4 processor)
  set(is_host OFF)
  if(CMAKE_SYSTEM_PROCESSOR STREQUAL processor)
    set(is_host ON)
  endif()
  server_compiler(${platform} ${zig_target} ${gnu} ${is_host} command)
  if(NOT command)
    continue()
  endif()
  set(program ${CMAKE_BINARY_DIR}/generated/server/${symbol}/static-server)
  list(TRANSFORM command REPLACE "^SOURCES$" "${server_sources}")
  add_custom_command(OUTPUT ${program}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/generated/server/${symbol}
    COMMAND ${command} -o ${program}
    DEPENDS ${server_sources} ${server_headers}
    COMMENT "static-server for ${platform}"
    VERBATIM)
  list(APPEND server_programs ${program})
  list(APPEND server_shipped ${platform})
  string(APPEND server_assembly "  .globl whittle_server_${symbol}, whittle_server_${symbol}_end\n"
    "whittle_server_${symbol}:\n  .incbin \"${program}\"\nwhittle_server_${symbol}_end:\n")
  string(APPEND server_declarations
    "extern \"C\" const std::byte whittle_server_${symbol}[], whittle_server_${symbol}_end[];\n")
  string(APPEND server_rows "    {\"${platform}\", whittle_server_${symbol}, whittle_server_${symbol}_end},\n")
endforeach()
message(STATUS "static-server for ${server_shipped}")
list(LENGTH server_shipped server_count)
configure_file(${CMAKE_SOURCE_DIR}/server/embedded.cpp.in ${CMAKE_BINARY_DIR}/generated/server/embedded.cpp @ONLY)
set_source_files_properties(${CMAKE_BINARY_DIR}/generated/server/embedded.cpp PROPERTIES OBJECT_DEPENDS
                            "${server_programs}" SKIP_LINTING ON)
