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
  real *saved_1;
  real *scratch_1;
  real *scratch_hidden_size;
  real *vector_weight_gain_ih_a;
  real *vector_bias_ih_a;
  real *vector_bias_hh_a;
  real *saved_hidden_size;
  real *vector_weight_gain_hh_a;
  const real *zeros;
  const real *matrix_U_a;
  real *packed;
  real *weights_0_0_0;
} forward_args;

INLINE void forward_0_body(const forward_args *a, const Step *s, int64_t row, int64_t j,
                              int n, const real *p0) {
  const int cut = a->reset && a->reset[s->t * a->B + row];
  const vec v19 = load(p0 + 0 * LANES, LANES);
  store(a->saved_hidden_size + ((a->keep ? s->t : 0) * a->B + row) * a->hidden_size + j, v19, n);
}

enum { forward_0_spread = SPREAD(1) };
static void forward_0(const forward_args *shared, const Step *step, int64_t first, int64_t end,
                       int64_t block, int64_t last) {
  const forward_args own = *shared, *a = &own; /* copies, which no store can change */
  const Step at = *step, *s = &at;
  enum { M = forward_0_spread, V0 = CHUNKS(1 * M) * TILE };
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
        product(rows, CHUNKS(1 * used), x, a->weights_0_0_0 + block * V0 * a->hidden_size * LANES, a->hidden_size,
                p0, V0 * LANES, 0);
      }
      for (int i = 0; i < rows; ++i)
        for (int q = 0; q < used; ++q) {
          const int64_t j = j0 + q * LANES;
          if (W - j >= LANES) forward_0_body(a, s, r + i, j, LANES, p0 + (i * V0 + q * 1) * LANES);
          else forward_0_body(a, s, r + i, j, (int)(W - j), p0 + (i * V0 + q * 1) * LANES);
        }
    }
  }
}

INLINE void forward_2_body(const forward_args *a, const Step *s, int64_t row, int64_t j,
                              int n, vec v5, vec *sum8) {
  __builtin_prefetch(a->lifted + ((s->t + s->ahead) * a->B + row) * 1 * a->hidden_size + 0 * a->hidden_size + j);
  const vec v1 = load(a->lifted + (s->t * a->B + row) * a->hidden_size + j, n);
  const vec v6 = v1 - v5;
  const vec v7 = v6 * v6;
  *sum8 += first(v7, n);
}

INLINE void forward_4_body(const forward_args *a, const Step *s, int64_t row, int64_t j,
                              int n, vec v22, vec *sum25) {
  __builtin_prefetch(a->saved_hidden_size + ((s->t + s->ahead) * a->B + row) * 1 * a->hidden_size + 0 * a->hidden_size + j);
  const vec v19 = load(a->saved_hidden_size + ((a->keep ? s->t : 0) * a->B + row) * a->hidden_size + j, n);
  const vec v23 = v19 - v22;
  const vec v24 = v23 * v23;
  *sum25 += first(v24, n);
}

INLINE void forward_6_body(const forward_args *a, const Step *s, int64_t row, int64_t j,
                              int n, vec v4, vec v12, vec v21, vec v28) {
  const int past_end = a->valid && !a->valid[s->t * a->B + row];
  const int cut = a->reset && a->reset[s->t * a->B + row];
  __builtin_prefetch(a->lifted + ((s->t + s->ahead) * a->B + row) * 1 * a->hidden_size + 0 * a->hidden_size + j);
  __builtin_prefetch(a->saved_hidden_size + ((s->t + s->ahead) * a->B + row) * 1 * a->hidden_size + 0 * a->hidden_size + j);
  const vec v1 = load(a->lifted + (s->t * a->B + row) * a->hidden_size + j, n);
  const vec v15 = load(a->vector_weight_gain_ih_a + j, n);
  const vec v19 = load(a->saved_hidden_size + ((a->keep ? s->t : 0) * a->B + row) * a->hidden_size + j, n);
  const vec v31 = load(a->vector_weight_gain_hh_a + j, n);
  const vec v17 = load(a->vector_bias_ih_a + j, n);
  const vec v18 = load(a->vector_bias_hh_a + j, n);
  const vec v13 = v1 - v4;
  const vec v14 = v13 * v12;
  const vec v16 = v15 * v14;
  const vec v29 = v19 - v21;
  const vec v30 = v29 * v28;
  const vec v32 = v31 * v30;
  const vec v33 = v16 + v17;
  const vec v34 = v33 + v18;
  const vec v35 = v34 + v32;
  const vec v36 = op_tanh(v35);
  store(a->state_h + (s->new * a->B + row) * a->hidden_size + j, past_end ? load((cut ? a->zeros : a->state_h + (s->old * a->B + row) * a->hidden_size) + j, n) : v36, n);
}

