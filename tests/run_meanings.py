# SPDX-License-Identifier: BSD-2-Clause
"""What docs/case-format.md says a key or a file means, sentence by sentence, where no case of tests/cases asks it: values, files of fields,
defaults, output, names. Each test has a directory of its own; run with names of tests to try some of them. The program is $SORET, the
launcher $MPIEXEC."""
import os
import pty
import re
import subprocess
import sys

import h5py
import numpy as np

from run_cli import MPIEXEC, SORET, attribute, contains, run_tests
from starting import environment

BOX1 = "soret: 1\nunits: reduced\ndomain: {size: [1], cells: [16]}\n"
END = "output: {file: result.h5, xdmf: false, overwrite: true}\n"


def solve(soret, text, *args, status=0, ranks=1):
    """Writes the case, runs it; the process."""
    soret.write("case.yaml", text)
    return soret("case.yaml", *args, status=status, ranks=ranks)


def frame(soret, name, number=-1):
    with soret.open() as f:
        return f["frames"][sorted(f["frames"])[number]][name][()]


def centers(n, size=1.0):
    return (np.arange(n) + 0.5) * size / n


# ---- values ----

NUMBERS = """soret: 1
units: reduced
standard_concentration: {2.0}
parameters: {{k: 2}}
domain: {{size: [{1.0}, {0.5}], cells: [{8}, {4}], origin: [{0.25}, {-1.0}], edges: {{x: [{0.25}, {0.5}, {0.75}, {0.875}, {1.0}, {1.0625}, {1.125}, {1.1875}, {1.25}]}}, grading: {{y: {{ratio: {2.0}}}}}}}
temperature: {1.5}
species:
  - {{name: A, diffusivity: {{law: einstein, mobility: {0.5}}}, initial: {1.0}, energy: {0.25}, degeneracy: {2.0}}}
  - {{name: B, diffusivity: {{law: stokes_einstein, radius: {0.125}, viscosity: {4.0}}}, soret: {0.5}, energy: {0.5}}}
  - {{name: C, diffusivity: {{law: arrhenius, prefactor: {2.0}, exponent: {0.5}, activation: {1.0}}}, velocity: [{0.5}, {-0.25}]}}
  - {{name: D, diffusivity: {{law: power, value: {1.0}, exponent: {2.0}, reference: {4.0}}}, initial: {0.5}}}
  - {{name: E, diffusivity: {{law: table, T: [{1.0}, {2.0}], value: [{0.5}, {0.75}]}}, initial: {0.25}}}
  - {{name: F, diffusivity: {{A: {1.0}, b: {0.5}, Ea: {0.25}}}, initial: {0.25}}}
reactions:
  - {{equation: 2 A <=> B, law: barrier, prefactor: {8.0}, barrier: {1.0}}}
  - {{equation: D => E, forward: {{law: arrhenius, prefactor: {2.0}, activation: {0.5}}}}}
  - {{equation: B <=> C, forward: {3.0}, equilibrium: {{A: {2.0}, b: {1.0}, Ea: {0.5}}}}}
boundaries:
  x-: {{D: {{value: {0.5}}}, E: {{flux: {0.125}}}}}
  x+: {{F: {{transfer: {0.5}, outside: {2.0}}}}}
solve: {{mode: transient, tolerance: {0.0009765625}, absolute: {9.5367431640625e-07}, end: {0.5}, first_step: {0.0009765625}, max_steps: {4096}}}
output: {{file: NAME, times: [{0.125}, {0.25}], xdmf: false, compression: {2}}}
"""


def test_formula_wherever_a_number_may_stand(soret):
    # the same numbers, written plainly and as formulas of a parameter that give the same bits
    plain = re.sub(r"\{([-\d.e]+)\}", r"\1", NUMBERS).replace("{{", "{").replace("}}", "}")
    formula = re.sub(r"\{([-\d.e]+)\}", r"'(\1)*k/2'", NUMBERS).replace("{{", "{").replace("}}", "}")
    assert formula.count("*k/2'") == NUMBERS.count("{8}") + len(re.findall(r"\{[-\d.e]+\}", NUMBERS)) - 1 >= 60
    formula = formula.replace("units: reduced\nstandard_concentration", "units: reduced\nstandard_concentration", 1)
    for name, text in {"plain": plain, "formula": formula}.items():
        soret.write(f"{name}.yaml", text.replace("NAME", f"{name}.h5"))
        soret(f"{name}.yaml")
    with soret.open("plain.h5") as f, soret.open("formula.h5") as g:
        assert len(f["frames"]) == len(g["frames"]) == 4
        for k in f["frames"]:
            for species in "ABCDEF":
                np.testing.assert_array_equal(f["frames"][k][species][()], g["frames"][k][species][()])


def test_formula_where_a_steady_run_takes_a_number(soret):
    text = BOX1 + "parameters: {k: 2}\ntemperature: 1 + x\nspecies: [{name: A, diffusivity: T, initial: x}, {name: B, diffusivity: 1}]\nreactions: [{equation: A <=> B, forward: 1, backward: T}]\n"
    solve(soret, text + "totals: [{of: A + B, mean: 3.0}]\nsolve: {tolerance: 1e-9}\n" + END)
    plain = frame(soret, "A")
    contains(solve(soret, text + "totals: [{of: A + B, mean: 1.5*k}]\nsolve: {tolerance: k*5e-10}\n" + END).stdout, "goal 1e-09")
    np.testing.assert_array_equal(frame(soret, "A"), plain)


def test_lengths_and_pi(soret):
    # Lx, Ly, Lz are the size of the box, pi is pi, x starts at the origin
    solve(soret, "soret: 1\nunits: reduced\ndomain: {size: [2, 3], cells: [4, 6], origin: [5*Lx, 20], edges: {y: [20, 20.5, 21, 21.5, 22, 22.5, 20 + Ly]}}\n"
          "temperature: 1 + Lx + 10*Ly + 100*Lz + pi + x + y*1000\nspecies: [{name: A, diffusivity: 1, initial: \"(x - 10)/Lx + (y - 20)/Ly\"}]\nsolve: {mode: transient, end: 1e-9}\n" + END)
    x, y = 10 + centers(4, 2), 20 + centers(6, 3)
    with soret.open() as f:
        np.testing.assert_allclose(f["temperature"][()], 1 + 2 + 30 + 100 * 1.0 + np.pi + x[None, :] + 1000 * y[:, None], rtol=1e-14)
        np.testing.assert_allclose(f["frames/000000/A"][()], (x[None, :] - 10) / 2 + (y[:, None] - 20) / 3, rtol=1e-14)
        np.testing.assert_allclose(f["grid/x_edges"][()], 10 + np.arange(5) * 0.5, rtol=1e-14)


