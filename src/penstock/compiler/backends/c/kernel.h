/* What every generated kernel stands on: vectors, elementwise functions, products, threads.
 *
 * Before it, the generated source defines REAL_IS_DOUBLE as 0 or 1. GCC and Clang vector
 * extensions only, no intrinsics: the same source serves AVX-512, AVX2 and NEON.
 */
#include <math.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#define TILE 4 /* vectors a product keeps a row in: 6 rows × 4 of 32 registers */
#elif defined(__AVX__)
#define VECTOR_BYTES 32
#define TILE 2 /* 6 rows × 2 of 16 registers */
#else
#define VECTOR_BYTES 16
#define TILE 2
#endif
#define ROWS 6           /* of a tile */
#define PANEL (4 * ROWS) /* rows that a stage takes through its columns together */

#if REAL_IS_DOUBLE
typedef double real;
typedef int64_t whole;
#define MANTISSA 52
#define BIAS 1023
#define ROUND 0x1.8p52
#define LN2_HIGH 0x1.62e42fee00000p-1
#define LN2_LOW 0x1.a39ef35793c76p-33
#define EXP_LIMIT 750.0
#define TANH_LIMIT 22.0
#define SIGMOID_LIMIT 708.0
#define LOG_TERMS 10
#else
typedef float real;
typedef int32_t whole;
#define MANTISSA 23
#define BIAS 127
#define ROUND 0x1.8p23f
#define LN2_HIGH 0x1.62e400p-1f
#define LN2_LOW 0x1.7f7d1cp-20f
#define EXP_LIMIT 110.0f
#define TANH_LIMIT 10.0f
#define SIGMOID_LIMIT 87.0f
#define LOG_TERMS 4
#endif

#define LANES (VECTOR_BYTES / (int)sizeof(real))
typedef real vec __attribute__((vector_size(VECTOR_BYTES)));
typedef whole mask __attribute__((vector_size(VECTOR_BYTES)));
typedef real lying __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(real)), may_alias));
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

/* How many vectors of a column block each node of a group of n takes, so that tiles are full. */
#define SPREAD(n) ((n) % TILE == 0 ? 1 : (n) % 2 == 0 ? TILE / 2 : TILE)
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define CHUNKS(vectors) (((vectors) + TILE - 1) / TILE)

/* The first n of a vector; of fewer than all, the pieces that n is the sum of: 8, 4, 2, 1. */
INLINE vec load(const real *p, int n) {
  if (n == LANES) return (vec)*(const lying *)p;
  vec v = {0};
  real *to = (real *)&v;
  UNROLL for (int piece = LANES / 2; piece; piece /= 2)
    if (n & piece) {
      memcpy(to, p, piece * sizeof(real));
      to += piece, p += piece;
    }
  return v;
}

INLINE void store(real *p, vec v, int n) {
  if (n == LANES) {
    *(lying *)p = v;
    return;
  }
  const real *from = (const real *)&v;
  UNROLL for (int piece = LANES / 2; piece; piece /= 2)
    if (n & piece) {
      memcpy(p, from, piece * sizeof(real));
      from += piece, p += piece;
    }
}

INLINE vec all(real value) { return (vec){0} + value; }
INLINE vec pick(mask m, vec a, vec b) { return (vec)(((mask)a & m) | ((mask)b & ~m)); }
INLINE vec number(mask m) { return pick(m, all(1), all(0)); }

/* e^r − 1 for |r| ≤ ln 2 / 2, by its series, with full relative accuracy at 0. */
INLINE vec expm1_near(vec r) {
#if REAL_IS_DOUBLE
  vec p = all(1.0 / 6227020800.0);
  p = p * r + (real)(1.0 / 479001600.0);
  p = p * r + (real)(1.0 / 39916800.0);
  p = p * r + (real)(1.0 / 3628800.0);
  p = p * r + (real)(1.0 / 362880.0);
  p = p * r + (real)(1.0 / 40320.0);
  p = p * r + (real)(1.0 / 5040.0);
#else
  vec p = all(1.0f / 5040.0f);
#endif
  p = p * r + (real)(1.0 / 720.0);
  p = p * r + (real)(1.0 / 120.0);
  p = p * r + (real)(1.0 / 24.0);
  p = p * r + (real)(1.0 / 6.0);
  p = p * r + (real)0.5;
  return p * r * r + r;
}

INLINE vec clamped(vec x, real limit) {
  x = pick(x < -limit, all(-limit), x);
  return pick(x > limit, all(limit), x); /* NaN stays NaN */
}

INLINE vec power_of_two(mask n) { return (vec)((n + BIAS) << MANTISSA); }

/* x = n ln 2 + r; returns r, and n as a real. */
INLINE vec reduced(vec x, vec *n) {
  *n = (x * (real)1.4426950408889634 + ROUND) - ROUND;
  return (x - *n * LN2_HIGH) - *n * LN2_LOW;
}

