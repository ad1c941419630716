/* Depthwise windows of 3x3, two by two outputs of one channel at a time.
 *
 * Four rows of an image, of up to 16 channels, are turned to four bytes for each column: [column][channel][row]. Four
 * columns of one channel, 16 bytes, are all that 2x2 outputs need. Each of these is one product with 16 bytes that hold
 * the 3x3 weights and zeros: 16 bytes a channel, of which the first four are 0, and then every fourth, so that the
 * weights move by a row or a column where they are read a byte or four bytes sooner. */
struct edgeprune_rows {
    const int8_t *first; /* of four, the first one's first pixel */
    int32_t above;       /* rows of the four before the image begins */
    int32_t inside;      /* rows of the four from there on */
    int32_t row_bytes;
    int32_t pixel_bytes;
    int32_t left, columns, right; /* columns before, within and behind the image */
    int32_t zero;
};

/* Columns outside the image. */
EDGEPRUNE_INLINE int8_t *put_margin_mve(int8_t *columns, int32_t count, int8_t zero)
{
#if defined(__ARM_FEATURE_MVE)
    const int8x16_t margin = vdupq_n_s8(zero);
    for (int32_t left = count; left > 0; --left, columns += 64) {
        vstrbq_s8(columns, margin);
        vstrbq_s8(&columns[16], margin);
        vstrbq_s8(&columns[32], margin);
        vstrbq_s8(&columns[48], margin);
    }
#else
    for (int32_t i = 0; i < 64 * count; ++i) {
        *columns = zero;
        ++columns;
    }
#endif
    return columns;
}

/* One of the four rows: its first pixel, or the margin's. */
EDGEPRUNE_INLINE const int8_t *find_row_mve(const struct edgeprune_rows *by, int32_t row, const int8_t *margin)
{
    const int32_t inside = row - by->above;
    return ((inside >= 0) && (inside < by->inside)) ? &by->first[inside * by->row_bytes] : margin;
}

static void turn_columns_mve(const struct edgeprune_rows *by, int32_t channels, int8_t *columns)
{
    const int8_t *const margin = columns;
    columns = put_margin_mve(&columns[0], 1 + by->left, (int8_t)by->zero);
    const int8_t *a = find_row_mve(by, 0, margin);
    const int8_t *b = find_row_mve(by, 1, margin);
    const int8_t *c = find_row_mve(by, 2, margin);
    const int8_t *d = find_row_mve(by, 3, margin);
    const int32_t a_step = (a == margin) ? 0 : by->pixel_bytes;
    const int32_t b_step = (b == margin) ? 0 : by->pixel_bytes;
    const int32_t c_step = (c == margin) ? 0 : by->pixel_bytes;
    const int32_t d_step = (d == margin) ? 0 : by->pixel_bytes;
#if defined(__ARM_FEATURE_MVE)
    const mve_pred16_t some = vctp8q((uint32_t)channels);
#endif
    for (int32_t left = by->columns; left > 0; --left) {
#if defined(__ARM_FEATURE_MVE)
        const int8x16x4_t four = {{vldrbq_z_s8(a, some), vldrbq_z_s8(b, some), vldrbq_z_s8(c, some), vldrbq_z_s8(d, some)}};
        vst4q_s8(columns, four);
#else
        for (int32_t i = 0; i < channels; ++i) {
            columns[4 * i] = a[i];
            columns[4 * i + 1] = b[i];
            columns[4 * i + 2] = c[i];
            columns[4 * i + 3] = d[i];
        }
#endif
        a += a_step;
        b += b_step;
        c += c_step;
        d += d_step;
        columns += 64;
    }
    (void)put_margin_mve(columns, by->right, (int8_t)by->zero);
}

