/* As connect_8x1(), for four channels: two words of weights for each pair of inputs. */
static void connect_four(const int32_t *weights, const int8_t *inputs, int32_t groups,
                         const struct edgeprune_channel *channels, int8_t *output, int32_t low, int32_t high)
{
    int32_t a = 0, ab = 0, c = 0, cd = 0;
    for (const int8_t *const last = &inputs[4 * groups]; inputs != last; inputs += 4) {
        const int32_t bytes = load_bytes(inputs);
        const int32_t lanes[2] = {sxtb16(bytes), sxtb16_ror8(bytes)};
        for (int32_t i = 0; i < 2; ++i) {
            int32_t first, second;
            weights = load_two(weights, &first, &second);
            ab = smlad(first, lanes[i], ab);
            a = smlad(sxtb16(first), lanes[i], a);
            cd = smlad(second, lanes[i], cd);
            c = smlad(sxtb16(second), lanes[i], c);
        }
    }
    output[0] = clamp_int8(requantize_doubled(2 * a, &channels[0], false), low, high);
    output[1] = clamp_int8(requantize_doubled(split_twice(ab, a), &channels[1], false), low, high);
    output[2] = clamp_int8(requantize_doubled(2 * c, &channels[2], false), low, high);
    output[3] = clamp_int8(requantize_doubled(split_twice(cd, c), &channels[3], false), low, high);
}
