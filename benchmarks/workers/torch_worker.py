"""The problems in PyTorch, eagerly, in place, products and leak in one call where it has one."""

import torch
import torch_fixed_points
import torch_learning
from protocol import serve

torch.set_num_threads(1)
torch.set_grad_enabled(False)


def dense(spec, arrays):
    a, one_trial = spec["a"], spec["trials"] == 1
    J, x0 = torch.from_numpy(arrays["J"]), torch.from_numpy(arrays["x0"])
    if one_trial:
        x0 = x0[0]
    r = torch.empty_like(x0)

    def product(x, y, out, leak, gain):
        """leak y + gain J tanh(x)"""
        torch.tanh(x, out=r)
        if one_trial:
            torch.addmv(y, J, r, beta=leak, alpha=gain, out=out)
        else:
            torch.addmm(y, r, J.T, beta=leak, alpha=gain, out=out)

    def euler(steps):
        x = x0.clone()
        for _ in range(steps):
            product(x, x, x, 1 - a, a)
        return x.reshape(len(arrays["x0"]), -1).numpy()

    def rk4(steps):
        x = x0.clone()
        y, k1, k2, k3, k4 = (torch.empty_like(x) for _ in range(5))
        for _ in range(steps):
            product(x, x, k1, -a, a)
            torch.add(x, k1, alpha=0.5, out=y)
            product(y, y, k2, -a, a)
            torch.add(x, k2, alpha=0.5, out=y)
            product(y, y, k3, -a, a)
            torch.add(x, k3, out=y)
            product(y, y, k4, -a, a)
            k2.add_(k3)
            x.add_(k1, alpha=1 / 6).add_(k2, alpha=1 / 3).add_(k4, alpha=1 / 6)
        return x.reshape(len(arrays["x0"]), -1).numpy()

    return rk4 if spec["method"] == "rk4" else euler


def noisy(spec, arrays):
    a, sd = spec["a"], spec["noise"]
    J, x0 = torch.from_numpy(arrays["J"]), torch.from_numpy(arrays["x0"])

    def run(steps):
        torch.manual_seed(1)
        x = x0.clone()
        r, noise = torch.empty_like(x), torch.empty_like(x)
        for _ in range(steps):
            torch.tanh(x, out=r)
            torch.addmm(x, r, J.T, beta=1 - a, alpha=a, out=x)
            x.add_(noise.normal_(), alpha=sd)
        return x.numpy()

    return run


def low_rank(spec, arrays):
    a = spec["a"]
    m, n, x0 = (torch.from_numpy(arrays[name]) for name in ("m", "n", "x0"))

    def run(steps):
        x = x0[0].clone()
        r = torch.empty_like(x)
        for _ in range(steps):
            torch.tanh(x, out=r)
            torch.addmv(x, m.T, torch.mv(n, r), beta=1 - a, alpha=a, out=x)
        return x.numpy()[None]

    return run


if __name__ == "__main__":
    cases = {"dense": dense, "noisy": noisy, "low_rank": low_rank}
    cases |= torch_learning.CASES | torch_fixed_points.CASES
    serve(cases, {"PyTorch": torch.__version__})
