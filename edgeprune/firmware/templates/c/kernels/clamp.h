static inline int8_t clamp_int8(int32_t value, int32_t low, int32_t high)
{
    const int32_t raised = (value < low) ? low : value;
    return (int8_t)((raised > high) ? high : raised);
}
