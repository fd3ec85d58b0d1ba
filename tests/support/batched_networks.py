"""Random chains of data movement on a batch, many of which mix its images."""

from __future__ import annotations

import numpy as np
import onnx

from tests.support.networks import parse

Shape = tuple[int, ...]


class Chain:
    """ONNX text that grows node by node from `x`, and the shape of its last value `v`."""

    def __init__(self, random: np.random.Generator):
        self.random = random
        self.batch = int(random.integers(2, 5))
        # Dimensions as large as the batch are where mistakes hide.
        self.shape: Shape = (
            self.batch,
            *(int(n) for n in random.choice([self.batch, 1, 2, 3, 4], 3)),
        )
        self.first = self.shape
        self.constants: list[str] = []
        self.nodes = ["v0 = Relu(x)"]

    def constant(self, values: list[int]) -> str:
        """A new initializer of integers."""
        name = f"c{len(self.constants)}"
        self.constants.append(f"int64[{len(values)}] {name} = {{{', '.join(map(str, values))}}}")
        return name

    def add(self, text: str, shape: Shape) -> None:
        """A node that reads the last value, `{v}` in its text."""
        last = len(self.nodes)
        self.nodes.append(f"v{last} = " + text.replace("{v}", f"v{last - 1}"))
        self.shape = tuple(int(n) for n in shape)

    def axis(self) -> int:
        """Any axis; the first often."""
        return int(self.random.choice([0, self.random.integers(len(self.shape))]))

    def model(self) -> onnx.ModelProto:
        """The network."""
        self.nodes.append(f"y = Identity(v{len(self.nodes) - 1})")
        declared = f"<{', '.join(self.constants)}>" if self.constants else ""
        sizes = [",".join(map(str, shape)) for shape in (self.first, self.shape)]
        return parse(
            f"(float[{sizes[0]}] x) => (float[{sizes[1]}] y) {declared} {{ "
            f"{' '.join(self.nodes)} }}",
            18,
        )


def slice_(c: Chain) -> None:
    axis, back = c.axis(), bool(c.random.integers(2))
    ends = [
        c.constant(n)
        for n in ([[-1], [-(10**9)], [axis], [-1]] if back else [[0], [10**9], [axis], [1]])
    ]
    c.add(f"Slice({{v}}, {', '.join(ends)})", c.shape)


def crop(c: Chain) -> None:
    axis = c.axis()
    size = list(c.shape)
    size[axis] -= size[axis] > 1
    ends = [c.constant(n) for n in ([0], [size[axis]], [axis - len(size)])]
    c.add(f"Slice({{v}}, {', '.join(ends)})", tuple(size))


def transpose(c: Chain) -> None:
    order = c.random.permutation(len(c.shape))
    c.add(f"Transpose<perm=[{','.join(map(str, order))}]>({{v}})", tuple(c.shape[i] for i in order))


def reshape(c: Chain) -> None:
    sizes = list(c.shape)
    if len(sizes) > 1 and c.random.integers(2):
        place = int(c.random.integers(len(sizes) - 1))
        sizes[place : place + 2] = [sizes[place] * sizes[place + 1]]
    else:
        c.random.shuffle(sizes)
    c.add(f"Reshape({{v}}, {c.constant(sizes)})", tuple(sizes))


def pad(c: Chain) -> None:
    axis = c.axis()
    pads = [0] * 2 * len(c.shape)
    pads[axis], pads[axis + len(c.shape)] = 1, -1
    c.add(f"Pad({{v}}, {c.constant(pads)})", c.shape)


def expand(c: Chain) -> None:
    if len(c.shape) < 5:
        shape = (c.batch, *c.shape)
        c.add(f"Expand({{v}}, {c.constant(list(shape))})", shape)


def gather(c: Chain) -> None:
    axis = c.axis()
    places = c.random.permutation(c.shape[axis]).tolist()
    c.add(f"Gather<axis={axis}>({{v}}, {c.constant(places)})", c.shape)


def concat(c: Chain) -> None:
    axis = c.axis()
    c.add(
        f"Concat<axis={axis}>({{v}}, {{v}})",
        tuple(n * (1 + (i == axis)) for i, n in enumerate(c.shape)),
    )


def reduce(c: Chain) -> None:
    if len(c.shape) > 2:
        axis = c.axis()
        text = f"ReduceSum<keepdims=0>({{v}}, {c.constant([axis])})"
        c.add(text, tuple(n for i, n in enumerate(c.shape) if i != axis))


def softmax(c: Chain) -> None:
    c.add(f"Softmax<axis={c.axis()}>({{v}})", c.shape)


def add_lower_rank(c: Chain) -> None:
    """Sums over the middle axes meet the last axes of the value."""
    shape = c.shape
    if len(shape) == 4 and shape[0] == shape[2]:
        last = len(c.nodes) - 1
        c.add(f"ReduceSum<keepdims=0>({{v}}, {c.constant([1, 2])})", (shape[0], shape[3]))
        c.add(f"Add(v{last}, {{v}})", shape)


MOVES = (
    slice_,
    crop,
    transpose,
    reshape,
    pad,
    expand,
    gather,
    concat,
    reduce,
    softmax,
    add_lower_rank,
)


def batched_network(seed: int) -> onnx.ModelProto:
    """A network of one to three such operators."""
    chain = Chain(np.random.default_rng(seed))
    for _ in range(int(chain.random.integers(1, 4))):
        MOVES[int(chain.random.integers(len(MOVES)))](chain)
    return chain.model()
