# SPDX-License-Identifier: BSD-2-Clause
"""Spack recipe. From a clone of the source tree:

    spack repo add jobscripts/packaging/spack
    spack dev-build soret@main            # or: spack develop --path . soret@main, in an environment

docs/install.md says what of this was tried."""
from spack.package import *


class Soret(CMakePackage):
    """Thermophoresis in reacting, diffusing systems: steady states and transients in one to three dimensions, in parallel."""

    license("BSD-2-Clause")

    version("main")

    variant("native", default=False, description="Compile for the instruction set of the build machine")
    variant("int64", default=False, description="A PETSc with 64-bit indices, for more than two thousand million unknowns")
    variant("post", default=True, description="What soretpost needs: h5py, numpy, matplotlib")

    depends_on("c", type="build")
    depends_on("cxx", type="build")
    depends_on("cmake@3.18:", type="build")
    depends_on("pkgconfig", type="build")
    depends_on("mpi")
    depends_on("petsc@3.18:+mpi+double~complex")
    depends_on("petsc+mumps")
    depends_on("petsc+int64", when="+int64")
    depends_on("petsc~int64", when="~int64")
    depends_on("hdf5@1.10:+mpi")
    depends_on("libyaml")
    depends_on("muparser")
    depends_on("udunits")
    depends_on("python@3.9:", type="run", when="+post")
    depends_on("py-h5py", type="run", when="+post")
    depends_on("py-numpy", type="run", when="+post")
    depends_on("py-matplotlib", type="run", when="+post")

    def cmake_args(self):
        return [
            self.define_from_variant("SORET_NATIVE", "native"),
            self.define("SORET_HDF5", "hdf5"),
            self.define("BUILD_TESTING", self.run_tests),
        ]

    def setup_run_environment(self, env):
        env.prepend_path("PYTHONPATH", self.prefix.share.soret.python)
