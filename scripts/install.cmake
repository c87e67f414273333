# Installation: libraries, headers, the command, pkg-config and CMake package files.
include(CMakePackageConfigHelpers)

if(TARGET tandem)
    # libtandem.so finds the half that needs LLVM beside itself.
    set_target_properties(tandem PROPERTIES EXPORT_NAME tandem INSTALL_RPATH "$ORIGIN")
    set_target_properties(tandem_static PROPERTIES EXPORT_NAME tandem_static)
    install(TARGETS tandem tandem_static EXPORT tandem-targets
            LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
    install(DIRECTORY include/tandem DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")

    set(PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/tandem)
    install(EXPORT tandem-targets NAMESPACE tandem:: DESTINATION ${PACKAGE_DIR})
    file(WRITE ${CMAKE_BINARY_DIR}/tandem-config.cmake
         "include(CMakeFindDependencyMacro)\nfind_dependency(Threads)\n"
         "include(\"\${CMAKE_CURRENT_LIST_DIR}/tandem-targets.cmake\")\n")
    write_basic_package_version_file(${CMAKE_BINARY_DIR}/tandem-config-version.cmake COMPATIBILITY SameMinorVersion)
    install(FILES ${CMAKE_BINARY_DIR}/tandem-config.cmake ${CMAKE_BINARY_DIR}/tandem-config-version.cmake
            DESTINATION ${PACKAGE_DIR})

    configure_file(${CMAKE_SOURCE_DIR}/scripts/tandem.pc.in ${CMAKE_BINARY_DIR}/tandem.pc @ONLY)
    install(FILES ${CMAKE_BINARY_DIR}/tandem.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endif()

if(TARGET tandem-codegen)
    install(TARGETS tandem-codegen LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
if(TARGET tandem-command)
    install(TARGETS tandem-command RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(FILES LICENSE README.md DESTINATION ${CMAKE_INSTALL_DOCDIR} OPTIONAL)
