static inline int16_t clamp_int16(int32_t value, int32_t low, int32_t high)
{
    const int32_t raised = (value < low) ? low : value;
    return (int16_t)((raised > high) ? high : raised);
}
