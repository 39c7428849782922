# SPDX-License-Identifier: BSD-2-Clause
"""Solutions found without soret: closed forms, and boundary value problems in one dimension by spectral collocation (Trefethen 2000)."""
import numpy as np


def brentq(*arguments, **options):
    """scipy's, which is read where it is needed: it takes as long as all else at the start of a test."""
    from scipy import optimize

    return optimize.brentq(*arguments, **options)


def extrapolate(values, orders):
    """Values on grids with doubled cells, [grid][...], without the parts of their error of these orders (Richardson): that of the finest grids."""
    for p in orders:
        values = values[1:] + np.diff(values, axis=0) / (2**p - 1)
    return values[-1]


def chebyshev(n, length=1.0):
    """Points on [0, length] and the matrix of the first derivative."""
    s = np.cos(np.pi * np.arange(n + 1) / n)
    w = np.r_[2, np.ones(n - 1), 2] * (-1) ** np.arange(n + 1)
    difference = s[:, None] - s
    D = np.outer(w, 1 / w) / (difference + np.eye(n + 1))
    D -= np.diag(D.sum(axis=1))
    return 0.5 * length * (1 - s), -2 / length * D


def interpolate(points, values, x):
    """Barycentric interpolation from Chebyshev points."""
    w = (-1.0) ** np.arange(len(points))
    w[[0, -1]] *= 0.5
    d = np.asarray(x, float)[..., None] - points
    exactly = np.isclose(d, 0, rtol=0, atol=1e-15)
    d[exactly] = 1
    result = (w * values / d).sum(-1) / (w / d).sum(-1)
    hit = exactly.any(-1)
    result[hit] = values[exactly.argmax(-1)[hit]]
    return result


def clenshaw_curtis(n, length=1.0):
    k = np.arange(n + 1)
    moments = np.where(k % 2, 0, 2 / (1 - np.where(k % 2, 0, k) ** 2.0))
    T = np.cos(np.pi * np.outer(k, k) / n)
    return 0.5 * length * np.linalg.solve(T, moments)


def network_1d(x, D, source, jacobian, w, totals, guess, n=96, length=1.0, value=None):
    """Steady (D_i c_i)'' + S_i(c) = 0 on [0, length] with closed ends, sum_i w_ki c_i of mean totals_k: c [species, len(x)], by Newton's method.

    D - [function of the points], one for each species; source(c, points), jacobian(c, points) - [i][points], [i][j][points]
    """
    points, d = chebyshev(n, length)
    ns, m = len(D), n + 1
    diffusivity = np.array([np.broadcast_to(f(points), points.shape) for f in D])
    weights = clenshaw_curtis(n, length) / length
    w = np.atleast_2d(np.asarray(w, float))
    c = np.array([np.broadcast_to(g, points.shape) for g in guess], float)

    def system(c):
        F, J = np.zeros((ns, m)), np.zeros((ns, m, ns, m))
        S, dS = source(c, points), jacobian(c, points)
        for i in range(ns):
            flux = d * diffusivity[i]
            F[i] = d @ (flux @ c[i]) + S[i]
            J[i, :, i] = d @ flux
            for j in range(ns):
                J[i, :, j] += np.diag(np.broadcast_to(dS[i][j], points.shape))
            for end in (0, n):
                F[i, end], J[i, end] = flux[end] @ c[i], 0
                J[i, end, i] = flux[end]
        for k in range(len(w)):  # Phi_k' = 0 at one end follows from the rest: the total takes its place
            i = np.flatnonzero(w[k])[-1] if len(w) == 1 else k_species[k]
            F[i, n] = w[k] @ c @ weights - totals[k]
            J[i, n] = w[k][:, None] * weights
        return F.ravel(), J.reshape(ns * m, ns * m)

    k_species = [next(i for i in range(ns) if w[k, i] and not any(w[l, i] for l in range(len(w)) if l != k)) for k in range(len(w))]
    for _ in range(60):
        F, J = system(c)
        step = np.linalg.solve(J, -F).reshape(ns, m)
        down = step < 0
        scale = min(1.0, 0.9 * np.min(c[down] / -step[down])) if down.any() else 1.0
        c = c + scale * step
        if np.max(np.abs(step)) < 1e-13 * np.max(np.abs(c)):
            break
    return np.array([interpolate(points, ci, np.asarray(x)) for ci in c])


