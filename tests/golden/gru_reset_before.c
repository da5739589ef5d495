typedef struct {
  int64_t T;
  int64_t B;
  int64_t reverse;
  int64_t keep;
  int64_t places;
  int64_t by_columns;
  int64_t threads;
  int64_t pack;
  int64_t arrived;
  int64_t hidden_size;
  void (*parallel)(void (*)(void *), void *, unsigned, unsigned);
  int (*thread)(void);
  int (*team)(void);
  const uint8_t *valid;
  const uint8_t *reset;
  real *state_h;
  real *lifted;
  real *scratch_hidden_size;
  const real *zeros;
  const real *matrix_U_r;
  const real *matrix_U_z;
  const real *matrix_U_n;
  real *packed;
  real *weights_0_0_0;
  real *weights_1_0_0;
} forward_args;

INLINE void forward_0_body(const forward_args *a, const Step *s, int64_t row, int64_t j,
                              int n, const real *p0) {
  const int cut = a->reset && a->reset[s->t * a->B + row];
  const vec v2 = load(p0 + 0 * LANES, LANES);
  const vec v6 = load(p0 + 1 * LANES, LANES);
  __builtin_prefetch(a->lifted + ((s->t + s->ahead) * a->B + row) * 3 * a->hidden_size + 0 * a->hidden_size + j);
  __builtin_prefetch(a->lifted + ((s->t + s->ahead) * a->B + row) * 3 * a->hidden_size + 1 * a->hidden_size + j);
  const vec v1 = load(a->lifted + (s->t * a->B + row) * 3 * a->hidden_size + j, n);
  const vec v5 = load(a->lifted + (s->t * a->B + row) * 3 * a->hidden_size + 1 * a->hidden_size + j, n);
  const vec v0 = load((cut ? a->zeros : a->state_h + (s->old * a->B + row) * a->hidden_size) + j, n);
  const vec v14 = all((real)1.0);
  const vec v3 = v1 + v2;
  const vec v4 = op_sigmoid(v3);
  const vec v7 = v5 + v6;
  const vec v8 = op_sigmoid(v7);
  const vec v9 = v4 * v0;
  const vec v15 = v14 - v8;
  const vec v16 = v15 * v0;
  if (a->keep) store(a->lifted + (s->t * a->B + row) * 3 * a->hidden_size + j, v4, n);
  store(a->lifted + (s->t * a->B + row) * 3 * a->hidden_size + 1 * a->hidden_size + j, v8, n);
  store(a->scratch_hidden_size + (row) * 2 * a->hidden_size + j, v9, n);
  store(a->scratch_hidden_size + (row) * 2 * a->hidden_size + 1 * a->hidden_size + j, v16, n);
}

enum { forward_0_spread = SPREAD(2) };
static void forward_0(const forward_args *shared, const Step *step, int64_t first, int64_t end,
                       int64_t block, int64_t last) {
  const forward_args own = *shared, *a = &own; /* copies, which no store can change */
  const Step at = *step, *s = &at;
  enum { M = forward_0_spread, V0 = CHUNKS(2 * M) * TILE };
  const int64_t W = a->hidden_size;
  const int height = even_height(end - first);
  for (; block < last; ++block) {
    const int64_t j0 = block * M * LANES;
    const int used = (int)(W - j0 < M * LANES ? (W - j0 + LANES - 1) / LANES : M);
    for (int64_t r = first; r < end; r += height) {
      const int rows = end - r < height ? (int)(end - r) : height;
      real p0[PANEL * V0 * LANES] __attribute__((aligned(64)));
      {
        const real *x[PANEL];
        for (int i = 0; i < rows; ++i) x[i] = (a->reset && a->reset[s->t * a->B + r + i] ? a->zeros : a->state_h + (s->old * a->B + r + i) * a->hidden_size);
        product(rows, CHUNKS(2 * used), x, a->weights_0_0_0 + block * V0 * a->hidden_size * LANES, a->hidden_size,
                p0, V0 * LANES, 0);
      }
      for (int i = 0; i < rows; ++i)
        for (int q = 0; q < used; ++q) {
          const int64_t j = j0 + q * LANES;
          if (W - j >= LANES) forward_0_body(a, s, r + i, j, LANES, p0 + (i * V0 + q * 2) * LANES);
          else forward_0_body(a, s, r + i, j, (int)(W - j), p0 + (i * V0 + q * 2) * LANES);
        }
    }
  }
}

