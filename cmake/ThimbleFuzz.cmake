# Clang cannot compile LibTorch's headers as C++20 with GCC's library, so GCC compiles what is fuzzed,
# too. Its coverage is handed on to libFuzzer, which is all that is taken from Clang.
file(GLOB libfuzzers /usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-${CMAKE_SYSTEM_PROCESSOR}.a)
if(NOT libfuzzers)
  message(FATAL_ERROR "there is no libFuzzer below /usr/lib/llvm-*: scripts/setup fuzz installs it")
endif()
list(GET libfuzzers 0 libfuzzer)
set(THIMBLE_LIBFUZZER ${PROJECT_BINARY_DIR}/libfuzzer.a)
# In place of ours it has one that ends the process.
execute_process(COMMAND ${CMAKE_OBJCOPY} --localize-symbol=__sanitizer_cov_trace_pc ${libfuzzer} ${THIMBLE_LIBFUZZER}
                COMMAND_ERROR_IS_FATAL ANY)

add_library(thimble_coverage SHARED tests/fuzz/coverage/coverage.cpp)  # which is not watched itself
add_compile_options(-fsanitize-coverage=trace-pc,trace-cmp)
link_libraries($<BUILD_INTERFACE:thimble_coverage>)
set_target_properties(thimble_coverage PROPERTIES COMPILE_OPTIONS "" LINK_OPTIONS "" LINK_LIBRARIES "")
