# SPDX-License-Identifier: BSD-2-Clause
# Installs BUILD, moves what was installed and runs it from another folder: does it find its libraries and its examples, do soretpost, the man
# page and the module file work there?
#
#   cmake -DBUILD=<build folder> -DVERSION=<of soret> [-DPYTHON=<with h5py and matplotlib>] -P check_install.cmake
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

if(NOT EXISTS ${work}/moved/share/doc/soret/docs/../input/tutorial/first.yaml)
  message(FATAL_ERROR "the links of the pages to the examples lead nowhere")
endif()

if(PYTHON)
  set(ENV{SORET_PYTHON} ${PYTHON})
  set(ENV{PYTHONPATH} "")
  run(${work}/moved/bin/soretpost plot first.h5 -o first.png --dpi 50)
  file(SIZE ${work}/elsewhere/first.png size)
  if(size LESS 5000)
    message(FATAL_ERROR "soretpost drew a picture of ${size} bytes")
  endif()
endif()

find_program(MAN man)
if(MAN)
  run(${MAN} --warnings -l ${work}/moved/share/man/man1/soret.1)
endif()

# the module file, read by Tcl with its commands in place of those of Environment Modules
find_program(TCLSH tclsh)
if(TCLSH)
  file(WRITE ${work}/elsewhere/load.tcl "
    proc module-whatis {text} {}
    proc conflict {name} {}
    proc setenv {name value} { puts \"$name $value\" }
    proc prepend-path {name value} { puts \"$name $value\"; if {![file isdirectory $value]} { error \"there is no $value\" } }
    set ModulesCurrentModulefile ${work}/moved/share/soret/modulefiles/soret/${VERSION}
    source $ModulesCurrentModulefile
    ModulesHelp
    if {![file executable $root/bin/soret]} { error \"no soret in $root/bin\" }
    if {![file isfile $root/share/man/man1/soret.1]} { error \"no man page below $root\" }
  ")
  run(${TCLSH} load.tcl)
endif()

# and by Environment Modules itself, where that is: the commands, the man page and the Python package of the moved folder are found
find_file(MODULES bash PATHS /usr/share/modules/init $ENV{MODULESHOME}/init NO_DEFAULT_PATH)
find_program(BASH bash)
if(MODULES AND BASH)
  file(WRITE ${work}/elsewhere/load.sh "
    . ${MODULES}
    set -e
    module use ${work}/moved/share/soret/modulefiles
    module load soret
    [ \"$(command -v soret)\" = ${work}/moved/bin/soret ]
    [ \"$(command -v soretpost)\" = ${work}/moved/bin/soretpost ]
    [ -f \"\${MANPATH%%:*}/man1/soret.1\" ]
    [ -f \"\${PYTHONPATH%%:*}/soretpost/__init__.py\" ]
    soret \"$SORET_ROOT/share/soret/input/tutorial/first.yaml\" output.file=by_module.h5
    module unload soret
    ! command -v soret
  ")
  run(${BASH} load.sh)
endif()
file(REMOVE_RECURSE ${work})
