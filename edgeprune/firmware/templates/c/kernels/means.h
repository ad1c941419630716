/* Bytes 0 and 2 of a word, added to 16-bit lanes; and bytes 1 and 3. */
EDGEPRUNE_INLINE int32_t add_even_bytes(int32_t sums, int32_t bytes)
{
#if defined(__ARM_FEATURE_SIMD32) && defined(__GNUC__)
    __asm__("sxtab16 %0, %0, %1" : "+r"(sums) : "r"(bytes));
    return sums;
#else
    const int32_t lanes = sxtb16(bytes);
    return pack_pair((int16_t)sums + (int16_t)lanes, (sums >> 16) + (lanes >> 16));
#endif
}

EDGEPRUNE_INLINE int32_t add_odd_bytes(int32_t sums, int32_t bytes)
{
#if defined(__ARM_FEATURE_SIMD32) && defined(__GNUC__)
    __asm__("sxtab16 %0, %0, %1, ror #8" : "+r"(sums) : "r"(bytes));
    return sums;
#else
    return add_even_bytes(sums, (int32_t)((uint32_t)bytes >> 8));
#endif
}

EDGEPRUNE_INLINE int8_t divide_sum(int32_t sum, int32_t count, int32_t low, int32_t high)
{
    return clamp_int8((sum + ((sum > 0) ? count / 2 : -(count / 2))) / count, low, high);
}

/* The mean of each channel within a window of width * height pixels, at most 255; `row_bytes` from row to row. */
static void find_means(const int8_t *window, int32_t channels, int32_t width, int32_t row_bytes, int32_t height,
                       int8_t *output, int32_t low, int32_t high)
{
    const int32_t count = width * height;
    int32_t channel = 0;
    for (; channel + 4 <= channels; channel += 4) {
        int32_t even = 0;
        int32_t odd = 0;
        for (int32_t y = 0; y < height; ++y) {
            const int8_t *value = &window[y * row_bytes + channel];
            for (int32_t x = 0; x < width; ++x, value += channels) {
                const int32_t bytes = load_bytes(value);
                even = add_even_bytes(even, bytes);
                odd = add_odd_bytes(odd, bytes);
            }
        }
        output[channel] = divide_sum((int16_t)even, count, low, high);
        output[channel + 1] = divide_sum((int16_t)odd, count, low, high);
        output[channel + 2] = divide_sum(even >> 16, count, low, high);
        output[channel + 3] = divide_sum(odd >> 16, count, low, high);
    }
    for (; channel < channels; ++channel) {
        int32_t sum = 0;
        for (int32_t y = 0; y < height; ++y) {
            const int8_t *value = &window[y * row_bytes + channel];
            for (int32_t x = 0; x < width; ++x, value += channels) {
                sum += *value;
            }
        }
        output[channel] = divide_sum(sum, count, low, high);
    }
}
