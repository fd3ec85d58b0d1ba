"""One small network for every operator and attribute: used for references, and on the emulator in every style."""

from __future__ import annotations

import onnx

from tests.networks import parse

CASES: dict[str, str] = {
    "conv_plain": "(float[1,3,9,7] x, float[5,3,3,3] w, float[5] b) => (float[1,5,7,5] y) { y = Conv(x, w, b) }",
    "conv_strided_padded": "(float[1,4,9,8] x, float[6,4,3,3] w) => (float[1,6,5,4] y) "
    "{ y = Conv<pads=[1,1,1,1], strides=[2,2]>(x, w) }",
    "conv_asymmetric_pads": "(float[1,3,6,7] x, float[4,3,2,3] w, float[4] b) => (float[1,4,6,10] y) "
    "{ y = Conv<pads=[1,2,0,3]>(x, w, b) }",
    "conv_dilated": "(float[1,3,11,11] x, float[4,3,3,3] w) => (float[1,4,5,7] y) { y = Conv<dilations=[3,2]>(x, w) }",
    "conv_dilated_strided": "(float[1,3,12,13] x, float[4,3,3,3] w) => (float[1,4,5,5] y) "
    "{ y = Conv<dilations=[2,2], strides=[2,3], pads=[0,1,1,3]>(x, w) }",
    "conv_grouped": "(float[1,8,6,6] x, float[12,2,3,3] w, float[12] b) => (float[1,12,6,6] y) "
    "{ y = Conv<group=4, pads=[1,1,1,1]>(x, w, b) }",
    "conv_grouped_wide": "(float[1,64,5,5] x, float[32,32,3,3] w) => (float[1,32,3,3] y) { y = Conv<group=2>(x, w) }",
    "conv_depthwise": "(float[1,20,7,7] x, float[20,1,3,3] w, float[20] b) => (float[1,20,4,4] y) "
    "{ y = Conv<group=20, pads=[1,1,1,1], strides=[2,2]>(x, w, b) }",
    "conv_depthwise_dilated": "(float[1,6,9,9] x, float[6,1,3,3] w) => (float[1,6,5,5] y) "
    "{ y = Conv<group=6, dilations=[2,2]>(x, w) }",
    "conv_depthwise_mixed": "(float[1,6,12,12] x, float[6,1,5,5] v, float[6,1,3,2] w) => (float[1,6,6,7] y) "
    "{ t = Conv<group=6>(x, v) y = Conv<group=6>(t, w) }",
    "conv_depthwise_large": "(float[1,4,12,12] x, float[4,1,9,9] w) => (float[1,4,4,4] y) { y = Conv<group=4>(x, w) }",
    "conv_depth_multiplier": "(float[1,4,6,6] x, float[8,1,3,3] w) => (float[1,8,4,4] y) { y = Conv<group=4>(x, w) }",
    "conv_same_upper": "(float[1,3,7,8] x, float[4,3,4,3] w) => (float[1,4,4,4] y) "
    '{ y = Conv<auto_pad="SAME_UPPER", strides=[2,2]>(x, w) }',
    "conv_same_lower": "(float[1,3,7,8] x, float[4,3,4,3] w) => (float[1,4,4,4] y) "
    '{ y = Conv<auto_pad="SAME_LOWER", strides=[2,2]>(x, w) }',
    "conv_pointwise": "(float[1,33,4,5] x, float[18,33,1,1] w, float[18] b) => (float[1,18,4,5] y) { y = Conv(x, w, b) }",
    "conv_pointwise_strided": "(float[1,8,7,7] x, float[4,8,1,1] w) => (float[1,4,4,3] y) { y = Conv<strides=[2,3]>(x, w) }",
    "conv_whole_image": "(float[1,6,5,5] x, float[7,6,5,5] w) => (float[1,7,1,1] y) { y = Conv(x, w) }",
    "conv_one_channel": "(float[1,1,6,6] x, float[1,1,3,3] w) => (float[1,1,4,4] y) { y = Conv(x, w) }",
    "conv_wide_pads": "(float[1,2,3,3] x, float[3,2,2,2] w) => (float[1,3,8,8] y) { y = Conv<pads=[3,3,3,3]>(x, w) }",
    "conv_stride_beyond_kernel": "(float[1,3,9,9] x, float[4,3,2,2] w) => (float[1,4,2,2] y) { y = Conv<strides=[4,5]>(x, w) }",
    "gemm": "(float[1,20] x, float[20,7] w, float[7] b) => (float[1,7] y) { y = Gemm<alpha=0.5, beta=2.0>(x, w, b) }",
    "gemm_transposed": "(float[1,37] x, float[18,37] w, float[18] b) => (float[1,18] y) { y = Gemm<transB=1>(x, w, b) }",
    "gemm_flattened": "(float[1,5,3,4] x, float[60,21] w) => (float[1,21] y) { t = Flatten(x) y = Gemm(t, w) }",
    "matmul": "(float[1,12] x, float[12,10] w, float[10] b) => (float[1,10] y) { t = MatMul(x, w) y = Add(t, b) }",
    "matmul_rows": "(float[1,6,12] x, float[12,10] w) => (float[1,6,10] y) { y = MatMul(x, w) }",
    "batch_normalization": "(float[1,5,4,4] x, float[5] s, float[5] b, float[5] m, float[5] var) => (float[1,5,4,4] y) "
    "{ t = Relu(x) y = BatchNormalization(t, s, b, m, var) }",
    "relu": "(float[1,5,3,3] x) => (float[1,5,3,3] y) { y = Relu(x) }",
    "leaky_relu": "(float[1,5,3,3] x, float[4,5,1,1] w) => (float[1,4,3,3] y) { t = Conv(x, w) y = LeakyRelu<alpha=0.3>(t) }",
    "sigmoid": "(float[1,5,3,3] x, float[4,5,1,1] w) => (float[1,4,3,3] y) { t = Sigmoid(x) u = Conv(t, w) y = Sigmoid(u) }",
    "clip": "(float[1,5,3,3] x) => (float[1,5,3,3] y) { l = Constant<value_float=-0.5>() h = Constant<value_float=0.7>() y = Clip(x, l, h) }",
    "clip_one_sided": "(float[1,5,3,3] x) => (float[1,5,3,3] y) { h = Constant<value_float=0.2>() y = Clip(x, , h) }",
    "max_pool": "(float[1,5,8,7] x) => (float[1,5,4,4] y) { y = MaxPool<kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]>(x) }",
    "max_pool_ceil": "(float[1,5,8,8] x) => (float[1,5,4,4] y) { y = MaxPool<kernel_shape=[3,3], strides=[2,2], ceil_mode=1>(x) }",
    "max_pool_dilated": "(float[1,5,8,8] x) => (float[1,5,4,4] y) { y = MaxPool<kernel_shape=[3,3], dilations=[2,2]>(x) }",
    "max_pool_mixed": "(float[1,5,12,12] x) => (float[1,5,4,8] y) "
    "{ t = MaxPool<kernel_shape=[2,2]>(x) y = MaxPool<kernel_shape=[3,4], strides=[3,1]>(t) }",
    "max_pool_same": '(float[1,5,7,7] x) => (float[1,5,4,4] y) { y = MaxPool<kernel_shape=[2,2], strides=[2,2], auto_pad="SAME_UPPER">(x) }',
    "average_pool": "(float[1,5,8,7] x) => (float[1,5,4,3] y) { y = AveragePool<kernel_shape=[2,2], strides=[2,2]>(x) }",
    "average_pool_excluding_pads": "(float[1,5,7,7] x) => (float[1,5,4,4] y) "
    "{ y = AveragePool<kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]>(x) }",
    "average_pool_including_pads": "(float[1,5,7,7] x) => (float[1,5,4,4] y) "
    "{ y = AveragePool<kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1], count_include_pad=1>(x) }",
    "average_pool_ceil": "(float[1,5,8,8] x) => (float[1,5,4,4] y) { y = AveragePool<kernel_shape=[3,3], strides=[2,2], ceil_mode=1>(x) }",
    "average_and_max_pool": "(float[1,18,9,9] x) => (float[1,18,3,3] y) "
    "{ t = MaxPool<kernel_shape=[2,2], strides=[2,2]>(x) y = AveragePool<kernel_shape=[3,3], pads=[1,1,0,0]>(t) }",
    "global_average_pool": "(float[1,19,5,7] x) => (float[1,19,1,1] y) { y = GlobalAveragePool(x) }",
    "global_average_pool_tiny": "(float[1,3,1,2] x) => (float[1,3,1,1] y) { y = GlobalAveragePool(x) }",
    "add_residual": "(float[1,4,6,6] x, float[4,4,3,3] w, float[4,4,3,3] v) => (float[1,4,6,6] y) "
    "{ t = Conv<pads=[1,1,1,1]>(x, w) u = Relu(t) s = Conv<pads=[1,1,1,1]>(u, v) a = Add(s, x) y = Relu(a) }",
    "add_two_inputs": "(float[1,4,3,3] x, float[1,4,3,3] z) => (float[1,4,3,3] y) { y = Add(x, z) }",
    "add_twice_the_same": "(float[1,4,3,3] x) => (float[1,4,3,3] y) { t = Relu(x) y = Add(t, t) }",
    "add_of_additions": "(float[1,4,3,3] x, float[4,4,1,1] w) => (float[1,4,3,3] y) { t = Conv(x, w) u = Add(t, x) y = Add(u, t) }",
    "add_constant": "(float[1,4,3,3] x, float[4,1,1] b) => (float[1,4,3,3] y) { t = Relu(x) y = Add(t, b) }",
    "sum_of_three": "(float[1,4,3,3] x, float[4,4,1,1] w) => (float[1,4,3,3] y) { t = Conv(x, w) u = Relu(x) y = Sum(t, u, x) }",
    "mul_constant": "(float[1,4,3,3] x, float[4,1,1] k) => (float[1,4,3,3] y) { t = Relu(x) y = Mul(k, t) }",
    "mul_scalar": "(float[1,4,3,3] x) => (float[1,4,3,3] y) { k = Constant<value_float=2.5>() t = Sigmoid(x) y = Mul(t, k) }",
    "concat": "(float[1,16,4,4] x, float[16,16,1,1] w, float[8,16,3,3] v) => (float[1,24,4,4] y) "
    "{ s = Conv(x, w) t = Conv<pads=[1,1,1,1]>(x, v) y = Concat<axis=1>(s, t) }",
    "concat_unaligned": "(float[1,6,4,4] x, float[3,6,1,1] w, float[5,6,3,3] v, float[4,8,1,1] u) => (float[1,4,4,4] y) "
    "{ s = Conv(x, w) t = Conv<pads=[1,1,1,1]>(x, v) c = Concat<axis=1>(s, t) r = Relu(c) y = Conv(r, u) }",
    "concat_nested_and_reused": "(float[1,8,4,4] x, float[8,8,1,1] w) => (float[1,40,4,4] y) "
    "{ s = Conv(x, w) t = Concat<axis=1>(x, s) u = Relu(t) y = Concat<axis=1>(t, u, s) }",
    "softmax": "(float[1,37] x) => (float[1,37] y) { y = Softmax(x) }",
    "softmax_pixels": "(float[1,5,3,2] x) => (float[1,5,3,2] y) { y = Softmax<axis=1>(x) }",
    "lrn": "(float[1,21,3,3] x) => (float[1,21,3,3] y) { y = LRN<size=5, alpha=0.5, beta=0.75, bias=1.5>(x) }",
    "lrn_two_sizes": "(float[1,6,3,3] x) => (float[1,6,3,3] y) "
    "{ t = LRN<size=3, alpha=0.3>(x) y = LRN<size=7, alpha=0.2, bias=2.0>(t) }",
    "nhwc_input": "(float[1,6,7,3] x, float[4,3,3,3] w) => (float[1,4,5,4] y) "
    "{ t = Transpose<perm=[0,3,1,2]>(x) u = Conv(t, w) y = Transpose<perm=[0,2,3,1]>(u) }",
    "nhwc_relu_inside": "(float[1,6,7,3] x, float[4,3,3,3] w, float[5,4,1,1] v) => (float[1,5,4,5] y) "
    "{ t = Transpose<perm=[0,3,1,2]>(x) u = Conv(t, w) a = Transpose<perm=[0,2,3,1]>(u) r = Relu(a) "
    "b = Transpose<perm=[0,3,1,2]>(r) y = Conv(b, v) }",
    "nhwc_dense": "(float[1,4,5,3] x, float[60,6] w) => (float[1,6] y) { s = Constant<value_ints=[1,60]>() t = Reshape(x, s) y = MatMul(t, w) }",
    "flattened_nhwc": "(float[1,3,4,5] x, float[4,3,1,1] w, float[80,6] v) => (float[1,6] y) "
    "{ t = Conv(x, w) u = Transpose<perm=[0,2,3,1]>(t) s = Constant<value_ints=[0,-1]>() f = Reshape(u, s) y = MatMul(f, v) }",
    "two_outputs": "(float[1,4,3,3] x, float[4,4,1,1] w) => (float[1,4,3,3] y, float[1,4,1,1] z) "
    "{ y = Conv(x, w) z = GlobalAveragePool(y) }",
    "output_is_an_input": "(float[1,3,4,4] x) => (float[1,3,4,4] y, float[1,3,4,4] z) { y = Identity(x) z = Relu(x) }",
    "one_tensor_two_outputs": "(float[1,3,4,4] x) => (float[1,3,4,4] y, float[1,48] z) { y = Relu(x) z = Flatten(y) }",
    "joins_in_a_row": "(float[1,8,4,4] x, float[8,8,1,1] w) => (float[1,8,4,4] y) "
    "{ s = Relu(x) a = Conv(s, w) b = Add(a, s) c = Add(b, x) y = Add(c, c) }",
    "padded": "(float[1,3,6,6] x, float[4,3,3,3] w) => (float[1,4,7,7] y) "
    "{ p = Constant<value_ints=[0,0,1,1,0,0,2,2]>() t = Pad(x, p) y = Conv(t, w) }",
    "branches_of_different_length": "(float[1,4,9,9] x, float[4,4,3,3] a, float[4,4,5,5] b, float[4,4,3,3] c) => (float[1,4,9,9] y) "
    "{ s = Conv<pads=[1,1,1,1]>(x, a) t = Conv<pads=[2,2,2,2]>(s, b) u = Conv<pads=[1,1,1,1]>(x, c) v = Add(t, u) y = Add(v, x) }",
    "strided_branches": "(float[1,4,9,9] x, float[8,4,3,3] a, float[8,8,3,3] b, float[8,4,1,1] c) => (float[1,8,5,5] y) "
    "{ s = Conv<pads=[1,1,1,1], strides=[2,2]>(x, a) r = Relu(s) t = Conv<pads=[1,1,1,1]>(r, b) "
    "u = Conv<strides=[2,2]>(x, c) v = Add(t, u) y = Relu(v) }",
}


def case(name: str) -> onnx.ModelProto:
    """The model of a case."""
    inputs = ("x", "z") if "two_inputs" in name else ("x",)
    return parse(CASES[name], inputs=inputs)
