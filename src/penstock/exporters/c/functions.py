"""The functions of C that a network calls, each with those that it calls itself.

`P_` stands for the file's name. e^x comes from x = n ln 2 + r and the series of e^r − 1, without
branches or calls, so that a compiler makes one loop of vectors of it. The whole number n is read
out of the bits of x log₂e + 1.5 · 2²³, never by a subtraction that -ffast-math could take away.
"""

from collections.abc import Iterable

FUNCTIONS: dict[str, tuple[tuple[str, ...], str]] = {
    "float_of": (
        (),
        """P_INLINE float P_float_of(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}""",
    ),
    "bits_of": (
        (),
        """P_INLINE uint32_t P_bits_of(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}""",
    ),
    "whole": (
        ("bits_of",),
        """/* The whole number next to x, for |x| < 2^22. */
P_INLINE int32_t P_whole(float x) {
  return (int32_t)(P_bits_of(x + 12582912.0f) - 0x4B400000u); /* 1.5 * 2^23 */
}""",
    ),
    "expm1_near": (
        (),
        """/* e^x - 1 where x = n ln 2 + r, |r| <= ln 2 / 2, of r, by its series. */
P_INLINE float P_expm1_near(float x, int32_t n) {
  const float r = (x - (float)n * 0.693145752f) - (float)n * 1.42860677e-6f;
  float p = 1.98412701e-4f;
  p = p * r + 1.38888892e-3f;
  p = p * r + 8.33333377e-3f;
  p = p * r + 4.16666679e-2f;
  p = p * r + 1.66666672e-1f;
  p = p * r + 0.5f;
  return p * r * r + r;
}""",
    ),
    "limited": (
        ("float_of", "bits_of"),
        """/* x, but no further from 0 than limit; NaN stays NaN. In whole numbers: of
 * comparisons of floats, which could trap, not every compiler makes vectors. */
P_INLINE float P_limited(float x, float limit) {
  const uint32_t bits = P_bits_of(x);
  const int32_t size = (int32_t)(bits & 0x7FFFFFFFu), most = (int32_t)P_bits_of(limit);
  const int32_t kept = ((size > most) & (size <= 0x7F800000)) ? most : size;
  return P_float_of((bits & 0x80000000u) | (uint32_t)kept);
}""",
    ),
    "exp": (
        ("float_of", "bits_of", "whole", "expm1_near", "limited"),
        """P_INLINE float P_exp(float x) {
  const float y = P_limited(x, 110.0f);
  const int32_t n = P_whole(y * 1.44269502f);
  const uint32_t half = (uint32_t)(n >> 1), rest = (uint32_t)n - half;
  const float p = P_expm1_near(y, n) + 1.0f; /* by 2^n in two, to reach 0 and infinity */
  return p * P_float_of((half + 127u) << 23) * P_float_of((rest + 127u) << 23);
}""",
    ),
    "sigmoid": (
        ("float_of", "bits_of", "whole", "expm1_near", "limited"),
        """/* 1 / (1 + e^-x); below -88.4 it is 0, and not nearly. */
P_INLINE float P_sigmoid(float x) {
  const float y = -P_limited(x, 88.5f);
  const int32_t n = P_whole(y * 1.44269502f);
  const uint32_t power = (uint32_t)(n < -127 ? -127 : n) + 127u; /* of 2: 0 to infinity */
  const float p = P_expm1_near(y, n) + 1.0f;
  return 1.0f / (1.0f + p * P_float_of(power << 23));
}""",
    ),
    "tanh": (
        ("float_of", "bits_of", "whole", "expm1_near", "limited"),
        """/* m / (m + 2) with m = e^2x - 1, which keeps its relative accuracy at 0. */
P_INLINE float P_tanh(float x) {
  const float y = 2.0f * P_limited(x, 10.0f);
  const int32_t n = P_whole(y * 1.44269502f);
  const float scale = P_float_of(((uint32_t)n + 127u) << 23);
  const float m = scale * P_expm1_near(y, n) + (scale - 1.0f);
  return m / (m + 2.0f);
}""",
    ),
    "relu": (
        ("float_of", "bits_of"),
        """P_INLINE float P_relu(float x) {
  const uint32_t bits = P_bits_of(x);
  return P_float_of(((bits > 0x7FFFFFFFu) & (bits <= 0xFF800000u)) ? 0u : bits); /* NaN stays */
}""",
    ),
    "sign": (
        (),
        """P_INLINE float P_sign(float x) {
  return (x > 0.0f ? 1.0f : 0.0f) - (x < 0.0f ? 1.0f : 0.0f);
}""",
    ),
    "max": (
        (),
        """P_INLINE float P_max(float a, float b) { return a != a || a > b ? a : b; }""",
    ),
    "min": (
        (),
        """P_INLINE float P_min(float a, float b) { return a != a || a < b ? a : b; }""",
    ),
    "sum": (
        (),
        """static float P_sum(const float *v, int n) {
  float part[8] = {0};
  int j = 0;
  for (; j + 8 <= n; j += 8)
    for (int l = 0; l < 8; ++l) part[l] += v[j + l];
  for (; j < n; ++j) part[j % 8] += v[j];
  return ((part[0] + part[4]) + (part[2] + part[6])) + ((part[1] + part[5]) + (part[3] + part[7]));
}""",
    ),
    "amax": (
        (),
        """static float P_amax(const float *v, int n) {
  float most = v[0];
  for (int j = 1; j < n; ++j) most = v[j] > most || v[j] != v[j] ? v[j] : most;
  return most;
}""",
    ),
    "dot": (
        (),
        """static float P_dot(const float *v, const float *w, int n) {
  float part[8] = {0};
  int j = 0;
  for (; j + 8 <= n; j += 8)
    for (int l = 0; l < 8; ++l) part[l] += v[j + l] * w[j + l];
  for (; j < n; ++j) part[j % 8] += v[j] * w[j];
  return ((part[0] + part[4]) + (part[2] + part[6])) + ((part[1] + part[5]) + (part[3] + part[7]));
}""",
    ),
}

