# SPDX-License-Identifier: BSD-2-Clause
"""The case tests/cases/obstacle_fem.yaml solved by finite elements, for the numbers that it is compared with (dolfinx 0.5, Debian: python3-dolfinx).

    python3 fem_obstacle.py           solves on two meshes; are they as the table says? Exit status 77 without dolfinx
    python3 fem_obstacle.py --write   writes the table, fem_obstacle.txt

With u_i = D_i c_i the equations are -lap u_i = S_i, u_A given at x- and x+ and no flux elsewhere. Quadratic triangles, halved again and again towards the
corners of the block, where the solution behaves as r^(2/3)."""
import sys
from pathlib import Path

import numpy as np

try:
    import ufl
    from dolfinx import fem, geometry, mesh
    from mpi4py import MPI
except ImportError:
    print("no dolfinx here")
    sys.exit(77)

TABLE = Path(__file__).with_suffix(".txt")
BLOCK = ((0.25, 0.5), (0.25, 0.625))
POINTS = [(x, y) for x in np.arange(1, 16) / 16 for y in np.arange(1, 16) / 16 if not all(low <= p <= high for p, (low, high) in zip((x, y), BLOCK))]
MOBILITY = {"A": 1.0, "B": 0.3}
FINEST, SAME = 1, 5e-6  # refinements of the whole mesh; meshes and table agree to this share of the largest value


def temperature(x, y, of):
    return 1 + 0.5 * x + 0.3 * y + 0.2 * of.sin(np.pi * x) * of.cos(2 * np.pi * y)


def make_mesh(refinements):
    """The unit square without the block; triangles near its corners are split again and again, then all of them."""
    square = mesh.create_unit_square(MPI.COMM_SELF, 32, 32, mesh.CellType.triangle)
    corners = [(x, y) for x in BLOCK[0] for y in BLOCK[1]]
    for level in range(14):
        radius = 0.2 * 0.5**level
        square.topology.create_entities(1)
        square.topology.create_connectivity(1, 2)
        near = lambda x: np.any([np.hypot(x[0] - cx, x[1] - cy) < radius for cx, cy in corners], axis=0)
        square = mesh.refine(square, mesh.locate_entities(square, 1, near))
    for _ in range(refinements):
        square.topology.create_entities(1)
        square = mesh.refine(square)
    middle = mesh.compute_midpoints(square, 2, np.arange(square.topology.index_map(2).size_local, dtype=np.int32))
    inside = np.all([(middle[:, k] > BLOCK[k][0]) & (middle[:, k] < BLOCK[k][1]) for k in range(2)], axis=0)
    return mesh.create_submesh(square, 2, np.flatnonzero(~inside).astype(np.int32))[0]


def solve(domain):
    """u of A and B, and the flux of A into the square through x-."""
    V = fem.VectorFunctionSpace(domain, ("CG", 2), dim=2)
    x, y = ufl.SpatialCoordinate(domain)
    T = temperature(x, y, ufl)
    dx = ufl.dx(metadata={"quadrature_degree": 8})
    inner = lambda f, g: ufl.inner(ufl.grad(f), ufl.grad(g))
    rate = lambda uA, uB: 8 * uA / (MOBILITY["A"] * T) - 8 * ufl.exp(1 - 1 / T) * uB / (MOBILITY["B"] * T)
    (uA, uB), (vA, vB) = ufl.TrialFunctions(V), ufl.TestFunctions(V)
    form = (inner(uA, vA) + inner(uB, vB) + rate(uA, uB) * (vA - vB)) * dx
    V_A, _ = V.sub(0).collapse()
    held = []
    for place, c in ((0.0, 1.0), (1.0, 0.2)):
        value = fem.Function(V_A)
        value.interpolate(lambda p: c * MOBILITY["A"] * temperature(p[0], p[1], np))
        held.append(fem.dirichletbc(value, fem.locate_dofs_geometrical((V.sub(0), V_A), lambda p: np.isclose(p[0], place)), V.sub(0)))
    zero = fem.Constant(domain, 0.0)
    u = fem.petsc.LinearProblem(form, zero * (vA + vB) * dx, held, petsc_options={"ksp_type": "preonly", "pc_type": "lu", "pc_factor_mat_solver_type": "mumps"}).solve()
    # the equation of A tested with 1 - x, which is 1 at x- and 0 at x+: the flux as accurately as the energy
    uA, uB = ufl.split(u)
    flux = fem.assemble_scalar(fem.form((inner(uA, 1 - x) + rate(uA, uB) * (1 - x)) * dx))
    return u, flux


def evaluate(u, points):
    domain = u.function_space.mesh
    at = np.array([(x, y, 0.0) for x, y in points])
    cells = geometry.compute_colliding_cells(domain, geometry.compute_collisions(geometry.BoundingBoxTree(domain, 2), at), at)
    return u.eval(at, [cells.links(k)[0] for k in range(len(at))])


def main():
    found = []
    for refinements in range(FINEST + 1):
        u, flux = solve(make_mesh(refinements))
        found.append((evaluate(u, POINTS), flux))
        print(f"{u.x.array.size} unknowns, flux {flux:.9g}")
    (coarse, coarse_flux), (values, flux) = found[-2:]
    failures = 0

    def agree(what, a, b):
        off = np.max(np.abs(np.asarray(a) - b)) / np.max(np.abs(b))
        print("ok  " if off < SAME else "FAIL", what, f"  [{off:.3g}]")
        return not off < SAME

    failures += agree("two meshes at the points", coarse, values) + agree("two meshes, the flux", coarse_flux, flux)
    if "--write" in sys.argv[1:] and not failures:
        np.savetxt(TABLE, np.vstack([np.c_[np.array(POINTS), values], [0, 0, flux, 0]]), fmt="%.4f %.4f %.9f %.9f",
                   header=f"{Path(__file__).name}: x, y, D c of A and of B; the last row: flux of A through x-, of B")
    table = np.loadtxt(TABLE)
    failures += agree("the table, points", table[:-1, :2], np.array(POINTS)) + agree("the table, A and B", table[:-1, 2:], values) + agree("the table, flux", table[-1, 2], flux)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
