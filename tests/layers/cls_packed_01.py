import numpy as np


class BatchNormalization:
    """Everything in dicts, the gradients returned in one; a pair of statistics that nobody uses beside those in use."""

    def __init__(self, width, alpha=0.1, epsilon=1e-5):
        self.alpha, self.epsilon = alpha, epsilon
        self.parameters = {"gamma": np.ones(width), "beta": np.zeros(width)}
        self.buffers = {
            "running_mean": np.zeros(width),
            "running_var": np.ones(width),
            "population_mean": np.zeros(width),
            "population_var": np.ones(width),
        }

    def forward(self, x, training=True):
        if training:
            mean, var = x.mean(axis=0), x.var(axis=0)
            for name, value in (("population_mean", mean), ("population_var", var)):
                self.buffers[name] = (1 - self.alpha) * self.buffers[name] + self.alpha * value
        else:
            mean, var = self.buffers["population_mean"], self.buffers["population_var"]
        root = np.sqrt(var + self.epsilon)
        xhat = (x - mean) / root
        return self.parameters["gamma"] * xhat + self.parameters["beta"], (xhat, root)

    def backward(self, output_grad, cache):
        xhat, root = cache
        scaled = output_grad * self.parameters["gamma"]
        input_grad = (scaled - scaled.mean(axis=0) - xhat * (scaled * xhat).mean(axis=0)) / root
        return input_grad, {"beta": output_grad.sum(axis=0), "gamma": (output_grad * xhat).sum(axis=0)}