def test_names(soret):
    # as they are written: NO is nitric oxide, and brackets, signs and stars are letters
    names = ["NO", "y", "A(s)", "A*", "A+", "B-", "(a)_*", "null", "true", "Off"]
    species = ", ".join(f"{{name: {n}, diffusivity: 1, initial: {k + 1}}}" for k, n in enumerate(names))
    reactions = "[{equation: NO <=> y, forward: 1, backward: 1}, {equation: A(s) + A* <=> A+ + B-, forward: 1, backward: 1}]"
    text = BOX1 + f"temperature: 1\nspecies: [{species}]\nreactions: {reactions}\nboundaries: {{x-: {{null: {{value: 8}}, (a)_*: {{value: 7}}}}}}\ntotals: [{{of: NO + y, mean: 3}}]\n" + END
    solve(soret, text, "species.A(s).initial=4", "species.Off.initial=20", "output.fields=[flux]", "output.xdmf=true")
    with soret.open() as f:
        assert set(names) <= set(f["frames/000000"]) and set(names) == set(f["frames/000000/flux"])
        np.testing.assert_allclose(f["frames/000000/NO"][()], 1.5, rtol=1e-12)
        np.testing.assert_allclose(f["frames/000000/Off"][()], 20, rtol=1e-12)
        np.testing.assert_allclose(f["frames/000000/A(s)"][()] * f["frames/000000/A*"][()], f["frames/000000/A+"][()] * f["frames/000000/B-"][()], rtol=1e-10)
    contains((soret.directory / "result.xdmf").read_text(), *(f'Name="{n}"' for n in names))


def test_overrides_by_index_and_by_name(soret):
    text = BOX1 + "temperature: 1\nspecies: [{name: A, diffusivity: 1, initial: 1}, {name: B, diffusivity: 1, initial: 1}]\n" + END
    solve(soret, text, "species.B.initial=3", "species.0.initial=2")
    assert frame(soret, "A")[0] == 2 and frame(soret, "B")[0] == 3
    solve(soret, text, "species.B.name=C", "species.C.initial=5", "solve.mode=transient", "solve.end=1")
    np.testing.assert_allclose(frame(soret, "C"), 5, rtol=1e-14)


def test_rates_per_event(soret):
    # 2 A => A2 with forward k runs at k c^2 and A loses twice that: c = 1/(1 + 2 k t), no factor 1/2
    text = BOX1 + "temperature: 1\nspecies: [{name: A, diffusivity: 1, initial: 1}, {name: A2, diffusivity: 1}]\nreactions: [{equation: 2 A => A2, forward: 3}]\nsolve: {mode: transient, end: 0.5, tolerance: 1e-8}\n" + END
    solve(soret, text, "output.fields=[rate]")
    np.testing.assert_allclose(frame(soret, "A"), 1 / (1 + 2 * 3 * 0.5), rtol=1e-6)
    np.testing.assert_allclose(frame(soret, "rate/0"), 3 * (1 / 4) ** 2, rtol=2e-6)
    # equilibrium is forward/backward, '=' is '<=>'
    solve(soret, text.replace("2 A => A2, forward: 3", "2 A = A2, forward: 3, equilibrium: 5").replace("mode: transient, end: 0.5, tolerance: 1e-8", "mode: steady"))
    np.testing.assert_allclose(frame(soret, "A2"), 5 * frame(soret, "A") ** 2, rtol=1e-7)  # the default tolerance is 1e-8


# what lets nothing pass, whatever the condition is called: case, its sum
SEALED = {
    "no flow carries out": ("boundaries={x+: {A: {outflow: true}}}",),
    "transfer of 0": ("boundaries={x+: {A: {transfer: 0*x, outside: 5}}}",),
    "solid before the wall": ("domain={size: [1, 1], cells: [10, 10], solid: y - 0.75}", "boundaries={y+: {A: {value: 3}}}"),
    "parts cut off": ("domain={size: [1, 1], cells: [10, 10], solid: '0.2 - abs(y - 0.5)'}", "boundaries={y+: {A: {transfer: 0, outside: 5}}}"),
    "a flow along the wall": ("domain={size: [1, 1], cells: [8, 8], periodic: [y]}", "flow={velocity: [0, 1]}", "boundaries={x+: {A: {outflow: true}}}"),
    "a flow away from it": ("flow={velocity: [-1*x]}", "boundaries={x+: {A: {outflow: true}}}"),
    "ballistic along the wall": ("domain={size: [1, 1], cells: [8, 8], periodic: [y]}", "species.A.diffusivity=0", "species.A.velocity=[0, 1]", "boundaries={x+: {A: {value: 3}}}"),
    "ballistic away from it": ("species.A.diffusivity=0", "species.A.velocity=[-1]", "boundaries={x+: {A: {outflow: true}}}"),
}


def test_walls_that_let_nothing_pass(soret):
    """A steady state keeps the mean of `initial` where nothing can come in or go out, on one rank and on two."""
    text = "soret: 1\nunits: reduced\ndomain: {size: [1], cells: [8]}\ntemperature: 1 + 0.5*x\nspecies: [{name: A, diffusivity: 1, initial: 1}, {name: B, diffusivity: 0.2, initial: 0.5}]\n"
    text += "reactions: [{equation: 2 A <=> B, forward: 10*T, backward: 3}]\n" + END
    for what, overrides in SEALED.items():
        for ranks in (1, 2):
            done = solve(soret, text, *overrides, ranks=ranks)
            with soret.open() as f:
                total = f["series/total/0"]
                assert abs(total[-1] - 2) < 1e-11 and attribute(total, "conserved") == 1, (what, ranks, total[-1])
            contains(done.stdout, "note: nothing passes where conditions let species 'A' in or out", "A + 2 B keeps its mean")
            contains(soret("check", "case.yaml", *overrides, ranks=ranks).stdout, "A + 2 B = 2 (mean, of `initial`)", "note: nothing passes")


def test_water_beyond_what_is_known(soret):
    """The viscosity of water is known in a range of T; a run that leaves it says so, with the species, and one inside does not."""
    text = "soret: 1\ndomain: {size: [1 mm], cells: [8]}\ntemperature: 290 + T1*x/Lx\nspecies: [{name: A, diffusivity: {law: stokes_einstein, radius: 2 nm}, initial: 1}]\n" + END
    for T1, told in ((90, False), (110, True), (-50, True)):
        said = solve(soret, text, f"parameters={{T1: {T1}}}").stdout
        assert ("warning: the viscosity of water is known from 253.15 to 383.15 K; for species 'A'" in said) == told, (T1, said)


def test_exchanged_axes(soret):
    """A dataset with the cells of the box and x in front is read as one of another resolution, and that is told; one with y in front is not."""
    text = "soret: 1\nunits: reduced\ndomain: {size: [4, 3], cells: [8, 6]}\ntemperature: {file: T.h5, dataset: T}\nspecies: [{name: A, diffusivity: 1, initial: 1}]\n" + END
    right = 1 + np.arange(6.0)[:, None] + np.zeros(8)
    for data, told in ((right, False), (right.T, True), (np.ones((5, 9)), False)):
        with h5py.File(soret.directory / "T.h5", "w") as f:
            f["T"] = data
        assert ("warning: the dataset of 'temperature' in 'T.h5' has the cells of the box the wrong way round, 6 along x" in solve(soret, text).stdout) == told, data.shape


