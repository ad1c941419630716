static inline int32_t clamp_int32(int32_t value, int32_t low, int32_t high)
{
    const int32_t raised = (value < low) ? low : value;
    return (raised > high) ? high : raised;
}
