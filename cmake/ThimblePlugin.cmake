# thimble_add_plugin(KIND NAME)
#
# Builds NAME.cpp and all other *.cpp of this folder into the plugin NAME of a kind (proxy,
# searchspace, searcher, hardware, dataset, task), where `thimble` finds it, and adds the conformance test
# of its kind. A folder data/ beside the source goes along. Works in thimble's own tree and, after
# find_package(thimble), in yours; outside of thimble's tree the plugin lands in
# <build folder>/plugins/<kind>, to be named in THIMBLE_PLUGIN_PATH.
function(thimble_add_plugin kind name)
  set(kinds proxy searchspace searcher hardware dataset task)
  if(NOT kind IN_LIST kinds)
    message(FATAL_ERROR "thimble_add_plugin: '${kind}' is not a kind of plugin; kinds are ${kinds}")
  endif()
  if(NOT name MATCHES "^[a-z][a-z0-9_]*$")
    message(FATAL_ERROR "thimble_add_plugin: '${name}' must be lower case letters, digits and _")
  endif()

  if(NOT EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${name}.cpp)
    message(FATAL_ERROR "thimble_add_plugin: there is no ${CMAKE_CURRENT_SOURCE_DIR}/${name}.cpp")
  endif()
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  add_library(thimble_${kind}_${name} MODULE ${sources})
  set(target thimble_${kind}_${name})
  target_link_libraries(${target} PRIVATE thimble::thimble)
  if(kind MATCHES "^(proxy|dataset|task)$")
    target_link_libraries(${target} PRIVATE thimble::nn)
  endif()
  if(TARGET thimble_warnings)
    target_link_libraries(${target} PRIVATE thimble_warnings)
    set(folder ${PROJECT_BINARY_DIR}/lib/thimble/plugins/${kind})
  else()
    set(folder ${CMAKE_BINARY_DIR}/plugins/${kind})
  endif()
  target_compile_definitions(${target} PRIVATE THIMBLE_TORCH="${Torch_VERSION}")
  target_compile_features(${target} PRIVATE cxx_std_20)
  set_target_properties(${target} PROPERTIES
    PREFIX "" OUTPUT_NAME ${name} LIBRARY_OUTPUT_DIRECTORY ${folder}
    CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    INSTALL_RPATH "$ORIGIN/../../..")
  # A missing symbol must be found by the linker, not hours into a run. (Sanitized builds leave
  # the sanitizer's own symbols open.)
  if(NOT THIMBLE_SANITIZE)
    target_link_options(${target} PRIVATE -Wl,-z,defs)
  endif()

  if(IS_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/data)
    file(GLOB data_files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/data/*)
    add_custom_command(TARGET ${target} POST_BUILD
      COMMAND ${CMAKE_COMMAND} -E copy_directory ${CMAKE_CURRENT_SOURCE_DIR}/data ${folder}/${name})
    set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS ${data_files})
  endif()

  if(TARGET thimble_warnings)
    add_dependencies(thimble_program ${target})
    install(TARGETS ${target} LIBRARY DESTINATION lib/thimble/plugins/${kind})
    if(IS_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/data)
      install(DIRECTORY data/ DESTINATION lib/thimble/plugins/${kind}/${name})
    endif()
  endif()
  if(BUILD_TESTING AND TARGET thimble::conformance)
    add_test(NAME conformance.${kind}.${name}
             COMMAND $<TARGET_FILE:thimble::conformance> $<TARGET_FILE:${target}>
             WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})  # data/ may be there
    set_tests_properties(conformance.${kind}.${name} PROPERTIES LABELS conformance TIMEOUT 600)
  endif()
endfunction()