def test_totals_of_nothing(soret):
    """What totals leave nothing of is 0 in a steady state, not what rounding makes of it, and has no S_T."""
    text = """soret: 1
domain: {size: [500 um], cells: [200]}
temperature: "298 + 5*exp(-(x - Lx/2)^2/(2*60e-6^2))"
species:
  - {name: T, diffusivity: 80 um^2/s, soret: 0.01 1/K, initial: 50 nM}
  - {name: L, diffusivity: 400 um^2/s, initial: 200 nM}
  - {name: TL, diffusivity: 78 um^2/s, soret: 0.03 1/K, initial: 0}
reactions: [{equation: T + L <=> TL, forward: 1e6 1/M/s, backward: 0.2 1/s}]
totals: [{of: T + TL, mean: 50 nM}, {of: L + TL, mean: 0}]
""" + END
    said = solve(soret, text).stdout
    assert "S_T of T + TL" in said and "S_T of L + TL" not in said, said
    assert not frame(soret, "L").any() and not frame(soret, "TL").any()


def test_parts_in_the_log(soret):
    """Those of S_T that are seen beside each other, with their signs; rounding errors of nothing are none."""
    said = solve(soret, BOX1 + "temperature: 1 + 1e-3*sin(3*x)\nspecies: [{name: A, diffusivity: T, soret: -0.25, initial: 1}, {name: B, diffusivity: 2, initial: 0.3}]\n" + END).stdout
    assert re.search(r"S_T of A: \S+ = \S+ diffusivity - 0.25 intrinsic;", said) and re.search(r"S_T of B: \S+; fast reactions", said), said


def test_traces(soret):
    """What is rounding error beside others is told of in a steady run; in time its profile is right."""
    text = BOX1 + "temperature: 1 + x\nspecies: [{name: A, diffusivity: T, initial: 1}, {name: B, diffusivity: T, initial: 1}]\n" + END
    warning = "warning: B = 1e-17 is rounding error beside 1 of another sum"
    contains(solve(soret, text, "species.B.initial=1e-17").stdout, warning)
    assert "warning" not in solve(soret, text, "species.B.initial=1e-13").stdout + solve(soret, text, "species.B.initial=0").stdout
    assert "warning" not in solve(soret, text, "species.B.initial=1e-17", "solve.mode=transient", "solve.end=3").stdout
    profile = 1 / (1 + centers(16))
    np.testing.assert_allclose(frame(soret, "B"), 1e-17 * profile / profile.mean(), rtol=1e-6)


def test_what_walls_feed(soret):
    """A sum that fluxes change is not conserved, and there is no steady state where a ballistic species only comes in; fluxes that balance keep it."""
    text = BOX1 + "temperature: 1 + x\nspecies: [{name: A, diffusivity: 1, initial: 1}, {name: B, diffusivity: 0.2, initial: 0.5}]\nreactions: [{equation: A <=> B, forward: 10*T, backward: 3}]\n" + END
    in_time = ("solve={mode: transient, end: 0.5}",)
    for fluxes, kept, change in (("{x-: {A: {flux: 0.1}}}", 0, 0.05), ("{x-: {A: {flux: 0.1}}, x+: {B: {flux: -0.1}}}", 1, 0.0), ("{x-: {A: {flux: 0.1*sin(t)}}}", 0, 0.1 * (1 - np.cos(0.5)))):
        solve(soret, text, *in_time, f"boundaries={fluxes}")
        with soret.open() as f:
            total = f["series/total/0"]
            assert attribute(total, "conserved") == kept and f["summary"].attrs["conservation_drift"] < 1e-13, fluxes
            np.testing.assert_allclose(total[-1], 1.5 + change, rtol=1e-6)
    contains(soret("check", "case.yaml", *in_time, "boundaries={x-: {A: {flux: 0.1}}}").stdout, "A + B = 1.5 at the start: fluxes through walls change it")
    done = solve(soret, text, "species.A.diffusivity=0", "species.A.velocity=[-1]", "boundaries={x+: {A: {value: 3}}}", status=2)
    contains(done.stderr, "there is no steady state: the walls bring in 3 of 'A + B' per time and nothing takes it out")
    contains(solve(soret, text, "boundaries={x-: {A: {flux: -0.1}}}", status=2).stderr, "there is no steady state: the walls take out 0.1 of 'A + B' per time and nothing brings it in")


def test_walls_see_the_temperature_at_the_face(soret):
    # T = 1 at x-, 2 at x+: both walls hold 2; T of the cells beside them would give another constant
    text = BOX1 + "temperature: 1 + x\nspecies: [{name: A, diffusivity: 1}]\nboundaries: {x-: {A: {value: 2*T}}, x+: {A: {value: T}}}\n" + END
    solve(soret, text, "output.fields=[flux]")
    np.testing.assert_allclose(frame(soret, "A"), 2, rtol=1e-12)
    # flux is positive inwards at both walls: 3 T = 3 comes in at x-, transfer lets it out at x+: h (outside - c) = -3
    solve(soret, text.replace("x-: {A: {value: 2*T}}, x+: {A: {value: T}}", "x-: {A: {flux: 3*T}}, x+: {A: {transfer: T, outside: T - x}}"), "output.fields=[flux]")
    np.testing.assert_allclose(frame(soret, "flux/A")[:, 0], 3, rtol=1e-12)
    np.testing.assert_allclose(frame(soret, "A"), 1 + 3 / 2 + 3 * (1 - centers(16)), rtol=1e-12)
    solve(soret, text.replace("x-: {A: {value: 2*T}}, x+: {A: {value: T}}", "x-: {A: {transfer: 2, outside: 5}}, x+: {A: {flux: -1.5*T}}"))
    np.testing.assert_allclose(frame(soret, "A"), 5 - 3 / 2 - 3 * centers(16), rtol=1e-12)
    with soret.open() as f:
        np.testing.assert_allclose([f["series/boundary_flux/x-/A"][-1], f["series/boundary_flux/x+/A"][-1]], [3, -3], rtol=1e-12)


def test_patches_and_species_without_reactions(soret):
    # a rate may be 0 in a part of the box: there are no sources there, and the fluxes of A and B are constant
    text = BOX1 + "temperature: 1\nspecies: [{name: A, diffusivity: 1}, {name: B, diffusivity: 2}]\nreactions: [{equation: A => B, forward: 'x > 0.5 ? 10 : 0'}]\n"
    solve(soret, text + "boundaries: {x-: {A: {value: 1}}, x+: {B: {value: 0}}}\n" + END, "output.fields=[flux, rate]")
    rate, flux = frame(soret, "rate/0"), frame(soret, "flux/A")[:, 0]
    assert np.all(rate[:8] == 0) and np.all(rate[8:] > 0)
    np.testing.assert_allclose(flux[:7], flux[0], rtol=1e-12)


def test_budget_around_a_patch(soret):
    """Where no catalyst is a reaction rests, and its law K(T) still tells the energies: entropy production is set against heat. Two rate constants of 0 tell nothing, and that is said."""
    text = BOX1 + "temperature: 1 + x\nspecies: [{name: A, diffusivity: T, initial: 1}, {name: B, diffusivity: 0.3*T}]\nreactions: [{equation: A <=> B, forward: '%s', %s}]\n" + END
    patch, K = "x < 0.3 ? 5 : 0", "exp(2/T)"
    said = solve(soret, text % (patch, f"equilibrium: {K}")).stdout
    assert "= heat " in said and "detailed balance: holds" in soret("check", "case.yaml").stdout
    with soret.open() as f:
        a = f["summary"].attrs
        produced = a["entropy_reactions"] + a["entropy_diffusion"]
        assert produced > 1e-3 and abs(a["entropy_closure"]) < 1e-12
        np.testing.assert_allclose(a["entropy_heat"] + a["entropy_mobility"], produced, rtol=1e-6)
    assert "(a reaction rests in places: no heat to set against it)" in solve(soret, text % (patch, f"backward: '({patch})/{K}'")).stdout


