import numpy as np


class BatchNorm:
    def __init__(self, d, ε=1e-5, ρ=0.9, live=True):
        self.γ, self.β = np.ones((1, d)), np.zeros((1, d))
        self.μ, self.σ2 = np.zeros((1, d)), np.ones((1, d))
        self.ε, self.ρ, self.live = ε, ρ, live

    def __call__(self, x):
        μ, σ2 = x.mean(0, keepdims=True), x.var(0, keepdims=True)
        if self.live:
            self.μ = self.ρ * self.μ + (1 - self.ρ) * μ
            self.σ2 = self.ρ * self.σ2 + (1 - self.ρ) * σ2
        self.inv = 1 / np.sqrt(σ2 + self.ε)
        self.xhat = (x - μ) * self.inv
        return self.γ * self.xhat + self.β

    def back(self, dy):
        self.dγ = (dy * self.xhat).sum(0, keepdims=True)
        self.dβ = dy.sum(0, keepdims=True)
        g = dy * self.γ * self.inv
        if not self.live:
            return g
        return g - g.mean(0) - self.xhat * (g * self.xhat).mean(0)
