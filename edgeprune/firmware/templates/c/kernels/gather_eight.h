/* A window that slides over images. */
struct edgeprune_window {
    int32_t in_h, in_w, in_c, in_zero;
    int32_t out_h, out_w, pixels;
    int32_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, pad_top, pad_left;
};

/* An output pixel. */
struct edgeprune_pixel {
    const int8_t *image;
    int32_t y, x;
};

static inline void move_on(const struct edgeprune_window *by, struct edgeprune_pixel *at)
{
    ++at->x;
    if (at->x == by->out_w) {
        at->x = 0;
        ++at->y;
        if (at->y == by->out_h) {
            at->y = 0;
            at->image += by->in_h * by->in_w * by->in_c;
        }
    }
}

/* The inputs of a pixel near the margin into one half of every fourth word. */
static void gather_half(const struct edgeprune_window *by, const struct edgeprune_pixel *at, int32_t *target,
                        int32_t is_high)
{
    const int8_t zero = (int8_t)by->in_zero;
    const int32_t left = at->x * by->stride_w - by->pad_left;
    const int32_t first = (left < 0) ? -left : 0;
    const int32_t last = (left + by->kernel_w > by->in_w) ? by->in_w - left : by->kernel_w;
    int32_t y = at->y * by->stride_h - by->pad_top;
    for (int32_t i = 0; i < by->kernel_h; ++i, y += by->dilation_h) {
        if ((y < 0) || (y >= by->in_h)) {
            target = put_half(target, &zero, 0, by->kernel_w * by->in_c, is_high);
            continue;
        }
        const int8_t *source = &at->image[(y * by->in_w + left + first) * by->in_c];
        target = put_half(target, &zero, 0, first * by->in_c, is_high);
        target = put_half(target, source, 1, (last - first) * by->in_c, is_high);
        target = put_half(target, &zero, 0, (by->kernel_w - last) * by->in_c, is_high);
    }
}

/* The inputs of two pixels side by side, whose windows lie between the left and the right margin. */
static void gather_pair(const struct edgeprune_window *by, const struct edgeprune_pixel *at, int32_t *target)
{
    const int32_t count = by->kernel_w * by->in_c;
    const int32_t left = at->x * by->stride_w - by->pad_left;
    int32_t y = at->y * by->stride_h - by->pad_top;
    for (int32_t i = 0; i < by->kernel_h; ++i, y += by->dilation_h) {
        if ((y < 0) || (y >= by->in_h)) {
            target = fill_pair(target, by->in_zero, count);
        } else {
            const int8_t *source = &at->image[(y * by->in_w + left) * by->in_c];
            target = put_pair(target, source, by->stride_w * by->in_c, count);
        }
    }
}

/* The inputs of eight pixels, those of two in each word; the last pixel fills up the words where there are fewer. */
static void gather_eight(const struct edgeprune_window *by, const int8_t *input, int32_t pixel, int32_t *patches)
{
    const int32_t row = pixel / by->out_w;
    const int32_t image = row / by->out_h;
    struct edgeprune_pixel at = {&input[image * by->in_h * by->in_w * by->in_c], row - image * by->out_h,
                                 pixel - row * by->out_w};
    for (int32_t word = 0; word < 4; ++word) {
        struct edgeprune_pixel next = at;
        if (pixel + 2 * word + 1 < by->pixels) {
            move_on(by, &next);
        }
        const int32_t left = at.x * by->stride_w - by->pad_left;
        if ((left >= 0) && (left + by->stride_w + by->kernel_w <= by->in_w) && (next.x == at.x + 1)) {
            gather_pair(by, &at, &patches[word]);
        } else {
            gather_half(by, &at, &patches[word], 0);
            gather_half(by, &next, &patches[word], 1);
        }
        at = next;
        if (pixel + 2 * word + 2 < by->pixels) {
            move_on(by, &at);
        }
    }
}