def test_slow_reactions_come_to_their_balance(soret):
    """Beside the fluxes from cell to cell slow rates are nothing, and still they decide what there is of each species: where they are slow enough D c of each is constant, and the sum of all rates 0."""
    n, k = 400, 1e-7
    solve(soret, f"soret: 1\nunits: reduced\ndomain: {{size: [1], cells: [{n}]}}\ntemperature: 1 + 0.2*x\nspecies: [{{name: A, diffusivity: 1, initial: 1}}, {{name: B, diffusivity: 0.5*T, initial: 0.2}}]\n"
          f"reactions: [{{equation: 2 A <=> B, forward: {k}, backward: '{k}*exp(1 - 2/T)'}}]\n" + END)
    T = 1 + 0.2 * centers(n)
    p, q = np.mean(1 / T), np.mean(np.exp(1 - 2 / T) / T)  # A = a, B = b/T with a + 2 p b = 1.4, a^2 = q b
    a = (-q + np.sqrt(q * q + 8 * p * q * 1.4)) / (4 * p)
    np.testing.assert_allclose(frame(soret, "A"), a, rtol=3e-8)


def test_any_unit_of_diffusivity(soret):
    """Another unit of time is another number of D and of rates, and the same number of cycles, also where b is 1 and D stands in a alone."""
    cycles = []
    for D in (1e-6, 1, 1e6):
        solve(soret, f"soret: 1\nunits: reduced\ndomain: {{size: [1, 1, 1], cells: [16, 16, 16]}}\ntemperature: 1 + 0.2*x + 0.1*y*z\nspecies: [{{name: A, diffusivity: {D}, initial: 1 + x, convention: fick}}, "
              f"{{name: B, diffusivity: {0.5 * D}, convention: fick}}]\nreactions: [{{equation: 2 A <=> B, forward: {D}, backward: '{D}*exp(1 - 2/T)'}}]\n" + END, "-snes_type", "fas")
        with soret.open() as f:
            cycles.append(f["summary"].attrs["cycles"])
    assert len(set(cycles)) == 1, cycles


def test_soret_coefficient_beyond_the_numbers(soret):
    """Amounts that differ by exp(3000) are no double numbers: not the diffusivity is named, but the Soret coefficient."""
    text = BOX1 + "temperature: 1 + x\nspecies: [{name: A, diffusivity: T, soret: 3000, initial: 1}]\n" + END
    said = solve(soret, text, status=2).stderr
    assert "soret: exp(int soret dT) of species 'A' is " in said and "diffusivity" not in said, said


def test_time_in_a_steady_run(soret):
    """Steady is the default: where T, a rate, a wall or the flow depends on time, that they are those of t = 0 is said."""
    still = {"T": "1 + x", "k": "1", "wall": "1", "v": "0.1"}
    case = BOX1 + "temperature: %(T)s\nflow: {velocity: ['%(v)s']}\nspecies: [{name: A, diffusivity: 1}, {name: B, diffusivity: 1}]\nreactions: [{equation: A <=> B, forward: '%(k)s', backward: 1}]\nboundaries: {x-: {A: {value: '%(wall)s'}}, x+: {A: {outflow: true}, B: {outflow: true}}}\n" + END
    told = "warning: T, a rate, a wall or the flow depends on time, of which a steady run takes the values at t = 0; `mode: transient` follows it\n"
    assert "warning" not in solve(soret, case % still).stdout
    for place in still:
        moving = dict(still, **{place: f"({still[place]})*(1 + 0.5*sin(t))"})
        assert solve(soret, case % moving).stdout.count(told) == 1 and soret("check", "case.yaml").stdout.count(told) == 1
        assert told not in soret("check", "case.yaml", "solve={mode: transient, end: 1}").stdout


# ---- fields from files ----


def linear(shape, size=(1.0, 2.0, 3.0)):
    """1 + x + 2 y + 3 z at the centres of a box, [nz][ny][nx]."""
    x, y, z = (centers(n, s) for n, s in zip(shape, size))
    return 1 + x[None, None, :] + 2 * y[None, :, None] + 3 * z[:, None, None]


def test_fields_of_files(soret):
    # cell-centred, x fastest; another resolution is interpolated linearly, which is exact here up to the walls
    case = """soret: 1
units: reduced
domain: {size: [1, 2, 3], cells: [5, 7, 4]}
temperature: {file: fields.h5, dataset: /deep/T}
species: [{name: A, diffusivity: 1, initial: {file: fields.h5, dataset: c}}]
boundaries: {z+: {A: {flux: T - T}}}
solve: {mode: transient, end: 1e-9}
output: {file: result.h5, xdmf: false, overwrite: true}
"""
    expected = linear((5, 7, 4))
    soret.write("case.yaml", case)
    for shape in (5, 7, 4), (3, 2, 8), (11, 9, 2), (40, 3, 5):
        with h5py.File(soret.directory / "fields.h5", "w") as f:
            f["deep/T"] = linear(shape).astype("f4" if shape[0] == 11 else "f8")
            f["c"] = linear(shape[::-1])
        for ranks in (1, 3):
            soret("case.yaml", ranks=ranks)
            with soret.open() as f:
                np.testing.assert_allclose(f["temperature"][()], expected, rtol=1e-6 if shape[0] == 11 else 1e-13)
                np.testing.assert_allclose(f["frames/000000/A"][()], expected, rtol=1e-13)


def test_fields_on_other_grids(soret):
    # on a graded grid between the centres of the file, constant across an axis with one cell, and around the end of a periodic axis
    data = np.array([1.0, 3.0, 2.0, 4.0])
    with h5py.File(soret.directory / "fields.h5", "w") as f:
        f["T"] = np.array([data])
    solve(soret, "soret: 1\nunits: reduced\ndomain: {size: [1, 1], cells: [10, 3], periodic: [x], grading: {x: {ratio: 2}}}\ntemperature: {file: fields.h5, dataset: T}\nspecies: [{name: A, diffusivity: T, initial: 1}]\n" + END)
    with soret.open() as f:
        x = f["grid/x"][()]
        expected = np.interp(x, np.concatenate([[-0.125], centers(4), [1.125]]), np.concatenate([data[-1:], data, data[:1]]))
        np.testing.assert_allclose(f["temperature"][()], np.array([expected] * 3), rtol=1e-13)