def two_state(x, D_A, D_B, kf, kr, total, n=96, length=1.0):
    """A <=> B: u'' = kappa^2 (u - u_eq) for u = D_A c_A, u' = 0 at the ends (docs/theory.md); c_A and c_B of this mean total."""
    points, d = chebyshev(n, length)
    a, b = kf(points) / D_A(points), kr(points) / D_B(points)
    matrix, right = d @ d - np.diag(a + b), -b
    matrix[[0, n]], right[[0, n]] = d[[0, n]], 0
    u = np.linalg.solve(matrix, right)  # for Phi = 1
    cA, cB = u / D_A(points), (1 - u) / D_B(points)
    phi = total * length / (clenshaw_curtis(n, length) @ (cA + cB))
    return phi * interpolate(points, cA, x), phi * interpolate(points, cB, x)


def two_state_2d(x, y, D_A, D_B, kf, kr, total, n=32):
    """The same in the unit square, lap u = kappa^2 (u - u_eq); D_A(x, y) ...: c_A and c_B on the grid of x and y, and the mean of c_B."""
    points, d = chebyshev(n)
    X, Y = np.meshgrid(points, points, indexing="ij")
    one, a, b = np.eye(n + 1), (kf(X, Y) / D_A(X, Y)).ravel(), (kr(X, Y) / D_B(X, Y)).ravel()
    matrix, right = np.kron(d @ d, one) + np.kron(one, d @ d) - np.diag(a + b), -b
    for slope, at in ((np.kron(one, d), Y), (np.kron(d, one), X)):  # corners get the one along x
        wall = np.flatnonzero((at.ravel() == points[0]) | (at.ravel() == points[-1]))
        matrix[wall], right[wall] = slope[wall], 0
    u = np.linalg.solve(matrix, right).reshape(n + 1, n + 1)
    c = np.array([u / D_A(X, Y), (1 - u) / D_B(X, Y)])
    weight = clenshaw_curtis(n)
    means = np.array([weight @ f @ weight for f in c])
    to_x, to_y = ([interpolate(points, e, at) for e in one] for at in (x, y))
    phi = total / means.sum()
    return *(phi * np.einsum("ip,ij,jq->pq", to_x, f, to_y) for f in c), phi * means[1]


def dimer_fast(D1, D2, K, phi):
    """c1 of 2 A <=> A2 in local equilibrium c2 = K c1^2 with D1 c1 + 2 D2 c2 = phi."""
    return (-D1 + np.sqrt(D1**2 + 8 * D2 * K * phi)) / (4 * D2 * K)


def dimer_fast_total(D1, D2, K, total, volume):
    """The same for a mean total c1 + 2 c2."""
    amount = lambda phi: np.sum(volume * (dimer_fast(D1, D2, K, phi) + 2 * K * dimer_fast(D1, D2, K, phi) ** 2)) / np.sum(volume) - total
    return dimer_fast(D1, D2, K, brentq(amount, 1e-12, 1e6, xtol=1e-15, rtol=1e-15))


def two_state_entropy(T, D_A, D_B, kf, kr, energy, total, n=96, length=1.0):
    """Entropy produced by A <=> B of energies 0 and `energy`, in units of R: by reaction, by diffusion, and both by the balance
    int H (1/T)' - sum_i int J_i (ln D_i)' with H = sum_i E_i J_i. The rates must fulfil kf/kr ~ exp(-energy/T)."""
    points, d = chebyshev(n, length)
    weight = clenshaw_curtis(n, length)
    cA, cB = two_state(points, D_A, D_B, kf, kr, total, n, length)
    JA, JB = -d @ (D_A(points) * cA), -d @ (D_B(points) * cB)
    f, b = kf(points) * cA, kr(points) * cB
    reaction = weight @ ((f - b) * np.log(f / b))
    diffusion = weight @ (JA**2 / (D_A(points) * cA) + JB**2 / (D_B(points) * cB))
    balance = weight @ (energy * JB * (d @ (1 / T(points))) - JA * (d @ np.log(D_A(points) + 0 * points)) - JB * (d @ np.log(D_B(points))))
    return np.array([reaction, diffusion, balance])


def covariance_soret(T, D, slope, E, g=None):
    """S_T of isomers in local equilibrium, <dD/dT>/<D> + Cov(E, D)/(<D> T^2). D, slope - [state] numbers or arrays like T."""
    T = np.asarray(T, float)
    weights = np.array([(1.0 if g is None else g[i]) * np.exp(-e / T) for i, e in enumerate(E)])
    mean = lambda f: sum(w * (v + 0 * T) for w, v in zip(weights, f)) / weights.sum(axis=0)
    D_mean = mean(D)
    return mean(slope) / D_mean + (mean([e * d for e, d in zip(E, D)]) - mean([e + 0 * T for e in E]) * D_mean) / (D_mean * T**2)


