import numpy as np


def batchnorm_forward(x, gamma, beta, bn_param):
  mode = bn_param['mode']
  eps = bn_param.get('eps', 1e-5)
  momentum = bn_param.get('momentum', 0.9)
  N, D = x.shape
  running_mean = bn_param.get('running_mean', np.zeros(D, dtype=x.dtype))
  running_var = bn_param.get('running_var', np.zeros(D, dtype=x.dtype))

  out, cache = None, None
  if mode == 'train':
    mu = np.mean(x, axis=0)
    var = np.var(x, axis=0)
    xhat = (x - mu) / np.sqrt(var + eps)
    out = gamma * xhat + beta
    cache = (x, xhat, mu, var, gamma, eps)
    running_mean = momentum * running_mean + (1 - momentum) * mu
    running_var = momentum * running_var + (1 - momentum) * var
  elif mode == 'test':
    out = gamma * (x - running_mean) / np.sqrt(running_var + eps) + beta
  else:
    raise ValueError, 'unknown mode %s' % mode

  bn_param['running_mean'] = running_mean
  bn_param['running_var'] = running_var
  return out, cache


def batchnorm_backward(dout, cache):
  x, xhat, mu, var, gamma, eps = cache
  N, D = dout.shape
  #print 'dout', dout.shape
  dbeta = np.sum(dout, axis=0)
  dgamma = np.sum(dout * xhat, axis=0)
  dxhat = dout * gamma
  dvar = np.sum(dxhat * (x - mu), axis=0) * -0.5 * (var + eps) ** (-3 / 2.)
  dmu = np.sum(-dxhat / np.sqrt(var), axis=0)
  dx = dxhat / np.sqrt(var) + dvar * 2 * (x - mu) / N + dmu / N
  return dx, dgamma, dbeta


if __name__ == '__main__':
  x = np.random.randn(4, 5)
  out, cache = batchnorm_forward(x, np.ones(5), np.zeros(5), {'mode': 'train'})
  print out.mean(axis=0)
