"""torch's own cases of RNN, LSTM and GRU, run on the drop-ins beside torch.nn's modules.

The inputs are those that torch ships for tests of its modules (torch.testing._internal), the checks
those that its suite makes with them. What it checks and cannot be checked here:

- in place (check_inplace): none of the three has an argument `inplace`;
- memory formats (channels_last): they are of images; strides in general are in
  test_strides_of_every_kind;
- CPU against GPU, moves between devices, MPS: no such device here; test_cuda.py has what CUDA asks;
- integer, complex and sparse types: the modules' own entries name float32 and float64 alone.
"""

import copy
import functools
import io
import pickle

import pytest
import torch
from torch import nn
from torch.testing._internal.common_modules import ModuleErrorEnum, module_db

import penstock

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported")

NAMES = ["RNN", "LSTM", "GRU"]
INFOS = {i.module_cls.__name__: i for i in module_db if i.module_cls in (nn.RNN, nn.LSTM, nn.GRU)}
DTYPES = [torch.float32, torch.float64]
both_dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=str)


@functools.cache
def cases(name, dtype=torch.float64, training=True):
    """Return (arguments of the constructor, arguments of the call, reference) of each sample."""
    torch.manual_seed(0)
    info = INFOS[name]
    made = info.module_inputs_func(
        info, device="cpu", dtype=dtype, requires_grad=False, training=training
    )
    return [(m.constructor_input, m.forward_input, m.reference_fn) for m in made]


NUMBERED = [(n, k) for n in NAMES for k in range(len(cases(n)))]
every_case = pytest.mark.parametrize(("name", "number"), NUMBERED)


def make(name, construction, dtype=torch.float64, training=True):
    """Return torch's module and ours with its weights."""
    torch.manual_seed(1)
    theirs = getattr(nn, name)(*construction.args, **construction.kwargs).to(dtype).train(training)
    ours = getattr(penstock, name)(*construction.args, **construction.kwargs).to(dtype)
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours.train(training)


def flat(value):
    """Return the tensors in nested tuples."""
    return [value] if isinstance(value, torch.Tensor) else [t for v in value for t in flat(v)]


def formed(states):
    """Return states as a call takes them."""
    return tuple(states) if len(states) > 1 else states[0] if states else None


def leaves(arguments):
    """Return arguments of a call as fresh leaves."""
    if isinstance(arguments, torch.Tensor):
        return arguments.detach().clone().requires_grad_()
    return tuple(leaves(a) for a in arguments)


def assert_same(ours, theirs, tolerance=1e-5):
    ours, theirs = flat(ours), flat(theirs)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, atol=tolerance, rtol=tolerance)


def test_every_entry_of_torch_is_here():
    assert sorted(INFOS) == sorted(NAMES)
    for info in INFOS.values():
        assert set(info.dtypes) == set(DTYPES)
    assert {n: len(cases(n)) for n in NAMES} == {"RNN": 32, "LSTM": 32, "GRU": 16}


@pytest.mark.parametrize("training", [True, False])
@both_dtypes
@every_case
def test_forward(name, number, dtype, training):
    construction, call, reference = cases(name, dtype, training=training)[number]
    theirs, ours = make(name, construction, dtype, training)
    output = ours(*call.args, **call.kwargs)
    assert_same(output, theirs(*call.args, **call.kwargs))
    if reference is not None:  # torch's own: without a batch it is the same as with a batch of one
        expected = reference(ours, *call.args, **call.kwargs)
        assert_same(output, expected)


@both_dtypes
@every_case
def test_gradients(name, number, dtype):
    construction, call, _ = cases(name, dtype)[number]
    found = []
    for module in make(name, construction, dtype):
        given = leaves(call.args)
        loss = sum(t.square().sum() for t in flat(module(*given, **call.kwargs)))
        found.append(torch.autograd.grad(loss, [*flat(given), *module.parameters()]))
    assert_same(*found, tolerance=1e-10 if dtype is torch.float64 else 1e-4)


def as_function(module, call):
    """Return a module as a function of its input, states and parameters, and these as leaves."""
    names, parameters = zip(*module.named_parameters(), strict=True)
    given = flat(call.args)

    def run(*tensors):
        (x, *states), weights = tensors[: len(given)], tensors[len(given) :]
        weights = dict(zip(names, weights, strict=True))
        return tuple(flat(torch.func.functional_call(module, weights, (x, formed(states)))))

    return run, tuple(leaves(t) for t in (*given, *parameters))


@every_case
def test_gradcheck(name, number):
    construction, call, _ = cases(name)[number]
    run, tensors = as_function(make(name, construction)[1], call)
    assert torch.autograd.gradcheck(run, tensors, check_batched_grad=True, fast_mode=True)


