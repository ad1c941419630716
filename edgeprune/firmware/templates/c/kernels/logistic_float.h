static inline float logistic_float(float x)
{
    return (x > 16.619047164916992188F) ? 1.0F : ((x < -9.0F) ? expf(x) : 1.0F / (1.0F + expf(-x)));
}
