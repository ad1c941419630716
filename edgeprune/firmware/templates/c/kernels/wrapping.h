/* The sum as registers hold it: what a file asks for may be more than they do. */
static inline int32_t add_wrapping(int32_t left, int32_t right)
{
    return (int32_t)((uint32_t)left + (uint32_t)right);
}
