static inline int32_t clamp_int16(int32_t value)
{
    const int32_t raised = (value < INT16_MIN) ? INT16_MIN : value;
    return (raised > INT16_MAX) ? INT16_MAX : raised;
}

/* What one gate takes from the input or from the hidden state, Q3.12. */
static int32_t lstm_sum(const int8_t *values, const int8_t *weights, int32_t count,
                        const struct edgeprune_channel *record)
{
    int32_t sum = record->bias;
    for (int32_t i = 0; i < count; ++i) {
        sum += values[i] * weights[i];
    }
    return clamp_int16(rescale(sum, record->multiplier, record->shift));
}

/* Logistic function of |value| / 24 / 2^bits, Q0.16 shifted left by `bits`, between neighbours of a table. */
static int32_t lstm_interpolate(const int32_t *table, int32_t magnitude, int32_t bits)
{
    const int32_t place = magnitude >> bits;
    if (place >= 255) {
        return -1;
    }
    const int32_t fraction = magnitude & ((1 << bits) - 1);
    const int32_t step = table[place + 1] - table[place];
    return (table[place] << bits) + fraction * step;
}

/* Q3.12 to Q0.15. */
static int32_t lstm_logistic(const int32_t *table, int32_t value)
{
    const int32_t scaled = value * 3;
    const int32_t found = lstm_interpolate(table, (scaled < 0) ? -scaled : scaled, 9);
    const int32_t result = (found < 0) ? 0x7FFF << 10 : found;
    return ((scaled >= 0) ? result + (1 << 9) : (1 << 25) - result + (1 << 9) - 1) >> 10;
}

/* To Q0.15; multiplier and shift bring the value to 24 * 256 steps. */
static int32_t lstm_tanh(const int32_t *table, int32_t value, int32_t multiplier, int32_t shift)
{
    const int32_t scaled = (value * multiplier + ((1 << shift) >> 1)) >> shift;
    const int32_t found = lstm_interpolate(table, (scaled < 0) ? -scaled : scaled, 8);
    const int32_t result = (found < 0) ? 0xFFFF << 8 : found;
    return ((scaled >= 0) ? result - (1 << 23) + (1 << 7) : -result + (1 << 23) + (1 << 7) - 1) >> 8;
}

/* Between -limit and limit; 0 is no limit. */
static inline int32_t lstm_clip(int32_t value, int32_t limit)
{
    const int32_t lowered = ((limit > 0) && (value > limit)) ? limit : value;
    return ((limit > 0) && (lowered < -limit)) ? -limit : lowered;
}
