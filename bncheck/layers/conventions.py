"""How people name the parts of this layer: tables, and what a name means by them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NamedTuple


def _table(names: str) -> tuple[str, ...]:
    return tuple(names.split())


FORWARD: Final = _table(
    "forward forwardpass forwardprop forwardpropagation forwardpropagate feedforward fprop fwd call learn "
    "batchnormforward bnforward batchnorm batchnormalize batchnormalization propagate apply transform normalize output "
    "compute predict"
)
BACKWARD: Final = _table(
    "backward backwardpass backprop backpropagation backwardprop backwardpropagation backpropagate bprop bwd back "
    "batchnormbackward bnbackward gradient gradients computegradients grad"
)
TEST_FORWARD: Final = _table(
    "classify forwardtest testforward forwardeval evalforward forwardinference inferenceforward forwardpredict infer "
    "inference predict forwardtesting predictforward"
)
TRAIN_FORWARD: Final = ("learn", "forwardtrain", "trainforward", "forwardtraining", "trainingforward")
TRAIN_METHODS: Final = ("train", "training", "settrain", "trainmode", "unfreeze", "settraining")
TEST_METHODS: Final = ("eval", "evaluate", "test", "testmode", "evalmode", "freeze", "inference", "setto_test")
SHAPE_SETTERS: Final = ("setinputshape", "setshape")
PREPARATIONS: Final = _table(
    "build initialize initialise init initparams initweights initializeparameters initparameters resetparameters "
    "initializeparams initializeweights setup compile"
)
_MAKING: Final = frozenset(_table("init initialize initialise build create make set setup alloc allocate reset"))
_MADE: Final = frozenset(_table("weight weights param params parameter parameters variables vars wb"))
STEPS: Final = _table("update step apply optimize use get_update update_weights update_params apply_gradients")
RATES: Final = _table("lr learningrate learnrate lrate alpha eta rate stepsize step")
WIDTHS: Final = _table("sizes dims layers layersizes layerdims layersdims layersize units widths neurons nodes")
"""What a network is given a list for, one width for each of its layers."""
OUTPUTS: Final = _table("output out outputs y result layeroutput outputdata outdata activation activations yhat")
CACHES: Final = frozenset(_table("cache caches cached ctx ctxt context saved"))
"""Words of an attribute that keeps what the backward pass needs."""
UPSTREAM: Final = frozenset(
    _table("dout delta deltas grad gradient gradoutput outputgrad dloss doutput doutputs upstream dy dlda error diff")
)
"""What a class calls the dout that it reads from itself."""
INPUT_GRADIENTS: Final = _table(
    "dinputs dinput dx gradinput gradinputs gradx dz grad dlda dldz inputgradient inputgrad inputgrads inputsgrad dinp "
    "inputdelta deltainput dprev daprev prevgrad gradprev"
)

_TABLES: Final[dict[str, str]] = {
    "gamma": "gamma gammas weight weights scale scaler scaling gain bw w g",
    "beta": "beta betas betta bias biases shift intercept offset bb b",
    "eps": "eps epsilon epsilonvalue epsvalue vareps varepsilon varianceepsilon tiny tol smallnumber smooth e",
    "momentum": (
        "momentum decay decayrate alpha rho moment mom bnmomentum runningmomentum movingmomentum smoothing ema "
        "emadecay decayfactor movingaveragedecay averagefactor exponentialaveragefactor momentumrate forget avgdecay"
    ),
    "size": (
        "numfeatures nfeatures features featuredim featuresize numfeats dim dims ndim size inputdim inputdims "
        "inputsize insize outsize nin nout indim outdim n d c numchannels channels nchannels inchannels chnum units "
        "nunits numunits infeatures outfeatures neurons nneurons numneurons numinputs ninputs width hidden hiddensize "
        "hiddendim outputdim outputsize layersize length depth planes numfeature featurenum nfeats f"
    ),
    "shape": "shape inputshape inshape paramshape outputshape xshape datashape oshape ishape",
    "flag": (
        "training train istraining istrain trainflg trainflag trainmode trainphase trainingmode intraining istr tr "
        "usebatchstats usebatchstatistics updatestats updatestatistics learningphase"
    ),
    "inverted": (
        "eval test testmode inference istest evaluation evalmode istesting predict isinference testing infer iseval "
        "evaluate testflg testflag inferencemode testtime prediction frozen testingphase testphase testingmode "
        "evalphase inferencephase evaluationmode deterministic userunningaverage userunningaverages userunningstats "
        "userunningstatistics useglobalstats useglobalstatistics"
    ),
    "trainable": "trainable",
    "mode": "mode phase",
    "lr": "lr learningrate eta stepsize",
    "optimizer": "optimizer optim opt updater solver optimiser",
    "cache": "cache ctx ctxt context caches saved",
    "index": "index idx i l layeridx layerindex layerid layernum layernumber layerno layeri lidx li ilayer",
    "x": "x input inputs data inp z a features batch images",
}
_ROLES: Final = {name: (role, rank) for role, names in _TABLES.items() for rank, name in enumerate(names.split())}

VALUES: Final = ("data", "value", "val", "values", "array", "param", "v")
GRADIENTS: Final = ("grad", "gradient", "d", "grads", "diff", "g", "delta")
GRADIENT_HOLDERS: Final = _table("grads gradients grad dparams gradient derivatives paramgrads gradparams dtheta")
_BOXES: Final = ("gamma", "beta", "scale", "shift")
_PARAMETER_HOLDERS: Final = ("params", "parameters", "weights", "parameter", "param", "trainableparams")
_STATISTIC_HOLDERS: Final = ("state", "buffers", "running", "stats", "statistics", "bnparam", "moving", "ema")
PREFIXES: Final = ("gradient", "gradof", "grad", "dloss", "deltas", "delta", "nabla", "dldw", "dld", "dl", "del", "d")
SUFFIXES: Final = ("gradients", "gradient", "grads", "grad", "delta", "derivative")

_RUNNING: Final = _table(
    "running run moving mov test avg averaged average ema global population pop inference infer exp history hist eval "
    "cumulative accumulated acc tracked saved stored r mv mavg movavg ra ewma exponential smoothed overall"
)
_MEAN: Final = _table("mean means mu m mus avg average")
_VAR: Final = _table("var vars variance variances v sigma sigma2 sigmasq std stddev sigmas stdev var2")
_OF_A_BATCH: Final = _table("batch sample mini minibatch current cur x d grad delta dl inv input sqrt new")
_MANGLED: Final = re.compile(r"^_[A-Z]\w*?__(?=\w)")
_JOINED: Final = re.compile(f"(?:{'|'.join(_RUNNING)})({'|'.join((*_MEAN, *_VAR))})")
PLAIN_RANK: Final = 5
COUNTED_RANK: Final = 50
"""From here on a name has the number of a layer behind it, as gamma1 has."""
_PLAIN: Final = _table("mean means mu mus var vars variance variances sigma sigma2 sigmasq std stddev avg average")

TEST_WORDS: Final = _table("test eval inference predict infer evaluate valid val testing evaluation TEST EVAL Test")
TRAIN_WORDS: Final = _table("train training TRAIN TRAINING Train")

Path = tuple[tuple[str, str | int], ...]
"""Steps from an instance to a value: (".", attribute) or ("[", key or index)."""


class Meaning(NamedTuple):
    """What a value inside an instance is for; the lowest rank of several is believed."""

    role: str
    rank: int = 0


_GREEK: Final = str.maketrans(
    {"α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "eps", "ϵ": "eps", "η": "eta", "μ": "mu", "µ": "mu"}
    | {"ρ": "rho", "σ": "sigma", "ς": "sigma", "∂": "d", "Γ": "gamma", "Δ": "delta", "²": "2"}
)


def spelled(name: str) -> str:
    """dγ as dgamma: the Greek letters of the formulas, written out."""
    return name if name.isascii() else name.translate(_GREEK)


def _unmangled(name: str) -> str:
    """__gamma of _BatchNorm__gamma, as the class itself calls it."""
    return spelled(_MANGLED.sub("", name))


def flat(name: str) -> str:
    return _unmangled(name).replace("_", "").lower()


def words(name: str) -> list[str]:
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])\d*|[A-Z]?[a-z]+\d*|\d+", _unmangled(name))]


def _bare(name: str) -> str:
    """bn_gamma is a gamma."""
    low = flat(name)
    return next((low.removeprefix(start) for start in ("batchnorm", "bn") if low.startswith(start)), low)


@lru_cache(maxsize=1024)
def role_of(name: str) -> Meaning | None:
    """Of a parameter or an attribute."""
    known = _ROLES.get(flat(name)) or _ROLES.get(_bare(name))
    if known:
        return Meaning(*known)
    if statistic := statistic_of(name):
        return statistic
    return None


def statistic_of(name: str, holder: str = "") -> Meaning | None:
    """Rank 0 says that it runs, 1 is told by what holds it, 5 is a plain ``mean`` that may be the batch's."""
    parts = _without_layer(words(name))
    if not parts or set(parts) & set(_OF_A_BATCH):
        return None
    if joined := _JOINED.fullmatch(flat(name)):
        return Meaning("mean" if joined[1] in _MEAN else "var", 0)
    mean = [i for i, part in enumerate(parts) if part in _MEAN]
    var = [i for i, part in enumerate(parts) if part in _VAR]
    which = var or mean
    runs = any(part in _RUNNING and any(j != i for j in which) for i, part in enumerate(parts))
    if not which or (
        not runs and (len(parts) > 1 or (parts[0] not in _PLAIN and flat(holder) not in _STATISTIC_HOLDERS))
    ):
        return None
    return Meaning("var" if var else "mean", 0 if runs else 1 if flat(holder) in _STATISTIC_HOLDERS else PLAIN_RANK)


