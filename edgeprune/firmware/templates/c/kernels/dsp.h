/* Two 16-bit numbers in a word: the low lane holds the first. Without the DSP extension the same in C. */
static inline int32_t pack_pair(int32_t low, int32_t high)
{
    return (int32_t)(((uint32_t)high << 16) | ((uint32_t)low & 0xFFFFU));
}

#if defined(__ARM_FEATURE_DSP) && defined(__ARM_FEATURE_SIMD32)
#include <arm_acle.h>

static inline int32_t smlad(int32_t a, int32_t b, int32_t sum)
{
    return __smlad(a, b, sum);
}

static inline int32_t smlabb(int32_t a, int32_t b, int32_t sum)
{
    return __smlabb(a, b, sum);
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

static inline int32_t add_pairs(int32_t a, int32_t b)
{
    return __sadd16(a, b);
}

static inline int32_t subtract_pairs(int32_t a, int32_t b)
{
    return __ssub16(a, b);
}

/* SXTB16 of the other two bytes. */
static inline int32_t sxtb16_ror8(int32_t bytes)
{
    int32_t lanes;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(lanes) : "r"(bytes));
    return lanes;
}

/* Two words with one instruction; compilers use LDRD for neighbours only now and then. Volatile, because
 * loads that are moved up for the pipeline run the loops out of registers. */
static inline const int32_t *load_two(const int32_t *from, int32_t *first, int32_t *second)
{
    __asm__ volatile("ldrd %0, %1, [%2], #8"
            : "=r"(*first), "=r"(*second), "+r"(from)
            : "m"(*(const int32_t(*)[2])from));
    return from;
}

static inline int32_t *store_two(int32_t *to, int32_t first, int32_t second)
{
    __asm__ volatile("strd %2, %3, [%0], #8"
                     : "+r"(to), "=m"(*(int32_t(*)[2])to)
                     : "r"(first), "r"(second));
    return to;
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

static inline int32_t smlabb(int32_t a, int32_t b, int32_t sum)
{
    return add_wrapping(sum, low_lane(a) * low_lane(b));
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

static inline int32_t add_pairs(int32_t a, int32_t b)
{
    return pack_pair(low_lane(a) + low_lane(b), high_lane(a) + high_lane(b));
}

static inline int32_t subtract_pairs(int32_t a, int32_t b)
{
    return pack_pair(low_lane(a) - low_lane(b), high_lane(a) - high_lane(b));
}

static inline int32_t sxtb16_ror8(int32_t bytes)
{
    return sxtb16((int32_t)(((uint32_t)bytes >> 8) | ((uint32_t)bytes << 24)));
}

static inline int32_t *store_two(int32_t *to, int32_t first, int32_t second)
{
    to[0] = first;
    to[1] = second;
    return &to[2];
}

static inline const int32_t *load_two(const int32_t *from, int32_t *first, int32_t *second)
{
    *first = from[0];
    *second = from[1];
    return &from[2];
}
#endif

static inline int32_t load_bytes(const int8_t *four)
{
    int32_t bytes;
    memcpy(&bytes, four, sizeof bytes);
    return bytes;
}

/* Any two neighbours of a row of 16-bit numbers, aligned or not. */
static inline int32_t load_pair(const int16_t *row)
{
    int32_t pair;
    memcpy(&pair, row, sizeof pair);
    return pair;
}
