# The architecture test notices what it is there for: each planted violation must make it fail.
cmake_minimum_required(VERSION 3.25)
set(root ${CMAKE_CURRENT_LIST_DIR}/../build/architecture-self-test)

function(must_be_noticed file content expected)
  file(REMOVE_RECURSE ${root})
  file(WRITE ${root}/${file} "${content}\n")
  execute_process(COMMAND ${CMAKE_COMMAND} -DROOT=${root} -P ${CMAKE_CURRENT_LIST_DIR}/architecture_test.cmake
                  RESULT_VARIABLE status ERROR_VARIABLE said OUTPUT_QUIET)
  if(status EQUAL 0 OR NOT said MATCHES "${expected}")
    message(FATAL_ERROR "not noticed in ${file}: ${content}\n${said}")
  endif()
endfunction()

must_be_noticed(oci/manifest.cpp "#include \"layers/assembler.hpp\"" "oci/manifest.cpp must not include layers/")
must_be_noticed(base/text.cpp "#include \"oci/image.hpp\"" "base/text.cpp must not include oci/")
must_be_noticed(detectors/go.cpp "#include \"builder/builder.hpp\"" "must not include builder/")
must_be_noticed(builder/builder.cpp "#include <curl/curl.h>" "only registry/curl_transport")
must_be_noticed(layers/layer_writer.cpp "#include <zstd.h>" "only base/zstd_frames")
must_be_noticed(base/files.cpp "  std::cerr << 1;" "must not print")
file(REMOVE_RECURSE ${root})