def _without_layer(parts: list[str]) -> list[str]:
    """bn_mean and batch_norm_mean are a mean, bn alone is nothing else."""
    rest = parts[2:] if parts[:2] == ["batch", "norm"] else parts[parts[:1] in (["bn"], ["batchnorm"]) :]
    return rest or parts


def gradient_of(name: str) -> Meaning | None:
    """dgamma, grad_weight, dLdBb, biasGrad: which parameter's gradient a name speaks of."""
    low = flat(name)
    rests = [low.removeprefix(p) for p in PREFIXES if low.startswith(p)]
    rests += [low.removesuffix(s) for s in SUFFIXES if low.endswith(s)]
    for rest in rests:
        role, rank = _ROLES.get(rest, ("", 0))
        if role in ("gamma", "beta"):
            return Meaning("d" + role, rank)
    return None


def meaning(path: Path) -> Meaning | None:
    """Of a value inside an instance, by the names on the way to it."""
    steps = [step for _, step in path]
    leaf, owner = steps[-1], str(steps[-2]) if len(steps) > 1 else ""
    if isinstance(leaf, int):
        # The first of a list with one entry for each layer.
        return _by_position(leaf, owner) or (meaning(path[:-1]) if len(path) > 1 and not leaf else None)
    if owner and flat(leaf) in GRADIENTS and flat(owner) not in _PARAMETER_HOLDERS:
        return _gradient_in(owner if not owner.isdigit() else _listed(steps))
    if owner and flat(leaf) in VALUES:
        return meaning(path[:-1])
    if boxed := _boxed(steps):
        return boxed
    if _holds_gradients(owner):
        return _gradient_in(leaf) or gradient_of(leaf) or _gradient_in((words(leaf) or [leaf])[-1])
    if gradient := gradient_of(leaf):
        return gradient
    known = _ROLES.get(flat(leaf)) or _ROLES.get(_bare(leaf))
    return Meaning(*known) if known else statistic_of(leaf, owner) or _counted(path)


