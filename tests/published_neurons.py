"""Published neurons, written again: the papers' equations in the papers' units, for SciPy.

Potentials are in mV, times in ms, currents in pA or per area in uA/cm^2, conductances in nS,
capacitances in pF.
"""

import numpy as np
from scipy.integrate import solve_ivp


def integrated(f, y0, duration, crossing, reset, rest=0.0):
    """Times (ms) at which `crossing(y)` passes 0 upwards, with ``y = reset(y)`` at each.

    `rest` is for equations whose only state stands still then.
    """

    def event(t, y):
        return crossing(y)

    event.terminal, event.direction = True, 1
    times, t, y = [], 0.0, y0
    while t < duration:
        solution = solve_ivp(f, (t, duration), y, events=event, method="DOP853", rtol=1e-9,
                             atol=1e-9)  # fmt: skip
        times += list(solution.t_events[0])
        if solution.status == 0:  # the end
            break
        assert solution.success, solution.message
        t, y = times[-1] + rest, reset(solution.y_events[0][0])
    return np.array(times)


#: Naud et al. (2008), Table 1, and Brette and Gerstner (2005):
#: C (pF), g_L (nS), E_L, v_T, Delta_T (mV), a (nS), tau_w (ms), b (pA), v_reset, v_peak (mV), I (pA)
ADEX = {
    "regular spiking": (281, 30, -70.6, -50.4, 2, 4, 144, 80.5, -70.6, 20, 1000),
    "tonic spiking": (200, 10, -70, -50, 2, 2, 30, 0, -58, 0, 500),
    "adaptation": (200, 12, -70, -50, 2, 2, 300, 60, -58, 0, 500),
    "initial burst": (130, 18, -58, -50, 2, 4, 150, 120, -50, 0, 400),
    "regular bursting": (200, 10, -58, -50, 2, 2, 120, 100, -46, 0, 210),
    "delayed accelerating": (200, 12, -70, -50, 2, -10, 300, 0, -58, 0, 300),
    "delayed regular bursting": (100, 10, -65, -50, 2, -10, 90, 30, -47, 0, 110),
    "transient spiking": (100, 10, -65, -50, 2, 10, 90, 100, -47, 0, 180),
    "irregular spiking": (100, 12, -60, -50, 2, -11, 130, 30, -48, 0, 160),
}


def adex_spikes(pattern, duration):
    C, g_L, E_L, v_T, Delta_T, a, tau_w, b, v_reset, v_peak, I = ADEX[pattern]
    v_peak = min(v_peak, 0)  # what is missing takes less than 1e-6 ms, too short for solve_ivp

    def f(t, y):
        v, w = y
        dv = -g_L * (v - E_L) + g_L * Delta_T * np.exp((v - v_T) / Delta_T) - w + I
        return dv / C, (a * (v - E_L) - w) / tau_w

    return integrated(f, (E_L, 0), duration, lambda y: y[0] - v_peak,
                      lambda y: (v_reset, y[1] + b))  # fmt: skip



#: Izhikevich (2003): a, b, c, d.
IZHIKEVICH = {
    "RS": (0.02, 0.2, -65, 8), "IB": (0.02, 0.2, -55, 4), "CH": (0.02, 0.2, -50, 2),
    "FS": (0.1, 0.2, -65, 2), "LTS": (0.02, 0.25, -65, 2), "TC": (0.02, 0.25, -65, 0.05),
    "RZ": (0.1, 0.26, -65, 2),
}  # fmt: skip


def izhikevich_spikes(pattern, duration, I=10.0):
    a, b, c, d = IZHIKEVICH[pattern]

    def f(t, y):
        v, u = y
        return 0.04 * v * v + 5 * v + 140 - u + I, a * (b * v - u)

    v_rest = np.roots([0.04, 5 - b, 140]).min()
    return integrated(f, (v_rest, b * v_rest), duration, lambda y: y[0] - 30,
                      lambda y: (c, y[1] + d))  # fmt: skip


