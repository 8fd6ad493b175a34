# whittle_embed(OUT FUNCTION FILES a b …): writes the source OUT, in which `whittle::detectors::FUNCTION()` is a map from
# each file's name to its text.
function(whittle_embed out function)
  cmake_parse_arguments(embed "" "" "FILES" ${ARGN})
  string(CONCAT text
    "#include <map>\n#include <string>\n\nnamespace whittle::detectors {\n\n"
    "const std::map<std::string, std::string>& ${function}();\n\n"
    "const std::map<std::string, std::string>& ${function}() {\n"
    "  static const std::map<std::string, std::string> kFiles = {\n")
  foreach(file IN LISTS embed_FILES)
    file(READ ${CMAKE_CURRENT_SOURCE_DIR}/${file} content)
    get_filename_component(name ${file} NAME)
    string(APPEND text "      {\"${name}\", R\"embedded(${content})embedded\"},\n")
  endforeach()
  string(APPEND text "  };\n  return kFiles;\n}\n\n}  // namespace whittle::detectors\n")
  file(GENERATE OUTPUT ${out} CONTENT "${text}")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${embed_FILES})
endfunction()