# How each op of the table is written; `P_` calls are of FUNCTIONS.
SPELLED: dict[str, str] = {
    "copy": "{}",
    "add": "{} + {}",
    "sub": "{} - {}",
    "mul": "{} * {}",
    "div": "{} / {}",
    "neg": "-{}",
    "rsqrt": "1.0f / sqrtf({})",
    "where": "{} != 0.0f ? {} : {}",
    "gt": "{} > {} ? 1.0f : 0.0f",
    "eq": "{} == {} ? 1.0f : 0.0f",
    "sigmoid": "P_sigmoid({})",
    "tanh": "P_tanh({})",
    "relu": "P_relu({})",
    "exp": "P_exp({})",
    "log": "logf({})",
    "sqrt": "sqrtf({})",
    "sin": "sinf({})",
    "cos": "cosf({})",
    "abs": "fabsf({})",
    "sign": "P_sign({})",
    "maximum": "P_max({}, {})",
    "minimum": "P_min({}, {})",
    "sum": "P_sum({}, {})",
    "amax": "P_amax({}, {})",
}
_INLINE = """#if defined(__GNUC__)
#define P_INLINE static inline __attribute__((always_inline))
#else
#define P_INLINE static inline
#endif
"""


def is_call(op: str) -> bool:
    """Return whether an op is written as a call, which needs no brackets."""
    return SPELLED[op].endswith(")") and op != "rsqrt"


def written_functions(names: Iterable[str]) -> str:
    """Return those functions, and what they call, in an order in which C takes them."""
    wanted: set[str] = set()
    for name in names:
        wanted |= {name, *FUNCTIONS[name][0]}
    texts = [text for name, (_, text) in FUNCTIONS.items() if name in wanted]
    inline = [_INLINE] if any("P_INLINE" in text for text in texts) else []
    return "\n\n".join([*inline, *texts])
