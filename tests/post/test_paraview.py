# SPDX-License-Identifier: BSD-2-Clause
"""ParaView's own XDMF reader opens results in 1D, 2D and 3D, with time: same numbers as h5py, right box, a picture with content.

Boxes are of 100 um or so: what ParaView shows of axes that the problem lacks must not be longer than these, or nothing else is seen.

usage: test_paraview.py SORET [DIMENSION]    (needs python3-paraview and Xvfb)
Exit status 77: not run, because something is not installed."""
import os
import shutil
import subprocess
import sys
import tempfile

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from starting import environment  # noqa: E402

CASE = """
soret: 1
units: reduced
domain: {{size: {size}, cells: {cells}, origin: {origin}, grading: {{x: {{ratio: 3}}}}{solid}}}
parameters: {{um: 1.0e-6}}
temperature: 1 + 0.003*x/um + 0.1*t
species:
  - {{name: A, diffusivity: 1.0e-8, initial: 1 + 0.01*x/um}}
  - {{name: B+, diffusivity: 0.5e-8, initial: 2 - 0.01*x/um}}
reactions: [{{equation: A <=> B+, forward: 1, backward: 2}}]
solve: {{mode: transient, end: 0.2}}
output: {{file: {name}.h5, times: [0.1], fields: [flux, rate, soret, meter, entropy_production], precision: {precision}}}
"""
SIZE, CELLS, ORIGIN = (1.0e-4, 2.0e-4, 3.0e-4), (5, 3, 4), (0.5e-4, -1.0e-4, 0.0)
NAME = "µ &"  # a letter beyond ASCII, one of XML, a blank


def run(soret, dim, precision, directory):
    case = CASE.format(size=list(SIZE[:dim]), cells=list(CELLS[:dim]), origin=list(ORIGIN[:dim]), precision=precision, name=NAME, solid=', solid: "x > 1.3e-4 && y < 0 ? 1 : -1"' if dim > 1 else "")
    with open(os.path.join(directory, "pv.yaml"), "w") as file:
        file.write(case)
    subprocess.run([soret, "pv.yaml"], cwd=directory, env=environment(), check=True, stdout=subprocess.DEVNULL)


def check_values(reader, directory, dim):
    """Every array of every time step against the file itself."""
    import h5py
    from vtk.util.numpy_support import vtk_to_numpy

    with h5py.File(os.path.join(directory, f"{NAME}.h5")) as file:
        frames = file["frames"]
        times = [frames[name].attrs["time"] for name in frames]
        assert np.array_equal(times, reader.TimestepValues), (times, reader.TimestepValues)
        for name, t in zip(frames, times):
            reader.UpdatePipeline(t)
            bounds = reader.GetDataInformation().GetBounds()
            expected = [v for a in range(dim) for v in (ORIGIN[a], ORIGIN[a] + SIZE[a])] + [0.0, max(SIZE[:dim]) / 20] * (3 - dim)
            assert np.allclose(bounds, expected, atol=1e-12), (bounds, expected)
            data = reader.GetClientSideObject().GetOutputDataObject(0)  # servermanager.Fetch() loses the ends of small arrays
            arrays = {data.GetCellData().GetArrayName(i): vtk_to_numpy(data.GetCellData().GetArray(i)) for i in range(data.GetCellData().GetNumberOfArrays())}
            wanted = {"A": "A", "B+": "B+", "temperature": "temperature", "rate 0": "rate/0", "soret": "soret", "entropy_production": "entropy_production"}
            if dim == 3:
                wanted.update({"flux A": "flux/A", "flux B+": "flux/B+", "meter/heat": "meter/heat"})
            else:  # by components, which are read by slabs of the file
                wanted.update({f"flux {s} {'xy'[a]}": (f"flux/{s}", a) for s in ("A", "B+") for a in range(dim)})
                wanted.update({f"meter/heat {'xy'[a]}": ("meter/heat", a) for a in range(dim)})
            assert set(wanted) <= set(arrays), (set(wanted), set(arrays))
            assert ("solid" in arrays) == (dim > 1) and (dim == 1 or np.array_equal(arrays["solid"], file["solid"][()].ravel())), "solid"
            for shown, dataset in wanted.items():
                dataset, component = dataset if isinstance(dataset, tuple) else (dataset, slice(None))
                stored = frames[name][dataset][()]
                stored = (stored if component == slice(None) else stored[..., component]).ravel()
                assert np.array_equal(arrays[shown].ravel(), stored, equal_nan=True), (shown, t)


def check_picture(reader, directory):
    from matplotlib import image
    from paraview import simple

    view = simple.CreateView("RenderView")
    view.ViewSize = [200, 200]
    shown = simple.Show(reader, view)
    simple.ColorBy(shown, ("CELLS", "A"))
    shown.SetRepresentationType("Surface")
    shown.RescaleTransferFunctionToDataRange(True, False)
    simple.ResetCamera(view)
    simple.Render(view)
    path = os.path.join(directory, "pv.png")
    simple.SaveScreenshot(path, view)
    colours = np.unique((image.imread(path)[..., :3].reshape(-1, 3) * 255).astype(int), axis=0)
    assert len(colours) >= 5, "the picture shows fewer colours than there are values of A along x"
    simple.Delete(view)


def start_display():
    """A display of our own; Xvfb tells its number once it is ready, which xvfb-run only guesses. Without -noreset it starts over when its last
    client leaves and refuses those that come meanwhile: ParaView asks for the display, leaves, and comes back at once."""
    read, write = os.pipe()
    server = subprocess.Popen(["Xvfb", "-noreset", "-displayfd", str(write), "-screen", "0", "800x600x24"], pass_fds=[write], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(write)
    with os.fdopen(read) as pipe:
        os.environ["DISPLAY"] = ":" + pipe.readline().strip()
    return server


def main():
    """Runs the checks in a process of their own, so that the display ends even where ParaView aborts."""
    if not shutil.which("Xvfb"):
        print("Xvfb is not installed")
        return 77
    server = start_display()
    try:
        return subprocess.run([sys.executable, __file__, "--shown", *sys.argv[1:]]).returncode
    finally:
        server.terminate()
        server.wait()


def check_all(soret, dimensions):
    try:
        from paraview import simple
    except ImportError:
        print("python3-paraview is not installed")
        return 77
    for dim, precision in ((1, "double"), (2, "single"), (3, "double")):
        if dim not in dimensions:
            continue
        with tempfile.TemporaryDirectory() as directory:
            run(soret, dim, precision, directory)
            reader = simple.XDMFReader(FileNames=[os.path.join(directory, f"{NAME}.xdmf")])
            reader.UpdatePipelineInformation()
            check_values(reader, directory, dim)
            check_picture(reader, directory)
            simple.Delete(reader)
            print(f"{dim}D, {precision}: good")
    return 0


if __name__ == "__main__":
    if sys.argv[1] == "--shown":
        sys.exit(check_all(os.path.abspath(sys.argv[2]), [int(d) for d in sys.argv[3:]] or (1, 2, 3)))
    sys.exit(main())