def test_fields_in_time(soret):
    # linear in time, constant beyond the ends of the times; the path is relative to the case file
    (soret.directory / "cases").mkdir()
    with h5py.File(soret.directory / "cases" / "fields.h5", "w") as f:
        f["T"] = np.array([np.full(4, 1.0), np.full(4, 2.0), np.full(4, 1.5)])
        f["times"] = [0.1, 0.3, 0.4]
    soret.write("cases/case.yaml", "soret: 1\nunits: reduced\ndomain: {size: [1], cells: [8]}\ntemperature: {file: fields.h5, dataset: T, time: times}\nspecies: [{name: A, diffusivity: T, initial: 1 + x}]\n"
                "solve: {mode: transient, end: 0.6}\noutput: {file: result.h5, times: [0.05, 0.1, 0.25, 0.3, 0.35, 0.4, 0.5]}\n")
    for ranks in (1, 2):
        soret("cases/case.yaml", "output.overwrite=true", "solve.tolerance=0.1", ranks=ranks)
        with soret.open() as f:
            found = {round(g.attrs["time"], 12): g["temperature"][()] for g in f["frames"].values()}
        for t, T in {0: 1, 0.05: 1, 0.1: 1, 0.25: 1.75, 0.3: 2, 0.35: 1.75, 0.4: 1.5, 0.5: 1.5, 0.6: 1.5}.items():
            np.testing.assert_allclose(found[t], T, rtol=1e-13)


def test_fields_of_files_on_any_number_of_ranks(soret):
    """What ranks read of a small dataset overlaps, and MPI-IO may leave out entries then where all read together. The same bits in the first frame on any number of them."""
    text = "soret: 1\nunits: reduced\ndomain: {size: [1, 1], cells: CELLS, solid: {file: fields.h5, dataset: solid}}\ntemperature: {file: fields.h5, dataset: T}\nspecies: [{name: A, diffusivity: 1, initial: {file: fields.h5, dataset: T}}]\nsolve: {mode: transient, end: 1e-9}\n" + END
    random = np.random.default_rng(7)
    for shape, cells, several in (((9, 5), [7, 7], (4,)), ((3, 5), [9, 6], (4,)), ((5, 3), [6, 9], (3, 4)), ((3, 6), [7, 11], (6,)), ((4, 7), [11, 5], (3, 6)), ((2, 9), [10, 4], (4, 5))):
        with h5py.File(soret.directory / "fields.h5", "w") as f:
            f["T"], f["solid"] = 1 + random.random(shape), (random.random(shape) < 0.2).astype(float)
        found = []
        for ranks in (1, *several):
            solve(soret, text.replace("CELLS", str(cells)), ranks=ranks)
            with soret.open() as f:
                found.append((f["frames/000000/A"][()], f["temperature"][()], f["solid"][()]))
        for other in found[1:]:
            assert all(np.array_equal(a, b) for a, b in zip(found[0], other)), (shape, cells)


def test_fields_leave_the_memory(soret):
    """Of the datasets of initial concentrations, which may be much finer than the grid, there is one in memory at a time."""
    n, dataset = 80, 80**3 * 8
    with h5py.File(soret.directory / "fields.h5", "w") as f:
        f["c"] = np.ones((n, n, n))
    peak = {}
    for initial in ("1", "{file: fields.h5, dataset: c}"):
        species = ", ".join(f"{{name: A{k}, diffusivity: 1, initial: {initial}}}" for k in range(6))
        solve(soret, f"soret: 1\nunits: reduced\ndomain: {{size: [1, 1, 1], cells: [4, 4, 4]}}\ntemperature: 1 + x\nspecies: [{species}]\nsolve: {{mode: transient, end: 1e-9}}\n" + END)
        with soret.open() as f:
            peak[initial] = attribute(f["summary"], "peak_bytes")
            assert f["frames/000000/A5"][0, 0, 0] == 1
    more = peak["{file: fields.h5, dataset: c}"] - peak["1"]
    assert more < 2.5 * dataset, more / dataset


def test_coarse_fields_stay_positive(soret):
    """Beyond the outermost centres of a dataset the line through the last two goes on, for values of either sign, but not below 0 where all are above it."""
    spot, x = np.array([0.02, 1, 2, 3, 4, 3, 2, 1]), centers(32)
    with h5py.File(soret.directory / "fields.h5", "w") as f:
        f["spot"], f["T"] = spot, 1 + 0.1 * centers(8)
    solve(soret, "soret: 1\nunits: reduced\ndomain: {size: [1], cells: [32]}\ntemperature: {file: fields.h5, dataset: T}\nspecies: [{name: A, diffusivity: 1, initial: {file: fields.h5, dataset: spot}}]\nsolve: {mode: transient, end: 1e-9}\n" + END)
    i = np.clip(np.floor(x * 8 - 0.5).astype(int), 0, 6)
    line = spot[i] + (x * 8 - 0.5 - i) * (spot[i + 1] - spot[i])
    assert line.min() < 0
    np.testing.assert_allclose(frame(soret, "A", 0), np.maximum(line, 0), rtol=1e-13, atol=1e-15)
    with soret.open() as f:
        np.testing.assert_allclose(f["temperature"][()], 1 + 0.1 * x, rtol=1e-14)


def test_datasets_that_hold_no_numbers(soret):
    """Told with their place, before anything is run, on all ranks alike."""
    with h5py.File(soret.directory / "fields.h5", "w") as f:
        f["complex"], f["T"], f["axes"] = np.ones(4, complex), np.ones((2, 4)), np.ones((1,) * 9)
        f["words"] = np.array([b"now", b"then"])
    text = "soret: 1\nunits: reduced\ndomain: {size: [1], cells: [4]}\ntemperature: {file: fields.h5, dataset: %s}\nspecies: [{name: A, diffusivity: 1, initial: 1}]\nsolve: {mode: transient, end: 1}\n" + END
    for dataset, message in (('""', "the name of a dataset is empty"), ("complex", "dataset 'complex' of '"), ("axes", "dataset 'axes' of '"), ("T, time: words", "dataset 'words' of '"), ('T, time: ""', "the name of a dataset is empty")):
        soret.write("case.yaml", text % dataset)
        for ranks, command in ((1, []), (1, ["check"]), (2, [])):
            contains(soret(*command, "case.yaml", status=2, ranks=ranks).stderr, f"case.yaml:4:14: {message}", "1 error in case.yaml; nothing was run")


# ---- solving ----


def test_defaults(soret):
    text = BOX1 + "temperature: 1 + x\nspecies: [{name: A, diffusivity: T, initial: 1 + x}, {name: B, diffusivity: 1}]\nreactions: [{equation: A <=> B, forward: 1, backward: T}]\n" + END
    contains(solve(soret, text).stdout, "goal 1e-08")
    with soret.open() as f:
        assert set(f["frames/000000"]) == {"A", "B"} and f["frames/000000/A"].dtype == "f8" and f["frames/000000/A"].compression is None
        assert len(f["frames"]) == 1, "a steady run has one frame"
    solve(soret, text, "solve.mode=transient", "solve.end=0.1", "solve.tolerance=1e-5")
    given = frame(soret, "A")
    solve(soret, text, "solve.mode=transient", "solve.end=0.1")
    np.testing.assert_array_equal(frame(soret, "A"), given)


def test_initial_is_a_guess_where_totals_are_given(soret):
    text = BOX1 + "temperature: 1 + x\nspecies: [{name: A, diffusivity: T, initial: 1}, {name: B, diffusivity: 1}]\nreactions: [{equation: A <=> B, forward: 1, backward: T}]\n" + END
    solve(soret, text, "totals=[{of: A + B, mean: 2}]", "species.A.initial=50*x", "species.B.initial=7")
    first = frame(soret, "A")
    solve(soret, text, "totals=[{of: 3 A + 3 B, mean: 6}]")
    np.testing.assert_allclose(frame(soret, "A"), first, rtol=1e-11)
    solve(soret, text, "species.A.initial=2")  # without totals the sum keeps the mean of `initial`
    np.testing.assert_allclose(frame(soret, "A"), first, rtol=1e-11)


