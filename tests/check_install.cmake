# SPDX-License-Identifier: BSD-2-Clause
# Installs BUILD, moves what was installed and runs it from another folder: does it find its libraries and its examples?
#
#   cmake -DBUILD=<build folder> -P check_install.cmake
set(work ${BUILD}/check_install)
file(REMOVE_RECURSE ${work})
file(MAKE_DIRECTORY ${work}/elsewhere)

function(run)
  execute_process(COMMAND ${ARGN} WORKING_DIRECTORY ${work}/elsewhere RESULT_VARIABLE status OUTPUT_VARIABLE out ERROR_VARIABLE out)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${ARGN} ended with ${status}:\n${out}")
  endif()
endfunction()

run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${work}/first)
file(RENAME ${work}/first ${work}/moved)
run(${work}/moved/bin/soret --version)
run(${work}/moved/bin/soret ${work}/moved/share/soret/input/tutorial/first.yaml)
if(NOT EXISTS ${work}/elsewhere/first.h5)
  message(FATAL_ERROR "no first.h5 in ${work}/elsewhere")
endif()
file(REMOVE_RECURSE ${work})
