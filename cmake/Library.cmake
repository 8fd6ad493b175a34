# whittle_library(NAME SOURCES a.cpp … ARROWS base oci LIBRARIES PkgConfig::X): the static library of
# this folder. ARROWS are the folders that it may include; they are the only ones that it links.
function(whittle_library name)
  cmake_parse_arguments(library "" "" "SOURCES;ARROWS;LIBRARIES" ${ARGN})
  add_library(whittle_${name} STATIC ${library_SOURCES})
  target_include_directories(whittle_${name} PUBLIC ${CMAKE_SOURCE_DIR})
  list(TRANSFORM library_ARROWS PREPEND whittle_)
  target_link_libraries(whittle_${name} PUBLIC ${library_ARROWS} PRIVATE ${library_LIBRARIES} whittle_warnings)
endfunction()

# whittle_tests(NAME SOURCES …): the doctest program of one folder, linked with that folder alone.
function(whittle_tests name)
  cmake_parse_arguments(tests "" "" "SOURCES;LIBRARIES" ${ARGN})
  add_executable(${name}_tests ${CMAKE_SOURCE_DIR}/tests/support/main.cpp ${tests_SOURCES})
  target_link_libraries(${name}_tests PRIVATE whittle_${name} ${tests_LIBRARIES} whittle_warnings)
  target_compile_definitions(${name}_tests PRIVATE WHITTLE_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  add_test(NAME ${name} COMMAND ${name}_tests)
endfunction()
