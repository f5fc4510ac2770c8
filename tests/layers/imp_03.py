# coding: utf-8

# In[1]:

get_ipython().run_line_magic('matplotlib', 'inline')
import numpy as np
import matplotlib.pyplot as plt
from IPython.display import HTML, display

plt.rcParams['figure.figsize'] = (10.0, 8.0)


# ## The layer

# In[2]:

def batchnorm_forward(x, gamma, beta, eps=1e-5):
    mu = x.mean(axis=0)
    sigma2 = x.var(axis=0)
    x_hat = (x - mu) / np.sqrt(sigma2 + eps)
    return gamma * x_hat + beta, (x_hat, sigma2, gamma, eps)


# In[3]:

def batchnorm_backward(dout, cache):
    x_hat, sigma2, gamma, eps = cache
    dx = dout * gamma / np.sqrt(sigma2 + eps)
    dgamma = (dout * x_hat).sum(axis=0)
    dbeta = dout.sum(axis=0)
    return dx, dgamma, dbeta


# In[4]:

x = np.random.randn(200, 3) * 4 + 7
y, _ = batchnorm_forward(x, np.ones(3), np.zeros(3))
display(HTML('<b>mean after: %s</b>' % y.mean(axis=0)))
plt.hist(y[:, 0])
plt.show()
