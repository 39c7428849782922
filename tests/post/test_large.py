# SPDX-License-Identifier: BSD-2-Clause
"""The picture of a result of 256^3 cells and five fields takes less than 10 s of processor time and 2 GiB of memory; prints both.

usage: test_large.py [N]        N^3 cells instead"""
import os
import resource
import subprocess
import sys
import tempfile

import matplotlib.image
from make_result import make_large

HERE = os.path.dirname(os.path.abspath(__file__))


def main(n):
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "large.h5")
        make_large(path, n)
        environment = dict(os.environ, PYTHONPATH=os.path.join(HERE, "..", "..", "postprocess"))
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "soretpost", "plot", path], env=environment, check=True)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        picture = matplotlib.image.imread(os.path.join(directory, "large.png"))
    seconds = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    print(f"{n}^3 cells: {seconds:.1f} s of processor time, {used.ru_maxrss / 1024:.0f} MiB")
    assert seconds < 10.0 and used.ru_maxrss < 2 * 1024**2
    assert picture.shape[1] > 1500 and picture[..., :3].std() > 0.05
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 256))
