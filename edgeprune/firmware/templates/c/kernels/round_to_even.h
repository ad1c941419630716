/* The nearest whole number; of two, the even one. */
static inline float round_to_even(float x)
{
    const float below = floorf(x);
    const float rest = x - below;
    const bool is_even = 2.0F * floorf(0.5F * below) == below;
    return ((rest < 0.5F) || ((rest == 0.5F) && is_even)) ? below : below + 1.0F;
}