static void forward_1(const forward_args *shared, const Step *step, int64_t first, int64_t end) {
  const forward_args own = *shared, *a = &own; /* copies, which no store can change */
  const Step at = *step, *s = &at;
  const int n = 1; /* of the numbers a row */
  const int64_t j = 0;
  for (int64_t row = first; row < end; ++row) {
    const vec v2 = all(a->hidden_size);
    const vec v3 = all(row_sum(a->lifted + (s->t * a->B + row) * a->hidden_size, a->hidden_size));
    const vec v4 = v3 / v2;
    const vec v5 = v4;
    store(a->saved_1 + ((a->keep ? s->t : 0) * a->B + row) * 4 * 1 + j, v4, n);
    vec sum8 = {0};
        for (int64_t c = 0; c < a->hidden_size; c += LANES)
          if (a->hidden_size - c >= LANES) forward_2_body(a, s, row, c, LANES, v5, &sum8);
          else forward_2_body(a, s, row, c, (int)(a->hidden_size - c), v5, &sum8);
    const vec v10 = all((real)1e-05);
    const vec v8 = all(over_lanes(sum8));
    const vec v9 = v8 / v2;
    const vec v11 = v9 + v10;
    const vec v12 = op_rsqrt(v11);
    const vec v20 = all(row_sum(a->saved_hidden_size + ((a->keep ? s->t : 0) * a->B + row) * a->hidden_size, a->hidden_size));
    const vec v21 = v20 / v2;
    const vec v22 = v21;
    store(a->saved_1 + ((a->keep ? s->t : 0) * a->B + row) * 4 * 1 + 1 * 1 + j, v12, n);
    store(a->saved_1 + ((a->keep ? s->t : 0) * a->B + row) * 4 * 1 + 2 * 1 + j, v21, n);
    vec sum25 = {0};
        for (int64_t c = 0; c < a->hidden_size; c += LANES)
          if (a->hidden_size - c >= LANES) forward_4_body(a, s, row, c, LANES, v22, &sum25);
          else forward_4_body(a, s, row, c, (int)(a->hidden_size - c), v22, &sum25);
    const vec v25 = all(over_lanes(sum25));
    const vec v26 = v25 / v2;
    const vec v27 = v26 + v10;
    const vec v28 = op_rsqrt(v27);
    store(a->saved_1 + ((a->keep ? s->t : 0) * a->B + row) * 4 * 1 + 3 * 1 + j, v28, n);
        for (int64_t c = 0; c < a->hidden_size; c += LANES)
          if (a->hidden_size - c >= LANES) forward_6_body(a, s, row, c, LANES, v4, v12, v21, v28);
          else forward_6_body(a, s, row, c, (int)(a->hidden_size - c), v4, v12, v21, v28);
  }
}

