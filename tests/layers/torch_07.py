import torch
from eecs.helpers import softmax_loss
from a3.convolutional import Conv


class BatchNorm(object):

    @staticmethod
    def forward(x, gamma, beta, bn_param):
        mode = bn_param['mode']
        eps = bn_param.get('eps', 1e-5)
        momentum = bn_param.get('momentum', 0.9)
        D = x.shape[1]
        running_mean = bn_param.get('running_mean', torch.zeros(D, dtype=x.dtype, device=x.device))
        running_var = bn_param.get('running_var', torch.zeros(D, dtype=x.dtype, device=x.device))

        if mode == 'train':
            mu = x.mean(dim=0)
            var = ((x - mu) ** 2).mean(dim=0)
            xhat = (x - mu) / torch.sqrt(var + eps)
            out = gamma * xhat + beta
            cache = (x, mu, var, xhat, gamma, eps)
            bn_param['running_mean'] = momentum * running_mean + (1 - momentum) * mu
            bn_param['running_var'] = momentum * running_var + (1 - momentum) * var
        elif mode == 'test':
            xhat = (x - running_mean) / (torch.sqrt(running_var) + eps)
            out = gamma * xhat + beta
            cache = None
        return out, cache

    @staticmethod
    def backward(dout, cache):
        x, mu, var, xhat, gamma, eps = cache
        N = x.shape[0]
        dgamma = torch.sum(dout * xhat, dim=0)
        dbeta = torch.sum(dout, dim=0)
        g = dout * gamma
        dvar = -0.5 * torch.sum(g * (x - mu), dim=0) * (var + eps) ** -1.5
        dmu = -torch.sum(g, dim=0) / torch.sqrt(var + eps)
        dx = g / torch.sqrt(var + eps) + 2 * dvar * (x - mu) / N + dmu / N
        return dx, dgamma, dbeta