def test_empty_box(soret):
    text = BOX1 + "temperature: 1 + x\nspecies: [{name: A, diffusivity: T}, {name: B, diffusivity: 1}]\nreactions: [{equation: 2 A <=> B, forward: 1, backward: T}]\n" + END
    contains(solve(soret, text).stdout, "there is nothing in the box")
    assert np.all(frame(soret, "A") == 0)
    solve(soret, text, "boundaries={x-: {A: {value: 0.5}}}")  # which is filled from the wall
    np.testing.assert_allclose(frame(soret, "A")[0], 0.5, rtol=0.1)


def test_steps_that_run_out(soret):
    text = BOX1 + "temperature: 1 + x\nspecies: [{name: A, diffusivity: T, initial: 1}, {name: A2, diffusivity: 1}]\nreactions: [{equation: 2 A <=> A2, forward: 100, backward: T}]\n" + END
    done = solve(soret, text, "solve.max_steps=1", status=3)
    contains(done.stdout, "steady solve stopped after 1 iterations", "largest residual", "in species 'A", "Try ")
    done = solve(soret, text, "solve={mode: transient, end: 1, max_steps: 5}", status=3)
    contains(done.stdout, "max_steps reached at t = ", "after 5 steps", "species '", "in '2 A <=> A2'", "Try ")
    done = solve(soret, text, "solve={mode: transient, end: 1e-4, until_steady: true}", status=3)
    contains(done.stdout, "not steady to 1e-08 by t = 0.0001; choose a later `end`")
    assert "result.h5" not in soret.files(), "no result under the final name"
    with soret.open("result.h5.3") as f:
        assert attribute(f["summary"], "reason").startswith("not steady") and f["summary"].attrs["converged"] == 0 and len(f["frames"]) == 2


def test_until_steady_words(soret):
    text = BOX1 + "temperature: 1\nspecies: [{name: A, diffusivity: 1, initial: 1 + x}]\n" + END
    for word in ("true", "yes", "1e-8"):
        contains(solve(soret, text, f"solve={{mode: transient, end: 1000, until_steady: {word}}}").stdout, "steady at t = ")
    contains(solve(soret, text, "solve={mode: transient, end: 1, until_steady: no}").stdout, "reached t = 1")


def test_step_that_collapses(soret):
    # 2 A => 3 A with k = 5 from 1: c = 1/(1 - 5 t) is infinite at t = 0.2; the first reaction is not the one to blame
    text = BOX1 + "temperature: 1\nspecies: [{name: A, diffusivity: 1, initial: 1}, {name: B, diffusivity: 1}]\nreactions: [{equation: A => B, forward: 1e-6}, {equation: 2 A => 3 A, forward: 5}]\nsolve: {mode: transient, end: 1}\n" + END
    done = solve(soret, text, status=3)
    contains(done.stdout, "the clock stands still: the step is below rounding at t = 0.2", "species 'A' at (", "changes fastest, in '2 A => 3 A'. Try ")
    with soret.open("result.h5.1") as f:
        last = f["frames"][sorted(f["frames"])[-1]]
        assert abs(last.attrs["time"] - 0.2) < 1e-3 and np.all(np.isfinite(last["A"])) and np.all(last["A"][()] > 1e3), "the last state"
    # a limit to rejections that PETSc would stop at with a trace
    for ranks in (1, 2):
        done = solve(soret, text, "-ts_max_reject", "0", "solve.first_step=0.5", status=3, ranks=ranks)
        contains(done.stdout, "the step size collapsed at t = 0 after 0 steps", "species 'A'")
        assert "PETSC ERROR" not in done.stderr


def stops_where_values_turn_bad(soret, text, message):
    """On one rank and on two, in good order; the last state, and its time."""
    for ranks in (1, 2):
        done = solve(soret, text, status=3, ranks=ranks)
        contains(done.stderr, message)
        contains(done.stdout, "stopped at t = 0.", "the case has no usable values soon after it (see above)")
        assert "PETSC ERROR" not in done.stderr
    with soret.open("result.h5.2") as f:
        last = f["frames"][sorted(f["frames"])[-1]]
        return {name: last[name][()] for name in ("A", "temperature")}, last.attrs["time"]


def test_value_that_turns_bad_in_time(soret):
    # a dip between the times at which formulas are tried before the run, wide enough for a stage to meet it
    text = BOX1 + "temperature: 1 + x - 3*exp(-((t - 0.555)/0.02)^2)\nspecies: [{name: A, diffusivity: T, initial: 1}]\nsolve: {mode: transient, end: 1, tolerance: 1e-3}\n" + END
    last, t = stops_where_values_turn_bad(soret, text, "soret: temperature is -")
    assert 0.3 < t < 0.57 and abs(np.mean(last["A"]) - 1) < 1e-12
    np.testing.assert_allclose(last["temperature"], 1 + centers(16) - 3 * np.exp(-(((t - 0.555) / 0.02) ** 2)), rtol=1e-12)


def test_wall_of_heat_that_turns_bad_in_time(soret):
    """The heat equation, solved anew at each time, has assembled half of a matrix when it finds out."""
    text = BOX1 + "temperature: {conduction: {conductivity: 1, boundaries: {x-: {value: 1 - 2*t}}}}\nspecies: [{name: A, diffusivity: T, initial: 1}]\nsolve: {mode: transient, end: 1}\n" + END
    last, t = stops_where_values_turn_bad(soret, text, "soret: the temperature of a wall, or the conductivity there, is -")
    assert 0.2 < t < 0.5
    np.testing.assert_allclose(last["temperature"], 1 - 2 * t, rtol=1e-9)


def test_heat_without_a_solution(soret):
    """More is taken out than walls at 1 and 2 let in where it is warmer than 0: that is said, and no other solver advised."""
    text = BOX1 + "temperature: {conduction: {conductivity: 0.5 + T, source: -20, boundaries: {x-: {value: 1}, x+: {value: 2}}}}\nspecies: [{name: A, diffusivity: T, initial: 1}]\n" + END
    for ranks in (1, 2):
        said = solve(soret, text, status=3, ranks=ranks).stderr
        assert said.count("temperatures went to 0 or below") == 1 and "-heat_pc_type" not in said, said


def test_heat_that_runs_away(soret):
    """A slab that heats itself, k T'' = -delta exp(T - 10) beside a wall at 10, has a steady state up to delta = 0.8785 and none above: that is named as the cause."""
    text = BOX1 + "temperature: {conduction: {conductivity: 1, source: 0.88*exp(T - 10), boundaries: {x+: {value: 10}}}}\nspecies: [{name: A, diffusivity: T, initial: 1}]\n" + END
    for ranks in (1, 2):
        said = solve(soret, text, status=3, ranks=ranks).stderr
        assert said.count("the source depends on T: it may release more than can be led away, and there is no steady state") == 1 and "-heat_pc_type" not in said, said
    solve(soret, text.replace("0.88", "0.87"))