INLINE vec op_exp(vec x) {
  vec n, p = expm1_near(reduced(clamped(x, EXP_LIMIT), &n)) + 1;
  mask whole_n = __builtin_convertvector(n, mask), half = whole_n >> 1;
  return p * power_of_two(half) * power_of_two(whole_n - half); /* in two, to reach 0 and inf */
}

/* 1 / (1 + e^-x). Above the limit e^-x stays within one power of two; a little below the negative
 * one it is infinite, so that a gate that is shut is 0, and not nearly, before what is infinite. */
INLINE vec op_sigmoid(vec x) {
  const vec least = all(-(SIGMOID_LIMIT + 2)), most = all(SIGMOID_LIMIT);
  x = pick(x < least, least, x);
  vec n, p = expm1_near(reduced(-pick(x > most, most, x), &n)) + 1;
  return 1 / (1 + p * power_of_two(__builtin_convertvector(n, mask)));
}

/* tanh x = m / (m + 2) with m = e^2x − 1, which keeps its relative accuracy at 0. */
INLINE vec op_tanh(vec x) {
  vec n, p = expm1_near(reduced(2 * clamped(x, TANH_LIMIT), &n));
  vec scale = power_of_two(__builtin_convertvector(n, mask));
  vec m = scale * p + (scale - 1);
  return m / (m + 2);
}

/* x = 2^n m with √½ ≤ m < √2; log m = 2 artanh s = 2 (s + s³/3 + s⁵/5 + …), s = (m − 1)/(m + 1). */
INLINE vec op_log(vec x) {
  const mask whole_n = ((mask)x - (mask)all((real)0.70710678118654752)) >> MANTISSA;
  const vec m = (vec)((mask)x - (whole_n << MANTISSA)), n = __builtin_convertvector(whole_n, vec);
  const vec s = (m - 1) / (m + 1), z = s * s;
  vec p = {0};
  UNROLL for (int k = LOG_TERMS; k > 0; --k) p = (p + (real)(1.0 / (2 * k + 1))) * z;
  const vec y = n * LN2_HIGH + (2 * s + (2 * s * p + n * LN2_LOW));
  const vec beyond = pick(x == 0, all(-INFINITY), pick(x < 0, all(NAN), x)); /* and inf, NaN */
  return pick((x > 0) & (x < INFINITY), y, beyond);
}

INLINE vec op_relu(vec x) { return pick(x < 0, all(0), x); }
INLINE vec op_abs(vec x) { return pick(x < 0, -x, x); }
INLINE vec op_sign(vec x) { return number(x > 0) - number(x < 0); }
INLINE vec op_maximum(vec a, vec b) { return pick(a != a, a, pick(a > b, a, b)); }
INLINE vec op_minimum(vec a, vec b) { return pick(a != a, a, pick(a < b, a, b)); }

#define EACH_LANE(name, function) \
  INLINE vec op_##name(vec x) { \
    vec y; \
    for (int l = 0; l < LANES; ++l) y[l] = function(x[l]); \
    return y; \
  }
#if REAL_IS_DOUBLE
EACH_LANE(sqrt, sqrt) EACH_LANE(sin, sin) EACH_LANE(cos, cos)
#else
EACH_LANE(sqrt, sqrtf) EACH_LANE(sin, sinf) EACH_LANE(cos, cosf)
#endif

INLINE vec op_rsqrt(vec x) { return 1 / op_sqrt(x); }

/* Reductions of a row, in an order that depends on nothing but its length. */
INLINE real over_lanes(vec v) {
  for (int half = LANES / 2; half; half /= 2)
    for (int l = 0; l < half; ++l) v[l] += v[l + half];
  return v[0];
}

/* The first n lanes; what lies past the end of a row counts for nothing. */
INLINE vec first(vec v, int n) {
  for (int l = n; l < LANES; ++l) v[l] = 0;
  return v;
}

INLINE real row_sum(const real *p, int64_t n) {
  vec total = {0};
  int64_t k = 0;
  for (; k + LANES <= n; k += LANES) total += *(const lying *)(p + k);
  return over_lanes(total + load(p + k, (int)(n - k)));
}

INLINE real row_amax(const real *p, int64_t n) {
  real most = p[0];
  for (int64_t k = 1; k < n; ++k) most = p[k] > most || p[k] != p[k] ? p[k] : most;
  return most;
}

/* out[r][v] (+)= Σ_k x[r][k] w[k][v] for R rows and C chunks of TILE vectors; rows of out are
 * `stride` apart. Each element is one chain of sums over k, whatever R and C are, so the same bits
 * come out however the rows are shared among threads. */
INLINE void tile(const int R, const int C, const real *const *x, const real *restrict w, int64_t K,
                 real *out, int64_t stride, int more) {
  const int V = C * TILE;
  vec c[ROWS][4 * TILE];
  UNROLL for (int r = 0; r < R; ++r)
    UNROLL for (int v = 0; v < V; ++v)
      c[r][v] = more ? (vec)*(lying *)(out + r * stride + v * LANES) : (vec){0};
  _Pragma("GCC unroll 4") for (int64_t k = 0; k < K; ++k, w += TILE * LANES)
    UNROLL for (int r = 0; r < R; ++r)
      UNROLL for (int v = 0; v < V; ++v)
        c[r][v] += x[r][k] * *(const lying *)(w + (v / TILE * K * TILE + v % TILE) * LANES);
  UNROLL for (int r = 0; r < R; ++r)
    UNROLL for (int v = 0; v < V; ++v) *(lying *)(out + r * stride + v * LANES) = c[r][v];
}

