# Warnings and sanitizers of our own code; installed clients of thimble get neither.
add_library(thimble_warnings INTERFACE)
target_compile_options(thimble_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor)
# GCC 12 sees ghosts in std::string when it optimises (GCC bugs 105651 and 105593).
target_compile_options(thimble_warnings INTERFACE -Wno-restrict -Wno-maybe-uninitialized)
if(THIMBLE_WARNINGS_AS_ERRORS)
  target_compile_options(thimble_warnings INTERFACE -Werror)
endif()
if(THIMBLE_SANITIZE)
  add_compile_options(-fsanitize=${THIMBLE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${THIMBLE_SANITIZE})
endif()