def test_buoyancy_without_flow(soret):
    """Layers that are warmer above, one temperature, a force between closed walls: pressure balances them, and nothing flows; what rounding leaves was told as a flow that is not free of divergence."""
    text = "soret: 1\nunits: reduced\ndomain: {size: [1, 2], cells: [12, 24]}\ntemperature: %s\nflow: {boussinesq: {gravity: [0, -9.81], expansion: 0.1, viscosity: 0.3, force: %s}}\nspecies: [{name: A, diffusivity: 1, initial: 1}]\n" + END
    for temperature, force in (("300 + 7*y/Ly", "[0, 0]"), ("300.1", "[0, 0]"), ("300.1", "[0.7, 0]")):
        for ranks in (1, 2):
            said = solve(soret, text % (temperature, force), ranks=ranks).stdout
            assert "flow: largest velocity at a face 0, divergence 0 of the largest flow through one\n" in said and "warning" not in said, said
    assert "largest velocity at a face 0," not in solve(soret, text % ("300 + 1e-9*x", "[0, 0]")).stdout


def test_peclet_number_of_cells(soret):
    """What the log says that the scheme adds to D is what a plug spreads by: p = 1*(1/16)/0.01, (p/2) coth(p/2) - 1."""
    text = "soret: 1\nunits: reduced\ndomain: {size: [8], cells: [128]}\ntemperature: 1\nflow: {velocity: [1]}\nspecies: [{name: A, diffusivity: 0.01, initial: exp(-((x - 2)/0.5)^2)}, {name: B, diffusivity: 1}]\nsolve: {mode: transient, end: 2, tolerance: 1e-7}\n" + END
    told = "largest cell Peclet number |v| h/D: 6.25 (A), where the scheme adds 2.14 D along the flow\n"
    for ranks in (1, 2):
        assert told in solve(soret, text, ranks=ranks).stdout
    assert told in soret("check", "case.yaml").stdout
    with soret.open() as f:
        x, frames = centers(128, 8), [f["frames"][k]["A"][:] for k in sorted(f["frames"])]
    variance = [np.average((x - np.average(x, weights=c)) ** 2, weights=c) for c in (frames[0], frames[-1])]
    np.testing.assert_allclose(variance[1] - variance[0], 2 * 2 * 0.01 * 3.125 / np.tanh(3.125), rtol=1e-4)


def test_first_step_that_is_far_too_long(soret):
    # a step that leaves a concentration below -absolute is rejected and shortened: nothing negative is accepted, nothing clipped
    text = BOX1 + "temperature: 1 + x\nspecies: [{name: A, diffusivity: T, initial: 2*x}, {name: A2, diffusivity: 1}]\nreactions: [{equation: 2 A <=> A2, forward: 1e4, backward: T}]\nsolve: {mode: transient, end: 20, first_step: 10, absolute: 1e-9}\n" + END
    solve(soret, text)
    with soret.open() as f:
        assert f["summary"].attrs["rejected_steps"] > 0
        assert np.min([f["series/min/A"][()], f["series/min/A2"][()]]) >= -1e-9
        np.testing.assert_allclose(f["series/total/0"][()], 1, rtol=1e-12)


def test_backward_euler_is_the_last_resort(soret):
    # a pulse that spreads into nothing: beyond its reach a method of fourth order makes negative concentrations however short the step
    text = BOX1.replace("16", "200") + "temperature: 1 + 0.2*x\nspecies: [{name: A, diffusivity: T, initial: 'x < 0.05 ? 1 : 0'}]\nsolve: {mode: transient, end: 1e-3, tolerance: 1e-3, first_step: 1e-4}\n" + END
    assert "backward Euler" not in solve(soret, text).stdout
    usual = frame(soret, "A")
    with soret.open() as f:
        assert f["summary"].attrs["backward_euler_steps"] == 0
    for ranks in (1, 2):
        done = solve(soret, text, "solve.absolute=1e-20", ranks=ranks)
        contains(done.stdout, "steps were taken by backward Euler")
        with soret.open() as f:
            assert 0 < f["summary"].attrs["backward_euler_steps"] <= f["summary"].attrs["steps"]
            assert np.min(f["series/min/A"][()]) >= -1e-20
            np.testing.assert_allclose(f["series/total/0"][()], 0.05, rtol=1e-12)
        np.testing.assert_allclose(frame(soret, "A"), usual, atol=2e-3)


def test_negative_steady_state_is_refused(soret):
    # the only solution of the equations has a negative concentration
    done = solve(soret, HARD, status=3)
    contains(done.stdout, "the steady state found has a negative concentration, -0.", "of species 'A' at (0.9", "it is not the physical one. Try ")
    assert "result.h5" not in soret.files() and "result.h5.1" in soret.files()


# ---- progress ----

SLOW = BOX1 + "temperature: 1\nspecies: [{name: A, diffusivity: 1, initial: 1}, {name: B, diffusivity: 1}]\nreactions: [{equation: A => B, forward: 1e-6}, {equation: 2 A => 3 A, forward: 5}]\nsolve: {mode: transient, end: 0.19, tolerance: 1e-9}\n" + END
# no steady state with positive concentrations: many iterations, and a message between them
HARD = BOX1 + "temperature: 1 + x\nspecies: [{name: A, diffusivity: 1}]\nboundaries: {x-: {A: {transfer: 2, outside: 4}}, x+: {A: {flux: -1.5*T}}}\n" + END


def terminal(soret, text, ranks=1):
    """What a run writes to a terminal: all of it, and the lines that are to be seen in the end."""
    soret.write("case.yaml", text)
    master, slave = pty.openpty()
    launch = [MPIEXEC, "-n", str(ranks)] if ranks > 1 else []
    run = subprocess.Popen([*launch, SORET, "case.yaml"], cwd=soret.directory, env=environment(ranks), stdout=slave, stderr=slave, stdin=slave)
    os.close(slave)
    raw = b""
    try:
        while piece := os.read(master, 65536):
            raw += piece
    except OSError:  # the end of a terminal
        pass
    os.close(master)
    run.wait(timeout=60)
    lines, column = [""], 0
    for token in re.findall(r"\r|\n|\x1b\[K|[^\r\n\x1b]+", raw.decode()):
        if token == "\n":
            lines.append("")
            column = 0
        elif token == "\r":
            column = 0
        elif token == "\x1b[K":
            lines[-1] = lines[-1][:column]
        else:
            lines[-1] = lines[-1][:column] + token + lines[-1][column + len(token):]
            column += len(token)
    return raw.decode(), lines


def test_progress_on_a_terminal(soret):
    for ranks in (1, 2):
        raw, lines = terminal(soret, SLOW, ranks)
        assert len(re.findall(r"\rstep +\d", raw)) >= 2 and len([line for line in lines if line.startswith("step ")]) == 1, f"not one line that rewrites itself:\n{raw}"
        assert re.fullmatch(r"step +\d+ +t = 0.19 +100 % +\d+\.\d s, about 0 s left", lines[0]), lines[0]
        assert lines[1].startswith("reached t = 0.19"), lines
    raw, lines = terminal(soret, HARD)
    assert [line for line in lines if line.startswith("iteration ")] == [line for line in lines[:3] if line.startswith("iteration ")], "iterations and the message between them"
    assert "Newton's method did not converge; trying pseudo-transient continuation" in lines[:2], lines


