/* The value of a table of 513 entries for every 128th int16, on the straight line between neighbours. */
static inline int32_t look_up_between(const int16_t *table, int32_t value)
{
    const int32_t place = 256 + (value >> 7);
    const int32_t slope = table[place + 1] - table[place];
    return (int16_t)(table[place] + ((slope * (value & 0x7F) + 64) >> 7));
}
