/* Logistic function of |value| / 24 / 2^bits, Q0.16 shifted left by `bits`, between neighbours of a table. */
EDGEPRUNE_INLINE int32_t interpolate_logistic(const int32_t *table, int32_t magnitude, int32_t bits)
{
    const int32_t place = magnitude >> bits;
    if (place >= 255) {
        return -1;
    }
    const int32_t fraction = magnitude & ((1 << bits) - 1);
    const int32_t step = table[place + 1] - table[place];
    return (table[place] << bits) + fraction * step;
}

/* Logistic function of scaled / 24 / 2^9, to Q0.15. */
EDGEPRUNE_INLINE int32_t logistic_of(const int32_t *table, int32_t scaled)
{
    const int32_t found = interpolate_logistic(table, (scaled < 0) ? -scaled : scaled, 9);
    const int32_t result = (found < 0) ? 0x7FFF << 10 : found;
    return ((scaled >= 0) ? result + (1 << 9) : (1 << 25) - result + (1 << 9) - 1) >> 10;
}

/* Hyperbolic tangent of scaled / 48 / 2^8, to Q0.15. */
EDGEPRUNE_INLINE int32_t tanh_of(const int32_t *table, int32_t scaled)
{
    const int32_t found = interpolate_logistic(table, (scaled < 0) ? -scaled : scaled, 8);
    const int32_t result = (found < 0) ? 0xFFFF << 8 : found;
    return ((scaled >= 0) ? result - (1 << 23) + (1 << 7) : -result + (1 << 23) + (1 << 7) - 1) >> 8;
}
