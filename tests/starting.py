# SPDX-License-Identifier: BSD-2-Clause
"""How the tests start the program: the environment of its processes. What is set is Open MPI's, and harmless elsewhere."""
import os
import tempfile

COMMON = dict(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", OMPI_MCA_rmaps_base_oversubscribe="1", OMPI_MCA_mpi_yield_when_idle="1",
              OMPI_MCA_btl_vader_single_copy_mechanism="none", OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
ALONE = dict(COMMON, OMPI_MCA_ess_singleton_isolated="1", OMPI_MCA_pml="ob1", OMPI_MCA_btl="self")
places = tempfile.TemporaryDirectory(prefix="mpi")  # removed when this process ends


def environment(ranks=1, **more):
    """Of a process under a launcher, or of one that is started without: Open MPI does that in half the time if it makes no daemon and looks for no
    networks. Each start gets a place of its own for what Open MPI keeps in files: a process alone shares the names of these with all others, and jobs that
    were killed leave memory segments behind that a later job with the same process number would wait in for ever."""
    place = tempfile.mkdtemp(dir=places.name)
    return {**os.environ, **(COMMON if ranks > 1 else ALONE), "TMPDIR": place, "OMPI_MCA_btl_vader_backing_directory": place, **more}
