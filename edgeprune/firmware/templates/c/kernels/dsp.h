/* Two 16-bit numbers in a word: the low lane holds the first. Without the DSP extension the same in C. */
#if defined(__ARM_FEATURE_DSP) && defined(__ARM_FEATURE_SIMD32)
#include <arm_acle.h>

static inline int32_t smlad(int32_t a, int32_t b, int32_t sum)
{
    return __smlad(a, b, sum);
}

static inline int32_t smlabt(int32_t a, int32_t b, int32_t sum)
{
    return __smlabt(a, b, sum);
}

static inline int32_t smlatb(int32_t a, int32_t b, int32_t sum)
{
    return __smlatb(a, b, sum);
}

static inline int32_t sxtb16(int32_t bytes)
{
    return __sxtb16(bytes);
}

/* Two words with one instruction; compilers use LDRD for neighbours only now and then. */
static inline const int32_t *load_two(const int32_t *from, int32_t *first, int32_t *second)
{
    __asm__("ldrd %0, %1, [%2], #8"
            : "=r"(*first), "=r"(*second), "+r"(from)
            : "m"(*(const int32_t(*)[2])from));
    return from;
}
#else
static inline int32_t low_lane(int32_t pair)
{
    return (int16_t)((uint32_t)pair & 0xFFFFU);
}

static inline int32_t high_lane(int32_t pair)
{
    return pair >> 16;
}

static inline int32_t add_wrapping(int32_t a, int32_t b)
{
    return (int32_t)((uint32_t)a + (uint32_t)b);
}

static inline int32_t smlabt(int32_t a, int32_t b, int32_t sum)
{
    return add_wrapping(sum, low_lane(a) * high_lane(b));
}

static inline int32_t smlatb(int32_t a, int32_t b, int32_t sum)
{
    return add_wrapping(sum, high_lane(a) * low_lane(b));
}

static inline int32_t smlad(int32_t a, int32_t b, int32_t sum)
{
    return add_wrapping(add_wrapping(sum, low_lane(a) * low_lane(b)), high_lane(a) * high_lane(b));
}

static inline int32_t sxtb16(int32_t bytes)
{
    const uint32_t low = (uint32_t)(int8_t)((uint32_t)bytes & 0xFFU) & 0xFFFFU;
    const uint32_t high = (uint32_t)(int8_t)(((uint32_t)bytes >> 16) & 0xFFU) << 16;
    return (int32_t)(high | low);
}

static inline const int32_t *load_two(const int32_t *from, int32_t *first, int32_t *second)
{
    *first = from[0];
    *second = from[1];
    return &from[2];
}
#endif

/* Any two neighbours of a row of 16-bit numbers, aligned or not. */
static inline int32_t load_pair(const int16_t *row)
{
    int32_t pair;
    memcpy(&pair, row, sizeof pair);
    return pair;
}

static inline int32_t pack_pair(int32_t low, int32_t high)
{
    return (int32_t)(((uint32_t)high << 16) | ((uint32_t)low & 0xFFFFU));
}
