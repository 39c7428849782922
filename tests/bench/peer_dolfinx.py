# SPDX-License-Identifier: BSD-2-Clause
"""A peer for run_bench.py: problem A or B of docs/performance.md by finite elements (DOLFINx 0.5, Debian: python3-dolfinx-real).

usage: peer_dolfinx.py A|B CELLS [-petsc_option ...]      options of the solver as -snes_..., -ksp_..., -pc_...; exit status 77 without dolfinx

Unknowns are u_i = D_i c_i in trilinear hexahedra: integral of grad u_i . grad v_i - S_i v_i = 0. The Jacobian is singular, since totals are conserved; a term of
rank one, beta w (total - 1), makes the solution unique and vanishes there. Newton's method, flexible GMRES, smoothed aggregation."""
import sys
import time

try:
    import petsc4py

    petsc4py.init(sys.argv)  # before anyone else: options
    import numpy as np
    import ufl
    from dolfinx import fem, mesh
    from mpi4py import MPI
    from petsc4py import PETSc
except ImportError:
    print("no dolfinx here")
    sys.exit(77)

MOBILITY = {"A": (1.0, 0.2), "B": (1.0, 0.4)}
MEMBERS = {"A": (1.0, 1.0), "B": (1.0, 2.0)}  # of the total; what a reaction takes of the first species
OPTIONS = {"snes_type": "newtonls", "snes_linesearch_type": "basic", "snes_rtol": 1e-8, "snes_max_it": 30, "ksp_type": "fgmres", "ksp_rtol": 1e-3, "ksp_max_it": 200,
           "pc_type": "gamg", "pc_gamg_reuse_interpolation": True, "mg_coarse_pc_type": "svd"}
SAME = 1e-10  # of the total
FAST = {"cffi_extra_compile_args": ["-O3", "-march=native", "-ffast-math"]}


def temperature(x):
    return 0.8 + 0.4 * x[0] + 0.3 * np.exp(-((x[0] - 0.3) ** 2 + (x[1] - 0.6) ** 2 + (x[2] - 0.5) ** 2) / (2 * 0.15**2))


def constants(problem, T):
    """Rate constants forward and backward at temperatures."""
    return (1e3 * np.exp(-2 / T), 1e3 * np.exp(-3.5 / T)) if problem == "A" else (np.full_like(T, 100.0), 100 * np.exp(2 - 2 / T))


def start(problem, T):
    """Concentrations in equilibrium at one temperature with a total of 1."""
    forward, backward = (float(k[0]) for k in constants(problem, np.array([T])))
    if problem == "A":
        return backward / (forward + backward), forward / (forward + backward)
    c = (np.sqrt(1 + 8 * forward / backward) - 1) / (4 * forward / backward)
    return c, (1 - c) / 2


