target_include_directories(golden_check PRIVATE application)
target_sources(golden_check PRIVATE ${CMAKE_CURRENT_LIST_DIR}/platform.cc)