@pytest.mark.parametrize(("name", "number"), NUMBERED[3::6])  # it is slow
def test_gradgradcheck(name, number):
    construction, call, _ = cases(name)[number]
    run, tensors = as_function(make(name, construction)[1], call)
    assert torch.autograd.gradgradcheck(run, tensors, fast_mode=True)


@every_case
def test_strides_of_every_kind(name, number):
    """Inputs and weights that are not contiguous give the same, and the same gradients."""
    construction, call, _ = cases(name)[number]
    theirs, ours = make(name, construction)

    def scattered(tensor):
        wide = torch.zeros(*tensor.shape, 2, dtype=tensor.dtype)
        wide[..., 0] = tensor.detach()
        return wide[..., 0]

    found = []
    for module, spread in ((theirs, lambda t: t), (ours, scattered)):
        given = [spread(t).detach().requires_grad_() for t in flat(call.args)]
        if spread is scattered:
            assert not any(t.is_contiguous() for t in given)
            for key, p in module.named_parameters():
                setattr(module, key, nn.Parameter(scattered(p)))
        output = module(given[0], formed(given[1:]))
        loss = sum(t.square().sum() for t in flat(output))
        found.append([output, torch.autograd.grad(loss, [*given, *module.parameters()])])
    assert_same(*found)


@both_dtypes
@every_case
def test_factory_arguments(name, number, dtype):
    construction, _, _ = cases(name, dtype)[number]
    for device in ("cpu", "meta"):
        keywords = construction.kwargs | {"device": device, "dtype": dtype}
        module = getattr(penstock, name)(*construction.args, **keywords)
        assert {(p.device.type, p.dtype) for p in module.parameters()} == {(device, dtype)}


def through_pickle(module):
    return pickle.loads(pickle.dumps(module))


def through_a_file(module):
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@every_case
def test_saved_and_loaded(name, number):
    construction, call, _ = cases(name)[number]
    _, ours = make(name, construction)
    before = ours(*call.args, **call.kwargs)
    for copied in (through_pickle, through_a_file, copy.deepcopy):
        assert_same(copied(ours)(*call.args, **call.kwargs), before, 0)


@every_case
def test_repr(name, number):
    construction, _, _ = cases(name)[number]
    theirs, ours = make(name, construction)
    assert repr(ours) == str(ours) == repr(theirs)


@every_case
def test_training_changes_nothing_without_dropout(name, number):
    """torch says that the modes can differ, since dropout may be given; its samples give none."""
    construction, call, _ = cases(name)[number]
    _, ours = make(name, construction)
    assert_same(ours.train()(*call.args), ours.eval()(*call.args), 0)
    keywords = construction.kwargs | {"num_layers": 2, "dropout": 1.0}
    _, dropped = make(name, type(construction)(**keywords))
    trained, evaluated = dropped(*call.args)[0], dropped.eval()(*call.args)[0]
    assert INFOS[name].train_and_eval_differ
    assert not torch.equal(trained, evaluated)


@pytest.mark.parametrize("swap", [False, True])
@every_case
def test_to(name, number, swap):
    """To another type and to the meta device and back, also where torch swaps tensors."""
    construction, call, _ = cases(name)[number]
    _, ours = make(name, construction)
    with torch.no_grad():  # a graph would hold the parameters, and forbid the swap
        before = ours(*call.args)
    future = torch.__future__.get_swap_module_params_on_conversion()
    torch.__future__.set_swap_module_params_on_conversion(swap)
    try:
        held = [id(p) for p in ours.parameters()]  # to hold them would forbid the swap
        ours.to(torch.float32).to(torch.float64)
        assert [id(p) for p in ours.parameters()] == held
        assert_same(ours(*call.args), before)
        ours.to("meta")
        x, *states = (t.to("meta") for t in flat(call.args))
        assert {t.device.type for t in flat(ours(x, formed(states)))} == {"meta"}
        ours.to_empty(device="cpu")
    finally:
        torch.__future__.set_swap_module_params_on_conversion(future)
    theirs, _ = make(name, construction)
    ours.load_state_dict(theirs.state_dict())
    assert_same(ours(*call.args), before)


@both_dtypes
@pytest.mark.parametrize("name", NAMES)
def test_errors(name, dtype):
    """Each of torch's wrong calls ends in the error that torch names."""
    info = INFOS[name]
    wrong = info.module_error_inputs_func(
        info, device="cpu", dtype=dtype, requires_grad=False, training=True
    )
    assert len(wrong) >= 14
    for case in wrong:
        construction, call = (
            case.module_error_input.constructor_input,
            case.module_error_input.forward_input,
        )
        if case.error_on == ModuleErrorEnum.CONSTRUCTION_ERROR:
            with pytest.raises(case.error_type, match=case.error_regex):
                getattr(penstock, name)(*construction.args, **construction.kwargs)
        else:
            _, ours = make(name, construction, dtype)
            with pytest.raises(case.error_type, match=case.error_regex):
                ours(*call.args, **call.kwargs)
