"""One small network for every operator and attribute: used for references, and on the emulator in
every style."""

from __future__ import annotations

import onnx

from tests.support.networks import parse

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
    "matmul_by_its_own_transpose": "(float[1,5,12] x) => (float[1,5,5] y) { r = Relu(x) t = Transpose<perm=[0,2,1]>(r) y = MatMul(r, t) }",
    "matmul_of_two_inputs": "(float[1,3,4,20] x, float[1,3,20,18] z) => (float[1,3,4,18] y) { t = MatMul(x, z) y = Relu(t) }",
    "matmul_of_two_inputs_shared": "(float[1,3,4,20] x, float[1,1,20,18] z) => (float[1,3,4,18] y) { y = MatMul(x, z) }",
    "matmul_of_two_inputs_broadcast": "(float[1,1,4,6] x, float[1,3,6,5] z) => (float[1,3,4,5] y) { y = MatMul(x, z) }",
    "attention": "(float[1,6,16] x, float[16,20] q, float[16,20] k, float[16,24] v, float[24,8] o) => (float[1,6,8] y) { "
    "a = MatMul(x, q) b = MatMul(x, k) c = MatMul(x, v) t = Transpose<perm=[0,2,1]>(b) s = MatMul(a, t) "
    "w = Softmax(s) u = MatMul(w, c) y = MatMul(u, o) }",
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
    "tanh": "(float[1,5,3,3] x, float[4,5,1,1] w) => (float[1,4,3,3] y) { t = Tanh(x) u = Conv(t, w) y = Tanh(u) }",
    "elu": "(float[1,5,3,3] x, float[4,5,1,1] w) => (float[1,4,3,3] y) { t = Conv(x, w) y = Elu<alpha=0.7>(t) }",
    "selu": "(float[1,5,3,3] x) => (float[1,5,3,3] y) { y = Selu(x) }",
    "log_abs": "(float[1,5,3,3] x) => (float[1,5,3,3] y) { t = Abs(x) u = Exp(t) y = Log(u) }",
    "reciprocal": "(float[1,5,3,3] x) => (float[1,5,3,3] y) { t = Exp(x) u = Sqrt(t) y = Reciprocal(u) }",
    "soft_functions": "(float[1,5,3,3] x, float[4,5,1,1] w) => (float[1,4,3,3] y) { t = Softplus(x) u = Conv(t, w) y = Softsign(u) }",
    "hard_functions": "(float[1,5,3,3] x, float[4,5,1,1] w) => (float[1,4,3,3] y) "
    "{ t = HardSigmoid<alpha=0.3>(x) u = Conv(t, w) y = HardSwish(u) }",
    "silu": "(float[1,5,3,3] x, float[4,5,1,1] w) => (float[1,4,3,3] y) { t = Conv(x, w) s = Sigmoid(t) y = Mul(t, s) }",
    "hard_swish_in_parts": "(float[1,5,3,3] x, float[4,5,1,1] w) => (float[1,4,3,3] y) "
    "{ t = Conv(x, w) s = HardSigmoid<alpha=0.16666667>(t) y = Mul(s, t) }",
    "prelu": "(float[1,20,3,3] x, float[20,1,1] s, float[4,20,1,1] w) => (float[1,4,3,3] y) { t = PRelu(x, s) y = Conv(t, w) }",
    "prelu_and_scale": "(float[1,5,3,3] x, float[1] s, float[5,1,1] k) => (float[1,5,3,3] y) { t = PRelu(x, s) y = Mul(t, k) }",
    "sub_two_inputs": "(float[1,4,3,3] x, float[1,4,3,3] z) => (float[1,4,3,3] y) { y = Sub(x, z) }",
    "mul_two_inputs_broadcast": "(float[1,4,1,1] x, float[1,4,3,3] z) => (float[1,4,3,3] y) { y = Mul(x, z) }",
    "sub_two_inputs_swapped": "(float[1,20,1,1] x, float[1,20,3,3] z) => (float[1,20,3,3] y) { y = Sub(x, z) }",
    "div_by_exp": "(float[1,4,3,3] x, float[4,4,1,1] w) => (float[1,4,3,3] y) { t = Exp(x) u = Conv(x, w) y = Div(u, t) }",
    "div_swapped": "(float[1,4,3,3] x, float[4,4,1,1] w) => (float[1,4,3,3] y) { t = Exp(x) g = GlobalAveragePool(t) y = Div(g, t) }",
    "constant_on_the_left": "(float[1,4,3,3] x, float[4,1,1] k) => (float[1,4,3,3] y) { t = Sigmoid(x) u = Sub(k, t) v = Exp(u) y = Div(k, v) }",
    "max_min": "(float[1,4,3,3] x, float[4,4,1,1] w) => (float[1,4,3,3] y) "
    "{ t = Conv(x, w) u = Max(t, x) k = Constant<value_float=0.4>() v = Min(u, k) y = Max(v, t, x) }",
    "broadcast_over_channels": "(float[1,6,5,4] x) => (float[1,6,5,4] y) { t = ReduceMean<axes=[1]>(x) y = Sub(x, t) }",
    "broadcast_a_row": "(float[1,6,5,4] x) => (float[1,6,5,4] y) { t = ReduceMean<axes=[2]>(x) y = Div(x, t) }",
    "squeeze_and_excitation": "(float[1,20,5,5] x, float[20,1,3,3] d, float[6,20,1,1] a, float[6] ab, float[20,6,1,1] b, float[8,20,1,1] p) "
    "=> (float[1,8,5,5] y) { t = Conv<group=20, pads=[1,1,1,1]>(x, d) g = GlobalAveragePool(t) u = Conv(g, a, ab) "
    "r = Relu(u) v = Conv(r, b) s = HardSigmoid(v) m = Mul(t, s) y = Conv(m, p) }",
    "pad_constant": "(float[1,3,4,5] x) => (float[1,3,7,8] y) { p = Constant<value_ints=[0,0,1,2,0,0,2,1]>() "
    "f = Constant<value_float=0.5>() t = Pad(x, p, f) y = Relu(t) }",
    "pad_reflect": '(float[1,3,4,5] x, float[4,3,3,3] w) => (float[1,4,5,7] y) { p = Constant<value_ints=[0,0,1,2,0,0,2,2]>() t = Pad<mode="reflect">(x, p) y = Conv(t, w) }',
    "pad_edge": '(float[1,18,4,5] x) => (float[1,18,6,9] y) { p = Constant<value_ints=[0,0,0,1,0,0,2,3]>() y = Pad<mode="edge">(x, p) }',
    "pad_channels": "(float[1,3,4,5] x, float[5,6,1,1] w) => (float[1,5,4,5] y) { p = Constant<value_ints=[0,1,0,0,0,2,0,0]>() t = Pad(x, p) y = Conv(t, w) }",
    "pad_all_axes": "(float[1,3,2,3] x) => (float[1,4,4,4] y) { t = Relu(x) p = Constant<value_ints=[0,1,1,1,0,0,1,0]>() y = Pad(t, p) }",
    "pad_negative": "(float[1,3,6,6] x) => (float[1,3,4,8] y) { p = Constant<value_ints=[0,0,-1,1,0,0,-1,1]>() y = Pad(x, p) }",
    "slice_space": "(float[1,3,8,9] x) => (float[1,3,3,4] y) { a = Constant<value_ints=[1,8]>() b = Constant<value_ints=[7,0]>() "
    "c = Constant<value_ints=[2,3]>() d = Constant<value_ints=[2,-2]>() y = Slice(x, a, b, c, d) }",
    "slice_channels": "(float[1,40,3,3] x, float[4,19,1,1] w) => (float[1,4,3,3] y) { a = Constant<value_ints=[5]>() b = Constant<value_ints=[24]>() "
    "c = Constant<value_ints=[1]>() t = Slice(x, a, b, c) y = Conv(t, w) }",
    "split": "(float[1,24,3,3] x, float[16,16,1,1] w) => (float[1,24,3,3] y) "
    "{ s = Constant<value_ints=[16,8]>() a, b = Split<axis=1>(x, s) c = Conv(a, w) y = Concat<axis=1>(c, b) }",
    "transpose_inside": "(float[1,3,4,5] x, float[4,3,1,1] w, float[3,5,1,1] v) => (float[1,3,4,4] y) "
    "{ t = Conv(x, w) u = Transpose<perm=[0,3,2,1]>(t) y = Conv(u, v) }",
    "reshape_unaligned": "(float[1,6,2,2] x, float[6,6,1,1] w, float[5,4,1,1] v) => (float[1,5,2,3] y) "
    "{ t = Conv(x, w) s = Constant<value_ints=[1,4,2,3]>() u = Reshape(t, s) y = Conv(u, v) }",
    "channel_shuffle": "(float[1,12,4,4] x, float[12,4,1,1] w, float[12,1,3,3] d) => (float[1,12,4,4] y) "
    "{ t = Conv<group=3>(x, w) s = Constant<value_ints=[1,3,4,4,4]>() u = Reshape(t, s) v = Transpose<perm=[0,2,1,3,4]>(u) "
    "r = Constant<value_ints=[1,12,4,4]>() z = Reshape(v, r) y = Conv<group=12, pads=[1,1,1,1]>(z, d) }",
    "channel_shuffle_wide": "(float[1,160,2,2] x, float[8,160,1,1] w) => (float[1,8,2,2] y) { a = Relu(x) s = Constant<value_ints=[1,2,80,2,2]>() u = Reshape(a, s) "
    "v = Transpose<perm=[0,2,1,3,4]>(u) r = Constant<value_ints=[1,160,2,2]>() z = Reshape(v, r) y = Conv(z, w) }",
    "depth_to_space": "(float[1,12,3,4] x, float[12,12,1,1] w) => (float[1,3,6,8] y) { t = Conv(x, w) y = DepthToSpace<blocksize=2>(t) }",
    "depth_to_space_crd": '(float[1,12,3,4] x) => (float[1,3,6,8] y) { t = Relu(x) y = DepthToSpace<blocksize=2, mode="CRD">(t) }',
    "space_to_depth": "(float[1,3,6,4] x, float[4,12,1,1] w) => (float[1,4,3,2] y) { r = Relu(x) t = SpaceToDepth<blocksize=2>(r) y = Conv(t, w) }",
    "tile_expand": "(float[1,3,1,4] x) => (float[1,6,3,4] y) { s = Constant<value_ints=[1,3,3,4]>() t = Expand(x, s) r = Constant<value_ints=[1,2,1,1]>() y = Tile(t, r) }",
    "resize_nearest": "(float[1,18,3,4] x) => (float[1,18,6,8] y) { s = Constant<value_floats=[1.0,1.0,2.0,2.0]>() "
    'y = Resize<mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor">(x, , s) }',
    "resize_nearest_sizes": "(float[1,3,5,4] x) => (float[1,3,3,7] y) { s = Constant<value_ints=[1,3,3,7]>() r = Relu(x) y = Resize(r, , , s) }",
    "resize_linear": "(float[1,5,3,4] x, float[4,5,3,3] w) => (float[1,4,6,8] y) { s = Constant<value_floats=[1.0,1.0,2.0,2.0]>() "
    't = Resize<mode="linear">(x, , s) y = Conv<pads=[1,1,1,1]>(t, w) }',
    "resize_linear_corners": '(float[1,18,4,5] x) => (float[1,18,7,3] y) { s = Constant<value_ints=[1,18,7,3]>() y = Resize<mode="linear", coordinate_transformation_mode="align_corners">(x, , , s) }',
    "conv_transpose": "(float[1,3,4,5] x, float[3,4,3,3] w, float[4] b) => (float[1,4,9,11] y) { y = ConvTranspose<strides=[2,2]>(x, w, b) }",
    "conv_transpose_padded": "(float[1,6,4,5] x, float[6,4,4,4] w) => (float[1,8,8,10] y) { t = ConvTranspose<strides=[2,2], pads=[1,1,1,1], group=2>(x, w) y = Relu(t) }",
    "conv_transpose_odd": "(float[1,3,4,4] x, float[3,2,3,2] w) => (float[1,2,9,13] y) "
    "{ y = ConvTranspose<strides=[2,3], dilations=[1,2], output_padding=[1,1], pads=[0,0,1,0]>(x, w) }",
    "conv_transpose_phases_in_place": "(float[1,3,1,1] x, float[3,3,2,3] w) => (float[1,3,2,3] y) "
    "{ y = ConvTranspose<strides=[2,1]>(x, w) }",
    "conv_transpose_plain": "(float[1,3,4,4] x, float[3,5,3,3] w) => (float[1,5,6,6] y) { y = ConvTranspose(x, w) }",
    "conv_1d": "(float[1,3,17] x, float[6,3,5] w, float[6] b) => (float[1,6,8] y) { y = Conv<strides=[2], pads=[1,1]>(x, w, b) }",
    "conv_1d_transposed": "(float[1,3,5] x, float[3,4,3] w) => (float[1,4,11] y) { y = ConvTranspose<strides=[2]>(x, w) }",
    "conv_3d": "(float[1,2,4,5,6] x, float[4,2,3,3,2] w, float[4] b) => (float[1,4,2,3,5] y) { t = Conv<strides=[2,1,1], pads=[1,0,0,0,0,0]>(x, w, b) y = Relu(t) }",
    "pool_1d": "(float[1,5,12] x) => (float[1,5,5] y) { t = MaxPool<kernel_shape=[3]>(x) y = AveragePool<kernel_shape=[2], strides=[2]>(t) }",
    "pool_3d": "(float[1,3,4,5,6] x) => (float[1,3,2,2,2] y) { t = MaxPool<kernel_shape=[2,2,2], strides=[1,1,1]>(x) "
    "y = AveragePool<kernel_shape=[2,3,3], strides=[2,2,2], pads=[0,1,0,1,0,1]>(t) }",
    "reduce_mean_space": "(float[1,18,4,5] x) => (float[1,18] y) { t = Relu(x) y = ReduceMean<axes=[2,3], keepdims=0>(t) }",
    "reduce_over_channels": "(float[1,6,4,5] x) => (float[1,1,4,5] y) { a = Constant<value_ints=[1]>() t = ReduceSum(x, a) y = Relu(t) }",
    "reduce_max": "(float[1,6,4,5] x) => (float[1,6,1,5] y) { r = LeakyRelu(x) y = ReduceMax<axes=[2]>(r) }",
    "global_max_pool": "(float[1,19,5,7] x) => (float[1,19,1,1] y) { y = GlobalMaxPool(x) }",
    "instance_normalization": "(float[1,6,5,4] x, float[6] s, float[6] b) => (float[1,6,5,4] y) { y = InstanceNormalization<epsilon=0.01>(x, s, b) }",
    "group_normalization": "(float[1,12,3,4] x, float[3] s, float[3] b, float[12,1,1] g) => (float[1,12,3,4] y) { n = Constant<value_ints=[0,3,-1]>() "
    "r = Reshape(x, n) t = InstanceNormalization(r, s, b) m = Constant<value_ints=[1,12,3,4]>() u = Reshape(t, m) y = Mul(u, g) }",
    "log_softmax": "(float[1,37] x) => (float[1,37] y) { y = LogSoftmax(x) }",
    "softmax_columns": "(float[1,5,3,4] x) => (float[1,5,3,4] y) { t = Relu(x) y = Softmax<axis=3>(t) }",
    "concat_rows": "(float[1,5,3,4] x) => (float[1,5,6,4] y) { t = Relu(x) u = Neg(x) y = Concat<axis=2>(t, u) }",
    "glu": "(float[1,8,3,3] x) => (float[1,4,3,3] y) { a, b = Split<axis=1, num_outputs=2>(x) s = Sigmoid(b) y = Mul(a, s) }",
    "pow": "(float[1,5,4,4] x) => (float[1,5,4,4] a, float[1,5,4,4] b, float[1,5,4,4] c) "
    "{ t = Exp(x) j = Constant<value_float=-3.0>() a = Pow(t, j) k = Constant<value_float=1.7>() b = Pow(k, x) c = Pow(t, x) }",
    "functions_of_opset_20": "(float[1,5,4,4] x) => (float[1,5,4,4] a, float[1,5,4,4] b, float[1,5,4,4] c) "
    '{ a = Gelu(x) b = Gelu<approximate="tanh">(x) c = Mish(x) }',
    "whole_numbers": "(float[1,5,4,4] x) => (float[1,5,4,4] a, float[1,5,4,4] b, float[1,5,4,4] c, float[1,5,4,4] d) "
    "{ a = Sign(x) b = Floor(x) s = Ceil(x) c = Round(x) w = Cast<to=7>(x) f = Cast<to=1>(w) d = Mul(f, s) }",
    "comparisons": "(float[1,20,4,3] x, float[20,1,1] p) => (float[1,20,4,3] y) { t = Sigmoid(x) a = Greater(t, x) b = Less(x, p) "
    "c = And(a, b) d = Not(c) e = LessOrEqual(t, x) f = GreaterOrEqual(p, x) g = Equal(t, t) h = And(f, g) i = Or(e, h) j = And(i, d) y = Cast<to=1>(j) }",
    "constant_a_value": "(float[1,20,4,3] x, float[1,20,4,3] p, float[1,1,1,3] r, float[4,20,1,1] w) => (float[1,4,4,3] y) "
    "{ t = Relu(x) u = Add(t, p) v = Mul(u, r) m = Max(v, p) y = Conv(m, w) }",
    "constant_larger_than_the_map": "(float[1,5,1,1] x, float[1,5,4,3] p) => (float[1,5,4,3] y) { y = Sub(p, x) }",
    "constant_a_value_in_a_concat": "(float[1,16,4,3] x, float[1,16,4,3] p, float[8,32,1,1] w) => (float[1,8,4,3] y) "
    "{ s = Sigmoid(x) t = Add(s, p) c = Concat<axis=1>(t, s) y = Conv(c, w) }",
    "where_a_value_counts": "(float[1,5,4,3] x) => (float[1,5,4,3] y) { k = Constant<value_float=0.0>() c = Greater(x, k) l = Log(x) e = Exp(x) y = Where(c, l, e) }",
    "where_by_a_constant": "(float[1,5,4,3] x) => (float[1,5,4,3] y) { c = Constant<value=bool[4,1] {0,1,1,0}>() k = Constant<value_float=-1000000000.0>() y = Where(c, k, x) }",
    "where_of_constants": "(float[1,5,4,3] x, float[1,1,4,3] p) => (float[1,5,4,3] y) { k = Constant<value_float=0.3>() c = Less(x, k) y = Where(c, p, k) }",
    "prelu_a_value": "(float[1,5,4,3] x, float[5,4,3] s) => (float[1,5,4,3] y) { y = PRelu(x, s) }",
    "constant_in_a_concat": "(float[1,3,4,5] x, float[1,2,4,5] p, float[6,5,3,3] w) => (float[1,6,2,3] y) { c = Concat<axis=1>(x, p) y = Conv(c, w) }",
    "constant_token_before_others": "(float[1,6,8] x, float[1,1,8] p) => (float[1,7,8] y) { r = Relu(x) y = Concat<axis=1>(p, r) }",
    "constant_outputs": "(float[1,3,4,5] x, float[3] k, float[1,2,3,3] q) => (float[1,3,4,5] y, float[3] z, float[1,2,3,3] t) { y = Relu(x) z = Identity(k) t = Identity(q) }",
    "reductions_over_channels": "(float[1,6,4,5] x) => (float[1,1,4,5] a, float[1,1,4,5] b, float[1,1,4,5] c, float[1,1,4,5] d, float[1,4,5] e, float[1,1,4,5] f, float[1,1,4,5] g) "
    "{ r = LeakyRelu(x) a = ReduceMin<axes=[1]>(r) b = ReduceL1<axes=[1]>(r) c = ReduceL2<axes=[1]>(r) d = ReduceSumSquare<axes=[1]>(r) "
    "e = ReduceLogSumExp<axes=[1], keepdims=0>(r) s = Exp(x) f = ReduceLogSum<axes=[-3]>(s) g = ReduceProd<axes=[1]>(s) }",
    "reductions_over_pixels": "(float[1,20,4,5] x) => (float[1,20,1,1] a, float[1,20,1,5] b, float[1,20,4,1] c, float[1,20] d) "
    "{ r = LeakyRelu(x) a = ReduceMin<axes=[2,3]>(r) b = ReduceL1<axes=[2]>(r) c = ReduceL2<axes=[3]>(r) d = ReduceLogSumExp<axes=[2,3], keepdims=0>(r) }",
    "reduce_max_of_many": "(float[1,77] x) => (float[1,1] y) { r = LeakyRelu(x) y = ReduceMax<axes=[1]>(r) }",
    "layer_normalization": "(float[1,20,4,5] x, float[20] s, float[20] b) => (float[1,20,4,5] y) "
    "{ r = Relu(x) t = Transpose<perm=[0,2,3,1]>(r) n = LayerNormalization<epsilon=0.01>(t, s, b) y = Transpose<perm=[0,3,1,2]>(n) }",
    "layer_normalization_of_tokens": "(float[1,7,12] x, float[12] s) => (float[1,7,12] y) { y = LayerNormalization(x, s) }",
    "layer_normalization_of_all": "(float[1,6,4,5] x, float[6,4,5] s, float[6,4,5] b) => (float[1,6,4,5] y) { r = Relu(x) y = LayerNormalization<axis=1>(r, s, b) }",
    "rms_normalization": "(float[1,7,12] x, float[12] s) => (float[1,7,12] y) { y = RMSNormalization(x, s) }",
    "lp_normalization": "(float[1,6,4,5] x) => (float[1,6,4,5] y, float[1,6,4,5] z) { r = Exp(x) y = LpNormalization<axis=1>(r) z = LpNormalization<axis=3, p=1>(r) }",
    "arg_max": "(float[1,6,4,5] x) => (int64[1,4,5] y) { y = ArgMax<axis=1, keepdims=0>(x) }",
    "arg_extremes_of_ties": "(float[1,6,4,5] x) => (int64[1,6,1,5] y, int64[1,6,1,5] z) { r = Relu(x) y = ArgMax<axis=2>(r) z = ArgMin<axis=2, select_last_index=1>(r) }",
    "matmul_constant_on_the_left": "(float[1,3,6,4] x, float[5,6] a, float[4] v) => (float[1,3,5] y) { r = Relu(x) t = MatMul(a, r) y = MatMul(t, v) }",
    "matmul_constants_a_batch": "(float[1,3,6,4] x, float[1,3,4,5] a) => (float[1,3,6,5] y) { r = Relu(x) y = MatMul(r, a) }",
    "gemm_of_maps": "(float[1,24] x, float[6,4] c) => (float[6,6] y) { s = Constant<value_ints=[6,4]>() t = Reshape(x, s) r = Relu(t) "
    "u = Gemm<alpha=0.5, transB=1>(r, t) y = Gemm<beta=2.0, transB=1>(c, r, u) }",
    "conv_of_two_inputs": "(float[1,4,3,3] x, float[1,4,8,9] z) => (float[1,1,6,7] y, float[1,4,4,5] d) { t = Relu(x) y = Conv(z, t) "
    "s = Constant<value_ints=[4,1,3,3]>() u = Reshape(t, s) d = Conv<group=4, strides=[2,2], pads=[1,1,1,1]>(z, u) }",
    "conv_bias_at_run_time": "(float[1,4,3,3] x, float[4,4,3,3] w) => (float[1,4,3,3] y) { m = ReduceMean<axes=[2,3]>(x) s = Constant<value_ints=[4]>() "
    "b = Reshape(m, s) y = Conv<pads=[1,1,1,1]>(x, w, b) }",
    "einsum_of_two_inputs": '(float[1,3,6,4] x, float[1,3,5,4] z) => (float[1,6,3,5] y) { y = Einsum<equation="bhqd,bhkd->bqhk">(x, z) }',
    "einsum_with_constants": '(float[1,6,4,5] x, float[7,6] w, float[5] v) => (float[1,7,4] y) { r = Relu(x) y = Einsum<equation="nchw,oc,w->noh">(r, w, v) }',
    "resize_cubic": "(float[1,3,8,10] x) => (float[1,3,16,6] y) { s = Constant<value_floats=[1.0,1.0,2.0,0.6]>() "
    'y = Resize<mode="cubic", cubic_coeff_a=-0.5, exclude_outside=1>(x, , s) }',
    "resize_antialiased": "(float[1,3,8,10] x) => (float[1,3,4,6] y, float[1,3,4,6] z) { s = Constant<value_floats=[1.0,1.0,0.5,0.6]>() "
    'r = Relu(x) y = Resize<mode="cubic", antialias=1>(r, , s) z = Resize<mode="linear", antialias=1>(r, , s) }',
    "resize_depth": "(float[1,2,2,3,4] x) => (float[1,2,4,6,6] y, float[1,2,4,6,6] z) { s = Constant<value_floats=[1.0,1.0,2.0,2.0,1.5]>() "
    'y = Resize<mode="linear">(x, , s) z = Resize<mode="nearest">(x, , s) }',
    "grid_sample": "(float[1,3,5,6] x, float[1,4,7,2] g) => (float[1,3,4,7] y, float[1,3,4,7] z) "
    '{ y = GridSample(x, g) z = GridSample<mode="nearest", padding_mode="reflection", align_corners=1>(x, g) }',
    "lstm": "(float[1,3,6] x, float[2,28,6] w, float[2,28,7] r, float[2,56] b, float[2,1,7] h, float[2,1,7] c) => (float[3,2,1,7] y, float[2,1,7] p, float[2,1,7] q) "
    '{ u = Relu(x) t = Transpose<perm=[1,0,2]>(u) y, p, q = LSTM<hidden_size=7, direction="bidirectional">(t, w, r, b, , h, c) }',
    "gru": "(float[1,3,6] x, float[1,21,6] w, float[1,21,7] r, float[1,42] b) => (float[3,1,1,7] y, float[1,1,7] p, float[1,1,7] q) "
    "{ u = Relu(x) t = Transpose<perm=[1,0,2]>(u) y = GRU<hidden_size=7>(t, w, r, b) "
    'none, p = GRU<hidden_size=7, linear_before_reset=1, direction="reverse">(t, w, r, b) other, q = GRU<hidden_size=7>(t, w, r) }',
    "cumulative_sums": "(float[1,5,4,3] x) => (float[1,5,4,3] y, float[1,5,4,3] z) { a = Constant<value_int=1>() b = Constant<value_int=-1>() "
    "y = CumSum(x, a) z = CumSum<exclusive=1, reverse=1>(x, b) }",
    "waves_and_triangles": "(float[1,5,4,3] x) => (float[1,5,4,3] y, float[1,5,4,3] z) { s = Sin(x) c = Cos(x) y = Mean(s, c, x) "
    "k = Constant<value_int=-1>() u = Trilu(x, k) l = Trilu<upper=0>(x) z = Add(u, l) }",
    "gather_elements": "(float[1,3,2,2] x) => (float[1,2,2,2] y) <int64[1,2,2,2] i = {0, 0, 0, 0, -1, -1, -1, -1}> "
    "{ r = Relu(x) y = GatherElements<axis=1>(r, i) }",
    "one_hot_of_the_largest": "(float[1,5,3,2] x) => (float[1,4,3,2] y) { m = ArgMax<axis=1, keepdims=0>(x) d = Constant<value_int=4>() "
    "v = Constant<value_floats=[-1.0, 2.0]>() y = OneHot<axis=1>(m, d, v) }",
}


def case(name: str, opset: int = 0) -> onnx.ModelProto:
    """The model of a case."""
    inputs = ("x", "z") if "two_inputs" in name else ("x",)
    known = {"glu": 18, "functions_of_opset_20": 20, "rms_normalization": 23}
    known |= {"resize_antialiased": 18, "grid_sample": 20}
    return parse(CASES[name], opset=opset or known.get(name, 17), inputs=inputs)
