/* One output channel of one row; each weight comes after how many zeros there are before it, at most 255 weights
 * after their number, up to a number of 0. Returns where the next channel's weights begin. */
static const int8_t *dot_sparse_1x1(const int8_t *weights, const int8_t *inputs, int32_t *sum)
{
    int32_t total = 0;
    for (int32_t left = (uint8_t)*weights++; left != 0; left = (uint8_t)*weights++) {
        for (const int8_t *const end = &weights[2 * left]; weights != end; weights += 2) {
            inputs += (uint8_t)weights[0];
            total += *inputs * weights[1];
            ++inputs;
        }
    }
    *sum = total;
    return weights;
}
