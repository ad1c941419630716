static inline float clamp_float(float value, float low, float high)
{
    const float raised = (value < low) ? low : value;
    return (raised > high) ? high : raised;
}