INLINE void forward_1_body(const forward_args *a, const Step *s, int64_t row, int64_t j,
                              int n, const real *p0) {
  const int past_end = a->valid && !a->valid[s->t * a->B + row];
  const int cut = a->reset && a->reset[s->t * a->B + row];
  const vec v11 = load(p0 + 0 * LANES, LANES);
  __builtin_prefetch(a->lifted + ((s->t + s->ahead) * a->B + row) * 3 * a->hidden_size + 2 * a->hidden_size + j);
  __builtin_prefetch(a->lifted + ((s->t + s->ahead) * a->B + row) * 3 * a->hidden_size + 1 * a->hidden_size + j);
  const vec v10 = load(a->lifted + (s->t * a->B + row) * 3 * a->hidden_size + 2 * a->hidden_size + j, n);
  const vec v8 = load(a->lifted + (s->t * a->B + row) * 3 * a->hidden_size + 1 * a->hidden_size + j, n);
  const vec v16 = load(a->scratch_hidden_size + (row) * 2 * a->hidden_size + 1 * a->hidden_size + j, n);
  const vec v12 = v10 + v11;
  const vec v13 = op_tanh(v12);
  const vec v17 = v8 * v13;
  const vec v18 = v16 + v17;
  if (a->keep) store(a->lifted + (s->t * a->B + row) * 3 * a->hidden_size + 2 * a->hidden_size + j, v13, n);
  store(a->state_h + (s->new * a->B + row) * a->hidden_size + j, past_end ? load((cut ? a->zeros : a->state_h + (s->old * a->B + row) * a->hidden_size) + j, n) : v18, n);
}

enum { forward_1_spread = SPREAD(1) };
static void forward_1(const forward_args *shared, const Step *step, int64_t first, int64_t end,
                       int64_t block, int64_t last) {
  const forward_args own = *shared, *a = &own; /* copies, which no store can change */
  const Step at = *step, *s = &at;
  enum { M = forward_1_spread, V0 = CHUNKS(1 * M) * TILE };
  const int64_t W = a->hidden_size;
  const int height = even_height(end - first);
  for (; block < last; ++block) {
    const int64_t j0 = block * M * LANES;
    const int used = (int)(W - j0 < M * LANES ? (W - j0 + LANES - 1) / LANES : M);
    for (int64_t r = first; r < end; r += height) {
      const int rows = end - r < height ? (int)(end - r) : height;
      real p0[PANEL * V0 * LANES] __attribute__((aligned(64)));
      {
        const real *x[PANEL];
        for (int i = 0; i < rows; ++i) x[i] = a->scratch_hidden_size + (r + i) * 2 * a->hidden_size;
        product(rows, CHUNKS(1 * used), x, a->weights_1_0_0 + block * V0 * a->hidden_size * LANES, a->hidden_size,
                p0, V0 * LANES, 0);
      }
      for (int i = 0; i < rows; ++i)
        for (int q = 0; q < used; ++q) {
          const int64_t j = j0 + q * LANES;
          if (W - j >= LANES) forward_1_body(a, s, r + i, j, LANES, p0 + (i * V0 + q * 1) * LANES);
          else forward_1_body(a, s, r + i, j, (int)(W - j), p0 + (i * V0 + q * 1) * LANES);
        }
    }
  }
}

static int64_t forward_pack(forward_args *a, real *to, int write) {
  int64_t total = 0;
  a->weights_0_0_0 = to + total;
  const real *m_weights_0_0_0[] = {a->matrix_U_r, a->matrix_U_z};
  if (write) pack(to + total, m_weights_0_0_0, 2, forward_0_spread, a->hidden_size, a->hidden_size, a->hidden_size, 1);
  total += pack(0, 0, 2, forward_0_spread, a->hidden_size, a->hidden_size, a->hidden_size, 1);
  a->weights_1_0_0 = to + total;
  const real *m_weights_1_0_0[] = {a->matrix_U_n};
  if (write) pack(to + total, m_weights_1_0_0, 1, forward_1_spread, a->hidden_size, a->hidden_size, a->hidden_size, 1);
  total += pack(0, 0, 1, forward_1_spread, a->hidden_size, a->hidden_size, a->hidden_size, 1);
  return total;
}

