# Included by CMake inside llama.cpp's project: builds its library alone.
# llama-cpp-python's CMakeLists.txt forces the cache entry to ON; an ordinary variable goes before a cache entry.
# Nothing here uses llama.cpp's common library, which is 57 of the 135 files that are compiled otherwise.
set(LLAMA_BUILD_COMMON OFF)