#if defined(__ARM_FEATURE_MVE)
/* Four sums of one channel as outputs; records of either form are those of requantize_four(). */
EDGEPRUNE_INLINE int32x4_t requantize_tile(int32x4_t sums, const struct edgeprune_channel *channel, int32_t low,
                                           int32_t high, enum edgeprune_form form)
{
    const int32x4_t biased = vaddq_n_s32(sums, channel->bias);
    int32x4_t value;
    if (form == SHIFTS_EITHER_WAY) {
        const int32_t shift = channel->shift - 64;
        const int32_t right = (shift < 0) ? shift : 0;
        const int32x4_t scaled = vqrdmulhq_n_s32(vshlq_r_s32(biased, shift - right), channel->multiplier);
        const int32x4_t away = vshrq_n_s32(vandq_s32(scaled, vdupq_n_s32(right)), 31);
        value = vaddq_n_s32(vrshlq_n_s32(vaddq_s32(scaled, away), right), channel->offset);
    } else {
        int32x4_t product = vqrdmulhq_n_s32(biased, channel->multiplier);
        if (form == SHIFTS_RIGHT) {
            product = vaddq_s32(product, vshrq_n_s32(product, 31));
        }
        value = vshrq_n_s32(vqshlq_r_s32(vaddq_n_s32(product, channel->offset), channel->shift), 24);
        if ((low == INT8_MIN) && (high == INT8_MAX)) {
            return value;
        }
    }
    return vminq_s32(vmaxq_s32(value, vdupq_n_s32(low)), vdupq_n_s32(high));
}
#endif

/* Two rows of one channel; `pixel` and `row` are distances of outputs in bytes. The last columns have one that is computed
 * already where their number is odd. */
EDGEPRUNE_INLINE void put_tiles(const int8_t *columns, const int8_t *weights, const struct edgeprune_channel *channel,
                                int8_t *output, int32_t width, int32_t pixel, int32_t row, int32_t low, int32_t high,
                                enum edgeprune_form form)
{
#if defined(__ARM_FEATURE_MVE)
    const struct edgeprune_channel record = *channel;
    const int8x16_t here = vldrbq_s8(&weights[4]);
    const int8x16_t right = vldrbq_s8(weights);
    const int8x16_t below = vldrbq_s8(&weights[3]);
    const int8x16_t across = vldrbq_s8(&weights[-1]);
    const uint32x4_t reads = vmulq_n_u32(vidupq_n_u32(0, 1), 64);
    const uint32x4_t writes = {0, (uint32_t)pixel, (uint32_t)row, (uint32_t)(row + pixel)};
    for (int32_t left = width; left > 1; left -= 2, columns += 128, output += 2 * pixel) {
        const int8x16_t tile = vreinterpretq_s8_s32(vldrwq_gather_offset_s32((const int32_t *)(const void *)columns, reads));
        const int32x4_t sums = pack_sums(vmladavq_s8(here, tile), vmladavq_s8(right, tile), vmladavq_s8(below, tile),
                                         vmladavq_s8(across, tile));
        vstrbq_scatter_offset_s32(output, writes, requantize_tile(sums, &record, low, high, form));
    }
    if (width % 2 != 0) {
        const int32_t *const last = (const int32_t *)(const void *)&columns[-64];
        const int8x16_t tile = vreinterpretq_s8_s32(vldrwq_gather_offset_s32(last, reads));
        const int32x4_t sums = pack_sums(vmladavq_s8(here, tile), vmladavq_s8(right, tile), vmladavq_s8(below, tile),
                                         vmladavq_s8(across, tile));
        vstrbq_scatter_offset_s32(output - pixel, writes, requantize_tile(sums, &record, low, high, form));
    }
#else
    for (int32_t place = 0; place < 2 * width; ++place) {
        const int32_t x = place % width;
        const int32_t y = place / width;
        int32_t sum = 0;
        for (int32_t i = 0; i < 9; ++i) {
            sum += columns[(x + i / 3) * 64 + y + i % 3] * weights[4 + i / 3 * 4 + i % 3];
        }
        const int32_t records[16] = {[0] = channel->bias, [4] = channel->multiplier, [8] = channel->offset,
                                     [12] = (form == SHIFTS_EITHER_WAY) ? channel->shift - 64 : channel->shift};
        output[y * row + x * pixel] = requantize_one(sum, records, 0, low, high, form);
    }
#endif
}

EDGEPRUNE_INLINE void depthwise_tiles(const int8_t *columns, const int8_t *weights,
                                      const struct edgeprune_channel *records, int32_t channels, int8_t *output,
                                      int32_t width, int32_t pixel, int32_t low, int32_t high, enum edgeprune_form form,
                                      bool is_mixed)
{
    for (int32_t channel = 0; channel < channels; ++channel) {
        if (is_mixed && (records->shift >= 32)) {
            put_tiles(columns, weights, records, output, width, pixel, width * pixel, low, high, SHIFTS_EITHER_WAY);
        } else {
            put_tiles(columns, weights, records, output, width, pixel, width * pixel, low, high, form);
        }
        columns += 4;
        weights += 16;
        ++records;
        ++output;
    }
}