static void forward_walk(void *arguments) {
  forward_args *a = arguments;
  const int me = a->threads > 1 ? a->thread() : 0, team = a->threads > 1 ? a->team() : 1;
  const int64_t rows_from = a->B * me / team, rows_to = a->B * (me + 1) / team;
  const int64_t first = a->by_columns ? 0 : rows_from, end = a->by_columns ? a->B : rows_to;
  const int64_t part = a->by_columns ? me : 0, parts = a->by_columns ? team : 1;
  int64_t met = 0;
  const __auto_type mode = flush_denormals();
  for (int64_t k = 0; k < a->T; ++k) {
    const int64_t at = k, old = a->reverse ? a->T - at : at;
    const int64_t new = a->reverse ? old - 1 : old + 1;
    const Step s = {old < new ? old : new, old, new, k % 2, 1 - k % 2,
                    (a->reverse ? -1 : 1) * (1)};
    forward_0(a, &s, first, end, ((a->hidden_size + (forward_0_spread * LANES) - 1) / (forward_0_spread * LANES)) * part / parts, ((a->hidden_size + (forward_0_spread * LANES) - 1) / (forward_0_spread * LANES)) * (part + 1) / parts);
    if (a->by_columns) meet(&a->arrived, &met, team);
    forward_1(a, &s, first, end, ((a->hidden_size + (forward_1_spread * LANES) - 1) / (forward_1_spread * LANES)) * part / parts, ((a->hidden_size + (forward_1_spread * LANES) - 1) / (forward_1_spread * LANES)) * (part + 1) / parts);
    if (a->by_columns) meet(&a->arrived, &met, team);
  }
  restore(mode);
}

int64_t forward_size(forward_args *a) { return forward_pack(a, 0, 0); }

void forward(forward_args *a) {
  forward_pack(a, a->packed, a->pack);
  if (a->threads > 1) a->parallel(forward_walk, a, (unsigned)a->threads, 0);
  else forward_walk(a);
}

typedef struct {
  int64_t T;
  int64_t B;
  int64_t reverse;
  int64_t keep;
  int64_t places;
  int64_t by_columns;
  int64_t threads;
  int64_t pack;
  int64_t arrived;
  int64_t hidden_size;
  void (*parallel)(void (*)(void *), void *, unsigned, unsigned);
  int (*thread)(void);
  int (*team)(void);
  const uint8_t *valid;
  const uint8_t *reset;
  real *state_h;
  real *lifted;
  real *grad_h;
  real *adjoint_hidden_size;
  real *scratch_hidden_size;
  real *operand_hidden_size;
  const real *zeros;
  const real *incoming_grad_h;
  const real *matrix_U_n;
  const real *matrix_U_r;
  const real *matrix_U_z;
  real *packed;
  real *weights_1_0_0;
  real *weights_2_0_0;
  real *weights_2_0_1;
} backward_args;

INLINE void backward_0_body(const backward_args *a, const Step *s, int64_t row, int64_t j,
                              int n) {
  const int past_end = a->valid && !a->valid[s->t * a->B + row];
  const int cut = a->reset && a->reset[s->t * a->B + row];
  __builtin_prefetch(a->lifted + ((s->t + s->ahead) * a->B + row) * 3 * a->hidden_size + 0 * a->hidden_size + j);
  __builtin_prefetch(a->state_h + ((s->old + s->ahead) * a->B + row) * 1 * a->hidden_size + 0 * a->hidden_size + j);
  __builtin_prefetch(a->lifted + ((s->t + s->ahead) * a->B + row) * 3 * a->hidden_size + 1 * a->hidden_size + j);
  __builtin_prefetch(a->lifted + ((s->t + s->ahead) * a->B + row) * 3 * a->hidden_size + 2 * a->hidden_size + j);
  const vec v1 = load(a->lifted + (s->t * a->B + row) * 3 * a->hidden_size + j, n);
  const vec v0 = load((cut ? a->zeros : a->state_h + (s->old * a->B + row) * a->hidden_size) + j, n);
  const vec v7 = load(a->grad_h + (s->from * a->B + row) * a->hidden_size + j, n);
  const vec v2 = load(a->lifted + (s->t * a->B + row) * 3 * a->hidden_size + 1 * a->hidden_size + j, n);
  const vec v4 = load(a->lifted + (s->t * a->B + row) * 3 * a->hidden_size + 2 * a->hidden_size + j, n);
  const vec v5 = all((real)1.0);
  const vec v3 = v1 * v0;
  const vec v9 = v7 * v2;
  const vec v12 = v4 * v4;
  const vec v13 = v5 - v12;
  const vec v14 = v9 * v13;
  store(a->operand_hidden_size + (s->t * a->B + row) * a->hidden_size + j, v3, n);
  store(a->adjoint_hidden_size + (s->t * a->B + row) * 3 * a->hidden_size + 2 * a->hidden_size + j, past_end ? all(0) : v14, n);
}

