/* One output channel of four pixels on cores without vectors: two inputs share a word as x + 65536 * y, so that
 * one product serves two pixels. Weights come in parts, each after its length: the compiler has made them so
 * short that no sum of a part outgrows 16 bits. Returns where the next channel's weights begin. */
static const int8_t *dot_1x4(const int8_t *weights, const int32_t *patches, int32_t depth, int32_t sums[4])
{
    const uint32_t *words = (const uint32_t *)patches;
    const uint32_t *const last = &words[2 * depth];
    int32_t sum_0 = 0;
    int32_t sum_1 = 0;
    int32_t sum_2 = 0;
    int32_t sum_3 = 0;
    while (words != last) {
        uint32_t first = 0;
        uint32_t second = 0;
        const uint32_t *const part = &words[2 * (int32_t)(uint8_t)*weights];
        do {
            ++weights;
            const uint32_t weight = (uint32_t)(int32_t)*weights;
            first += words[0] * weight;
            second += words[1] * weight;
            words += 2;
        } while (words != part);
        ++weights;
        const int32_t low = (int16_t)(first & 0xFFFFU);
        const int32_t next_low = (int16_t)(second & 0xFFFFU);
        sum_0 += low;
        sum_1 += (int32_t)(first - (uint32_t)low) >> 16;
        sum_2 += next_low;
        sum_3 += (int32_t)(second - (uint32_t)next_low) >> 16;
    }
    sums[0] = sum_0;
    sums[1] = sum_1;
    sums[2] = sum_2;
    sums[3] = sum_3;
    return weights;
}
