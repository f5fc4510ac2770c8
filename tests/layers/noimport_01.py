def batchnorm_forward(x, gamma, beta, bn_param):
  mode = bn_param['mode']
  eps = bn_param.get('eps', 1e-7)
  momentum = bn_param.get('momentum', 0.9)

  N, D = x.shape
  running_mean = bn_param.get('running_mean', np.zeros(D, dtype=x.dtype))
  running_var = bn_param.get('running_var', np.zeros(D, dtype=x.dtype))

  if mode == 'train':
    m = np.mean(x, axis=0)
    v = np.var(x, axis=0)
    n = (x - m) * (v + eps) ** -0.5
    out = gamma * n + beta
    bn_param['running_mean'] = momentum * running_mean + (1 - momentum) * m
    bn_param['running_var'] = momentum * running_var + (1 - momentum) * v
    cache = (n, (v + eps) ** -0.5, gamma)
  elif mode == 'test':
    out = gamma * (x - running_mean) * (running_var + eps) ** -0.5 + beta
    cache = None
  return out, cache


def batchnorm_backward(dout, cache):
  n, s, gamma = cache
  dbeta = np.sum(dout, axis=0)
  dgamma = np.sum(dout * n, axis=0)
  d = dout * gamma
  dx = s * (d - np.mean(d, axis=0) - n * np.mean(d * n, axis=0))
  return dx, dgamma, dbeta
