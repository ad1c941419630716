static inline int32_t count_leading_zeros(int32_t value)
{
    int32_t count = 0;
    for (uint32_t bits = (uint32_t)value; (count < 32) && (bits < UINT32_C(0x80000000)); bits <<= 1) {
        ++count;
    }
    return count;
}
