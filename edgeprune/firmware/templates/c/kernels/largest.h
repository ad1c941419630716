#if defined(__ARM_FEATURE_MVE)
#include <arm_mve.h>
#endif

/* The larger of each of four int8. */
EDGEPRUNE_INLINE int32_t largest_of_four(int32_t left, int32_t right)
{
#if defined(__ARM_FEATURE_SIMD32) && defined(__GNUC__)
    int32_t largest;
    __asm__("ssub8 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(largest) : "r"(left), "r"(right) : "cc");
    return largest;
#else
    int8_t some[4];
    int8_t others[4];
    int32_t largest;
    memcpy(some, &left, sizeof some);
    memcpy(others, &right, sizeof others);
    for (int32_t i = 0; i < 4; ++i) {
        some[i] = (some[i] > others[i]) ? some[i] : others[i];
    }
    memcpy(&largest, some, sizeof largest);
    return largest;
#endif
}

/* The largest value of each channel within a window of width * height pixels; `row_bytes` from row to row. */
static void find_largest(const int8_t *window, int32_t channels, int32_t width, int32_t row_bytes, int32_t height,
                         int8_t *output, int32_t low, int32_t high)
{
#if defined(__ARM_FEATURE_MVE)
    for (int32_t channel = 0; channel < channels; channel += 16) {
        const mve_pred16_t some = vctp8q((uint32_t)(channels - channel));
        int8x16_t largest = vdupq_n_s8((int8_t)low);
        for (int32_t y = 0; y < height; ++y) {
            const int8_t *value = &window[y * row_bytes + channel];
            for (int32_t x = 0; x < width; ++x, value += channels) {
                largest = vmaxq_s8(largest, vldrbq_z_s8(value, some));
            }
        }
        vstrbq_p_s8(&output[channel], vminq_s8(largest, vdupq_n_s8((int8_t)high)), some);
    }
#else
    int32_t channel = 0;
    for (; channel + 4 <= channels; channel += 4) {
        int32_t largest;
        memcpy(&largest, &window[channel], sizeof largest);
        for (int32_t y = 0; y < height; ++y) {
            const int8_t *value = &window[y * row_bytes + channel];
            for (int32_t x = 0; x < width; ++x, value += channels) {
                int32_t four;
                memcpy(&four, value, sizeof four);
                largest = largest_of_four(largest, four);
            }
        }
        int8_t found[4];
        memcpy(found, &largest, sizeof found);
        for (int32_t i = 0; i < 4; ++i) {
            output[channel + i] = clamp_int8(found[i], low, high);
        }
    }
    for (; channel < channels; ++channel) {
        int32_t largest = INT8_MIN;
        for (int32_t y = 0; y < height; ++y) {
            const int8_t *value = &window[y * row_bytes + channel];
            for (int32_t x = 0; x < width; ++x, value += channels) {
                largest = (*value > largest) ? *value : largest;
            }
        }
        output[channel] = clamp_int8(largest, low, high);
    }
#endif
}