static int64_t forward_pack(forward_args *a, real *to, int write) {
  int64_t total = 0;
  a->weights_0_0_0 = to + total;
  const real *m_weights_0_0_0[] = {a->matrix_U_a};
  if (write) pack(to + total, m_weights_0_0_0, 1, forward_0_spread, a->hidden_size, a->hidden_size, a->hidden_size, 1);
  total += pack(0, 0, 1, forward_0_spread, a->hidden_size, a->hidden_size, a->hidden_size, 1);
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
    forward_1(a, &s, rows_from, rows_to);
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
  real *saved_1;
  real *scratch_1;
  real *vector_weight_gain_ih_a;
  real *saved_hidden_size;
  real *vector_weight_gain_hh_a;
  real *grad_h;
  real *scratch_hidden_size;
  real *adjoint_hidden_size;
  real *total_hidden_size;
  const real *zeros;
  const real *incoming_grad_h;
  const real *matrix_U_a;
  real *packed;
  real *weights_4_0_0;
} backward_args;

INLINE void backward_1_body(const backward_args *a, const Step *s, int64_t row, int64_t j,
                              int n, vec v3, vec v6, vec v11, vec v14, vec v21, vec *sum29, vec *sum39, vec *sum48, vec *sum57) {
  const int past_end = a->valid && !a->valid[s->t * a->B + row];
  const int cut = a->reset && a->reset[s->t * a->B + row];
  __builtin_prefetch(a->lifted + ((s->t + s->ahead) * a->B + row) * 1 * a->hidden_size + 0 * a->hidden_size + j);
  __builtin_prefetch(a->saved_hidden_size + ((s->t + s->ahead) * a->B + row) * 1 * a->hidden_size + 0 * a->hidden_size + j);
  __builtin_prefetch(a->state_h + ((s->new + s->ahead) * a->B + row) * 1 * a->hidden_size + 0 * a->hidden_size + j);
  const vec v1 = load(a->lifted + (s->t * a->B + row) * a->hidden_size + j, n);
  const vec v10 = load(a->saved_hidden_size + ((a->keep ? s->t : 0) * a->B + row) * a->hidden_size + j, n);
  const vec v18 = load(a->state_h + (s->new * a->B + row) * a->hidden_size + j, n);
  const vec v19 = load(a->grad_h + (s->from * a->B + row) * a->hidden_size + j, n);
  const vec v17 = load(a->vector_weight_gain_hh_a + j, n);
  const vec v9 = load(a->vector_weight_gain_ih_a + j, n);
  const vec v7 = v1 - v3;
  const vec v8 = v7 * v6;
  const vec v15 = v10 - v11;
  const vec v16 = v15 * v14;
  const vec v20 = v18 * v18;
  const vec v22 = v21 - v20;
  const vec v23 = v19 * v22;
  const vec v24 = v23 * v16;
  const vec v25 = v23 * v17;
  const vec v26 = v25 * v14;
  const vec v27 = v25 * v15;
  const vec v28 = -v26;
  const vec v43 = v23 * v8;
  const vec v44 = v23 * v9;
  const vec v45 = v44 * v6;
  const vec v46 = v44 * v7;
  const vec v47 = -v45;
  store(a->total_hidden_size + (row) * 3 * a->hidden_size + 1 * a->hidden_size + j, load(a->total_hidden_size + (row) * 3 * a->hidden_size + 1 * a->hidden_size + j, n) + (past_end ? all(0) : v23), n);
  store(a->total_hidden_size + (row) * 3 * a->hidden_size + 2 * a->hidden_size + j, load(a->total_hidden_size + (row) * 3 * a->hidden_size + 2 * a->hidden_size + j, n) + (past_end ? all(0) : v24), n);
  store(a->scratch_hidden_size + (row) * 6 * a->hidden_size + j, v26, n);
  store(a->total_hidden_size + (row) * 3 * a->hidden_size + j, load(a->total_hidden_size + (row) * 3 * a->hidden_size + j, n) + (past_end ? all(0) : v43), n);
  store(a->scratch_hidden_size + (row) * 6 * a->hidden_size + 3 * a->hidden_size + j, v45, n);
  *sum29 += first(v27, n);
  *sum39 += first(v28, n);
  *sum48 += first(v46, n);
  *sum57 += first(v47, n);
}