def _boxed(steps: list[str | int]) -> Meaning | None:
    """gamma.w and params[1].dw: of an object that holds a parameter, whatever it calls its numbers."""
    listed = _by_position(int(steps[-2]), str(steps[-3])) if len(steps) > 2 and isinstance(steps[-2], int) else None
    known = _ROLES.get(flat(str(steps[-2]))) if len(steps) > 1 and flat(str(steps[-2])) in _BOXES else None
    owner = Meaning(*known) if known else listed
    leaf = str(steps[-1])
    said = gradient_of(leaf) or _ROLES.get(flat(leaf))
    if owner is None or said is None:
        return None
    if isinstance(said, Meaning):
        return Meaning("d" + owner.role, owner.rank)
    return owner if said[0] in ("gamma", "beta") else None


def _counted(path: Path) -> Meaning | None:
    """gamma1 is the gamma of the first layer."""
    kind, leaf = path[-1]
    stem = str(leaf).rstrip("0123456789").rstrip("_")
    found = meaning((*path[:-1], (kind, stem))) if stem and stem != leaf else None
    return Meaning(found.role, found.rank + COUNTED_RANK) if found else None


def is_size(name: str) -> bool:
    """Of a constructor's argument, which is no data."""
    return flat(name) in _TABLES["size"].split()


def _holds_gradients(owner: str) -> bool:
    """grads, and dw beside w."""
    low = flat(owner)
    parameters = {*_PARAMETER_HOLDERS, "w", "ws", "wb", "theta"}
    return low in GRADIENT_HOLDERS or any(low.startswith(p) and low.removeprefix(p) in parameters for p in PREFIXES)


def _gradient_in(name: str) -> Meaning | None:
    known = _ROLES.get(flat(name))
    return Meaning("d" + known[0], known[1]) if known and known[0] in ("gamma", "beta") else None


def _listed(steps: list[str | int]) -> str:
    found = _by_position(int(steps[-2]), str(steps[-3])) if len(steps) > 2 else None
    return found.role if found else ""


def _by_position(index: int, holder: str) -> Meaning | None:
    if index > 1:
        return None
    role = ("gamma", "beta")[index]
    if flat(holder) in _PARAMETER_HOLDERS:
        return Meaning(role, 9)
    return Meaning("d" + role, 9) if flat(holder) in GRADIENT_HOLDERS else None


def returned_roles(names: Iterable[str]) -> list[str | None]:
    """dx, dgamma, dbeta of the names in a return statement, None where a name says nothing."""
    roles: list[str | None] = []
    for name in names:
        gradient = gradient_of(name) or _gradient_in(name)
        roles.append(gradient.role if gradient else "dx" if name else None)
    return roles


def prepares(name: str) -> bool:
    """build, and init_weight or create_params."""
    parts = words(name)
    return flat(name) in PREPARATIONS or (len(parts) == 2 and parts[0] in _MAKING and parts[1] in _MADE)
