/* The whole part of a number; what no int32_t holds, NaN too, is what x86 makes of it. */
static inline int32_t truncate_float(float value)
{
    return ((value >= -2147483648.0F) && (value < 2147483648.0F)) ? (int32_t)value : INT32_MIN;
}