enum { backward_0_spread = 1 };
static void backward_0(const backward_args *shared, const Step *step, int64_t first, int64_t end,
                       int64_t block, int64_t last) {
  const backward_args own = *shared, *a = &own; /* copies, which no store can change */
  const Step at = *step, *s = &at;
  enum { M = backward_0_spread };
  const int64_t W = a->hidden_size;
  const int height = even_height(end - first);
  for (; block < last; ++block) {
    const int64_t j0 = block * M * LANES;
    const int used = (int)(W - j0 < M * LANES ? (W - j0 + LANES - 1) / LANES : M);
    for (int64_t r = first; r < end; r += height) {
      const int rows = end - r < height ? (int)(end - r) : height;

      for (int i = 0; i < rows; ++i)
        for (int q = 0; q < used; ++q) {
          const int64_t j = j0 + q * LANES;
          if (W - j >= LANES) backward_0_body(a, s, r + i, j, LANES);
          else backward_0_body(a, s, r + i, j, (int)(W - j));
        }
    }
  }
}

INLINE void backward_1_body(const backward_args *a, const Step *s, int64_t row, int64_t j,
                              int n, const real *p0) {
  const int past_end = a->valid && !a->valid[s->t * a->B + row];
  const int cut = a->reset && a->reset[s->t * a->B + row];
  const vec v15 = load(p0 + 0 * LANES, LANES);
  __builtin_prefetch(a->lifted + ((s->t + s->ahead) * a->B + row) * 3 * a->hidden_size + 1 * a->hidden_size + j);
  __builtin_prefetch(a->lifted + ((s->t + s->ahead) * a->B + row) * 3 * a->hidden_size + 2 * a->hidden_size + j);
  __builtin_prefetch(a->state_h + ((s->old + s->ahead) * a->B + row) * 1 * a->hidden_size + 0 * a->hidden_size + j);
  __builtin_prefetch(a->lifted + ((s->t + s->ahead) * a->B + row) * 3 * a->hidden_size + 0 * a->hidden_size + j);
  const vec v5 = all((real)1.0);
  const vec v2 = load(a->lifted + (s->t * a->B + row) * 3 * a->hidden_size + 1 * a->hidden_size + j, n);
  const vec v7 = load(a->grad_h + (s->from * a->B + row) * a->hidden_size + j, n);
  const vec v4 = load(a->lifted + (s->t * a->B + row) * 3 * a->hidden_size + 2 * a->hidden_size + j, n);
  const vec v0 = load((cut ? a->zeros : a->state_h + (s->old * a->B + row) * a->hidden_size) + j, n);
  const vec v1 = load(a->lifted + (s->t * a->B + row) * 3 * a->hidden_size + j, n);
  const vec v6 = v5 - v2;
  const vec v8 = v7 * v4;
  const vec v10 = v7 * v0;
  const vec v16 = v15 * v0;
  const vec v17 = v15 * v1;
  const vec v18 = v8 - v10;
  const vec v19 = v2 * v6;
  const vec v20 = v18 * v19;
  const vec v21 = v5 - v1;
  const vec v22 = v1 * v21;
  const vec v23 = v16 * v22;
  store(a->scratch_hidden_size + (row) * a->hidden_size + j, v17, n);
  store(a->adjoint_hidden_size + (s->t * a->B + row) * 3 * a->hidden_size + 1 * a->hidden_size + j, past_end ? all(0) : v20, n);
  store(a->adjoint_hidden_size + (s->t * a->B + row) * 3 * a->hidden_size + j, past_end ? all(0) : v23, n);
}