def dimer_soret(T, c1, c2, d1, d2, dE, einstein=True):
    """S_T of c1 + 2 c2 in local equilibrium with K ~ exp(dE/T): constant D_i = d_i, or D_i = d_i T."""
    f = 2 * c2 / (c1 + 2 * c2)
    below = d1 * (1 - f) + 2 * d2 * f
    return dE / T**2 * f * (1 - f) * (d1 - d2) / below + (1 / T * (1 + f) * (d1 * (1 - f) + d2 * f) / below if einstein else 0)


def complex_soret(T, totals, D, K, h=1e-4):
    """S_T of A + AB and B + AB in local equilibrium c_AB = K c_A c_B along the curve of constant D_A c_A + D_AB c_AB and D_B c_B + D_AB c_AB:
    differences of solutions found by bisection. D - (D_A, D_B, D_AB)(T)"""

    def composition(a, b, k):  # c_AB of amounts a, b: the smaller root
        s = a + b + 1 / k
        ab = 2 * a * b / (s + np.sqrt(s * s - 4 * a * b))
        return a - ab, b - ab, ab

    a, b, ab = composition(*totals, K(T))
    phi = D(T)[0] * a + D(T)[2] * ab, D(T)[1] * b + D(T)[2] * ab

    def amounts(t):
        DA, DB, DAB = D(t)
        x = brentq(lambda x: x - K(t) * (phi[0] - DAB * x) / DA * (phi[1] - DAB * x) / DB, 0.0, min(phi) / DAB, xtol=1e-16, rtol=1e-15)
        return np.array([(phi[0] - DAB * x) / DA + x, (phi[1] - DAB * x) / DB + x])

    return -(np.log(amounts(T + h)) - np.log(amounts(T - h))) / (2 * h)


def small_gradient_soret(T, D, rates, inset, length=1.0):
    """S_T between two points `inset` from the ends of a closed box with a small linear gradient about T, of isomers with any first-order rates.

    D(T) - [state] diffusivities; rates(T) - [i][j] rate constant j -> i. Mode by mode of u = D c: u'' = A (u - u_eq), A = -R diag(1/D)."""
    n = len(D(T))

    def operator(t):
        R = np.array(rates(t), float)
        R -= np.diag(R.sum(axis=0))
        return -R / D(t)

    def at_rest(t):  # of sum u = 1
        A = operator(t)
        A[-1] = 1
        return np.linalg.solve(A, np.eye(n)[-1])

    h = 1e-4 * T
    slope = (8 * (at_rest(T + h) - at_rest(T - h)) - at_rest(T + 2 * h) + at_rest(T - 2 * h)) / (12 * h)
    dD = (8 * (D(T + h) - D(T - h)) - D(T + 2 * h) + D(T - 2 * h)) / (12 * h)
    square, right = np.linalg.eig(operator(T))
    kappa = np.sqrt(square.astype(complex))
    share = np.linalg.solve(right, slope)
    x = 0.5 * length - inset
    mode = np.array([1.0 if abs(k) < 1e-9 * max(abs(kappa)) else 1 - np.sinh(k * x) / (k * x * np.cosh(0.5 * k * length)) if abs(k) * length < 1000 else 1.0 for k in kappa])
    du = (right @ (mode * share)).real
    u = at_rest(T)
    return -np.sum(du / D(T) - u * dD / D(T) ** 2) / np.sum(u / D(T))


def polymer_soret(T, dE, Tm, r):
    """S_T of a chain of two states F, U in fast exchange, D = d T/R: U has the energy dE above F, both are as frequent at Tm, r = R_F/R_U."""
    p = 1 / (1 + np.exp(dE / T - dE / Tm))
    return 1 / T - dE / T**2 * (1 - r) * p * (1 - p) / (1 - (1 - r) * p)


def polymer_inversion(dE, Tm, r, lo, hi):
    """Temperatures at which it changes sign."""
    T = np.linspace(lo, hi, 2001)
    S = polymer_soret(T, dE, Tm, r)
    return np.array([brentq(polymer_soret, T[i], T[i + 1], args=(dE, Tm, r), xtol=1e-13, rtol=1e-15) for i in np.flatnonzero(S[:-1] * S[1:] < 0)])


def inversions_2d(x, y, T, c, bins):
    """Temperatures at which -<grad c . grad T>/<c |grad T|^2>, each a mean over the places of about that temperature, changes its sign."""
    (cx, cy), (Tx, Ty) = np.gradient(c, x, y), np.gradient(T, x, y)
    weight = c * (Tx**2 + Ty**2)
    at = np.minimum((T - T.min()) / (T.max() - T.min()) * bins, bins - 1).astype(int).ravel()
    whole, all_of_it, T_mean = (np.bincount(at, f.ravel(), bins) for f in (-cx * Tx - cy * Ty, weight, weight * T))
    S, T_mean = whole / all_of_it, T_mean / all_of_it
    lo = np.flatnonzero(S[:-1] * S[1:] < 0)
    return T_mean[lo] + S[lo] / (S[lo] - S[lo + 1]) * (T_mean[lo + 1] - T_mean[lo])


