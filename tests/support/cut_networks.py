"""Networks of which the host computes a part, as ONNX text."""

CNN = "a = Conv(x, w1) r = Relu(a) h = Conv(r, w2)"
WEIGHTS = "float[8,3,3,3] w1, float[6,8,1,1] w2"

DETECTOR = f"""(float[N,3,12,12] x, {WEIGHTS})
  => (int64[k,3] picked, float[1,5] best, int64[1,5] at)
  <int64[3] s = {{1, 6, 100}}, int64[2] parts = {{4, 2}}, int64 most = {{3}}, float iou = {{0.5}},
   float floor = {{0.5}}, int64[1] five = {{5}}> {{
    {CNN} f = Reshape(h, s) b, c = Split<axis = 1>(f, parts)
    boxes = Transpose<perm = [0, 2, 1]>(b) p = Sigmoid(c)
    picked = NonMaxSuppression(boxes, p, most, iou, floor)
    m = ReduceMax<axes = [1], keepdims = 0>(p) best, at = TopK(m, five)
  }}"""
# A head that sorts, a design in the middle, a tail that reads the input and an inner map too.
MIDDLE = f"""(float[1,3,6,6] x, {WEIGHTS}) => (float[1,6,4,4] y, float[1,6,4,4] z)
  <int64[1] six = {{6}}> {{
    v, i = TopK<sorted = 1>(x, six) a = Conv(v, w1) r = Relu(a) h = Conv(r, w2)
    q = Hardmax<axis = 1>(h) m = ReduceMean<axes = [1]>(r) top = ReduceMax(x)
    scaled = Mul(q, m) y = Add(scaled, top) z = Mul(h, m)
  }}"""
# Pictures as bytes that a sorted palette is looked up for.
BYTES = f"""(uint8[1,12,12,3] x0, {WEIGHTS}) => (float[1,6] y)
  <uint8 top = {{200}}, float[1] scale = {{0.00392}}> {{
    low = Min(x0, top) wide = Cast<to = 1>(low) t = Transpose<perm = [0, 3, 1, 2]>(wide)
    x = Mul(t, scale) {CNN} g = GlobalAveragePool(h) y = Flatten(g)
  }}"""
# Two branches that meet where neither can be built.
BRANCHES = """(float[1,3,8,8] x, float[4,3,3,3] w1, float[4,3,3,3] w2, float[4,4,1,1] w3)
  => (float[1,4,6,6] y) {
    a = Conv(x, w1) b = Conv(x, w2) c = Sigmoid(b) h = Hardmax<axis = 1>(a) s = Mul(h, c)
    y = Conv(s, w3)
  }"""
# The sizes of what is behind the loop depend on the data.
LOOP = f"""(float[1,3,12,12] x, {WEIGHTS}) => (float[n] y)
  <float limit = {{0.5}}, int64[1] all = {{-1}}, int64 far = {{4}}> {{
    {CNN} flat = Reshape(h, all) m = ReduceMax<keepdims = 0>(flat) go = Less(limit, m)
    total = Loop(far, go, m) <body = b (int64 i, bool c, float t) => (bool d, float u) {{
      u = Mul(t, limit) d = Less(limit, u)
    }}>
    keep = Less(limit, flat) kept = Compress(flat, keep) y = Add(kept, total)
  }}"""