enum { backward_1_spread = SPREAD(1) };
static void backward_1(const backward_args *shared, const Step *step, int64_t first, int64_t end,
                       int64_t block, int64_t last) {
  const backward_args own = *shared, *a = &own; /* copies, which no store can change */
  const Step at = *step, *s = &at;
  enum { M = backward_1_spread, V0 = CHUNKS(1 * M) * TILE };
  const int64_t W = a->hidden_size;
  const int height = even_height(end - first);
  for (; block < last; ++block) {
    const int64_t j0 = block * M * LANES;
    const int used = (int)(W - j0 < M * LANES ? (W - j0 + LANES - 1) / LANES : M);
    for (int64_t r = first; r < end; r += height) {
      const int rows = end - r < height ? (int)(end - r) : height;
      real p0[PANEL * V0 * LANES] __attribute__((aligned(64)));
      {
        const real *x[PANEL];
        for (int i = 0; i < rows; ++i) x[i] = a->adjoint_hidden_size + (s->t * a->B + r + i) * 3 * a->hidden_size + 2 * a->hidden_size;
        product(rows, CHUNKS(1 * used), x, a->weights_1_0_0 + block * V0 * a->hidden_size * LANES, a->hidden_size,
                p0, V0 * LANES, 0);
      }
      for (int i = 0; i < rows; ++i)
        for (int q = 0; q < used; ++q) {
          const int64_t j = j0 + q * LANES;
          if (W - j >= LANES) backward_1_body(a, s, r + i, j, LANES, p0 + (i * V0 + q * 1) * LANES);
          else backward_1_body(a, s, r + i, j, (int)(W - j), p0 + (i * V0 + q * 1) * LANES);
        }
    }
  }
}

INLINE void backward_2_body(const backward_args *a, const Step *s, int64_t row, int64_t j,
                              int n, const real *p0) {
  const int past_end = a->valid && !a->valid[s->t * a->B + row];
  const int cut = a->reset && a->reset[s->t * a->B + row];
  const vec v24 = load(p0 + 0 * LANES, LANES);
  __builtin_prefetch(a->lifted + ((s->t + s->ahead) * a->B + row) * 3 * a->hidden_size + 1 * a->hidden_size + j);
  const vec v5 = all((real)1.0);
  const vec v2 = load(a->lifted + (s->t * a->B + row) * 3 * a->hidden_size + 1 * a->hidden_size + j, n);
  const vec v7 = load(a->grad_h + (s->from * a->B + row) * a->hidden_size + j, n);
  const vec v17 = load(a->scratch_hidden_size + (row) * a->hidden_size + j, n);
  const vec v6 = v5 - v2;
  const vec v11 = v7 * v6;
  const vec v25 = v24 + v11;
  const vec v26 = v25 + v17;
  store(a->grad_h + (s->to * a->B + row) * a->hidden_size + j, cut ? all(0) : past_end ? load(a->grad_h + (s->from * a->B + row) * a->hidden_size + j, n) : v26, n);
}

enum { backward_2_spread = SPREAD(1) };
static void backward_2(const backward_args *shared, const Step *step, int64_t first, int64_t end,
                       int64_t block, int64_t last) {
  const backward_args own = *shared, *a = &own; /* copies, which no store can change */
  const Step at = *step, *s = &at;
  enum { M = backward_2_spread, V0 = CHUNKS(1 * M) * TILE };
  const int64_t W = a->hidden_size;
  const int height = even_height(end - first);
  for (; block < last; ++block) {
    const int64_t j0 = block * M * LANES;
    const int used = (int)(W - j0 < M * LANES ? (W - j0 + LANES - 1) / LANES : M);
    for (int64_t r = first; r < end; r += height) {
      const int rows = end - r < height ? (int)(end - r) : height;
      real p0[PANEL * V0 * LANES] __attribute__((aligned(64)));
      {
        const real *x[PANEL];
        for (int i = 0; i < rows; ++i) x[i] = a->adjoint_hidden_size + (s->t * a->B + r + i) * 3 * a->hidden_size;
        product(rows, CHUNKS(1 * used), x, a->weights_2_0_0 + block * V0 * a->hidden_size * LANES, a->hidden_size,
                p0, V0 * LANES, 0);
      }
      {
        const real *x[PANEL];
        for (int i = 0; i < rows; ++i) x[i] = a->adjoint_hidden_size + (s->t * a->B + r + i) * 3 * a->hidden_size + 1 * a->hidden_size;
        product(rows, CHUNKS(1 * used), x, a->weights_2_0_1 + block * V0 * a->hidden_size * LANES, a->hidden_size,
                p0, V0 * LANES, 1);
      }
      for (int i = 0; i < rows; ++i)
        for (int q = 0; q < used; ++q) {
          const int64_t j = j0 + q * LANES;
          if (W - j >= LANES) backward_2_body(a, s, r + i, j, LANES, p0 + (i * V0 + q * 1) * LANES);
          else backward_2_body(a, s, r + i, j, (int)(W - j), p0 + (i * V0 + q * 1) * LANES);
        }
    }
  }
}

