/* A step's input, asked for all that a loop believes of it before the loop walks over it.
 *
 * Torch answers by its C shim, torch/csrc/inductor/aoti_torch/c/shim.h; each function returns 0
 * where it has an answer. A tensor is for it the address of a pointer to what holds the numbers.
 * The other half is step_input.py, which fills this in. */
typedef struct {
  void *tensor;
  int64_t layout, device, dtype, rows, columns, size; /* what is wanted; bytes of a number */
  int32_t (*layout_of)(void *, int32_t *), (*device_of)(void *, int32_t *);
  int32_t (*dtype_of)(void *, int32_t *), (*dim_of)(void *, int64_t *);
  int32_t (*sizes_of)(void *, int64_t **), (*strides_of)(void *, int64_t **);
  int32_t (*offset_of)(void *, int64_t *), (*bytes_of)(void *, int64_t *);
  int32_t (*address_of)(void *, void **);
  void (*walk)(void *);
  int64_t *arguments, x_at;
} step_input;

static int fits(const step_input *in) {
  void *of = (void *)&in->tensor;
  int32_t layout, device, dtype;
  int64_t dim, *sizes, *strides, offset, bytes;
  if (in->layout_of(of, &layout) || layout != in->layout) return 0;
  if (in->device_of(of, &device) || device != in->device) return 0;
  if (in->dtype_of(of, &dtype) || dtype != in->dtype) return 0;
  if (in->dim_of(of, &dim) || dim != 2 || in->sizes_of(of, &sizes)) return 0;
  if (sizes[0] != in->rows || sizes[1] != in->columns || in->strides_of(of, &strides)) return 0;
  if (in->rows > 1 && strides[0] != in->columns) return 0;
  if (in->columns > 1 && strides[1] != 1) return 0;
  if (in->offset_of(of, &offset) || in->bytes_of(of, &bytes)) return 0;
  return (offset + in->rows * in->columns) * in->size <= bytes;
}

/* Walk the step and return 0, or return 1 and do nothing if the input does not fit. */
int64_t feed(step_input *in) {
  void *address;
  if (!fits(in) || in->address_of((void *)&in->tensor, &address) || !address) return 1;
  in->arguments[in->x_at] = (int64_t)(intptr_t)address;
  in->walk(in->arguments);
  return 0;
}