def test_progress_in_a_log(soret):
    lines = solve(soret, SLOW).stdout.splitlines()
    steps = [line for line in lines if line.startswith("step ")]
    percents = [int(re.search(r"(\d+) %", line)[1]) for line in steps]
    assert 10 <= len(steps) <= 22 and percents[0] == 0 and percents[-1] == 100 and percents == sorted(percents), steps
    assert all(re.search(r"\d s, about \d+ s left$", line) for line in steps[1:]), steps
    assert not any(c in "".join(lines) for c in "\r\x1b"), "a log has no control characters"
    # hundreds of iterations that lead nowhere are not a line each
    lines = solve(soret, HARD, status=3).stdout.splitlines()
    assert 1 <= len([line for line in lines if line.startswith("iteration ")]) <= 21


# ---- output ----


def test_output_times(soret):
    text = BOX1 + "temperature: 1 + 0.5*t\nspecies: [{name: A, diffusivity: T, initial: 1 + x}]\nsolve: {mode: transient, end: 0.3}\n" + END
    times = lambda: [g.attrs["time"] for g in soret.open()["frames"].values()]
    solve(soret, text, "output.times=[0.03125, 0.1, 1/7]")
    assert times() == [0, 0.03125, 0.1, 1 / 7, 0.3], "one frame at exactly each time, one at the start and one at the end"
    solve(soret, text, "output.times=[0, 0.1, 0.3]")
    assert times() == [0, 0.1, 0.3]
    solve(soret, text, "output.every=0.125")
    assert times() == [0, 0.125, 0.25, 0.3]
    solve(soret, text, "output.every=0.1")
    np.testing.assert_allclose(times(), [0, 0.1, 0.2, 0.3], rtol=1e-15)
    with soret.open() as f:
        series = f["series/time"][()]
        assert np.all(np.diff(series) > 0) and set(times()) <= set(series), "a row for each step and frame"
        assert len(series) == f["summary"].attrs["steps"] + 1
        for k, t in enumerate(times()):
            np.testing.assert_allclose(f[f"frames/{k:06d}/temperature"][()], 1 + 0.5 * t, rtol=1e-15)


def test_precision_and_compression(soret):
    text = BOX1 + "temperature: 1 + x\nspecies: [{name: A, diffusivity: T, initial: 1}]\n" + END
    solve(soret, text)
    double = frame(soret, "A")
    for ranks in (1, 2):
        solve(soret, text, "output.precision=single", "output.compression=9", ranks=ranks)
        with soret.open() as f:
            data = f["frames/000000/A"]
            assert data.dtype == "f4" and data.compression == "gzip" and data.compression_opts == 9 and f["grid/x"].dtype == "f8"
            np.testing.assert_allclose(data[()], double, rtol=1e-7)


def test_entropy_production_of_a_box_that_fills(soret):
    """Infinite where reactions meet nothing of what they make; far ahead of what comes in steps in time leave next to nothing, also below 0."""
    text = BOX1 + "temperature: 1 + x\nspecies: [{name: A, diffusivity: 1}]\nboundaries: {x-: {A: {value: 1}}}\nsolve: {mode: transient, end: 1e-5}\n"
    said = solve(soret, text + END).stdout
    with soret.open() as f:
        assert f["series/min/A"][-1] < 0 and np.all(np.isfinite(f["series/entropy_production"][:]))
        produced = f["series/entropy_production"][1:]
        assert np.all(np.diff(produced) < 0) and produced[-1] > 0 and abs(attribute(f["summary"], "entropy_closure")) < 1e-12, said
    solve(soret, text.replace("[{name: A, diffusivity: 1}]", "[{name: A, diffusivity: 1, initial: 1}, {name: B, diffusivity: 1}]\nreactions: [{equation: A <=> B, forward: 1, backward: 1}]") + END)
    with soret.open() as f:
        assert f["series/entropy_reactions"][0] == np.inf and np.all(np.isfinite(f["series/entropy_reactions"][1:]))


def test_entropy_production_that_is_not_defined(soret):
    text = BOX1 + "temperature: 1 + x\nspecies: [{name: A, diffusivity: T, initial: 1}, {name: B, diffusivity: 1}]\nreactions: [{equation: A => B, forward: 1}]\nboundaries: {x-: {A: {value: 1}}, x+: {B: {value: 1}}}\n" + END
    done = solve(soret, text, "output.fields=[entropy_production]")
    assert np.all(np.isnan(frame(soret, "entropy_production")))
    contains(done.stdout, "entropy_production is not defined: 'A => B' runs one way")
    text = BOX1 + "temperature: 1\nspecies: [{name: R, diffusivity: 0, velocity: [1], mirror: L, initial: 1}, {name: L, diffusivity: 0, velocity: [-1], mirror: R}]\nreactions: [{equation: R <=> L, forward: 1, backward: 1}]\n" + END
    contains(solve(soret, text, "output.fields=[entropy_production]").stdout, "entropy_production is not defined: 'R' is ballistic")


def test_all_that_the_result_file_holds(soret):
    text = """soret: 1
title: all
units: reduced
domain: {size: [1, 2, 3], cells: [4, 3, 2]}
temperature: 1 + x + t
species: [{name: A, diffusivity: T, initial: 1}, {name: B, diffusivity: 1}]
reactions: [{equation: A <=> B, forward: 1, backward: T}]
boundaries: {x-: {A: {value: 1}}}
solve: {mode: transient, end: 0.01}
output: {file: result.h5, fields: [concentration, flux, rate, soret, entropy_production]}
"""
    solve(soret, text)
    with soret.open() as f:
        root = {"format": "soret", "format_version": 1, "case": text, "title": "all", "ranks": 1}
        assert {k: attribute(f, k) for k in root} == root
        assert {"version", "commit", "command", "petsc_version", "mpi_version", "hdf5_version", "libyaml_version"} <= set(f.attrs)
        assert {k: v.shape for k, v in f["grid"].items()} == {"x": (4,), "y": (3,), "z": (2,), "x_edges": (5,), "y_edges": (4,), "z_edges": (3,)}
        assert f["temperature"].shape == (2, 3, 4) and "solid" not in f
        for k in ("000000", "000001"):
            g = f["frames"][k]
            assert set(g.attrs) >= {"time", "step"} and {"A", "B", "flux", "rate", "soret", "entropy_production", "temperature"} == set(g)
            assert g["flux/A"].shape == g["flux/B"].shape == (2, 3, 4, 3) and g["rate/0"].shape == g["A"].shape == (2, 3, 4)
        assert {"time", "step", "total", "min", "max", "boundary_flux", "source", "entropy_production", "entropy_reactions", "entropy_diffusion"} == set(f["series"])
        assert set(f["series/boundary_flux/x-"]) == {"A"} and set(f["series/min"]) == set(f["series/max"]) == {"A", "B"}
        summary = {"converged", "reason", "residual", "newton_iterations", "cycles", "linear_iterations", "conservation_drift", "contrast", "soret_mean", "seconds_setup", "seconds_solve", "seconds_output", "peak_bytes"}
        assert summary <= set(f["summary"].attrs), summary - set(f["summary"].attrs)


if __name__ == "__main__":
    sys.exit(run_tests(globals(), sys.argv[1:]))
