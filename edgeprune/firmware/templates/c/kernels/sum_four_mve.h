/* The sums over a window of four channels side by side. */
EDGEPRUNE_INLINE void sum_four_mve(const int8_t *values, int32_t rows, int32_t columns, int32_t row_bytes,
                                   int32_t pixel_bytes, int32_t sums[4])
{
#if defined(__ARM_FEATURE_MVE)
    int32x4_t total = vdupq_n_s32(0);
    for (int32_t y = 0; y < rows; ++y, values += row_bytes) {
        const int8_t *value = values;
        for (int32_t x = 0; x < columns; ++x, value += pixel_bytes) {
            total = vaddq_s32(total, vldrbq_s32(value));
        }
    }
    vstrwq_s32(sums, total);
#else
    for (int32_t i = 0; i < 4; ++i) {
        sums[i] = 0;
        for (int32_t place = 0; place < rows * columns; ++place) {
            sums[i] += values[place / columns * row_bytes + place % columns * pixel_bytes + i];
        }
    }
#endif
}