static int64_t backward_pack(backward_args *a, real *to, int write) {
  int64_t total = 0;
  a->weights_1_0_0 = to + total;
  const real *m_weights_1_0_0[] = {a->matrix_U_n};
  if (write) pack(to + total, m_weights_1_0_0, 1, backward_1_spread, a->hidden_size, a->hidden_size, 1, a->hidden_size);
  total += pack(0, 0, 1, backward_1_spread, a->hidden_size, a->hidden_size, 1, a->hidden_size);
  a->weights_2_0_0 = to + total;
  const real *m_weights_2_0_0[] = {a->matrix_U_r};
  if (write) pack(to + total, m_weights_2_0_0, 1, backward_2_spread, a->hidden_size, a->hidden_size, 1, a->hidden_size);
  total += pack(0, 0, 1, backward_2_spread, a->hidden_size, a->hidden_size, 1, a->hidden_size);
  a->weights_2_0_1 = to + total;
  const real *m_weights_2_0_1[] = {a->matrix_U_z};
  if (write) pack(to + total, m_weights_2_0_1, 1, backward_2_spread, a->hidden_size, a->hidden_size, 1, a->hidden_size);
  total += pack(0, 0, 1, backward_2_spread, a->hidden_size, a->hidden_size, 1, a->hidden_size);
  return total;
}

static void backward_walk(void *arguments) {
  backward_args *a = arguments;
  const int me = a->threads > 1 ? a->thread() : 0, team = a->threads > 1 ? a->team() : 1;
  const int64_t rows_from = a->B * me / team, rows_to = a->B * (me + 1) / team;
  const int64_t first = a->by_columns ? 0 : rows_from, end = a->by_columns ? a->B : rows_to;
  const int64_t part = a->by_columns ? me : 0, parts = a->by_columns ? team : 1;
  int64_t met = 0;
  const __auto_type mode = flush_denormals();
  for (int64_t k = 0; k < a->T; ++k) {
    const int64_t at = a->T - 1 - k, old = a->reverse ? a->T - at : at;
    const int64_t new = a->reverse ? old - 1 : old + 1;
    const Step s = {old < new ? old : new, old, new, k % 2, 1 - k % 2,
                    (a->reverse ? -1 : 1) * (-1)};
    if (a->incoming_grad_h)
      for (int64_t e = rows_from * a->hidden_size; e < rows_to * a->hidden_size; ++e)
        a->grad_h[s.from * a->B * a->hidden_size + e] +=
            a->incoming_grad_h[s.t * a->B * a->hidden_size + e];
    if (a->by_columns) meet(&a->arrived, &met, team);
    backward_0(a, &s, first, end, ((a->hidden_size + (backward_0_spread * LANES) - 1) / (backward_0_spread * LANES)) * part / parts, ((a->hidden_size + (backward_0_spread * LANES) - 1) / (backward_0_spread * LANES)) * (part + 1) / parts);
    if (a->by_columns) meet(&a->arrived, &met, team);
    backward_1(a, &s, first, end, ((a->hidden_size + (backward_1_spread * LANES) - 1) / (backward_1_spread * LANES)) * part / parts, ((a->hidden_size + (backward_1_spread * LANES) - 1) / (backward_1_spread * LANES)) * (part + 1) / parts);
    if (a->by_columns) meet(&a->arrived, &met, team);
    backward_2(a, &s, first, end, ((a->hidden_size + (backward_2_spread * LANES) - 1) / (backward_2_spread * LANES)) * part / parts, ((a->hidden_size + (backward_2_spread * LANES) - 1) / (backward_2_spread * LANES)) * (part + 1) / parts);
    if (a->by_columns) meet(&a->arrived, &met, team);
  }
  restore(mode);
}

int64_t backward_size(backward_args *a) { return backward_pack(a, 0, 0); }

void backward(backward_args *a) {
  backward_pack(a, a->packed, a->pack);
  if (a->threads > 1) a->parallel(backward_walk, a, (unsigned)a->threads, 0);
  else backward_walk(a);
}

