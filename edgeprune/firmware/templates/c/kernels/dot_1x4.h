/* One output channel of four pixels on cores without vectors: two inputs share a word as x + 65536 * y, so that
 * one product serves two pixels. Weights come in parts, each after its length: the compiler has made them so
 * short that no sum of a part outgrows 16 bits. Returns where the next channel's weights begin. */
static const int8_t *dot_1x4(const int8_t *weights, const int32_t *patches, int32_t depth, int32_t sums[4])
{
    const int32_t *const last = &patches[2 * depth];
    while (patches != last) {
        uint32_t first = 0;
        uint32_t second = 0;
        const int8_t *const end = &weights[1 + (int32_t)(uint8_t)weights[0]];
        ++weights;
        do {
            const uint32_t weight = (uint32_t)(int32_t)*weights;
            first += (uint32_t)patches[0] * weight;
            second += (uint32_t)patches[1] * weight;
            patches += 2;
            ++weights;
        } while (weights != end);
        const int32_t low = (int16_t)(first & 0xFFFFU);
        const int32_t next_low = (int16_t)(second & 0xFFFFU);
        sums[0] += low;
        sums[1] += (int32_t)(first - (uint32_t)low) >> 16;
        sums[2] += next_low;
        sums[3] += (int32_t)(second - (uint32_t)next_low) >> 16;
    }
    return weights;
}

/* A pixel's inputs into one half of every second word. */
static int32_t *put_half(int32_t *target, const int8_t *source, int32_t step, int32_t count, int32_t is_high)
{
    for (int32_t i = 0; i < count; ++i) {
        *target = (is_high != 0) ? *target + *source * 65536 : *source;
        source += step;
        target += 2;
    }
    return target;
}