#: Mihalas and Niebur (2009): a (1/s), A_1/C, A_2/C, I/C (V/s).
GLIF = {
    "tonic spiking": (0, 0, 0, 1.5), "adaptation": (5, 0, 0, 2), "phasic spiking": (5, 0, 0, 1.5),
    "hyperpolarization-induced spiking": (30, 0, 0, -1),
    "hyperpolarization-induced bursting": (30, 10, -0.6, -1),
    "tonic bursting": (5, 10, -0.6, 2), "phasic bursting": (5, 10, -0.6, 1.5),
    "mixed mode": (5, 5, -0.3, 2),
}  # fmt: skip


def glif_spikes(pattern, duration):
    """In mV and ms; currents over C in V/s = mV/ms."""
    a, A_1, A_2, I = GLIF[pattern]

    def f(t, y):
        v, theta, I_1, I_2 = y
        return (I + I_1 + I_2 - 0.05 * (v + 70), 1e-3 * a * (v + 70) - 0.01 * (theta + 50),
                -0.2 * I_1, -0.02 * I_2)  # fmt: skip

    def reset(y):
        return -70, max(-60, y[1]), A_1, y[3] + A_2

    return integrated(f, (-70, -50, 0, 0), duration, lambda y: y[0] - y[1], reset)


def eif_spikes(I, duration):
    """Fourcaud-Trocmé et al. (2003): 1 uF/cm^2, 0.1 mS/cm^2, a current in uA/cm^2."""

    def f(t, y):
        return -0.1 * (y + 65) + 0.1 * 3.48 * np.exp((y + 59.9) / 3.48) + I

    return integrated(f, [-65], duration, lambda y: y[0] + 30, lambda y: [-68], rest=1.7)


def x_over_expm1(x):
    return x / np.expm1(x) if x else 1.0


def hodgkin_huxley(t, y, I):
    """Hodgkin and Huxley (1952), in their own coordinates: V = -65 - v."""
    v, m, h, n = y
    V = -65 - v
    alpha_m, beta_m = 0.1 * 10 * x_over_expm1((V + 25) / 10), 4 * np.exp(V / 18)
    alpha_h, beta_h = 0.07 * np.exp(V / 20), 1 / (np.exp((V + 30) / 10) + 1)
    alpha_n, beta_n = 0.01 * 10 * x_over_expm1((V + 10) / 10), 0.125 * np.exp(V / 80)
    ionic = 36 * n**4 * (V - 12) + 120 * m**3 * h * (V + 115) + 0.3 * (V + 10.613)
    return (I + ionic, alpha_m * (1 - m) - beta_m * m, alpha_h * (1 - h) - beta_h * h,
            alpha_n * (1 - n) - beta_n * n)  # fmt: skip


def traub_miles(t, y, I):
    """Brette et al. (2007), appendix 2; I in uA/cm^2."""
    v, m, h, n = y
    v_T = -63
    alpha_m = 0.32 * 4 * x_over_expm1((13 - v + v_T) / 4)
    beta_m = 0.28 * 5 * x_over_expm1((v - v_T - 40) / 5)
    alpha_h = 0.128 * np.exp((17 - v + v_T) / 18)
    beta_h = 4 / (1 + np.exp((40 - v + v_T) / 5))
    alpha_n = 0.032 * 5 * x_over_expm1((15 - v + v_T) / 5)
    beta_n = 0.5 * np.exp((10 - v + v_T) / 40)
    ionic = 100 * m**3 * h * (v - 50) + 30 * n**4 * (v + 90) + 0.05 * (v + 60)
    return (I - ionic, alpha_m * (1 - m) - beta_m * m, alpha_h * (1 - h) - beta_h * h,
            alpha_n * (1 - n) - beta_n * n)  # fmt: skip


def initial(population):
    """First state of a population, in mV."""
    first = population.initial
    return [1e3 * first["v"], *(first[n] for n in "mhn")]


def channels(f, population, duration, **options):
    """Solution of the four equations of a neuron with channels, from the start of `population`."""
    options = {"method": "LSODA", "rtol": 1e-10, "atol": 1e-10, **options}
    return solve_ivp(f, (0, duration), initial(population), **options)


def crossings(f, population, duration, I):
    """Times (ms) at which the potential passes -20 mV upwards."""
    solution = channels(f, population, duration, args=(I,), events=_upwards)
    return solution.t_events[0]


def _upwards(t, y, *args):
    return y[0] + 20


_upwards.direction = 1