def end_to_end(x1, x2, length, h, S_0, S_ch, dT):
    """ln(c(x1)/c(x2)) of a two-state molecule for a small difference of temperature dT over the length (docs/theory.md, eq. 12)."""
    kappa = 2 * h / length
    bend = np.sinh(kappa * (x2 - length / 2)) - np.sinh(kappa * (x1 - length / 2)) if h < 300 else 0.0
    return dT / length * ((S_0 + S_ch) * (x2 - x1) - (S_ch * bend / (kappa * np.cosh(h)) if h < 300 else 0.0))


def cosines(n):
    """Midpoints of n equal cells of [0, 1] and the second derivative of what is even about both ends, by the cosine transform."""
    x = (np.arange(n) + 0.5) / n
    k = np.arange(n)
    forward = np.cos(np.pi * np.outer(k, x)) * np.where(k, 2, 1)[:, None] / n
    return x, np.cos(np.pi * np.outer(x, k)) @ (-((np.pi * k) ** 2)[:, None] * forward), lambda f, at: np.cos(np.pi * np.outer(at, k)) @ (forward @ f)


def transient_1d(x, times, T, D, source, initial, n=24, rtol=1e-9):
    """dc_i/dt = (D_i(T) c_i)'' + S_i(c, T) on [0, 1] with closed ends, T(x, t) even about them: c [time][species][x], from uniform `initial`."""
    points, second, interpolate_at = cosines(n)
    ns = len(initial)

    def change(t, c):
        c, now = c.reshape(ns, n), T(points, t)
        return (np.array([second @ (D[i](now) * c[i]) for i in range(ns)]) + source(c, now)).ravel()

    from scipy.integrate import solve_ivp  # as above

    c0 = np.repeat(np.asarray(initial, float), n)
    solved = solve_ivp(change, (0, max(times)), c0, method="Radau", t_eval=times, rtol=rtol, atol=rtol * 1e-2)
    return np.array([[interpolate_at(D[i](T(points, t)) * u[i], x) / D[i](T(x, t)) for i in range(ns)] for t, u in zip(times, solved.y.T.reshape(-1, ns, n))])


def velocities_1d(x, v, weights, T, gamma, total, n=64):
    """v_k c_k' = gamma (w_k(T) sum c - c_k) on [0, 1], +v and -v exchanged at the ends: c [k][len(x)] of this mean total."""
    points, d = chebyshev(n)
    m, ns, w = n + 1, len(v), weights(T(points))
    A = np.zeros((ns, m, ns, m))
    for k in range(ns):
        A[k, :, k] = v[k] * d + gamma * np.eye(m)
        for j in range(ns):
            A[k, :, j] -= gamma * np.diag(w[k])
        if v[k]:
            end = 0 if v[k] > 0 else n
            A[k, end] = 0
            A[k, end, k, end], A[k, end, ns - 1 - k, end] = 1, -1
    rows = np.vstack([A.reshape(ns * m, ns * m), np.tile(clenshaw_curtis(n), ns) * 1e3])
    c = np.linalg.lstsq(rows, np.r_[np.zeros(ns * m), 1e3 * total], rcond=None)[0].reshape(ns, m)
    return np.array([interpolate(points, ck, np.asarray(x)) for ck in c])


def maxwell_weights(v, T, mass=1.0):
    """Boltzmann factors corrected so that <v^2> = kT/m (docs/theory.md, eq. 23), [k][len(T)]."""
    v = np.asarray(v)[:, None]
    e = np.exp(-mass * v**2 / (2 * T))
    s0, s2, s4 = (np.sum(v**p * e, axis=0) for p in (0, 2, 4))
    q = T / mass
    return e * (s4 - q * s2 + (q * s0 - s2) * v**2) / (s0 * s4 - s2**2)


# ---- connected parts ----

def parts(fluid):
    """Number of the connected part (through faces) that each cell is in, from 1, 0 in solid."""
    from scipy import ndimage
    return ndimage.label(fluid)[0]


def part_means(label, volume, f):
    """Mean of a field over each part."""
    return np.bincount(label.ravel(), (volume * f).ravel())[1:] / np.bincount(label.ravel(), volume.ravel())[1:]


def part_spread(label, f):
    """Largest (max - min)/max of a positive field within a part."""
    from scipy import ndimage
    numbers = np.arange(1, label.max() + 1)
    high, low = ndimage.maximum(f, label, numbers), ndimage.minimum(f, label, numbers)
    return np.max((high - low) / high)