INLINE void backward_3_body(const backward_args *a, const Step *s, int64_t row, int64_t j,
                              int n, vec v4, vec v12, vec v35, vec v40, vec v53, vec v58) {
  const int past_end = a->valid && !a->valid[s->t * a->B + row];
  __builtin_prefetch(a->lifted + ((s->t + s->ahead) * a->B + row) * 1 * a->hidden_size + 0 * a->hidden_size + j);
  __builtin_prefetch(a->saved_hidden_size + ((s->t + s->ahead) * a->B + row) * 1 * a->hidden_size + 0 * a->hidden_size + j);
  const vec v1 = load(a->lifted + (s->t * a->B + row) * a->hidden_size + j, n);
  const vec v10 = load(a->saved_hidden_size + ((a->keep ? s->t : 0) * a->B + row) * a->hidden_size + j, n);
  const vec v26 = load(a->scratch_hidden_size + (row) * 6 * a->hidden_size + j, n);
  const vec v45 = load(a->scratch_hidden_size + (row) * 6 * a->hidden_size + 3 * a->hidden_size + j, n);
  const vec v5 = v1 - v4;
  const vec v13 = v10 - v12;
  const vec v36 = v35;
  const vec v37 = v36 * v13;
  const vec v38 = v37 + v37;
  const vec v41 = v26 + v38;
  const vec v42 = v41 + v40;
  const vec v54 = v53;
  const vec v55 = v54 * v5;
  const vec v56 = v55 + v55;
  const vec v59 = v45 + v56;
  const vec v60 = v59 + v58;
  store(a->adjoint_hidden_size + (s->t * a->B + row) * 2 * a->hidden_size + 1 * a->hidden_size + j, past_end ? all(0) : v42, n);
  store(a->adjoint_hidden_size + (s->t * a->B + row) * 2 * a->hidden_size + j, past_end ? all(0) : v60, n);
}

static void backward_0(const backward_args *shared, const Step *step, int64_t first, int64_t end) {
  const backward_args own = *shared, *a = &own; /* copies, which no store can change */
  const Step at = *step, *s = &at;
  const int n = 1; /* of the numbers a row */
  const int64_t j = 0;
  for (int64_t row = first; row < end; ++row) {
    __builtin_prefetch(a->saved_1 + ((s->t + s->ahead) * a->B + row) * 4 * 1 + 0 * 1 + j);
    __builtin_prefetch(a->saved_1 + ((s->t + s->ahead) * a->B + row) * 4 * 1 + 2 * 1 + j);
    __builtin_prefetch(a->saved_1 + ((s->t + s->ahead) * a->B + row) * 4 * 1 + 3 * 1 + j);
    __builtin_prefetch(a->saved_1 + ((s->t + s->ahead) * a->B + row) * 4 * 1 + 1 * 1 + j);
    const vec v3 = all(*(a->saved_1 + ((a->keep ? s->t : 0) * a->B + row) * 4 * 1));
    const vec v11 = all(*(a->saved_1 + ((a->keep ? s->t : 0) * a->B + row) * 4 * 1 + 2 * 1));
    const vec v14 = all(*(a->saved_1 + ((a->keep ? s->t : 0) * a->B + row) * 4 * 1 + 3 * 1));
    const vec v6 = all(*(a->saved_1 + ((a->keep ? s->t : 0) * a->B + row) * 4 * 1 + 1 * 1));
    const vec v4 = v3;
    const vec v12 = v11;
    const vec v32 = v14 * v14;
    const vec v33 = v32 * v14;
    const vec v50 = v6 * v6;
    const vec v51 = v50 * v6;
    const vec v21 = all((real)1.0);
    vec sum29 = {0};
    vec sum39 = {0};
    vec sum48 = {0};
    vec sum57 = {0};
        for (int64_t c = 0; c < a->hidden_size; c += LANES)
          if (a->hidden_size - c >= LANES) backward_1_body(a, s, row, c, LANES, v3, v6, v11, v14, v21, &sum29, &sum39, &sum48, &sum57);
          else backward_1_body(a, s, row, c, (int)(a->hidden_size - c), v3, v6, v11, v14, v21, &sum29, &sum39, &sum48, &sum57);
    const vec v30 = all((real)-0.5);
    const vec v2 = all(a->hidden_size);
    const vec v29 = all(over_lanes(sum29));
    const vec v31 = v29 * v30;
    const vec v34 = v31 * v33;
    const vec v35 = v34 / v2;
    const vec v39 = all(over_lanes(sum39));
    const vec v40 = v39 / v2;
    const vec v48 = all(over_lanes(sum48));
    const vec v49 = v48 * v30;
    const vec v52 = v49 * v51;
    const vec v53 = v52 / v2;
    const vec v57 = all(over_lanes(sum57));
    const vec v58 = v57 / v2;
        for (int64_t c = 0; c < a->hidden_size; c += LANES)
          if (a->hidden_size - c >= LANES) backward_3_body(a, s, row, c, LANES, v4, v12, v35, v40, v53, v58);
          else backward_3_body(a, s, row, c, (int)(a->hidden_size - c), v4, v12, v35, v40, v53, v58);
  }
}

