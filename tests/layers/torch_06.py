import torch


class Linear(object):
    @staticmethod
    def forward(x, w, b):
        out = x.reshape(x.shape[0], -1).mm(w) + b
        return out, (x, w, b)

    @staticmethod
    def backward(dout, cache):
        x, w, b = cache
        dx = dout.mm(w.t()).reshape(x.shape)
        return dx, x.reshape(x.shape[0], -1).t().mm(dout), dout.sum(dim=0)


class BatchNorm(object):
    @staticmethod
    def forward(x, gamma, beta, bn_param):
        mode = bn_param['mode']
        eps = bn_param.get('eps', 1e-5)
        momentum = bn_param.get('momentum', 0.9)
        N, D = x.shape
        running_mean = bn_param.get('running_mean', torch.zeros(D, dtype=x.dtype, device=x.device))
        running_var = bn_param.get('running_var', torch.zeros(D, dtype=x.dtype, device=x.device))

        out, cache = None, None
        if mode == 'train':
            mu = x.mean(dim=0)
            var = x.var(dim=0, unbiased=False)
            std = (var + eps).sqrt()
            xhat = (x - mu) / std
            out = gamma * xhat + beta
            running_mean = momentum * running_mean + (1 - momentum) * mu
            running_var = momentum * running_var + (1 - momentum) * var
            cache = (xhat, std, gamma)
        elif mode == 'test':
            out = gamma * (x - running_mean) / (running_var + eps).sqrt() + beta
        else:
            raise ValueError('Invalid mode "%s"' % mode)

        bn_param['running_mean'] = running_mean.detach()
        bn_param['running_var'] = running_var.detach()
        return out, cache

    @staticmethod
    def backward(dout, cache):
        xhat, std, gamma = cache
        dbeta = dout.sum(dim=0)
        dgamma = (dout * xhat).sum(dim=0)
        dxhat = dout * gamma
        dxc = dxhat / std
        dstd = -(dxhat * xhat).sum(dim=0) / std
        dxc = dxc + dstd * xhat / dout.shape[0]
        dx = dxc - dxc.mean(dim=0)
        return dx, dgamma, dbeta

    @staticmethod
    def backward_alt(dout, cache):
        xhat, std, gamma = cache
        N = dout.shape[0]
        dbeta = dout.sum(dim=0)
        dgamma = (dout * xhat).sum(dim=0)
        return gamma / (N * std) * (N * dout - dbeta - xhat * dgamma), dgamma, dbeta


class SpatialBatchNorm(object):
    @staticmethod
    def forward(x, gamma, beta, bn_param):
        N, C, H, W = x.shape
        out, cache = BatchNorm.forward(x.permute(0, 2, 3, 1).reshape(-1, C), gamma, beta, bn_param)
        return out.reshape(N, H, W, C).permute(0, 3, 1, 2), cache

    @staticmethod
    def backward(dout, cache):
        N, C, H, W = dout.shape
        dx, dgamma, dbeta = BatchNorm.backward(dout.permute(0, 2, 3, 1).reshape(-1, C), cache)
        return dx.reshape(N, H, W, C).permute(0, 3, 1, 2), dgamma, dbeta
