# Writes OUT, a header with the fingerprint of what compiled code depends on: the sources listed in the file LIST, and
# TEXT. The header is left alone where it already says so.
file(STRINGS ${LIST} sources)
set(all "${TEXT}")
foreach(source ${sources})
    file(SHA256 ${source} hash)
    string(APPEND all "${hash}\n")
endforeach()
string(SHA256 id "${all}")
file(CONFIGURE OUTPUT ${OUT} CONTENT "#define TANDEM_BUILD_ID \"${id}\"\n")