/* Few rows take several chunks at a time, to have enough sums under way. Chunk by chunk for all
 * tiles of a panel: a chunk's weights come from the outer caches once a panel. */
#define TILES(R, C) \
  for (; left >= C; left -= C, v += C * K * TILE * LANES, o += C * TILE * LANES) \
    tile(R, C, x, v, K, o, stride, more);

static void few(int rows, int left, const real *const *x, const real *v, int64_t K, real *o,
                int64_t stride, int more) {
  switch (rows) {
    case 1: TILES(1, 4) TILES(1, 1) break;
    case 2: TILES(2, 2) TILES(2, 1) break;
    case 3: TILES(3, 1) break;
    case 4: TILES(4, 1) break;
    case 5: TILES(5, 1) break;
    default: TILES(6, 1)
  }
}

static void product(int rows, int chunks, const real *const *x, const real *w, int64_t K, real *out,
                    int64_t stride, int more) {
  const int tiles = (rows + ROWS - 1) / ROWS, height = (rows + tiles - 1) / tiles;
  if (tiles == 1) {
    few(rows, chunks, x, w, K, out, stride, more);
    return;
  }
  for (int c = 0; c < chunks; ++c, w += K * TILE * LANES, out += TILE * LANES)
    for (int r = 0; r < rows; r += height)
      few(rows - r < height ? rows - r : height, 1, x + r, w, K, out + r * stride, stride, more);
}

/* Lays `nodes` matrices of W outputs and K inputs out as [block][chunk][K][TILE][LANES]. In a
 * block, vector q·nodes + g holds outputs (block·spread + q)·LANES… of matrix g. Element (j, k)
 * of a matrix is m[j·row + k·column]. Returns how many reals that takes; only counts if !out. */
static int64_t pack(real *out, const real *const *m, int nodes, int spread, int64_t W, int64_t K,
                    int64_t row, int64_t column) {
  const int64_t width = (int64_t)spread * LANES, blocks = (W + width - 1) / width;
  const int vectors = nodes * spread, chunks = CHUNKS(vectors);
  if (!out) return blocks * chunks * K * TILE * LANES;
  for (int64_t b = 0; b < blocks; ++b)
    for (int v = 0; v < chunks * TILE; ++v) {
      const int64_t j = b * width + (v / nodes) * LANES;
      const int64_t n = v < vectors ? (W - j < LANES ? W - j : LANES) : 0;
      const real *from = n > 0 ? m[v % nodes] + j * row : 0;
      real *to = out + ((b * chunks + v / TILE) * K * TILE + v % TILE) * LANES;
      for (int64_t k = 0; k < K; ++k, to += TILE * LANES) {
        for (int64_t l = 0; l < n; ++l) to[l] = from[l * row + k * column];
        for (int64_t l = n > 0 ? n : 0; l < LANES; ++l) to[l] = 0;
      }
    }
  return 0;
}

/* The height of panels that share `rows` rows evenly: 32 rows are 16 and 16, not 24 and 8. */
INLINE int even_height(int64_t rows) {
  const int64_t panels = (rows + PANEL - 1) / PANEL;
  return panels ? (int)((rows + panels - 1) / panels) : 1;
}

typedef struct { int64_t t, old, new, from, to, ahead; } Step;

/* A team's meeting point: spins, and gives way when others need the core. */
INLINE void meet(int64_t *arrived, int64_t *met, int team) {
  const int64_t all_here = (*met += team);
  __atomic_fetch_add(arrived, 1, __ATOMIC_ACQ_REL);
  for (int spins = 0; __atomic_load_n(arrived, __ATOMIC_ACQUIRE) < all_here; ++spins)
    if (spins > 4096) sched_yield();
}

/* Denormal numbers count as 0 while a kernel runs: they are slow, and nothing here needs them. */
#if defined(__SSE__)
INLINE unsigned flush_denormals(void) {
  const unsigned before = __builtin_ia32_stmxcsr();
  __builtin_ia32_ldmxcsr(before | 0x8040);
  return before;
}
INLINE void restore(unsigned before) { __builtin_ia32_ldmxcsr(before); }
#elif defined(__aarch64__)
INLINE uint64_t flush_denormals(void) {
  uint64_t before;
  __asm__ volatile("mrs %0, fpcr" : "=r"(before));
  __asm__ volatile("msr fpcr, %0" : : "r"(before | (1ull << 24)));
  return before;
}
INLINE void restore(uint64_t before) { __asm__ volatile("msr fpcr, %0" : : "r"(before)); }
#else
INLINE int flush_denormals(void) { return 0; }
INLINE void restore(int before) { (void)before; }
#endif
