"""One way of checking gradients a file, each with a function ``checker(batch, form)`` that returns a Checker.

Each checks the same thing: the gradients of sum(dout * out) with respect to x, gamma and beta, in float64.
"""
