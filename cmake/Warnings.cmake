option(WHITTLE_WARNINGS_AS_ERRORS "stop at the first warning (CI)" OFF)

add_library(whittle_warnings INTERFACE)
target_compile_options(whittle_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Woverloaded-virtual -Wcast-qual
  $<$<BOOL:${WHITTLE_WARNINGS_AS_ERRORS}>:-Werror>
  # Designated initialisers name what matters; the rest has its default.
  -Wno-missing-field-initializers
  # GCC 12 warns about its own std::string in -O2 builds (GCC bugs 105329, 105651).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
