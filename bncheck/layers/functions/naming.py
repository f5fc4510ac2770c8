"""What the names of arguments and results stand for, as people write functions of this layer."""

from __future__ import annotations

import re

from bncheck.layers.conventions import spelled

WORDS = {
    "x": "x input inputs inp data z a h u xin batch inputdata features activations tensor zl inputx",
    "gamma": "gamma gammas g scale scaler weight weights w gain",
    "beta": "beta betas betta b shift bias biases offset",
    "eps": "eps epsilon e epsi varianceepsilon bneps bnepsilon",
    "momentum": "momentum mom decay decayrate alpha rho bnmomentum runningmomentum movingdecay bndecay emadecay",
    "mode": "mode modes phase",
    "train": "training train istraining istrain trainflg trainflag trainmode trainingmode phasetrain trainphase",
    "index": "i index idx layeridx layerindex layerid lidx",
    "test": "test testing inference istest eval testmode isinference iseval infer evalmode evaluate testflag",
}
ROLES = {word: role for role, words in WORDS.items() for word in words.split()}
KEPT = r"running|moving|mov|run|ema|pop|population|global|test|new|next|updated"
AVERAGED = rf"(?:{KEPT})*(?:avg|average)?"
MEAN = re.compile(rf"(?:bn|batch)?{AVERAGED}(?:means?|mu|miu)(?:{KEPT}|avg)?|(?:{KEPT}|r)m")
VAR = re.compile(
    rf"(?:bn|batch)?{AVERAGED}(?:vars?|variances?|sigma|sigma2|sigmasq|std|sd)(?:{KEPT}|avg)?|(?:{KEPT}|r)v"
)
STATISTICS = (("mean", MEAN), ("var", VAR))
DICTS = "bnparam bnparams param params config bnconfig parameters cfg opts options hparams state stats bnstate settings"
ANSWERED = ("gamma", "beta", "mean", "var", "eps", "momentum")
LABELS = "name scope label prefix suffix key"
GRADS = "grads gradients grad gradient dparams dparam derivatives gradstore gradbuffers"
LEFT = (
    "returncache keepcache withcache savecache storecache cache caching returnall returncontext returnintermediates "
    + ("returnaux save keep needcache needscache needgrad needsgrad requiresgrad forbackward returnstats returnctx")
)
CACHES = "cache caches saved ctx context memory mem tape tmp stored state bncache c cached forwardcache intermediates"
CONTEXTS = "ctx ctxt context self_ctx"
OUTS = "out y output outputs yout result"
TRAIN_WORDS = "train training tr fit learn"
TEST_WORDS = "test testing eval evaluate inference infer predict val valid validation"
FLAGS = ("mode", "train", "test")
STANDARD_KEYS = (("mode", "mode"), ("eps", "eps"), ("momentum", "momentum"))
RUNNING_KEYS = (("running_mean", "mean"), ("running_var", "var"))
SIDES = {"batchsize": "rows", "num": "rows", "height": "one", "width": "one", "channel": "columns"} | dict.fromkeys(
    ("channels", "features", "dim"), "columns"
)
"""What stands beside the data of a table that is a dict."""
START = {"mean": "zeros", "var": "ones"}


def plain(name: str) -> str:
    return spelled(name).lower().replace("_", "")


def role_of(name: str) -> str:
    """The part that an argument of this name plays in a forward pass; "" where the name says nothing."""
    word = plain(name)
    statistic = (role for role, pattern in STATISTICS if pattern.fullmatch(word))
    return ROLES.get(word) or next(statistic, "") or ROLES.get(re.sub(r"^bn|bn$", "", word), "")


def is_kept(name: str) -> bool:
    """Says of itself that it lasts longer than a batch."""
    return role_of(name) in START and re.search(KEPT, plain(name)) is not None


def is_of_batch(name: str) -> bool:
    """Says of itself that it is one batch's."""
    return plain(name).startswith(("batch", "sample")) and not is_kept(name)


def is_settings(name: str) -> bool:
    """new_state is the state that came back."""
    word = plain(name)
    stem = re.sub(r"^(new|updated|next)|(new|updated|next|out)$", "", word)
    return stem in DICTS.split() and (stem != word or stem not in CACHES.split())


def gradient_of(name: str) -> str:
    """x, gamma or beta; "" where the name does not say."""
    word = plain(name)
    if "gamma" in word or "scale" in word or "weight" in word or word in ("dg", "dw", "gradg", "gradw"):
        return "gamma"
    if "beta" in word or "betta" in word or "shift" in word or "bias" in word or word in ("db", "gradb"):
        return "beta"
    return "x" if role_of(re.sub(r"^(d|grad|gradient|delta)", "", word)) == "x" else ""