INLINE void backward_4_body(const backward_args *a, const Step *s, int64_t row, int64_t j,
                              int n, const real *p0) {
  const int past_end = a->valid && !a->valid[s->t * a->B + row];
  const int cut = a->reset && a->reset[s->t * a->B + row];
  const vec v61 = load(p0 + 0 * LANES, LANES);
  store(a->grad_h + (s->to * a->B + row) * a->hidden_size + j, cut ? all(0) : past_end ? load(a->grad_h + (s->from * a->B + row) * a->hidden_size + j, n) : v61, n);
}

enum { backward_4_spread = SPREAD(1) };
static void backward_4(const backward_args *shared, const Step *step, int64_t first, int64_t end,
                       int64_t block, int64_t last) {
  const backward_args own = *shared, *a = &own; /* copies, which no store can change */
  const Step at = *step, *s = &at;
  enum { M = backward_4_spread, V0 = CHUNKS(1 * M) * TILE };
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
        for (int i = 0; i < rows; ++i) x[i] = a->adjoint_hidden_size + (s->t * a->B + r + i) * 2 * a->hidden_size + 1 * a->hidden_size;
        product(rows, CHUNKS(1 * used), x, a->weights_4_0_0 + block * V0 * a->hidden_size * LANES, a->hidden_size,
                p0, V0 * LANES, 0);
      }
      for (int i = 0; i < rows; ++i)
        for (int q = 0; q < used; ++q) {
          const int64_t j = j0 + q * LANES;
          if (W - j >= LANES) backward_4_body(a, s, r + i, j, LANES, p0 + (i * V0 + q * 1) * LANES);
          else backward_4_body(a, s, r + i, j, (int)(W - j), p0 + (i * V0 + q * 1) * LANES);
        }
    }
  }
}

static int64_t backward_pack(backward_args *a, real *to, int write) {
  int64_t total = 0;
  a->weights_4_0_0 = to + total;
  const real *m_weights_4_0_0[] = {a->matrix_U_a};
  if (write) pack(to + total, m_weights_4_0_0, 1, backward_4_spread, a->hidden_size, a->hidden_size, 1, a->hidden_size);
  total += pack(0, 0, 1, backward_4_spread, a->hidden_size, a->hidden_size, 1, a->hidden_size);
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
    backward_0(a, &s, rows_from, rows_to);
    if (a->by_columns) meet(&a->arrived, &met, team);
    backward_4(a, &s, first, end, ((a->hidden_size + (backward_4_spread * LANES) - 1) / (backward_4_spread * LANES)) * part / parts, ((a->hidden_size + (backward_4_spread * LANES) - 1) / (backward_4_spread * LANES)) * (part + 1) / parts);
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