class Equations:
    """What SNES asks for."""

    def __init__(self, problem, n):
        box = mesh.create_box(MPI.COMM_SELF, [[0, 0, 0], [1, 1, 1]], [n, n, n], mesh.CellType.hexahedron)
        V, scalar = fem.VectorFunctionSpace(box, ("CG", 1), dim=2), fem.FunctionSpace(box, ("CG", 1))
        self.u, v, du = fem.Function(V), ufl.TestFunction(V), ufl.TrialFunction(V)
        inverse, forward, backward = (fem.Function(scalar) for _ in range(3))  # 1/T and the rate constants, from node to node trilinear
        inverse.interpolate(lambda x: 1 / temperature(x))
        for k, function in enumerate((forward, backward)):
            function.interpolate(lambda x, k=k: constants(problem, temperature(x))[k])
        first, last = (mesh.locate_entities(box, 3, lambda x, a=a, b=b: (x[0] > a) & (x[0] < b)) for a, b in ((-1e-9, 1 / n + 1e-9), (1 - 1 / n - 1e-9, 1 + 1e-9)))
        tags = mesh.meshtags(box, 3, np.concatenate([first, last]), np.repeat(np.int32([1, 2]), [len(first), len(last)]))
        dx = ufl.dx(metadata={"quadrature_degree": 3})
        layer = ufl.Measure("dx", box, subdomain_data=tags, metadata={"quadrature_degree": 3})
        c = [self.u[s] * inverse / MOBILITY[problem][s] for s in range(2)]
        rate = forward * c[0] ** int(MEMBERS[problem][1]) - backward * c[1]
        residual = (ufl.inner(ufl.grad(self.u), ufl.grad(v)) + rate * (MEMBERS[problem][1] * v[0] - v[1])) * dx
        total = c[0] + MEMBERS[problem][1] * c[1]
        form = lambda f: fem.form(f, jit_params=FAST)
        self.residual, self.jacobian = form(residual), form(ufl.derivative(residual, self.u, du))
        self.layers, self.volume = [form(total * layer(k)) for k in (1, 2)], form(total * dx)
        # total = m . u; w integrates test functions, each with its share in the total: no residual without the added term has a part along it
        self.m = fem.petsc.assemble_vector(form((v[0] / MOBILITY[problem][0] + MEMBERS[problem][1] * v[1] / MOBILITY[problem][1]) * inverse * dx))
        self.w = fem.petsc.assemble_vector(form((v[0] + MEMBERS[problem][1] * v[1]) * dx))
        self.w.scale(10.0)  # beta, about the smallest transport eigenvalue that is not zero
        for s, value in enumerate(start(problem, 1.0)):
            self.u.x.array[s::2] = value * MOBILITY[problem][s]
        self.u.vector.scale(1 / self.m.dot(self.u.vector))
        self.P = fem.petsc.create_matrix(self.jacobian)
        columns = [PETSc.Mat().createDense([vector.size, 1], array=vector.array.copy(), comm=MPI.COMM_SELF) for vector in (self.w, self.m)]
        self.A = PETSc.Mat().createLRC(self.P, columns[0], None, columns[1])

    def residual_of(self, snes, x, f):
        x.copy(self.u.vector)
        f.set(0)
        fem.petsc.assemble_vector(f, self.residual)
        f.axpy(self.m.dot(x) - 1, self.w)

    def jacobian_of(self, snes, x, A, P):
        x.copy(self.u.vector)
        P.zeroEntries()
        fem.petsc.assemble_matrix(P, self.jacobian)
        P.assemble()
        A.assemble()

    def contrast(self):
        ends = [fem.assemble_scalar(layer) for layer in self.layers]
        return ends[0] / ends[1]


def main():
    if len(sys.argv) < 3 or sys.argv[1] not in MOBILITY:
        raise SystemExit(__doc__)
    options = PETSc.Options()
    for name, value in OPTIONS.items():
        if not options.hasName(name):
            options[name] = value
    equations = Equations(sys.argv[1], int(sys.argv[2]))
    x = equations.u.vector.copy()
    snes = PETSc.SNES().create(MPI.COMM_SELF)
    snes.setFunction(equations.residual_of, x.duplicate())
    snes.setJacobian(equations.jacobian_of, equations.A, equations.P)
    snes.setFromOptions()
    begin, begin_processor = time.perf_counter(), time.process_time()
    snes.solve(None, x)
    seconds, processor = time.perf_counter() - begin, time.process_time() - begin_processor
    x.copy(equations.u.vector)
    off = fem.assemble_scalar(equations.volume) - 1
    print(f"{snes.getConvergedReason()} contrast {equations.contrast():.8f}, total off by {off:.1e}, {snes.getIterationNumber()} iterations, {snes.getLinearSolveIterations()} linear")
    print(f"solve {seconds:.3f} s, processor {processor:.3f} s")
    return 0 if snes.getConvergedReason() > 0 and abs(off) < SAME else 1


if __name__ == "__main__":
    sys.exit(main())
