"""The functions of a kernel around what depends on the cell."""

from string import Template

ROWS = Template("""\
static void ${loop}_$k(const ${loop}_args *shared, const Step *step, int64_t first, int64_t end) {
  const ${loop}_args own = *shared, *a = &own; /* copies, which no store can change */
  const Step at = *step, *s = &at;
  const int n = 1; /* of the numbers a row */
  const int64_t j = 0;
  for (int64_t row = first; row < end; ++row) {
$body
  }
}
""")

BODY = Template("""\
INLINE void ${loop}_${k}_body(const ${loop}_args *a, const Step *s, int64_t row, int64_t j,
                              int n$more) {
$body
}
""")

ACROSS = Template("""\
    for (int64_t c = 0; c < $width; c += LANES)
      if ($width - c >= LANES) ${loop}_${k}_body(a, s, row, c, LANES$more);
      else ${loop}_${k}_body(a, s, row, c, (int)($width - c)$more);""")

WIDE_STAGE = Template("""\
$body
enum { ${loop}_${k}_spread = $spread };
static void ${loop}_$k(const ${loop}_args *shared, const Step *step, int64_t first, int64_t end,
                       int64_t block, int64_t last) {
  const ${loop}_args own = *shared, *a = &own; /* copies, which no store can change */
  const Step at = *step, *s = &at;
  enum { M = ${loop}_${k}_spread$vectors };
  const int64_t W = $width;
  const int height = even_height(end - first);
  for (; block < last; ++block) {
    const int64_t j0 = block * M * LANES;
    const int used = (int)(W - j0 < M * LANES ? (W - j0 + LANES - 1) / LANES : M);
    for (int64_t r = first; r < end; r += height) {
      const int rows = end - r < height ? (int)(end - r) : height;
$multiply
      for (int i = 0; i < rows; ++i)
        for (int q = 0; q < used; ++q) {
          const int64_t j = j0 + q * LANES;
          if (W - j >= LANES) ${loop}_${k}_body(a, s, r + i, j, LANES$at);
          else ${loop}_${k}_body(a, s, r + i, j, (int)(W - j)$at);
        }
    }
  }
}
""")

PRODUCT = Template("""\
      {
        const real *x[PANEL];
        for (int i = 0; i < rows; ++i) x[i] = $row;
        product(rows, CHUNKS($nodes * used), x, a->$weights + block * V$g * $K * LANES, $K,
                p$g, V$g * LANES, $more);
      }""")

WALK = Template("""\
static void ${loop}_walk(void *arguments) {
  ${loop}_args *a = arguments;
  const int me = a->threads > 1 ? a->thread() : 0, team = a->threads > 1 ? a->team() : 1;
  const int64_t rows_from = a->B * me / team, rows_to = a->B * (me + 1) / team;
  const int64_t first = a->by_columns ? 0 : rows_from, end = a->by_columns ? a->B : rows_to;
  const int64_t part = a->by_columns ? me : 0, parts = a->by_columns ? team : 1;
  int64_t met = 0;
  const __auto_type mode = flush_denormals();
  for (int64_t k = 0; k < a->T; ++k) {
    const int64_t at = $at, old = a->reverse ? a->T - at : at;
    const int64_t new = a->reverse ? old - 1 : old + 1;
    const Step s = {old < new ? old : new, old, new, k % 2, 1 - k % 2,
                    (a->reverse ? -1 : 1) * ($direction)};
$stages
  }
  restore(mode);
}

int64_t ${loop}_size(${loop}_args *a) { return ${loop}_pack(a, 0, 0); }

void ${loop}(${loop}_args *a) {
  ${loop}_pack(a, a->packed, a->pack);
  if (a->threads > 1) a->parallel(${loop}_walk, a, (unsigned)a->threads, 0);
  else ${loop}_walk(a);
}
""")
