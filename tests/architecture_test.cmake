# Fails with the offending line when a folder includes what it must not, or when a library has a second user.
# Run by scripts/test: cmake [-DROOT=folder] -P tests/architecture_test.cmake
cmake_minimum_required(VERSION 3.25)
if(NOT ROOT)
  get_filename_component(ROOT ${CMAKE_CURRENT_LIST_DIR} DIRECTORY)
endif()

# Folder → folders that it may include besides itself. This is the picture in docs/ARCHITECTURE.md.
set(base_may "")
set(oci_may base)
set(bundle_may oci base)
set(sets_may bundle oci base)
set(gateway_may bundle oci server base)
set(plan_may base)
set(proof_may base)
set(server_may base)
set(detectors_may plan server base)
set(builder_may plan proof server base)
set(layers_may oci plan base)
set(registry_may oci base)
set(cli_may base oci bundle sets gateway plan proof server detectors builder layers registry)
set(folders base oci bundle sets gateway plan proof server detectors builder layers registry cli)

# Header pattern → the only place (a regular expression over paths) that may include it.
set(sole_users
  "archive(_entry)?\\.h=base/archive\\.cpp"
  "openssl/=(base/digest|bundle/keys|gateway/serve_stream)\\.cpp"
  "zstd.*\\.h=base/zstd_frames\\.cpp"
  "zlib\\.h=layers/gzip_sink\\.cpp"
  "isa-l/=layers/crc64\\.cpp"
  "curl/=registry/curl_transport\\.cpp"
  "divsufsort.*\\.h=bundle/matches\\.cpp"
  "(libelf|gelf|elf)\\.h=proof/elf\\.cpp"
  "git2\\.h=cli/version_control\\.cpp"
  "toml\\+\\+/=base/toml\\.cpp"
  "yaml\\.h=base/yaml\\.cpp"
  "pugixml\\.hpp=base/xml\\.cpp"
  "CLI/=cli/(options|gateway_options|command_line)\\.cpp"
  "nlohmann/=base/json\\.hpp"
  "doctest/=tests/.*")

set(problems "")
foreach(folder IN LISTS folders)
  file(GLOB_RECURSE files RELATIVE ${ROOT} ${ROOT}/${folder}/*.cpp ${ROOT}/${folder}/*.hpp)
  foreach(file IN LISTS files)
    file(STRINGS ${ROOT}/${file} lines REGEX "^[ \t]*#[ \t]*include")
    foreach(line IN LISTS lines)
      if(line MATCHES "include \"([a-z_]+)/")
        set(included ${CMAKE_MATCH_1})
        if(NOT included STREQUAL folder AND NOT included IN_LIST ${folder}_may)
          string(APPEND problems "${file} must not include ${included}/: ${line}\n")
        endif()
      endif()
      foreach(rule IN LISTS sole_users)
        string(FIND "${rule}" "=" equals REVERSE)
        string(SUBSTRING "${rule}" 0 ${equals} header)
        math(EXPR after "${equals} + 1")
        string(SUBSTRING "${rule}" ${after} -1 user)
        if(line MATCHES "include <${header}" AND NOT file MATCHES "^${user}$")
          string(APPEND problems "only ${user} may include this, not ${file}: ${line}\n")
        endif()
      endforeach()
    endforeach()
    # Below cli/ events are the only output, and nothing ends the process.
    if(NOT folder STREQUAL cli)
      file(STRINGS ${ROOT}/${file} prints REGEX "std::(cout|cerr|clog)|[^a-z_]printf\\(|std::_?exit\\(|::_exit\\(|std::system\\(|popen\\(")
      foreach(print IN LISTS prints)
        if(NOT print MATCHES "^[ \t]*//")
          string(APPEND problems "${file} must not print or exit: ${print}\n")
        endif()
      endforeach()
    endif()
  endforeach()
endforeach()

if(problems)
  message(FATAL_ERROR "\n${problems}")
endif()
