/* The sum of products of one row of weights, as 16-bit numbers in the order in which SXTB16 leaves inputs, with
 * groups of four inputs. */
EDGEPRUNE_INLINE int32_t dot_1x1(const int32_t *weights, const int8_t *inputs, int32_t groups)
{
    int32_t sum = 0;
    for (const int8_t *const last = &inputs[4 * groups]; inputs != last; inputs += 4) {
        int32_t even, odd;
        const int32_t bytes = load_bytes(inputs);
        weights = load_two(weights, &even, &odd);
        sum = smlad(even, sxtb16(bytes), sum);
        sum = smlad(odd, sxtb16_ror8(bytes), sum);
    }
    return sum;
}
